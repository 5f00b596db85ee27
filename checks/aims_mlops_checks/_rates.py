"""Classification metrics as count algebra over whole stacks of tables: what makes thousands of resamples cheap.

A table has the shape (..., label, prediction), label and prediction being codes; where there are two, 1 is the
positive one. Leading axes are resamples and groups. Each function gives an array of the leading axes. NaN means that
the metric is not defined there (a denominator is 0), also where a library would answer 0. Formulas as in the
scikit-learn user guide, section "Metrics and scoring".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Rate = Callable[["Array"], "Array"]


def share(part: Array, whole: Array) -> Array:
    """Divide, with NaN where `whole` is not above 0."""
    import numpy as np

    part, whole = np.broadcast_arrays(part, whole)
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def selection_rate(table: Array) -> Array:
    """Share of rows that are predicted positive."""
    return share(table[..., 1].sum(-1), table.sum((-2, -1)))


def true_positive_rate(table: Array) -> Array:
    """Share of the positive rows that are predicted positive (recall)."""
    return share(table[..., 1, 1], table[..., 1, :].sum(-1))


def false_negative_rate(table: Array) -> Array:
    """Share of the positive rows that are predicted negative."""
    return share(table[..., 1, 0], table[..., 1, :].sum(-1))


def true_negative_rate(table: Array) -> Array:
    """Share of the negative rows that are predicted negative."""
    return share(table[..., 0, 0], table[..., 0, :].sum(-1))


def false_positive_rate(table: Array) -> Array:
    """Share of the negative rows that are predicted positive."""
    return share(table[..., 0, 1], table[..., 0, :].sum(-1))


def precision(table: Array) -> Array:
    """Share of the rows predicted positive that are positive."""
    return share(table[..., 1, 1], table[..., 1].sum(-1))


def f1(table: Array) -> Array:
    """Harmonic mean of precision and recall."""
    hits, errors = table[..., 1, 1], table[..., 0, 1] + table[..., 1, 0]
    return share(2 * hits, 2 * hits + errors)


def jaccard(table: Array) -> Array:
    """Rows that are positive in both, over rows that are positive in either."""
    hits, errors = table[..., 1, 1], table[..., 0, 1] + table[..., 1, 0]
    return share(hits, hits + errors)


def accuracy(table: Array) -> Array:
    """Share of rows whose prediction is the label."""
    return share(_right(table), table.sum((-2, -1)))


def zero_one_loss(table: Array) -> Array:
    """Share of rows whose prediction is not the label; for 0 and 1 also the mean absolute and mean squared error."""
    rows = table.sum((-2, -1))
    return share(rows - _right(table), rows)


def balanced_accuracy(table: Array) -> Array:
    """Mean of the recalls of all labels that occur anywhere in the stack."""
    import numpy as np

    rows = table.sum(-1)
    present = rows.reshape(-1, rows.shape[-1]).any(axis=0)
    recalls: Array = share(np.diagonal(table, axis1=-2, axis2=-1), rows)[..., present]
    return np.asarray(recalls.mean(-1))


def matthews_corrcoef(table: Array) -> Array:
    """Correlation of label and prediction; 0 where either is constant, as in scikit-learn (Gorodkin 2004)."""
    import numpy as np

    rows, labels, predictions = table.sum((-2, -1)), table.sum(-1), table.sum(-2)
    covariance = _right(table) * rows - (labels * predictions).sum(-1)
    spread = np.sqrt((rows**2 - (labels**2).sum(-1)) * (rows**2 - (predictions**2).sum(-1)))
    return np.asarray(np.divide(covariance, spread, out=np.zeros(spread.shape), where=spread > 0))


def cohen_kappa(table: Array) -> Array:
    """Agreement of label and prediction beyond what their shares alone would give (Cohen 1960)."""
    rows = table.sum((-2, -1))
    by_chance = share((table.sum(-1) * table.sum(-2)).sum(-1), rows**2)
    return share(accuracy(table) - by_chance, 1 - by_chance)


def r2(table: Array) -> Array:
    """1 minus squared error over the labels' spread, labels and predictions being 0 and 1."""
    positive, negative = table[..., 1, :].sum(-1), table[..., 0, :].sum(-1)
    return 1 - share(table[..., 0, 1] + table[..., 1, 0], share(positive * negative, positive + negative))


def _right(table: Array) -> Array:
    import numpy as np

    return np.asarray(np.trace(table, axis1=-2, axis2=-1))


RATES: Mapping[str, Rate] = {
    "selection_rate": selection_rate,
    "mean_prediction": selection_rate,
    "true_positive_rate": true_positive_rate,
    "true_negative_rate": true_negative_rate,
    "false_positive_rate": false_positive_rate,
    "false_negative_rate": false_negative_rate,
    "accuracy_score": accuracy,
    "zero_one_loss": zero_one_loss,
    "balanced_accuracy_score": balanced_accuracy,
    "precision_score": precision,
    "recall_score": true_positive_rate,
    "f1_score": f1,
    "jaccard_score": jaccard,
    "matthews_corrcoef": matthews_corrcoef,
    "cohen_kappa_score": cohen_kappa,
    "mean_absolute_error": zero_one_loss,
    "mean_squared_error": zero_one_loss,
    "r2_score": r2,
}
"""Names as in `fairlearn.metrics` and `sklearn.metrics`; for two labels, coded 0 and 1, all of them hold."""


def support(name: str, table: Array) -> tuple[int, int]:
    """Return the rows that a metric of one group, a table (2, 2), is a share of: those counted, and all of them.

    Metrics that are no share of rows rest on the positive rows among all.
    """
    (right_negative, wrong_positive), (wrong_negative, hits) = table
    rows = table.sum()
    counted, total = {
        "selection_rate": (wrong_positive + hits, rows),
        "mean_prediction": (wrong_positive + hits, rows),
        "true_positive_rate": (hits, wrong_negative + hits),
        "recall_score": (hits, wrong_negative + hits),
        "false_negative_rate": (wrong_negative, wrong_negative + hits),
        "true_negative_rate": (right_negative, right_negative + wrong_positive),
        "false_positive_rate": (wrong_positive, right_negative + wrong_positive),
        "precision_score": (hits, wrong_positive + hits),
        "f1_score": (hits, hits + wrong_positive + wrong_negative),
        "accuracy_score": (right_negative + hits, rows),
        "zero_one_loss": (wrong_positive + wrong_negative, rows),
        "mean_absolute_error": (wrong_positive + wrong_negative, rows),
        "mean_squared_error": (wrong_positive + wrong_negative, rows),
    }.get(name, (wrong_negative + hits, rows))
    return int(counted), int(total)
