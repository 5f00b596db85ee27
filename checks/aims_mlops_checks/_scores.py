"""Score metrics as count algebra over stacks of tables of the shape (..., label, score), labels being 0 and 1.

The last axis belongs to `scores`, in ascending order; leading axes are resamples and groups. Each function gives an
array of the leading axes, NaN where a table lacks one of the two labels. Formulas as in the scikit-learn user guide,
section "Metrics and scoring"; rows of the same score are tied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from aims_mlops_checks._rates import share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ScoreMetric = Callable[["Array", "Array"], "Array"]


def roc_auc(table: Array, scores: Array) -> Array:
    """Probability that a positive row has a higher score than a negative one, ties counting one half."""
    del scores  # their order is all that matters
    negative, positive = table[..., 0, :], table[..., 1, :]
    below = negative.cumsum(-1) - negative / 2
    return share((positive * below).sum(-1), positive.sum(-1) * negative.sum(-1))


def average_precision(table: Array, scores: Array) -> Array:
    """Mean of the precisions at each score, weighted by the gain in recall."""
    del scores
    import numpy as np

    descending = table[..., ::-1]
    hits, selected = descending[..., 1, :].cumsum(-1), descending.sum(-2).cumsum(-1)
    precisions = np.divide(hits, selected, out=np.zeros(hits.shape), where=selected > 0)
    total = share((descending[..., 1, :] * precisions).sum(-1), hits[..., -1])
    return np.where(table[..., 0, :].sum(-1) > 0, total, np.nan)


def log_loss(table: Array, scores: Array) -> Array:
    """Mean negative logarithm of the probability given to the label; 0 and 1 are moved by one machine epsilon."""
    import numpy as np

    epsilon = np.finfo(np.float64).eps
    safe = np.clip(scores, epsilon, 1 - epsilon)
    return _mean_loss(table, np.stack([-np.log1p(-safe), -np.log(safe)]))


def brier_score_loss(table: Array, scores: Array) -> Array:
    """Mean squared difference between the probability and the label."""
    import numpy as np

    return _mean_loss(table, np.stack([scores**2, (1 - scores) ** 2]))


def _mean_loss(table: Array, loss: Array) -> Array:
    import numpy as np

    by_label = table.sum(-1)
    return np.where(by_label.min(-1) > 0, share((table * loss).sum((-2, -1)), by_label.sum(-1)), np.nan)


SCORE_METRICS: Mapping[str, ScoreMetric] = {
    "roc_auc_score": roc_auc,
    "average_precision_score": average_precision,
    "log_loss": log_loss,
    "brier_score_loss": brier_score_loss,
}
"""Names as in `sklearn.metrics`."""

PROBABILITY_METRICS = frozenset({"log_loss", "brier_score_loss"})
"""Those that need a score between 0 and 1; the others look at its order only."""
