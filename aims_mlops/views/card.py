"""Cards for notebooks: small, without script, readable on a light and on a dark page.

A notebook may strip style blocks and knows no theme of ours: the style stands in the elements, letters take the
page's own colour, and the coloured words carry their own background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from aims_mlops.model.decision import Decision, RequirementStatus
from aims_mlops.model.finding import CheckResult
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.report import CheckReport
from aims_mlops.views import words
from aims_mlops.views.html import environment

MOST_ROWS = 20
MOST_BYTES = 30_000
"""A card shows as many rows as fit into both; it says how many more there are."""

_MOST_LETTERS = 300
_GOOD, _CARE, _BAD = "#17693f", "#7a4d00", "#a3201a"
_TONES = {
    Status.PASSED: _GOOD,
    Status.WARNED: _CARE,
    Status.WAIVED: _CARE,
    Status.INCONCLUSIVE: _CARE,
}


@dataclass(frozen=True, slots=True)
class CardRow:
    """One result or requirement: its word with a colour, its name, and what is said of it."""

    word: str
    tone: str
    name: str
    about: str
    reason: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Card:
    """A card as plain values."""

    summary: str
    tone: str
    alarm: str
    rows: tuple[CardRow, ...]
    facts: tuple[tuple[str, str], ...]


def register_cards(shell: Any) -> None:
    """Let an IPython shell show reports and decisions as cards; a shell without rich display is left as it is."""
    formatter = getattr(shell, "display_formatter", None)
    if formatter is not None:
        html = formatter.formatters["text/html"]
        html.for_type(CheckReport, check_card)
        html.for_type(Decision, decision_card)


def check_card(report: CheckReport) -> str:
    """Return a run as a notebook card of less than 30 kB; texts of more than 300 letters are cut with a sign."""
    results = words.worst_first(report.results)
    alarm = "; next: ".join(part for part in (report.unrecorded, report.unrecorded_hint) if part)
    facts = [
        ("digest", report.digest.short),
        ("system", report.system),
        *(("note", note) for note in report.notices[:5]),
    ]
    return _render(
        Card(
            summary=_short(words.check_summary(report)),
            tone=_GOOD if report.exit_code == 0 else _BAD,
            alarm=_short(alarm),
            rows=tuple(_result(result) for result in results),
            facts=tuple((name, _short(value)) for name, value in facts),
        )
    )


def _result(result: CheckResult) -> CardRow:
    bad = [measure for measure in result.measures if measure.outcome is result.outcome]
    numbers = [f"{words.measure_name(measure)} {words.measured(measure)}" for measure in bad]
    about = "; ".join(numbers[:2]) + (f"; and {len(numbers) - 2} more" if len(numbers) > 2 else "")
    passed = f"{words.count(len(bad), 'measure')} within limits"
    return _row(
        Status(result.outcome.value),
        result.id if result.required else f"{result.id} (not required)",
        passed if result.outcome is Outcome.PASSED and len(bad) > 2 else about,
        reason=result.reason,
        hint=result.hint,
    )


def decision_card(decision: Decision) -> str:
    """Return a decision as a notebook card of less than 30 kB; texts of more than 300 letters are cut with a sign."""
    requirements = words.requirements_worst_first(decision)
    tones = {Verdict.ALLOWED: _GOOD, Verdict.ALLOWED_BY_WAIVER: _CARE}
    return _render(
        Card(
            summary=_short(words.decision_summary(decision)),
            tone=tones.get(decision.verdict, _BAD),
            alarm="" if decision.digest is not None else "this decision is not signed and opens nothing",
            rows=tuple(_requirement(item) for item in requirements),
            facts=tuple((name, _short(value)) for name, value in words.decision_facts(decision)),
        )
    )


def _requirement(item: RequirementStatus) -> CardRow:
    about = [item.kind] + ([f"signed by {item.signed_by}"] if item.signed_by else [])
    about += [words.moment(item.measured_at)] if item.measured_at else []
    name = item.id if item.required else f"{item.id} (not required)"
    reason = "" if item.status is Status.PASSED else item.reason
    return _row(item.status, name, ", ".join(about), reason=reason, hint=item.hint)


def _row(status: Status, name: str, about: str, *, reason: str, hint: str) -> CardRow:
    step = "" if status.open else _short(hint)
    return CardRow(status.value, _TONES.get(status, _BAD), _short(name), _short(about), _short(reason), step)


def _short(text: str) -> str:
    safe = words.printable(text)
    return safe if len(safe) <= _MOST_LETTERS else f"{safe[:_MOST_LETTERS]}…"


def _render(card: Card) -> str:
    markup = ""
    for shown in range(min(len(card.rows), MOST_ROWS), -1, -1):
        left = len(card.rows) - shown
        fitted = replace(card, rows=card.rows[:shown])
        markup = environment().get_template("card.html.j2").render(card=fitted, more=f"and {left} more" if left else "")
        if len(markup.encode()) < MOST_BYTES:
            break
    return markup
