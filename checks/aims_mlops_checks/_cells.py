"""Reads the cells that a metric needs from an engine and turns labels and predictions into codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aims_mlops.plugin import PREDICTION, SCORE, SMALLEST_SHOWN, CheckContext, CheckError, Dataset, counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NULL = "<null>"
"""The name of the group of rows that have no value in a sensitive column."""

_MOST_SMALL_GROUPS = 20
"""More groups than this with a small cell are no groups of people, but people."""

ALL = "all"
"""The name of the one group where nothing divides the rows."""


@dataclass(frozen=True)
class Cells:
    """Distinct combinations of group, label and value, and how many rows have each. The arrays are of one length.

    `group` indexes `groups`, which are sorted; `label` is 1 for the positive label and 0 for the other (0 everywhere
    in a dataset without labels); `value` is the predicted label in the same codes, or the score.
    """

    groups: tuple[str, ...]
    group: NDArray[np.int64]
    label: NDArray[np.int64]
    value: Array
    count: NDArray[np.int64]

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows per group."""
        import numpy as np

        totals = np.bincount(self.group, weights=self.count, minlength=len(self.groups))
        return {name: int(total) for name, total in zip(self.groups, totals, strict=True)}

    def keep(self, names: Iterable[str]) -> Cells:
        """Return the cells of some groups only."""
        import numpy as np

        kept = [index for index, name in enumerate(self.groups) if name in set(names)]
        inside = np.isin(self.group, kept)
        return Cells(
            tuple(self.groups[index] for index in kept),
            np.searchsorted(kept, self.group[inside]),
            self.label[inside],
            self.value[inside],
            self.count[inside],
        )

    def table(self) -> Array:
        """Return counts of the shape (groups, 2, 2): group, label, predicted label."""
        import numpy as np

        counts = np.zeros((len(self.groups), 2, 2))
        np.add.at(counts, (self.group, self.label, self.value.astype(np.int64)), self.count)
        return counts

    def score_table(self, *, most: int) -> tuple[Array, Array]:
        """Return counts of the shape (groups, 2, scores), and the scores, ascending.

        More different scores than `most` are put into that many bins of about as many rows each; a bin's score is
        then the mean of its rows.
        """
        import numpy as np

        scores, place = np.unique(self.value, return_inverse=True)
        if len(scores) > most:
            before = np.cumsum(np.bincount(place, weights=self.count)) - 1
            bins = np.unique((before * most // self.count.sum()).astype(np.int64), return_inverse=True)[1]
            place = bins[place]
            scores = np.bincount(place, weights=self.value * self.count) / np.bincount(place, weights=self.count)
        counts = np.zeros((len(self.groups), 2, len(scores)))
        np.add.at(counts, (self.group, self.label, place), self.count)
        return counts, scores


def is_null(value: Any) -> bool:
    """Whether a cell is a null or not a number."""
    return value is None or value != value  # noqa: PLR0124  # only NaN differs from itself


def read_cells(context: CheckContext, data: Dataset, columns: Sequence[str], value: str) -> Cells:
    """Count groups by binary label and by PREDICTION or SCORE.

    Several columns make crossed groups, none the group `ALL`. Raises `CheckError` where labels are not exactly two or
    null, predictions are none of the labels, or scores are not finite. A dataset without label is taken as it is:
    the caller must know that its metric needs none.
    """
    import numpy as np

    if value == SCORE and SCORE not in data.columns:
        raise CheckError(
            f"the model gives no score for dataset {data.name!r}, and a metric of this check needs one",
            hint="log a model that has predict_proba, name a column of probabilities with `score:` beside the "
            "dataset, or take metrics of labels only",
        )
    names = [*columns, *([data.label] if data.label is not None else []), value]
    found = context.engine.contingency(data, names)
    if not found.cells:
        raise CheckError(f"dataset {data.name!r} has no rows", hint="nothing can be measured on it: name another file")
    count = np.array(found.counts, dtype=np.int64)
    labels = [cell[len(columns)] for cell in found.cells]
    values = [cell[-1] for cell in found.cells]
    codes = label_codes(data, labels, count) if data.label is not None else _codes_of_predictions(data, values)
    by_cell = [" & ".join(NULL if is_null(v) else str(v) for v in cell[: len(columns)]) or ALL for cell in found.cells]
    groups = tuple(sorted(set(by_cell)))
    place = {name: index for index, name in enumerate(groups)}
    rows = np.bincount([place[name] for name in by_cell], weights=count).astype(np.int64)
    _refuse_identifiers(data, columns, rows)
    return Cells(
        groups,
        np.array([place[name] for name in by_cell], dtype=np.int64),
        np.array([codes[v] for v in labels] if data.label is not None else np.zeros(len(labels)), dtype=np.int64),
        _scores(data, values, count) if value == SCORE else prediction_codes(data, values, count, codes),
        count,
    )


def _refuse_identifiers(data: Dataset, columns: Sequence[str], rows: NDArray[np.int64]) -> None:
    """Refuse a column of names or numbers of people: its values would stand in evidence as names of groups."""
    small = int((rows < SMALLEST_SHOWN).sum())
    if small > _MOST_SMALL_GROUPS:
        raise CheckError(
            f"{' & '.join(columns)} of dataset {data.name!r} makes {small} groups of fewer than {SMALLEST_SHOWN} rows: "
            "it looks like an identifier",
            hint="name a column of few groups under sensitive:, or bin its values in the data",
        )


def label_codes(data: Dataset, labels: Sequence[Any], count: NDArray[np.int64]) -> dict[Any, int]:
    """Return 1 for the positive label and 0 for the other; `CheckError` unless there are exactly these two."""
    where = f"the label column {data.label!r} of dataset {data.name!r}"
    refuse_nulls(where, labels, count, hint="leave rows without a label out of the dataset, or find their labels")
    different = set(labels)
    if len(different) != 2:
        raise CheckError(
            f"{where} is not binary: it has {len(different):,} different "
            f"{'value' if len(different) == 1 else 'values'}, and this check needs exactly 2",
            hint="take a column of two labels; for several classes make one dataset for each class against the rest",
        )
    return _positive_first(data, different, where)


def _codes_of_predictions(data: Dataset, values: Sequence[Any]) -> dict[Any, int]:
    different = {value for value in values if not is_null(value)}
    where = f"the predictions for dataset {data.name!r}"
    if len(different) > 2:
        raise CheckError(
            f"{where} are not binary: they have {len(different):,} different values, and this check needs 2",
            hint="fairness rates are shares of a positive label: let the model predict labels, not numbers",
        )
    if len(different) == 2:
        return _positive_first(data, different, where)
    positive = 1 if data.positive is None else data.positive
    return {value: int(value == positive) for value in different}


def _positive_first(data: Dataset, different: set[Any], where: str) -> dict[Any, int]:
    positive = 1 if data.positive is None else data.positive
    if positive not in different:
        raise CheckError(
            f"the positive label {positive!r} of dataset {data.name!r} is not one of the two in {where}",
            hint="name the label that counts as positive, as the column has it: `positive: ...` beside the dataset",
        )
    return {value: int(value == positive) for value in different}


def prediction_codes(data: Dataset, values: Sequence[Any], count: NDArray[np.int64], codes: Mapping[Any, int]) -> Array:
    """Return the predictions in the codes of the labels; `CheckError` where one is null or is no label."""
    import numpy as np

    where = f"the prediction for dataset {data.name!r}"
    refuse_nulls(where, values, count, hint="the model must answer a label for each row")
    strange = np.array([value not in codes for value in values])
    if strange.any():
        raise CheckError(
            f"{counted(int(count[strange].sum()))} of {count.sum():,} predictions for dataset {data.name!r} are "
            f"none of the labels in column {data.label!r}: labels are of kind {_kind(data, data.label)}, "
            f"predictions of kind {_kind(data, PREDICTION)}",
            hint="let the model predict the labels as they stand in the data, not their index, text or probability",
        )
    return np.array([codes[value] for value in values], dtype=np.float64)


def _scores(data: Dataset, values: Sequence[Any], count: NDArray[np.int64]) -> Array:
    import numpy as np

    where = f"the score for dataset {data.name!r}"
    refuse_nulls(where, values, count, hint="the model must give a finite score for each row")
    scores = np.array(values, dtype=np.float64)
    if not np.isfinite(scores).all():
        rows = count[~np.isfinite(scores)].sum()
        raise CheckError(
            f"{where} is infinite in {counted(int(rows))} of {count.sum():,} rows",
            hint="the model must give a finite score for each row",
        )
    return scores


def refuse_nulls(where: str, values: Sequence[Any], count: NDArray[np.int64], *, hint: str) -> None:
    """Raise `CheckError` with the number of rows where some of the values are null or NaN."""
    import numpy as np

    rows = count[np.array([is_null(value) for value in values])].sum()
    if rows:
        raise CheckError(f"{where} is null in {counted(int(rows))} of {count.sum():,} rows", hint=hint)


def refuse_improbable(cells: Cells, data: Dataset, metric: str) -> None:
    """Raise `CheckError` where a metric of probabilities is asked of scores outside 0 to 1."""
    outside = cells.count[(cells.value < 0) | (cells.value > 1)].sum()
    if outside:
        raise CheckError(
            f"the metric {metric!r} needs probabilities, but the score for dataset {data.name!r} lies outside 0 to 1 "
            f"in {counted(int(outside))} of {cells.count.sum():,} rows",
            hint="calibrate the score to a probability, or take roc_auc, which looks at its order only",
        )


def _kind(data: Dataset, column: str | None) -> str:
    return repr(data.columns.get(column or "", "other"))
