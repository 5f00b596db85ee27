"""Numbers, times, limits and verdicts in words: the same on a page, in a notebook and at the terminal."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime

from aims_mlops.model.decision import Decision, RequirementStatus
from aims_mlops.model.finding import CheckResult, Limit, Measure, Value
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.report import CheckReport

SUPPRESSED = "suppressed"
"""What stands where a count or a rate was taken out before signing."""

SUPPRESSED_NOTE = "Suppressed: it rests on fewer than 10 rows, or would give such a number away."

WORST_FIRST = (
    Status.FAILED,
    Status.ERROR,
    Status.UNTRUSTED,
    Status.MISMATCHED,
    Status.INCONCLUSIVE,
    Status.MISSING,
    Status.STALE,
    Status.WAIVED,
    Status.WARNED,
    Status.PASSED,
)
"""The order in which people read: what needs somebody comes first."""

_LONGEST_LINE = 300
_INITIALS = frozenset({"auc", "psi", "roc"})
_BELONGS_TO_TEXT = "\u200c\u200d"  # joiners, which Persian and emoji cannot do without


def number(value: Value, *apart_from: float | None) -> str:
    """Write a value with three significant digits, integers in full, None as `no value`.

    A number is given as many more digits as it takes to see on which side of each bound in `apart_from` it lies, or
    that it lies on it: 0.1502 beside a limit of 0.15 is not written 0.15.
    """
    if value is None:
        return "no value"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else f"{value}"
    bounds = [bound for bound in apart_from if bound is not None]
    texts = (_digits(value, digits) for digits in range(3, 17))
    true = (text for text in texts if all(_side(float(text), bound) == _side(value, bound) for bound in bounds))
    return next(true, repr(value))


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)


def _digits(value: float, digits: int) -> str:
    if abs(value) >= 1000:
        return f"{value:.{digits - 3}f}"
    return f"{value:#.{digits}g}".rstrip(".") if abs(value) >= 0.001 else f"{value:.{digits}g}"


def count(value: int | None, noun: str = "row") -> str:
    """Write a count with its noun, e.g. `1 row`, `14652 rows`; None is a suppressed cell."""
    return f"{SUPPRESSED} {noun}s" if value is None else f"{value} {noun}{'' if value == 1 else 's'}"


def leaves(number: int) -> str:
    """Write a number of leaves: `1 leaf`, `11 leaves`."""
    return "1 leaf" if number == 1 else f"{number} leaves"


def moment(time: datetime) -> str:
    """Write a time to the minute in UTC, e.g. `2026-11-21 20:31 UTC`."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def title(name: str) -> str:
    """Write a metric's or an expectation's name for people: `expect_column_to_exist` is `Column to exist`."""
    words = name.removeprefix("expect_").split("_")
    told = " ".join(word.upper() if word in _INITIALS else word for word in words).strip()
    return told[:1].upper() + told[1:]


def measure_name(measure: Measure) -> str:
    """Write a measure's name as test results do: `psi(age)`."""
    return measure.metric if measure.column is None else f"{measure.metric}({measure.column})"


def measure_value(measure: Measure) -> str:
    """Write a measure's value with the digits that its limit asks for."""
    return number(measure.value, *_bounds(measure.limit))


def interval(measure: Measure) -> str:
    """Write a measure's interval, e.g. `[0.165, 0.188]`; empty where it has none."""
    if measure.interval is None:
        return ""
    low, high = (number(float(end), *_bounds(measure.limit)) for end in measure.interval)
    return f"[{low}, {high}]"


def _bounds(limit: Limit | None) -> tuple[float | None, ...]:
    return () if limit is None else (limit.min, limit.max, limit.warn)


def limit(bounds: Limit | None) -> str:
    """Write a limit, e.g. `at least 0.85, not below champion (tolerance 0.05)`; empty where there is none."""
    if bounds is None:
        return ""
    parts = []
    if bounds.min is not None and bounds.max is not None:
        parts.append(f"{bounds.min:g} to {bounds.max:g}")
    elif bounds.max is not None:
        parts.append(f"at most {bounds.max:g}")
    elif bounds.min is not None:
        parts.append(f"at least {bounds.min:g}")
    if bounds.not_below is not None:
        tolerance = f" (tolerance {bounds.tolerance:g})" if bounds.tolerance else ""
        parts.append(f"not below {bounds.not_below}{tolerance}")
    if bounds.warn is not None:
        parts.append(f"warning from {bounds.warn:g}")
    return ", ".join(parts)


def measured(measure: Measure) -> str:
    """Write value, interval and limit in a line, e.g. `0.176 [0.165, 0.188], limit at most 0.12`."""
    told = " ".join(part for part in (measure_value(measure), interval(measure)) if part)
    return f"{told}, limit {limit(measure.limit)}" if measure.limit is not None else told


def worst_first(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Sort results by what needs somebody first: required before optional, then the worse before the better."""
    return sorted(results, key=lambda result: (result.outcome.good, not result.required, rank(result.outcome)))


def requirements_worst_first(decision: Decision) -> list[RequirementStatus]:
    """Sort a decision's requirements in the same way; what keeps the gate shut is first."""
    return sorted(decision.requirements, key=lambda item: (not item.shut, item.status.open, rank(item.status)))


def rank(word: Outcome | Status) -> int:
    """Return the place of an outcome or a status in `WORST_FIRST`."""
    return WORST_FIRST.index(Status(word.value))


def check_summary(report: CheckReport) -> str:
    """Say how a run ended in one line: what is bad by name, what is good by number. The required come first."""
    label = report.version.label
    if not report.results:
        return f"{label}: nothing was checked"
    required = [result for result in report.results if result.required]
    parts = [f"{result.id} {_stands(result.outcome)}" for result in worst_first(required) if not result.outcome.good]
    passed = sum(result.outcome.good for result in required)
    parts += [f"{count(passed, 'check')} passed"] if passed else []
    warned = sum(result.outcome is Outcome.WARNED for result in required)
    parts += [f"{warned} of them with a warning"] if warned else []
    for outcome in dict.fromkeys(result.outcome for result in worst_first(report.results) if not result.required):
        alike = sum(result.outcome is outcome for result in report.results if not result.required)
        parts.append(f"{alike} not required {_stands(outcome) if alike == 1 else _stand(outcome)}")
    parts += ["not recorded"] if report.unrecorded else []
    return f"{label}: " + ", ".join(parts)


def _stands(outcome: Outcome) -> str:
    return {Outcome.INCONCLUSIVE: "is inconclusive", Outcome.ERROR: "could not be measured"}.get(outcome, outcome.value)


def _stand(outcome: Outcome) -> str:
    return {Outcome.INCONCLUSIVE: "are inconclusive"}.get(outcome, _stands(outcome))


def decision_summary(decision: Decision) -> str:
    """Say a decision in one line, e.g. `income/1: denied for champion: parity-by-sex failed`."""
    told = f"{decision.version.label}: {verdict(decision.verdict)} for {decision.target}"
    waived = [item for item in decision.requirements if item.required and item.status is Status.WAIVED]
    named = waived if decision.verdict is Verdict.ALLOWED_BY_WAIVER else decision.blocking
    reasons = [f"{item.id} {requirement_stands(item.status)}" for item in sorted(named, key=lambda i: rank(i.status))]
    return f"{told}: {', '.join(reasons)}" if reasons else told


def decision_facts(decision: Decision) -> list[tuple[str, str]]:
    """Return what stands under a decision, as name and value: owner, record, until when it holds."""
    owner = decision.owner
    named = "nobody" if owner is None else f"{owner.name} <{owner.email}>" if owner.email else owner.name
    recorded = (
        "NOT RECORDED"
        if decision.digest is None
        else f"{decision.digest.short} (aims evidence show {decision.digest.short})"
    )
    until = f", usable until {moment(decision.expires_at)}" if decision.allowed else ""
    return [("owner", named), ("decision", recorded), ("enforced", f"by the {decision.enforced_by}{until}")]


def requirement_stands(status: Status) -> str:
    """Write a status after a requirement's id: `failed`, `is missing`, `could not be measured`."""
    if status in (Status.FAILED, Status.PASSED, Status.WARNED):
        return status.value
    return "could not be measured" if status is Status.ERROR else f"is {status.value}"


def verdict(word: Verdict) -> str:
    """Write a verdict for people: `allowed by waiver`."""
    return word.value.replace("_", " ")


def last_line(detail: str) -> str:
    """Return the last line of what a library or a model said, which is where Python names an error, not too long."""
    line = next((line.strip() for line in reversed(detail.splitlines()) if line.strip()), "")
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def printable(text: str) -> str:
    """Return text with control and direction characters spelled out, so that no stored name can move a cursor."""
    return "".join(
        f"\\x{ord(letter):02x}"
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter not in _BELONGS_TO_TEXT
        else letter
        for letter in text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    )
