"""Population stability index and Jensen-Shannon distance from counts, with the bins that Evidently makes from rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

MOST_VALUES = 20
"""A numeric column with more different values than this in the reference is cut into bins, as Evidently does."""

_SMALL_SHARE = 1e-4


def common_storage(reference: str, current: str, *, nulls: int) -> str:
    """Return how both samples together are stored once pandas has read them: `integer`, `float32` or `float64`.

    pandas reads whole numbers with a null among them as `float64`. numpy gives whole numbers bins no narrower than
    one, and computes the edges of `float32` numbers in that precision.
    """
    if reference == current == "integer":
        return "float64" if nulls else "integer"
    return "float32" if reference == current == "float32" else "float64"


def sturges_edges(rows: int, low: float, high: float, *, storage: str = "float64") -> NDArray[np.float64]:
    """Return the edges of `numpy.histogram_bin_edges(both samples, bins="sturges")`, which depend on three numbers.

    `rows` counts both samples together; `low` and `high` are their common range, low < high. The width is
    (high - low) / (log2(rows) + 1) (Sturges 1926). Raises `ValueError` where floating-point numbers cannot tell the
    edges apart or the range is not finite.
    """
    import numpy as np

    kind = {"integer": np.int64, "float32": np.float32}.get(storage, np.float64)
    ends = np.array([low, high], dtype=kind)
    with np.errstate(all="ignore"):
        span = int(ends[1]) - int(ends[0]) if kind is np.int64 else ends[1] - ends[0]
        width = span / (np.log2(rows) + 1.0)
        if kind is np.int64:
            width = max(width, 1.0)
        bins = int(np.ceil(span / width))
    return np.histogram_bin_edges(ends, bins=bins).astype(np.float64)


def psi(reference: Counts, current: Counts) -> float:
    """Return the population stability index, natural logarithm: sum of (r - c) ln(r / c) over the bins' shares.

    Empty bins are filled as Evidently's `psi` fills them, on each side by itself: with 0.0001, or with a millionth
    of the smallest share where that is no larger than 0.0001. Each side must have rows.
    """
    import numpy as np

    before, after = _without_zeroes(reference), _without_zeroes(current)
    return float(np.sum((before - after) * np.log(before / after)))


def jensenshannon(reference: Counts, current: Counts) -> float:
    """Return the Jensen-Shannon distance (the root of the divergence), natural logarithm: 0 to sqrt(ln 2).

    Lin (1991); equal to `scipy.spatial.distance.jensenshannon` on the shares. Each side must have rows.
    """
    import numpy as np

    before, after = reference / reference.sum(), current / current.sum()
    middle = (before + after) / 2
    divergence = _relative_entropy(before, middle) + _relative_entropy(after, middle)
    return float(np.sqrt(max(divergence, 0.0) / 2))


def _relative_entropy(shares: NDArray[np.float64], middle: NDArray[np.float64]) -> float:
    import numpy as np

    seen = shares > 0
    return float(np.sum(shares[seen] * np.log(shares[seen] / middle[seen])))


def _without_zeroes(counts: Counts) -> NDArray[np.float64]:
    import numpy as np

    shares = counts / counts.sum()
    smallest = shares[shares > 0].min()
    filling = smallest / 10**6 if smallest <= _SMALL_SHARE else _SMALL_SHARE
    return np.where(shares == 0, filling, shares)
