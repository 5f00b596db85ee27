"""Bins for a picture of two samples. They go into evidence, so that none of them rests on one to nine rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from aims_mlops.plugin import SMALLEST_SHOWN

MOST_BINS = 12
OTHER = "(other)"
_MOST_CATEGORIES = 100
_LONGEST_LABEL = 40

Bins = dict[str, dict[str, float | None]]
Pair = tuple[int, int]
"""Rows of the reference and of the current data."""


def round_edges(low: float, high: float) -> tuple[float, ...]:
    """Return at most eleven round numbers strictly between two numbers: they tell neither of the two."""
    span = high - low
    if not 0 < span < math.inf:
        return ()
    power = 10.0 ** math.floor(math.log10(span / (MOST_BINS - 1)))
    step = next((power * factor for factor in (1, 2, 5, 10) if power * factor * (MOST_BINS - 1) >= span), 0.0)
    if step == 0 or abs(low) / step > 1e12:  # the numbers would need more digits than a float has
        return ()
    first, last = math.floor(low / step), math.ceil(high / step)
    edges = (float(f"{index * step:.12g}") for index in range(first, last + 1))
    # Close together beside a large number, two of them may be written alike.
    return tuple(dict.fromkeys(edge for edge in edges if low < edge < high))


def range_bins(edges: Sequence[float], counts: Sequence[Pair], *, totals: Pair) -> Bins:
    """Return shares by range, e.g. `< 20`, `20 to 30`, `>= 30`; empty where fewer than two ranges can be shown.

    `edges` are the inner edges; there is one pair of counts more than edges. A range with 1 to 9 rows on a side, or
    with none on both, is joined to its neighbour.
    """
    joined: list[tuple[float, float, Pair]] = []
    bounds = (-math.inf, *edges, math.inf)
    for (low, high), pair in zip(pairwise(bounds), counts, strict=True):
        if joined and not _shown(joined[-1][2]):
            joined[-1] = _join(joined[-1], (low, high, pair))
        else:
            joined.append((low, high, pair))
    while len(joined) > 1 and not _shown(joined[-1][2]):
        joined[-2:] = [_join(joined[-2], joined[-1])]
    if len(joined) < 2:
        return {}
    return {_range_label(low, high): _shares(pair, totals) for low, high, pair in joined}


def category_bins(reference: Mapping[Any, int], current: Mapping[Any, int], *, totals: Pair) -> Bins:
    """Return shares of the most frequent values and of the rest; empty where fewer than two can be shown.

    Values with 1 to 9 rows on a side, long texts, and whatever comes after the twelfth are counted in the rest; where
    that itself would be too small, the least frequent value shown joins it. More than a hundred different values are
    not a category but rather names or numbers of somebody: nothing is shown.
    """
    pairs = {key: (reference.get(key, 0), current.get(key, 0)) for key in {**reference, **current}}
    if len(pairs) > _MOST_CATEGORIES:
        return {}
    ranked = sorted(pairs, key=lambda key: (-sum(pairs[key]), _category_label(key)))
    fit = [key for key in ranked if _shown(pairs[key]) and _fits(_category_label(key))]
    shown = fit if len(fit) == len(pairs) <= MOST_BINS else fit[: MOST_BINS - 1]
    rest = _rest(shown, pairs, totals)
    while shown and any(rest) and not _shown(rest):
        rest = _sum(rest, pairs[shown.pop()])
    if all(isinstance(key, int | float) for key in shown):
        shown.sort()
    bins = {_category_label(key): _shares(pairs[key], totals) for key in shown}
    if any(rest):
        bins[OTHER] = _shares(rest, totals)
    return bins if len(bins) > 1 else {}


def _rest(shown: Sequence[Any], pairs: Mapping[Any, Pair], totals: Pair) -> Pair:
    return totals[0] - sum(pairs[key][0] for key in shown), totals[1] - sum(pairs[key][1] for key in shown)


def _shown(pair: Pair) -> bool:
    return any(pair) and not any(0 < count < SMALLEST_SHOWN for count in pair)


def _sum(one: Pair, other: Pair) -> Pair:
    return one[0] + other[0], one[1] + other[1]


def _join(one: tuple[float, float, Pair], other: tuple[float, float, Pair]) -> tuple[float, float, Pair]:
    return one[0], other[1], _sum(one[2], other[2])


def _shares(pair: Pair, totals: Pair) -> dict[str, float | None]:
    return {"reference": pair[0] / totals[0], "current": pair[1] / totals[1]}


def _range_label(low: float, high: float) -> str:
    if low == -math.inf:
        return f"< {_number(high)}"
    return f">= {_number(low)}" if high == math.inf else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value).removesuffix(".0")


def _category_label(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    return _number(float(key)) if isinstance(key, int | float) else str(key)


def _fits(label: str) -> bool:
    return len(label) <= _LONGEST_LABEL and label != OTHER
