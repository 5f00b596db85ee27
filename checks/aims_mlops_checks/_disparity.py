"""fairlearn's disparity metrics: their names, their numbers, and the same numbers for whole stacks of resamples."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aims_mlops.plugin import require
from aims_mlops_checks._cells import Cells
from aims_mlops_checks._rates import RATES, share
from aims_mlops_checks._scores import PROBABILITY_METRICS, SCORE_METRICS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Disparity:
    """A metric over groups: the metrics of one group that it is made of, and how groups are compared.

    `spread` is `difference`, `ratio`, `group_min`, `group_max`, or `each` for a plain rate that every group must keep.
    """

    name: str
    bases: tuple[str, ...]
    spread: str

    @property
    def of_scores(self) -> bool:
        """Whether it looks at scores and not at predicted labels."""
        return self.bases[0] in SCORE_METRICS

    @property
    def of_probabilities(self) -> bool:
        """Whether its scores must lie between 0 and 1."""
        return self.bases[0] in PROBABILITY_METRICS

    @property
    def needs_label(self) -> bool:
        """Whether it looks at labels, and not at predictions alone."""
        return self.bases[0] not in {"selection_rate", "mean_prediction"}


_ODDS = ("true_positive_rate", "false_positive_rate")
_PLAIN = ("selection_rate", "mean_prediction", *_ODDS, "true_negative_rate", "false_negative_rate")
_NAMED = {"demographic_parity": ("selection_rate",), "equalized_odds": _ODDS, "equal_opportunity": _ODDS[:1]}
_DERIVED: Mapping[str, tuple[str, ...]] = {
    "selection_rate": ("difference", "ratio"),
    "true_positive_rate": ("difference", "ratio"),
    "true_negative_rate": ("difference", "ratio"),
    "false_positive_rate": ("difference", "ratio"),
    "false_negative_rate": ("difference", "ratio"),
    "accuracy_score": ("difference", "ratio", "group_min"),
    "zero_one_loss": ("difference", "ratio", "group_max"),
    "balanced_accuracy_score": ("group_min",),
    "precision_score": ("group_min",),
    "recall_score": ("group_min",),
    "f1_score": ("group_min",),
    "roc_auc_score": ("group_min",),
    "log_loss": ("group_max",),
    "mean_absolute_error": ("group_max",),
    "mean_squared_error": ("group_max",),
    "r2_score": ("group_min",),
}

DISPARITIES: Mapping[str, Disparity] = {
    disparity.name: disparity
    for disparity in (
        *(Disparity(name, (name,), "each") for name in _PLAIN),
        *(Disparity(f"{name}_{way}", bases, way) for name, bases in _NAMED.items() for way in ("difference", "ratio")),
        *(Disparity(f"{base}_{way}", (base,), way) for base, ways in _DERIVED.items() for way in ways),
    )
}
"""Every metric of `fairlearn.metrics` that takes sample weights, by its name there."""


def per_group(stack: Array, scores: Array | None, bases: Sequence[str]) -> Array:
    """Return base metrics of stacks of tables (..., group, label, value) as (..., base, group); NaN: not defined."""
    import numpy as np

    if scores is None:
        return np.stack([RATES[base](stack) for base in bases], axis=-2)
    return np.stack([SCORE_METRICS[base](stack, scores) for base in bases], axis=-2)


def spread(values: Array, way: str) -> Array:
    """Compare groups: (..., base, group) becomes (...), the worst base deciding; a NaN in a group stays NaN."""
    import numpy as np

    low: Array = values.min(-1)
    high: Array = values.max(-1)
    if way == "difference":
        return np.asarray((high - low).max(-1))
    if way == "ratio":
        return np.asarray(share(low, high).min(-1))
    return np.asarray(low.min(-1) if way == "group_min" else high.max(-1))


def fairlearn_value(disparity: Disparity, cells: Cells) -> float:
    """Return fairlearn's own number for the rows that the cells stand for; NaN where fairlearn answers NaN."""
    metrics = require("fairlearn.metrics", extra="fairness")
    predicted = cells.value if disparity.of_scores else cells.value.astype("int64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is not defined is found by `per_group` and said in the measure
        value = getattr(metrics, disparity.name)(
            cells.label, predicted, sensitive_features=_names(cells), sample_weight=cells.count
        )
    return float(value)


def fairlearn_groups(bases: Sequence[str], cells: Cells) -> dict[str, dict[str, float]]:
    """Return fairlearn's numbers of each group for metrics of predicted labels, as group name to metric to value."""
    metrics = require("fairlearn.metrics", extra="fairness")
    sklearn = require("sklearn.metrics", extra="fairness")
    functions = {base: getattr(metrics, base, None) or getattr(sklearn, base) for base in bases}
    weights: dict[str, Any] = {base: {"sample_weight": cells.count} for base in bases}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = metrics.MetricFrame(
            metrics=functions,
            y_true=cells.label,
            y_pred=cells.value.astype("int64"),
            sensitive_features=_names(cells),
            sample_params=weights,
        ).by_group
    return {name: {base: float(frame.loc[name, base]) for base in bases} for name in cells.groups}


def _names(cells: Cells) -> Any:
    import numpy as np

    return np.array(cells.groups, dtype=object)[cells.group]


def exact_scores(bases: Sequence[str], cells: Cells) -> Array:
    """Return metrics of scores for each group, without bins, as (base, group); NaN where a group lacks a label."""
    import numpy as np

    every = len(cells.value)
    tables = (cells.keep([name]).score_table(most=every) for name in cells.groups)
    return np.concatenate([per_group(table, scores, bases) for table, scores in tables], axis=-1)
