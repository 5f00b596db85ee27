"""The percentile bootstrap: intervals from multinomial resamples of a table of counts.

Resampling n rows with replacement is the same as drawing the cells of their table from a multinomial distribution,
so that the cost depends on the cells and not on the rows (Efron and Tibshirani, "An Introduction to the Bootstrap",
1993, chapter 13). The same seed and table give the same interval, whatever else is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RESAMPLES = 2_000
LEVEL = 0.95
UNDEFINED_ALLOWED = 0.01
"""More resamples than this share without a value, and there is no interval: rows are too few somewhere."""

_CELLS_AT_ONCE = 4_000_000
"""Bounds the memory of one stack of resamples: 32 MB of numbers."""


def resample(table: Array, statistic: Callable[[Array], Array], *, seed: int) -> Array:
    """Return `statistic` of `RESAMPLES` multinomial resamples of `table`; it is given stacks with a leading axis."""
    import numpy as np

    generator = np.random.default_rng(seed)
    flat = table.ravel()
    filled = np.flatnonzero(flat)
    rows = int(flat.sum())
    step = max(1, _CELLS_AT_ONCE // flat.size)
    parts = []
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        stack = np.zeros((size, flat.size))
        stack[:, filled] = generator.multinomial(rows, flat[filled] / rows, size=size)
        parts.append(statistic(stack.reshape(size, *table.shape)))
    return np.concatenate(parts)


def interval(values: Array) -> tuple[float, float] | None:
    """Return the two-sided percentile interval; None where too many of the values are NaN.

    The NaN that are allowed are left out.
    """
    import numpy as np

    if np.isnan(values).mean() > UNDEFINED_ALLOWED:
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def blocks(moments: Array, counts: NDArray[np.int64], *, seed: int, most: int = 1_000) -> Array:
    """Return sums of rows' moments over at most `most` blocks of randomly chosen rows, for statistics of sums.

    `moments` has one line per cell and `counts` says how many rows are in it. Up to `most` rows each is its own
    block. Resampling blocks of random rows keeps the variance of a sum, whatever its tails; that variance is known
    to about sqrt(2 / most) of itself. The shape is (blocks, moments + 1): the last is the number of rows.
    """
    import numpy as np

    cell_of_row = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng([seed, 1]).shuffle(cell_of_row)
    starts = np.linspace(0, len(cell_of_row), min(most, len(cell_of_row)), endpoint=False).astype(np.int64)
    lines = np.column_stack([moments, np.ones(len(counts))])[cell_of_row]
    return np.asarray(np.add.reduceat(lines, starts, axis=0))
