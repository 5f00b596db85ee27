"""Compares one column of two datasets: what its drift score is, or why it has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aims_mlops.plugin import SMALLEST_SHOWN, CheckError, ColumnStats, Dataset, Engine
from aims_mlops_checks._binned import MOST_VALUES, common_storage, jensenshannon, psi, sturges_edges
from aims_mlops_checks._picture import Bins, category_bins, range_bins, round_edges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CATEGORIES = 10_000
"""More different values than this are not compared one by one."""

KINDS = ("number", "text", "boolean")
"""Kinds of columns that can be compared."""

METHODS: dict[str, Callable[[Any, Any], float]] = {"psi": psi, "jensenshannon": jensenshannon}


@dataclass(frozen=True)
class Score:
    """The drift of one column. `value` is None where `trouble` says why; rows are those with a finite value."""

    column: str
    reference: int
    current: int
    value: float | None = None
    bins: Bins = field(default_factory=dict)
    moved: str = ""
    """Where the change is largest, without any value of a row."""
    trouble: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two datasets and the method by which their columns are compared."""

    engine: Engine
    reference: Dataset
    current: Dataset
    method: str
    categorical: tuple[str, ...] = ()
    """Numeric columns that are compared value by value however many values they have."""

    def score(self, column: str, before: ColumnStats, after: ColumnStats) -> Score:
        """Compare a column by its aggregates. What cannot be compared is said in the score, not raised.

        Raises `DataError` from the engine, and `CheckError` where the engine's answers do not fit together.
        """
        rows = _values(before), _values(after)
        trouble, hint = self._obstacle(before, after)
        if trouble:
            return Score(column, *rows, trouble=trouble, hint=hint)
        if before.kind == "number" and column not in self.categorical and before.distinct > MOST_VALUES:
            return self._by_range(column, before, after)
        return self._by_value(column, before, after)

    def _obstacle(self, before: ColumnStats, after: ColumnStats) -> tuple[str, str]:
        for stats, where in ((before, "reference"), (after, "current")):
            if _values(stats) == 0:
                empty = "nulls or infinities only" if stats.rows else "no rows"
                return f"{empty} in the {where} data", "see why the column is empty, or leave it out of `columns`"
        if before.kind != after.kind:
            kinds = f"{before.kind} in the reference data and {after.kind} in the current data"
            return kinds, "write the column with the same type in both"
        if before.kind not in KINDS:
            hint = "leave it out of `columns`, or derive a number such as the hour or the age in days"
            return f"a column of kind {before.kind} cannot be compared", hint
        return "", ""

    def _by_range(self, column: str, before: ColumnStats, after: ColumnStats) -> Score:
        import numpy as np

        rows = _values(before), _values(after)
        low, high = _extent(before, after)
        storage = common_storage(before.storage, after.storage, nulls=before.nulls + after.nulls)
        try:
            edges = sturges_edges(sum(rows), low, high, storage=storage)
        except (ValueError, OverflowError):
            hint = "scale the column, or take out the values that are far from all others"
            return Score(
                column, *rows, trouble="its range cannot be cut into bins of floating-point numbers", hint=hint
            )
        inner = round_edges(low, high)
        # One scan answers both questions: the cuts of the score and the round ones of the picture.
        cuts = np.unique(np.concatenate([edges, inner]))
        counts = [self._histogram(data, column, cuts, n) for data, n in zip(self._both, rows, strict=True)]
        value = METHODS[self.method](*(_sums(count, cuts, edges[:-1]) for count in counts))
        shown = [_sums(count, cuts, np.array([low, *inner])).tolist() for count in counts]
        bins = range_bins(inner, list(zip(*shown, strict=True)), totals=rows)
        return Score(column, *rows, value=value, bins=bins, moved=_largest_move(bins))

    def _by_value(self, column: str, before: ColumnStats, after: ColumnStats) -> Score:
        import numpy as np

        most = max(before.distinct, after.distinct)
        if most > MOST_CATEGORIES:
            trouble = f"{most} different values; at most {MOST_CATEGORIES} are compared one by one"
            hint = "leave columns that name a person, a place or an order out of `columns`, or group their values"
            return Score(column, _values(before), _values(after), trouble=trouble, hint=hint)
        reference, current = (dict(self.engine.value_counts(data, column)) for data in self._both)
        keys = list({**reference, **current})
        counts = [np.array([side.get(key, 0) for key in keys], dtype=np.int64) for side in (reference, current)]
        rows = int(counts[0].sum()), int(counts[1].sum())
        unseen = sum(count for key, count in current.items() if key not in reference)
        moved = (
            f"{unseen / rows[1]:.1%} of the current rows have values that the reference lacks"
            if unseen >= SMALLEST_SHOWN
            else ""
        )
        bins = category_bins(reference, current, totals=rows)
        return Score(column, *rows, value=METHODS[self.method](*counts), bins=bins, moved=moved)

    @property
    def _both(self) -> tuple[Dataset, Dataset]:
        return self.reference, self.current

    def _histogram(self, data: Dataset, column: str, cuts: NDArray[np.float64], rows: int) -> NDArray[np.int64]:
        import numpy as np

        counts = np.array(self.engine.histogram(data, column, tuple(cuts.tolist())), dtype=np.int64)
        if int(counts.sum()) != rows:
            raise CheckError(
                f"{data.name}: {column} had {rows} values at first and {int(counts.sum())} when they were counted",
                hint="the data changed while it was read: run again when nobody writes to it",
            )
        return counts


def _values(stats: ColumnStats) -> int:
    return stats.rows - stats.nulls - stats.infinities


def _extent(before: ColumnStats, after: ColumnStats) -> tuple[float, float]:
    lows = [stats.minimum for stats in (before, after) if stats.minimum is not None]
    highs = [stats.maximum for stats in (before, after) if stats.maximum is not None]
    if not lows or not highs:
        raise CheckError(
            "the engine gave no minimum and maximum of a column that has numbers", hint="report this as a defect"
        )
    return min(lows), max(highs)


def _sums(counts: NDArray[np.int64], cuts: NDArray[np.float64], starts: NDArray[np.float64]) -> NDArray[np.int64]:
    import numpy as np

    return np.add.reduceat(counts, np.searchsorted(cuts, starts))


def _largest_move(bins: Bins) -> str:
    moves = {label: (side["reference"] or 0.0, side["current"] or 0.0) for label, side in bins.items()}
    if not moves:
        return ""
    label, (before, after) = max(moves.items(), key=lambda item: abs(item[1][0] - item[1][1]))
    return f"the largest change is at {label}: from {before:.1%} to {after:.1%} of the rows"
