"""Drift: has the data moved away from what the model was built on? Evidently's tests, from aggregates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from aims_mlops.plugin import (
    SMALLEST_SHOWN,
    CheckContext,
    CheckError,
    CheckOptions,
    Dataset,
    DatasetName,
    Finding,
    Limit,
    Measure,
    Outcome,
    judge,
    require,
)
from aims_mlops_checks._compare import KINDS, Comparison, Score
from aims_mlops_checks._wording import number

_FARTHEST = math.sqrt(math.log(2))


class DriftOptions(CheckOptions):
    """What is compared, and how far it may have moved."""

    reference: DatasetName
    """The data that the model was built on."""
    current: DatasetName
    """The data that is compared with it."""
    columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Columns to compare; by default all that both datasets have, without labels and times."""
    method: Literal["psi", "jensenshannon"] = "psi"
    """Evidently's name of the test; natural logarithm."""
    max_per_column: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """A column whose value is above this has drifted."""
    warn_per_column: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """A column whose value is above this is shown as a warning."""
    max_share_drifted: float = Field(default=0.0, ge=0, le=1)
    """The check fails where more than this share of the columns has drifted."""
    min_rows: int = Field(default=100, ge=1)
    """With fewer values than this on either side a column is inconclusive."""
    categorical: tuple[str, ...] = ()
    """Numeric columns whose values are categories."""

    @model_validator(mode="after")
    def _has_meaning(self) -> Self:
        if self.reference == self.current:
            raise ValueError(f"reference and current are both {self.reference!r}: nothing could ever drift")
        if self.columns is not None:
            twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
            if twice:
                raise ValueError(f"columns names {', '.join(twice)} more than once")
            strange = [name for name in self.categorical if name not in self.columns]
            if strange:
                raise ValueError(f"categorical names {', '.join(strange)}, which columns does not")
        if self.method == "jensenshannon" and self.max_per_column >= _FARTHEST:
            raise ValueError(
                f"max_per_column {self.max_per_column:g}: a Jensen-Shannon distance is never above "
                f"{_FARTHEST:.4f}, so that nothing could fail"
            )
        _ = self.limit
        return self

    @property
    def limit(self) -> Limit:
        """The limit of one column; raises `ValueError` where warn_per_column is above max_per_column."""
        return Limit(max=self.max_per_column, warn=self.warn_per_column)


class Drift:
    """Compares the columns of two datasets, one measure each, and judges the share of those that drifted.

    Numbers equal Evidently's `psi` and `jensenshannon` on rows: nulls and infinities are left out; a numeric column
    with more than 20 different values in the reference is cut into bins of equal width, any other is compared value
    by value. Judged by the value, without an interval; a value equal to the limit passes. A column over its limit is
    `failed` where the share is exceeded, else `warned`; with too few rows `inconclusive`; that cannot be compared
    `error`. Joint distributions are not looked at.
    """

    use: ClassVar[str] = "drift"
    title: ClassVar[str] = "Compares the distribution of each column with a reference: PSI or Jensen-Shannon"
    extra: ClassVar[str | None] = "data"
    options: ClassVar[type[CheckOptions]] = DriftOptions

    def run(self, context: CheckContext) -> Finding:
        """Measure and judge. Raises `DataError` for a missing column, `CheckError` where the comparison is empty."""
        options: DriftOptions = context.options
        numpy = require("numpy", extra="data")
        reference, current = context.data(options.reference), context.data(options.current)
        _refuse_the_same(reference, current)
        columns, left_out = _columns(options, reference, current)
        before = context.engine.stats(reference, columns)
        after = context.engine.stats(current, columns)
        comparison = Comparison(context.engine, reference, current, options.method, options.categorical)
        scores = [comparison.score(name, before[name], after[name]) for name in columns]
        return _judge(scores, options, rows=current.rows, left_out=left_out, numpy=numpy.__version__)


def _refuse_the_same(reference: Dataset, current: Dataset) -> None:
    if reference.digest == current.digest:
        raise CheckError(
            f"{reference.name} and {current.name} are the same data: compared with itself nothing drifts",
            hint=f"give {current.name} the rows that the model meets now",
        )


def _columns(options: DriftOptions, reference: Dataset, current: Dataset) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if options.columns is not None:
        return options.columns, ()
    everything = tuple(dict.fromkeys((*reference.columns, *current.columns)))
    columns = tuple(
        name
        for name in everything
        if reference.columns.get(name) in KINDS
        and current.columns.get(name) in KINDS
        and name not in (reference.label, current.label)
    )
    if not columns:
        raise CheckError(
            f"{reference.name} and {current.name} have no column in common that can be compared",
            hint="name the columns to compare under `columns`",
        )
    return columns, tuple(name for name in everything if name not in columns)


def _judge(
    scores: Sequence[Score], options: DriftOptions, *, rows: int, left_out: Sequence[str], numpy: str
) -> Finding:
    share = _share(scores, options, left_out=left_out)
    measures = [_measure(score, options, exceeded=share.outcome is Outcome.FAILED) for score in scores]
    finding = Finding.of([*measures, share], rows=rows, libraries={"numpy": numpy})
    if finding.outcome is Outcome.FAILED:
        return replace(finding, reason=share.reason)
    return finding


def _over(score: Score, options: DriftOptions) -> bool | None:
    """Whether a column drifted; None where that cannot be told."""
    if score.value is None or min(score.reference, score.current) < options.min_rows:
        return None
    return judge(score.value, options.limit) not in (Outcome.PASSED, Outcome.WARNED)


def _measure(score: Score, options: DriftOptions, *, exceeded: bool) -> Measure:
    measure = Measure(
        metric=options.method,
        outcome=Outcome.ERROR,
        value=score.value,
        column=score.column,
        limit=options.limit,
        counts={"reference": score.reference, "current": score.current},
        bins=score.bins,
    )
    if score.value is None:
        return replace(measure, reason=f"{score.column}: {score.trouble}", hint=score.hint)
    drifted = _over(score, options)
    if drifted is None:
        reason, hint = _too_few(score, options)
        return replace(measure, outcome=Outcome.INCONCLUSIVE, reason=reason, hint=hint)
    outcome = judge(score.value, options.limit)
    if drifted and not exceeded:
        outcome = Outcome.WARNED
    if outcome is Outcome.PASSED:
        return replace(measure, outcome=outcome)
    bounds = (options.max_per_column, options.warn_per_column)
    limit = f"the limit is {options.max_per_column:.15g}"
    if not drifted:
        limit = f"a warning begins at {options.warn_per_column:.15g}, {limit}"
    advice = "examine where the column comes from, or retrain on newer data"
    return replace(
        measure,
        outcome=outcome,
        reason=f"{score.column}: {options.method} {number(score.value, *bounds)}, {limit}",
        hint="; ".join(part for part in (score.moved, advice) if part),
    )


def _too_few(score: Score, options: DriftOptions) -> tuple[str, str]:
    sides = (("reference", score.reference), ("current", score.current))
    # A number of rows under ten is not to be read off from what is wanted.
    told = {name: rows if rows >= SMALLEST_SHOWN else 0 for name, rows in sides if rows < options.min_rows}
    short = {name: options.min_rows - rows for name, rows in told.items()}
    wanted = " and ".join(f"about {more} more rows in the {name} data" for name, more in short.items())
    reason = f"{score.column}: fewer than {options.min_rows} values in the {' and '.join(short)} data"
    return reason, f"{wanted} would decide it"


def _share(scores: Sequence[Score], options: DriftOptions, *, left_out: Sequence[str]) -> Measure:
    drifted = [score for score in scores if _over(score, options)]
    unknown = [score for score in scores if _over(score, options) is None]
    limit = Limit(max=options.max_share_drifted)
    value = len(drifted) / len(scores)
    # What could not be judged may or may not have drifted: passed only if it does not matter.
    outcome = judge(value, limit, (value, (len(drifted) + len(unknown)) / len(scores)))
    said = ""
    if drifted:
        named = ", ".join(
            f"{score.column} ({options.method} {number(score.value or 0.0, options.max_per_column)})"
            for score in drifted
        )
        said = f"{len(drifted)} of {len(scores)} columns drifted: {named}; at most {options.max_share_drifted:.0%} may"
    elif unknown:
        said = f"{len(unknown)} of {len(scores)} columns could not be judged"
    if left_out:
        said = "; ".join(part for part in (said, f"not compared: {', '.join(left_out)}") if part)
    hint = "examine where these columns come from, or retrain on newer data" if drifted else ""
    return Measure("share_of_drifted_columns", outcome, value, limit=limit, reason=said, hint=hint)
