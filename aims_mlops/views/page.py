"""The page of one check as plain values: every sentence, number and order is decided here, none in a template."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aims_mlops.model.finding import CheckResult, Limit, Measure
from aims_mlops.model.outcome import Outcome
from aims_mlops.views import words
from aims_mlops.views.svg import Mark, Scale

MOST_PICTURES = 24
"""Columns whose distributions are drawn; a table still lists the others."""

_HAPPENED = {
    Outcome.PASSED: "passed",
    Outcome.WARNED: "passed with a warning",
    Outcome.FAILED: "failed",
    Outcome.INCONCLUSIVE: "is inconclusive",
    Outcome.ERROR: "could not be measured",
}
_NEXT = {
    Outcome.PASSED: "Nothing.",
    Outcome.WARNED: "Nothing now. Look at what is near its limit before it is beyond it.",
    Outcome.FAILED: "Look at the measures that failed, change the model or its data, and register a new version.",
    Outcome.INCONCLUSIVE: "Measure on more rows.",
    Outcome.ERROR: "Mend what the reason names, and run the check again.",
}
_ENDS = {
    Outcome.PASSED: ("within its limit", "within their limits"),
    Outcome.WARNED: ("near its limit", "near their limits"),
    Outcome.FAILED: ("outside its limit", "outside their limits"),
    Outcome.INCONCLUSIVE: ("too uncertain to judge", "too uncertain to judge"),
    Outcome.ERROR: ("not measured", "not measured"),
}
_MET = {Outcome.PASSED: ("met", "met"), Outcome.FAILED: ("not met", "not met")}


@dataclass(frozen=True, slots=True)
class MeasureView:
    """One measure in words, and as a picture where it has a number and a limit."""

    title: str
    metric: str
    column: str
    value: str
    interval: str
    limit: str
    outcome: str
    reason: str
    hint: str
    scale: Scale | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A number and its length as a bar, from 0 to 1; None where nothing can be drawn."""

    text: str
    share: float | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group: its rows, its rates, and a note where it was left out."""

    name: str
    rows: str
    cells: tuple[Cell, ...]
    note: str


@dataclass(frozen=True, slots=True)
class GroupTable:
    """The groups behind a measure, the largest first."""

    caption: str
    rates: tuple[str, ...]
    rows: tuple[GroupRow, ...]


@dataclass(frozen=True, slots=True)
class BinRow:
    """One bin of a column: its share in the reference and in the current data; bars are relative to the largest."""

    label: str
    reference: Cell
    current: Cell


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a column is spread in both datasets."""

    column: str
    value: str
    outcome: str
    bins: tuple[BinRow, ...]


@dataclass(frozen=True, slots=True)
class CheckPage:
    """A check's report page. `layout` is `measures`, `ranked` (many columns) or `expectations`."""

    title: str
    outcome: str
    verdict: str
    consequence: str
    reason_title: str
    reason: str
    next_step: str
    layout: str
    measures: tuple[MeasureView, ...]
    groups: tuple[GroupTable, ...]
    distributions: tuple[Distribution, ...]
    undrawn: str
    suppressed: str
    facts: tuple[tuple[str, str], ...]


def check_page(result: CheckResult, *, model: str, digest: str, system: str, policy_digest: str) -> CheckPage:
    """Return the page of one result; `model` is a version's label, the digests are written out in full."""
    layout = {"drift": "ranked", "data-quality": "expectations"}.get(result.use, "measures")
    measures = _ranked(result.measures) if layout == "ranked" else list(result.measures)
    pictured = [measure for measure in measures if measure.bins]
    undrawn = len(pictured) - MOST_PICTURES
    domains = _shared_axes(measures) if layout == "ranked" else {}
    hidden = any(measure.suppressed for measure in measures)
    return CheckPage(
        title=f"{result.id} {_HAPPENED[result.outcome]} for {model}",
        outcome=result.outcome.value,
        verdict=_verdict(result),
        consequence=_consequence(result, model),
        reason_title="Note" if result.outcome is Outcome.PASSED else "Why",
        reason=result.reason,
        next_step=result.hint or _NEXT[result.outcome],
        layout=layout,
        measures=tuple(
            _measure(result, measure, domains.get(measure.metric) or _domain([measure])) for measure in measures
        ),
        groups=tuple(_groups(measure) for measure in measures if _has_groups(measure, layout)),
        distributions=tuple(_distribution(measure) for measure in pictured[:MOST_PICTURES]),
        undrawn=f"{undrawn} more columns moved less than these and are not drawn." if undrawn > 0 else "",
        suppressed=words.SUPPRESSED_NOTE if hidden else "",
        facts=_facts(result, model=model, digest=digest, system=system, policy_digest=policy_digest),
    )


def _verdict(result: CheckResult) -> str:
    total = len(result.measures)
    if not total:
        return "There is no measure to show."
    alike = sum(measure.outcome is result.outcome for measure in result.measures)
    noun, ends = ("measure", _ENDS[result.outcome])
    if result.use == "data-quality":
        noun, ends = ("expectation", _MET.get(result.outcome, ends))
    if total == 1:
        return f"Its one {noun} is {ends[0]}."
    everyone = "Both" if total == 2 else f"All {total}"
    number = everyone if alike == total else f"{alike} of {total}"
    return f"{number} {noun}s {'is' if alike == 1 else 'are'} {ends[alike != 1]}."


def _consequence(result: CheckResult, model: str) -> str:
    if not result.required:
        return "The check is not required: it stops no promotion."
    if result.outcome.good:
        return "The check is required, and nothing in it stands in the way of a promotion."
    return f"The check is required: {model} cannot be promoted while this stands."


def _number(measure: Measure) -> float | None:
    value = measure.value
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable and value is not None else None


def _ranked(measures: Sequence[Measure]) -> list[Measure]:
    """Put what speaks of the whole first, then the columns, the largest value first; those without one come last."""
    return sorted(measures, key=lambda item: (item.column is not None, -(_number(item) or 0.0), item.column or ""))


def _measure(result: CheckResult, measure: Measure, domain: tuple[float, float] | None) -> MeasureView:
    told = result.reason.startswith(measure.reason)
    return MeasureView(
        title=words.title(measure.metric),
        metric=measure.metric,
        column=measure.column or "",
        value="-" if measure.value is None and measure.outcome.good else words.measure_value(measure),
        interval=words.interval(measure),
        limit=words.limit(measure.limit),
        outcome=measure.outcome.value,
        reason="" if told else measure.reason,
        hint="" if told or measure.hint == result.hint else measure.hint,
        scale=None if domain is None else _scale(measure, domain),
    )


def _shared_axes(measures: Sequence[Measure]) -> dict[str, tuple[float, float] | None]:
    """Return one axis for each metric, so that its columns can be compared by eye."""
    metrics = dict.fromkeys(measure.metric for measure in measures)
    return {name: _domain([measure for measure in measures if measure.metric == name]) for name in metrics}


def _domain(measures: Sequence[Measure]) -> tuple[float, float] | None:
    """Return an axis with round ends that shows all values, intervals and limits with some air.

    It starts at zero where zero is near, or where all is positive and only too much is bad; it ends at one where
    nothing can be above one that was below it.
    """
    shown = [number for measure in measures for number in _numbers(measure)]
    limits = [measure.limit for measure in measures if _bounds(measure.limit)]
    if not shown or not limits:
        return None
    low, high = min(shown), max(shown)
    from_zero = low >= 0 and (low <= high / 2 or all(limit is not None and limit.min is None for limit in limits))
    span = high - (0.0 if from_zero else low) or abs(high) or 1.0
    step = _round_step(span / 5)
    start = 0.0 if from_zero else step * math.floor((low - 0.05 * span) / step)
    end = step * math.ceil((high + 0.05 * span) / step)
    return start, 1.0 if high <= 1 < end else end


def _round_step(length: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(power * factor for factor in (5, 2, 1) if power * factor <= length * (1 + 1e-9))


def _numbers(measure: Measure) -> list[float]:
    value = _number(measure)
    if value is None:
        return []
    ends = [float(end) for end in measure.interval or () if math.isfinite(end)]
    return [value, *ends, *_bounds(measure.limit)]


def _bounds(limit: Limit | None) -> list[float]:
    return [] if limit is None else [bound for bound in (limit.min, limit.max) if bound is not None]


def _scale(measure: Measure, domain: tuple[float, float]) -> Scale | None:
    value, limit = _number(measure), measure.limit
    if value is None or limit is None:
        return None
    finite = measure.interval is not None and all(math.isfinite(end) for end in measure.interval)
    return Scale(
        value,
        *domain,
        outcome=measure.outcome.value,
        says=f"{words.measure_name(measure)}: {words.measured(measure)}, {measure.outcome.value}",
        interval=measure.interval if finite else None,
        minimum=None if limit.min is None else Mark(limit.min, f"at least {limit.min:g}"),
        maximum=None if limit.max is None else Mark(limit.max, f"at most {limit.max:g}"),
        warning=limit.warn,
        start_label=f"{domain[0]:.6g}",
        end_label=f"{domain[1]:.6g}",
    )


def _has_groups(measure: Measure, layout: str) -> bool:
    """Whether there are groups to tell of. The counts of a drifting column are those of its two datasets."""
    return bool(measure.groups or measure.too_small or (measure.counts and layout == "measures"))


def _groups(measure: Measure) -> GroupTable:
    everyone: dict[str, int | None] = {**dict.fromkeys(measure.groups), **measure.counts, **measure.too_small}
    ordered = sorted(everyone, key=lambda name: (name in measure.too_small, -(everyone[name] or 0), name))
    rates = tuple(dict.fromkeys(rate for values in measure.groups.values() for rate in values))
    longest = {rate: _longest([values.get(rate) for values in measure.groups.values()]) for rate in rates}
    rows = [
        GroupRow(
            name or "(empty)",
            words.SUPPRESSED if everyone[name] is None else str(everyone[name]),
            tuple(_rate(measure.groups.get(name, {}), rate, longest[rate]) for rate in rates),
            "left out: too small to judge" if name in measure.too_small else "",
        )
        for name in ordered
    ]
    where = f" by {measure.column}" if measure.column else ""
    return GroupTable(f"{words.title(measure.metric)}{where}", tuple(map(words.title, rates)), tuple(rows))


def _rate(values: Mapping[str, float | None], rate: str, longest: float) -> Cell:
    if rate not in values:
        return Cell("-", None)
    value = values[rate]
    return Cell(words.SUPPRESSED if value is None else words.number(value), _relative(value, longest))


def _longest(values: Sequence[float | None]) -> float:
    return max((value for value in values if value is not None and math.isfinite(value)), default=0.0)


def _relative(value: float | None, longest: float) -> float | None:
    return None if value is None or not math.isfinite(value) or longest <= 0 else max(0.0, value / longest)


def _distribution(measure: Measure) -> Distribution:
    longest = _longest([share for shares in measure.bins.values() for share in shares.values()])
    bins = [
        BinRow(label or "(empty)", _share(shares.get("reference"), longest), _share(shares.get("current"), longest))
        for label, shares in measure.bins.items()
    ]
    column = measure.column or words.title(measure.metric)
    value = f"{measure.metric} {words.measure_value(measure)}"
    return Distribution(column, value, measure.outcome.value, tuple(bins))


def _share(share: float | None, longest: float) -> Cell:
    text = words.SUPPRESSED if share is None else f"{100 * share:.1f} %"
    return Cell(text, _relative(share, longest))


def _facts(
    result: CheckResult, *, model: str, digest: str, system: str, policy_digest: str
) -> tuple[tuple[str, str], ...]:
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(result.finding.libraries.items()))
    facts = [
        ("Model version", model),
        ("Model digest", digest),
        ("AI system", system),
        ("Policy digest", policy_digest),
    ]
    facts += [("Check", f"{result.id} ({result.use})"), ("Measured", words.moment(result.measured_at))]
    facts += [("Rows", str(result.finding.rows))] if result.finding.rows is not None else []
    for use in result.datasets:
        origin = "" if use.origin == "policy" else f", {use.origin.replace('-', ' ')}"
        facts.append((f"Dataset {use.name}", f"{use.digest} ({words.count(use.rows)}, {use.kind}{origin})"))
    facts += [("Check libraries", libraries)] if libraries else []
    facts += [("Evidence", str(result.evidence))] if result.evidence is not None else []
    return (*facts, ("Verify", f"aims evidence verify {model}"))
