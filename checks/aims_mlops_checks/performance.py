"""The performance check: scikit-learn's metrics with intervals, against limits and against the champion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from aims_mlops.plugin import (
    CheckContext,
    CheckOptions,
    DatasetName,
    Finding,
    Limit,
    Measure,
    Outcome,
    require,
    worst,
)
from aims_mlops_checks._fit import LOWER_IS_BETTER, METRICS, Fits
from aims_mlops_checks._wording import Verdict, decide, finding, number, unknown_name


class PerformanceOptions(CheckOptions):
    """What aims.yaml says to a performance check. Metric names are scikit-learn's, with or without `_score`."""

    data: DatasetName
    """The dataset to measure on; it needs a label. Predictions come from the model version."""
    metrics: Mapping[str, Limit] = Field(min_length=1)
    """The limit of each metric: `min`, `max`, `warn`, and `not_below: ALIAS` (champion) with `tolerance`."""

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: Mapping[str, Limit]) -> Mapping[str, Limit]:
        for name, limit in metrics.items():
            if name not in METRICS:
                raise ValueError(unknown_name(name, METRICS, kind="performance"))
            if limit.not_below is not None and METRICS[name].function in LOWER_IS_BETTER:
                raise ValueError(f"{name}: lower is better, so not_below would let the worse model through; give max")
        return metrics


class Performance:
    """Measures how well predictions meet the labels, each metric with a 95 % bootstrap interval.

    scikit-learn sees the table of label and prediction (or score) with its counts as sample weights, which gives its
    numbers of the rows. Not checked: whether the dataset is like what the model will meet; that is drift's part.
    """

    use: ClassVar[str] = "performance"
    title: ClassVar[str] = "Agreement of predictions with labels (scikit-learn)"
    extra: ClassVar[str | None] = "data"
    options: ClassVar[type[CheckOptions]] = PerformanceOptions

    def run(self, context: CheckContext) -> Finding:
        """Measure every metric and judge it.

        Raises `CheckError` where labels, predictions or scores are not what a metric needs; `MissingExtra` without
        scikit-learn; `DataError` and `PredictorError` from what it asks.
        """
        libraries = {"scikit-learn": str(require("sklearn", extra="data").__version__)}
        options: PerformanceOptions = context.options
        data = context.scored(options.data)
        fits = Fits(context, data)
        measures = [
            _measure(context, fits, name=name, limit=limit, rows=data.rows) for name, limit in options.metrics.items()
        ]
        return finding(measures, rows=data.rows, libraries=libraries)


def _measure(context: CheckContext, fits: Fits, *, name: str, limit: Limit, rows: int) -> Measure:
    fit = fits.measure(name)
    if fit.value is None:
        return Measure(
            metric=name,
            outcome=Outcome.INCONCLUSIVE,
            limit=limit,
            reason=f"{name} is not defined: too few rows have the label or prediction that it is a share of",
            hint="measure on rows of every label; a model that answers the same for all of them needs another metric",
        )
    verdict = Verdict(Outcome.PASSED)
    if limit.min is not None or limit.max is not None:
        verdict = decide(name, fit.value, limit, interval=fit.interval, rows=rows, decide_on=context.decide_on)
    if limit.not_below is not None:
        verdict = _both(verdict, _not_below(context, name, fit.value, alias=limit.not_below, tolerance=limit.tolerance))
    return Measure(
        metric=name,
        outcome=verdict.outcome,
        value=fit.value,
        interval=fit.interval,
        limit=limit,
        reason=verdict.reason,
        hint=verdict.hint or (_HINT if verdict.outcome is Outcome.FAILED else ""),
    )


_HINT = "train on more or better data, look for groups of rows where the model errs, or ask whether the limit is right"


def _not_below(context: CheckContext, name: str, value: float, *, alias: str, tolerance: float) -> Verdict:
    """Compare with the last allowed promotion to an alias, by the points.

    That version's number may come from other rows and has no interval here; an interval of one side only would call
    every equal model inconclusive. `tolerance` is what the comparison allows for chance.
    """
    champion = context.champion(alias, name)
    if champion is None:
        return Verdict(Outcome.PASSED, f"{name}: no promotion to {alias} is in the log yet: not compared")
    label, theirs = champion
    lowest = theirs - tolerance
    if value >= lowest:
        return Verdict(Outcome.PASSED)
    return Verdict(
        Outcome.FAILED,
        f"{name} is {number(value, lowest, theirs)}, below the {number(theirs, value)} of {label}, the last version "
        f"allowed as {alias}, by more than the tolerance {tolerance:.15g}",
        f"train a model at least as good as {label}, or let the owner widen the tolerance in aims.yaml",
    )


def _both(first: Verdict, second: Verdict) -> Verdict:
    outcome = worst((first.outcome, second.outcome))
    reasons = [verdict.reason for verdict in (first, second) if verdict.reason]
    hint = next((verdict.hint for verdict in (second, first) if verdict.outcome is outcome and verdict.hint), "")
    return Verdict(outcome, "; ".join(reasons), hint)
