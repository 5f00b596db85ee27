"""scikit-learn's performance metrics: their names, their numbers, and intervals for them from resampled counts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aims_mlops.plugin import PREDICTION, SCORE, CheckContext, CheckError, Dataset, counted, require
from aims_mlops_checks._cells import Cells, read_cells, refuse_improbable, refuse_nulls
from aims_mlops_checks._rates import RATES, share
from aims_mlops_checks._resampling import blocks, interval, resample
from aims_mlops_checks._scores import PROBABILITY_METRICS, SCORE_METRICS
from aims_mlops_checks._wording import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MOST_CLASSES = 200
"""More different labels than this are not classes: the label is a number to be estimated."""

SCORE_BINS = 400
"""Score bins of a resampled table; the interval is then moved by what the bins change at the point."""

_ANY_LABELS = ("accuracy_score", "zero_one_loss", "balanced_accuracy_score", "cohen_kappa_score", "matthews_corrcoef")
_TWO_LABELS = ("precision_score", "recall_score", "f1_score", "jaccard_score")
_NUMBERS = ("mean_absolute_error", "mean_squared_error", "root_mean_squared_error", "r2_score")
_SHORT = {"brier": "brier_score_loss"}

LOWER_IS_BETTER = frozenset({"zero_one_loss", "log_loss", "brier_score_loss", *_NUMBERS[:3]})
"""Metrics for which `not_below` would let the worse model through."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of `sklearn.metrics`. `reads` is `labels`, `two labels`, `score` or `numbers`: what it is made of."""

    function: str
    reads: str


def _names() -> dict[str, Metric]:
    kinds = (("labels", _ANY_LABELS), ("two labels", _TWO_LABELS), ("score", SCORE_METRICS), ("numbers", _NUMBERS))
    known = {function: Metric(function, reads) for reads, functions in kinds for function in functions}
    short = {name.removesuffix("_score"): metric for name, metric in known.items()}
    return {**known, **short, **{name: known[function] for name, function in _SHORT.items()}}


METRICS: Mapping[str, Metric] = _names()
"""Each metric by scikit-learn's function name, and without `_score` as in its `scoring=` (`accuracy`, `roc_auc`)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A metric's value, scikit-learn's own; None where it is not defined. `interval` is None where there is none."""

    value: float | None
    interval: Interval | None


def sklearn_value(function: str, label: Any, predicted: Any, count: Any) -> float:
    """Return scikit-learn's number for the rows that the cells stand for."""
    metrics = require("sklearn.metrics", extra="data")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a metric that is not defined is found by count algebra, and said
        return float(getattr(metrics, function)(label, predicted, sample_weight=count))


class Fits:
    """Measures metrics of one scored dataset; reads what several of them share only once."""

    def __init__(self, context: CheckContext, data: Dataset) -> None:
        self._context, self._data = context, data
        self._read: dict[str, Callable[[str], Fit]] = {}

    def measure(self, name: str) -> Fit:
        """Measure one metric by its name in aims.yaml.

        Raises `CheckError` where the labels are not of the kind that it needs, are null, or have no score.
        """
        metric = METRICS[name]
        if metric.reads not in self._read:
            readers = {"labels": self._of_labels, "two labels": self._of_two, "score": self._of_scores}
            self._read[metric.reads] = readers.get(metric.reads, self._of_numbers)(name)
        return self._read[metric.reads](name)

    def _of_two(self, name: str) -> Callable[[str], Fit]:
        cells = self._binary(name, PREDICTION)
        predicted = cells.value.astype("int64")
        return partial(self._fit_labels, cells.label, predicted, cells.count, cells.table()[0])

    def _of_labels(self, name: str) -> Callable[[str], Fit]:
        import numpy as np

        labels, values, count = self._pairs(name)
        codes = {value: code for code, value in enumerate(dict.fromkeys([*labels, *values]))}
        if len(codes) > MOST_CLASSES:
            raise CheckError(
                f"the label column {self._data.label!r} of dataset {self._data.name!r} and its predictions have "
                f"{len(codes):,} different values, more than {MOST_CLASSES}: {name!r} is a metric of classes",
                hint="for numbers take mean_absolute_error, root_mean_squared_error or r2",
            )
        if not set(labels) & set(values):
            raise CheckError(
                f"no prediction for dataset {self._data.name!r} is one of the labels in column {self._data.label!r}",
                hint="let the model predict the labels as they stand in the data, not their index, text or probability",
            )
        label = np.array([codes[value] for value in labels])
        predicted = np.array([codes[value] for value in values])
        table = np.zeros((len(codes), len(codes)))
        np.add.at(table, (label, predicted), count)
        return partial(self._fit_labels, label, predicted, count, table)

    def _fit_labels(self, label: Any, predicted: Any, count: Any, table: Array, name: str) -> Fit:
        import numpy as np

        function = METRICS[name].function
        if np.isnan(RATES[function](table)):
            return Fit(None, None)
        draws = resample(table, RATES[function], seed=self._context.seed)
        return Fit(sklearn_value(function, label, predicted, count), interval(draws))

    def _of_scores(self, name: str) -> Callable[[str], Fit]:
        cells = self._binary(name, SCORE)
        tables, scores = cells.score_table(most=SCORE_BINS)
        table = tables[0]

        def fit(name: str) -> Fit:
            function = METRICS[name].function
            if function in PROBABILITY_METRICS:
                refuse_improbable(cells, self._data, name)
            value = sklearn_value(function, cells.label, cells.value, cells.count)
            metric = SCORE_METRICS[function]
            span = interval(resample(table, lambda stack: metric(stack, scores), seed=self._context.seed))
            shift = value - float(metric(table, scores))
            return Fit(value, (span[0] + shift, span[1] + shift) if span is not None else None)

        return fit

    def _of_numbers(self, name: str) -> Callable[[str], Fit]:
        import numpy as np

        labels, values, count = self._pairs(name)
        label, predicted = (self._numbers(name, part, count) for part in (labels, values))
        centred = label - np.average(label, weights=count)
        error = predicted - label
        moments = np.column_stack([np.abs(error), error**2, centred, centred**2])
        sums = blocks(moments, count, seed=self._context.seed)

        def fit(name: str) -> Fit:
            function = METRICS[name].function
            statistic = partial(_from_sums, function)
            if np.isnan(statistic(sums.sum(axis=0)[None])).any():
                return Fit(None, None)
            draws = resample(np.ones(len(sums)), lambda stack: statistic(stack @ sums), seed=self._context.seed)
            return Fit(sklearn_value(function, label, predicted, count), interval(draws))

        return fit

    def _binary(self, name: str, value: str) -> Cells:
        self._require_label(name)
        return read_cells(self._context, self._data, (), value)

    def _pairs(self, name: str) -> tuple[list[Any], list[Any], NDArray[np.int64]]:
        import numpy as np

        data = self._data
        found = self._context.engine.contingency(data, [self._require_label(name), PREDICTION])
        if not found.cells:
            raise CheckError(
                f"dataset {data.name!r} has no rows", hint="nothing can be measured on it: name another file"
            )
        labels, values = ([cell[place] for cell in found.cells] for place in (0, 1))
        count = np.array(found.counts, dtype=np.int64)
        where = f"the label column {data.label!r} of dataset {data.name!r}"
        refuse_nulls(where, labels, count, hint="leave rows without a label out of the dataset, or find their labels")
        where = f"the prediction for dataset {data.name!r}"
        refuse_nulls(where, values, count, hint="the model must answer a label for each row")
        return labels, values, count

    def _require_label(self, name: str) -> str:
        if self._data.label is None:
            raise CheckError(
                f"dataset {self._data.name!r} has no label, and the metric {name!r} needs one",
                hint="name the column of true labels: `label: COLUMN` beside the dataset",
            )
        return self._data.label

    def _numbers(self, name: str, values: Sequence[Any], count: NDArray[np.int64]) -> Array:
        import numpy as np

        if any(isinstance(value, str) for value in values):
            raise CheckError(
                f"the metric {name!r} needs numbers, but labels or predictions of dataset {self._data.name!r} are text",
                hint="for classes take accuracy, balanced_accuracy or f1",
            )
        numbers = np.array(values, dtype=np.float64)
        infinite = count[~np.isfinite(numbers)].sum()
        if infinite:
            raise CheckError(
                f"labels or predictions of dataset {self._data.name!r} are infinite in {counted(int(infinite))} of "
                f"{count.sum():,} rows",
                hint="leave such rows out of the dataset, or mend the model that answers them",
            )
        return numbers


def _from_sums(function: str, sums: Array) -> Array:
    """Return a regression metric of (..., sums of |e|, e squared, label, label squared, rows); NaN: not defined."""
    import numpy as np

    absolute, squared, label, label_squared, rows = np.moveaxis(sums, -1, 0)
    if function == "mean_absolute_error":
        return share(absolute, rows)
    if function == "r2_score":
        return 1 - share(squared, label_squared - share(label**2, rows))
    mean = share(squared, rows)
    return np.asarray(np.sqrt(mean)) if function == "root_mean_squared_error" else mean
