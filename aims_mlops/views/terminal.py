"""What the terminal shows: quiet, exact, what failed first, words beside every colour.

Each function returns something that a `rich` console prints; `layout.render` turns it into text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from aims_mlops.model.decision import Decision, RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import CheckResult, Measure
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.report import CheckReport
from aims_mlops.views import words
from aims_mlops.views.layout import Grid, Line, Lines, Styled, render

__all__ = [
    "EvidenceRow",
    "SystemRow",
    "check_table",
    "decision_table",
    "evidence_table",
    "render",
    "system_detail",
    "systems_table",
]

_SIGNS = {Status.PASSED: "✓", Status.FAILED: "✗", Status.WAIVED: "~", Status.INCONCLUSIVE: "?"}
_COLOURS = {
    Status.PASSED: "green",
    Status.WARNED: "yellow",
    Status.WAIVED: "yellow",
    Status.INCONCLUSIVE: "yellow",
}
_MOST_MEASURES = 5
_WORD_WIDTH = len("inconclusive")


def check_table(report: CheckReport) -> Lines:
    """Return a run: worst first, each bad result with its numbers, reason and next step; the summary comes last."""
    measured = [words.moment(max(result.measured_at for result in report.results))] if report.results else []
    where = "  ".join(("", report.digest.short, f"system {report.system}", *measured))
    lines = [Line(body=((report.version.label, "bold"), (where, "dim"))), Line()]
    width = max((len(words.printable(result.id)) for result in report.results), default=0)
    for result in words.worst_first(report.results):
        lines += _result(result, width)
    lines += [Line()] if report.results else []
    lines += [Line((("  note: ", "dim"),), ((notice, ""),)) for notice in report.notices]
    if report.unrecorded:
        lines.append(Line((("NOT RECORDED: ", "bold red"),), ((report.unrecorded, ""),)))
        lines += _next(report.unrecorded_hint, indent=2)
    good = report.exit_code == 0
    lines.append(Line(body=((words.check_summary(report), "bold green" if good else "bold red"),)))
    return Lines(tuple(lines))


def _result(result: CheckResult, width: int) -> Iterator[Line]:
    facts = [result.use, words.count(result.finding.rows) if result.finding.rows is not None else "no rows seen"]
    facts += [words.count(len(result.measures), "measure")] if result.outcome.good and result.measures else []
    facts += [] if result.required else ["not required"]
    yield _headline(Status(result.outcome.value), result.id, width, ", ".join(facts))
    if result.outcome is Outcome.PASSED:
        yield from _noted(result.reason)
        return
    yield from _measures([measure for measure in result.measures if measure.outcome is not Outcome.PASSED])
    yield from _said(result.reason, result.hint)
    if result.detail and not result.outcome.good:
        yield Line((("    detail: ", "dim"),), ((words.last_line(result.detail), "dim"),))


def _headline(status: Status, id_: str, width: int, facts: str) -> Line:
    style = _COLOURS.get(status, "red")
    word = f"{_SIGNS.get(status, '!')} {status.value:{_WORD_WIDTH}}  "
    return Line(((word, style), (f"{words.printable(id_):{width}}  ", "bold")), ((facts, "dim"),))


def _measures(bad: Sequence[Measure]) -> Iterator[Line]:
    ordered = sorted(bad, key=lambda measure: words.rank(measure.outcome))
    for measure in ordered[:_MOST_MEASURES]:
        told = f"{words.measure_name(measure)} {words.measured(measure)}"
        style = _COLOURS.get(Status(measure.outcome.value), "red")
        yield Line((("    ", ""),), ((f"{told}: ", ""), (measure.outcome.value, style)))
    if len(ordered) > _MOST_MEASURES:
        yield Line((("    ", ""),), ((f"and {len(ordered) - _MOST_MEASURES} more", "dim"),))


def _said(reason: str, hint: str) -> Iterator[Line]:
    if reason:
        yield Line((("    why:  ", "dim"),), ((reason, ""),))
    yield from _next(hint, indent=4)


def _noted(remark: str) -> Iterator[Line]:
    if remark:
        yield Line((("    note: ", "dim"),), ((remark, ""),))


def _next(hint: str, *, indent: int) -> list[Line]:
    return [Line(((" " * indent + "next: ", "bold"),), ((hint, ""),))] if hint else []


def decision_table(decision: Decision) -> Lines:
    """Return a decision: what keeps the gate shut first, the owner, who enforced it, and the summary last."""
    lines = [
        Line(body=((decision.version.label, "bold"), (f" → {decision.target}", "bold"), *_under(decision))),
        Line(),
    ]
    width = max((len(words.printable(item.id)) for item in decision.requirements), default=0)
    for item in words.requirements_worst_first(decision):
        lines += _requirement(item, width)
    lines += [Line()] if decision.requirements else []
    lines += [Line(((f"  {name:9} ", "dim"),), ((value, ""),)) for name, value in words.decision_facts(decision)]
    style = {Verdict.ALLOWED: "bold green", Verdict.ALLOWED_BY_WAIVER: "bold yellow"}.get(decision.verdict, "bold red")
    lines.append(Line(body=((words.decision_summary(decision), style),)))
    return Lines(tuple(lines))


def _under(decision: Decision) -> tuple[Styled, ...]:
    digest = "" if decision.subject is None else f"  {decision.subject.digest.short}"
    system = "no system" if decision.system is None else f"system {decision.system}"
    return ((f"{digest}  {system}", "dim"),)


def _requirement(item: RequirementStatus, width: int) -> Iterator[Line]:
    facts = [item.kind]
    facts += [f"signed by {item.signed_by}"] if item.signed_by else []
    facts += [words.moment(item.measured_at)] if item.measured_at else []
    facts += [f"waiver {item.waiver.short}"] if item.waiver else []
    facts += [] if item.required else ["not required"]
    yield _headline(item.status, item.id, width, ", ".join(facts))
    if item.status is not Status.PASSED:
        yield from _said(item.reason, item.hint)


@dataclass(frozen=True, slots=True)
class SystemRow:
    """An AI system in a list. `standing` says in a word or two how its last promotion stands."""

    id: str
    name: str
    owner: str
    risk_class: str
    models: tuple[str, ...]
    standing: str = ""


def systems_table(rows: Sequence[SystemRow]) -> Grid:
    """Return the register's systems, in the order given."""
    return Grid(
        ("system", "name", "owner", "risk", "models", "standing"),
        tuple((row.id, row.name, row.owner, row.risk_class, ", ".join(row.models), row.standing) for row in rows),
        empty="no AI system is registered: add one to `systems:` in aims.yaml",
    )


def system_detail(title: str, facts: Sequence[tuple[str, str]]) -> Lines:
    """Return one system: its title, then facts as name and value; an empty value is shown as `-`."""
    width = max((len(name) for name, _ in facts), default=0)
    told = [Line(((f"  {name:{width}}  ", "dim"),), ((value or "-", ""),)) for name, value in facts]
    return Lines((Line(body=((title, "bold"),)), *told))


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A statement in a list. `state` is what verification said of it, in a word: `verified`, `untrusted`, ..."""

    sequence: int | None
    captured_at: datetime | None
    kind: str
    about: str
    says: str
    signed_by: str
    digest: Digest | None
    state: str = ""


def evidence_table(rows: Sequence[EvidenceRow]) -> Grid:
    """Return statements, in the order given. Digests are shortened for people: never compare these."""
    return Grid(
        ("seq", "captured", "kind", "about", "says", "signed by", "digest", "state"),
        tuple(
            (
                "-" if row.sequence is None else str(row.sequence),
                "-" if row.captured_at is None else words.moment(row.captured_at),
                row.kind,
                row.about,
                row.says,
                row.signed_by,
                "-" if row.digest is None else row.digest.short,
                row.state,
            )
            for row in rows
        ),
        empty="no evidence is recorded",
        style=_cell_style,
    )


def _cell_style(cell: str) -> str:
    if cell in set(Status):
        return _COLOURS.get(Status(cell), "red")
    return {"allowed": "green", "verified": "green", "denied": "red", "undecided": "red"}.get(cell, "")
