"""Small cells never leave: numbers that rest on fewer than ten rows are taken out before anything is signed.

1. A count from 1 to 9 is a small cell. Zero says that nobody is there, and stays.
2. A group with a small count loses its count and its values. Where the rest of the rows would give the count away
   (one small group only, or small groups that sum to less than ten), the next smallest group's count goes too.
3. A rate rests on a numerator and a denominator. Where either, or what lies between them, is a small cell, every rate
   of that column goes, for every group and in every measure: two exact rates of one table give its cells away
   (selection rate and false positive rate give the true positives), and so does one rate beside the disparity.
4. Where the whole of the rows is a small cell, it goes too.

Not covered: tables of different checks that are put side by side; a crossing beside the counts of its own columns;
repeated runs on data that differ by a few rows; what an exact disparity of two groups says beside their counts; the
text of a reason or hint; the shares in `bins`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aims_mlops.model.finding import SMALLEST_SHOWN, Finding, Measure


def suppress(finding: Finding) -> Finding:
    """Return the finding without small cells."""
    telling = {measure.column for measure in finding.measures if _tells(measure)}
    return replace(
        finding,
        measures=tuple(_measure(measure, telling=measure.column in telling) for measure in finding.measures),
        rows=None if finding.rows is not None and 0 < finding.rows < SMALLEST_SHOWN else finding.rows,
    )


def suppress_counts(counts: Mapping[str, int | None]) -> dict[str, int | None]:
    """Take small counts out, and those by which they could be worked out from a known sum."""
    small = {name for name, count in counts.items() if count is None or 0 < count < SMALLEST_SHOWN}
    if not small:
        return dict(counts)
    rest = sorted((count, name) for name, count in counts.items() if name not in small and count)
    hidden = sum(counts[name] or 0 for name in small)
    while rest and (len(small) < 2 or hidden < SMALLEST_SHOWN):
        count, name = rest.pop(0)
        small.add(name)
        hidden += count or 0
    return {name: None if name in small else count for name, count in counts.items()}


def _tells(measure: Measure) -> bool:
    return any(_is_small(*part) for parts in measure.support.values() for part in parts.values())


def _measure(measure: Measure, *, telling: bool) -> Measure:
    everyone = {**measure.counts, **measure.too_small}
    hidden = {name for name, count in suppress_counts(everyone).items() if count is None}
    groups = {
        name: {rate: None if telling or name in hidden else value for rate, value in values.items()}
        for name, values in measure.groups.items()
    }
    return replace(
        measure,
        counts={name: None if name in hidden else count for name, count in measure.counts.items()},
        too_small={name: None if name in hidden else count for name, count in measure.too_small.items()},
        groups=groups,
        suppressed=measure.suppressed or bool(hidden) or (telling and bool(measure.groups)),
        support={},
    )


def _is_small(numerator: int, denominator: int) -> bool:
    return any(0 < cell < SMALLEST_SHOWN for cell in (numerator, denominator, denominator - numerator))
