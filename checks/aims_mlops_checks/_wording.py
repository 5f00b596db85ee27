"""Verdicts in words: how numbers, limits and intervals are written, and what would decide an open case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from aims_mlops.plugin import Finding, Limit, Measure, Outcome, judge, rows_to_decide

Interval = tuple[float, float]


def number(value: float, *apart_from: float | None) -> str:
    """Write a number with three digits, or with as many as it takes to see on which side of a bound it lies."""
    bounds = [bound for bound in apart_from if bound is not None and bound != value]
    for digits in range(3, 17):
        text = f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:.{digits - 3}f}"  # no exponents
        if all((float(text) - bound) * (value - bound) > 0 for bound in bounds):
            return text
    return repr(value)


def limit_text(limit: Limit) -> str:
    """Write the bounds of a limit; `not_below` is not looked at."""
    if limit.min is not None and limit.max is not None:
        return f"{limit.min:.15g} to {limit.max:.15g}"
    return f"at least {limit.min:.15g}" if limit.min is not None else f"at most {limit.max:.15g}"


def unknown_name(name: str, known: Iterable[str], *, kind: str) -> str:
    """Say that a metric is not known, and which one was probably meant."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"unknown {kind} metric {name!r}; " + (
        f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a value stands against its limit, in a word and in a sentence."""

    outcome: Outcome
    reason: str = ""
    hint: str = ""


def decide(what: str, value: float, limit: Limit, *, interval: Interval | None, rows: int, decide_on: str) -> Verdict:
    """Judge a value by its interval, or by itself where `decide_on` is `point`; that is then said in the reason.

    Without an interval, and unless the point decides, the verdict is inconclusive. `rows` are those measured.
    """
    on_point = decide_on == "point"
    bounds = (limit.min, limit.max, limit.warn)
    shown = number(value, *bounds)
    if interval is None and not on_point:
        return Verdict(
            Outcome.INCONCLUSIVE,
            f"{what} is {shown}, but has no interval: in more than 1 % of the resamples it is not defined, "
            "because too few rows carry one of the labels",
            "measure on more rows of the rarest label, in the rarest group",
        )
    outcome = judge(value, limit, None if on_point else interval)
    span = f" ({_span(interval, bounds)})" if interval is not None else ""
    told = f"the limit is {limit_text(limit)}" if limit.min is not None or limit.max is not None else ""
    if outcome is Outcome.INCONCLUSIVE and interval is not None:
        more = _more_rows(value, limit, interval, rows)
        reason = f"{what} is {shown}, between {_span(interval, bounds, ' and ')} at 95 %; {told}; {more}"
        return Verdict(outcome, reason, "measure on more rows; a model further from the limit needs fewer")
    if outcome is Outcome.WARNED:
        told = f"the warning is at {limit.warn:.15g}, {told}"
    note = "; decided on the point, not on the interval" if on_point else ""
    if outcome is Outcome.PASSED and not on_point:
        return Verdict(outcome)
    return Verdict(outcome, f"{what} is {shown}{span}" + (f", {told}" if told else "") + note)


def _span(interval: Interval, bounds: Iterable[float | None], between: str = " to ") -> str:
    low, high = (number(end, *bounds) for end in interval)
    return f"{low}{between}{high}"


def _more_rows(value: float, limit: Limit, interval: Interval, rows: int) -> str:
    low, high = interval
    crossed = [bound for bound in (limit.min, limit.max) if bound is not None and low <= bound <= high]
    estimates = [rows_to_decide(value, bound, interval, rows) for bound in crossed]
    known = [estimate for estimate in estimates if estimate is not None]
    if not known or len(known) < len(estimates):
        return "the value lies too near to the limit to say how many more rows would decide it"
    more = max(*known, 1)
    digits = max(0, len(str(more)) - 2)
    return f"about {-(-more // 10**digits) * 10**digits:,} more rows would decide it"


def finding(measures: Iterable[Measure], *, rows: int, libraries: Mapping[str, str]) -> Finding:
    """Judge a check by its measures, as `Finding.of` does; where it passed, still say what its measures remark."""
    whole = Finding.of(measures, rows=rows, libraries=libraries)
    remarks = list(dict.fromkeys(measure.reason for measure in whole.measures if measure.reason))
    if whole.reason or not remarks:
        return whole
    more = f" (and {len(remarks) - 1} more)" if len(remarks) > 1 else ""
    return replace(whole, reason=remarks[0] + more)
