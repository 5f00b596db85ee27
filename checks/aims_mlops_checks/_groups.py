"""Judges disparities of one grouping: small groups, groups without a value, intervals, and the words for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from aims_mlops.plugin import PREDICTION, SCORE, SMALLEST_SHOWN, CheckContext, Dataset, Limit, Measure, Outcome, worst
from aims_mlops_checks import _disparity as disparities
from aims_mlops_checks._cells import NULL, Cells, read_cells, refuse_improbable
from aims_mlops_checks._disparity import DISPARITIES, Disparity
from aims_mlops_checks._rates import support
from aims_mlops_checks._resampling import interval, resample
from aims_mlops_checks._wording import Interval, Verdict, decide, number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SCORE_BINS = 400
"""Score bins of a resampled table, over all its groups; the interval is then moved by what the bins change."""

_NAMED = 6
"""Groups that a sentence names before it says how many more there are."""


@dataclass(frozen=True)
class Sample:
    """Base metrics of groups: `point` (base, group), of the rows; `draws` (resample, base, group).

    `binned` is as `point`, of the table that was resampled: it differs where scores were put into bins.
    """

    bases: tuple[str, ...]
    point: Array
    binned: Array
    draws: Array

    @classmethod
    def of(cls, bases: tuple[str, ...], cells: Cells, *, scored: bool, seed: int) -> Sample:
        """Resample the table of labels, or that of scores, for some metrics at once."""
        most = max(20, SCORE_BINS // len(cells.groups))
        table, scores = cells.score_table(most=most) if scored else (cells.table(), None)
        statistic = partial(disparities.per_group, scores=scores, bases=bases)
        binned = statistic(table)
        point = disparities.exact_scores(bases, cells) if scored else binned
        return cls(bases, point, binned, resample(table, statistic, seed=seed))

    def only(self, bases: Sequence[str]) -> Sample:
        """Return the sample of some of the metrics."""
        chosen = [self.bases.index(base) for base in bases]
        return Sample(tuple(bases), self.point[chosen], self.binned[chosen], self.draws[:, chosen])


@dataclass(frozen=True)
class GroupJudge:
    """One grouping of the rows, read and ready to be judged. `cells` and `score_cells` hold every group."""

    column: str
    cells: Cells
    score_cells: Cells | None
    metrics: tuple[str, ...]
    min_group_size: int
    leave_out: bool
    seed: int
    decide_on: str

    @classmethod
    def open(
        cls,
        context: CheckContext,
        data: Dataset,
        columns: tuple[str, ...],
        *,
        metrics: tuple[str, ...],
        min_group_size: int,
        leave_out: bool,
    ) -> GroupJudge:
        """Count the groups' labels and predictions, and their scores where a metric looks at them.

        Raises `CheckError` as `read_cells` does, and for scores that are no probabilities where a metric needs those.
        """
        cells = read_cells(context, data, columns, PREDICTION)
        score_cells = None
        if any(DISPARITIES[name].of_scores for name in metrics):
            score_cells = read_cells(context, data, columns, SCORE)
            for name in metrics:
                if DISPARITIES[name].of_probabilities:
                    refuse_improbable(score_cells, data, name)
        column = " & ".join(columns)
        return cls(column, cells, score_cells, metrics, min_group_size, leave_out, context.seed, context.decide_on)

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Rows of every group."""
        return self.cells.rows

    @cached_property
    def too_small(self) -> Mapping[str, int]:
        """Rows of the groups that have fewer than the limit."""
        return {name: rows for name, rows in self.rows.items() if rows < self.min_group_size}

    @cached_property
    def judged(self) -> tuple[str, ...]:
        """The groups that a value is taken from."""
        return tuple(name for name in self.rows if not (self.leave_out and name in self.too_small))

    @cached_property
    def _labels(self) -> Sample:
        cells = self.cells.keep(self.judged)
        return Sample.of(self._bases(of_scores=False), cells, scored=False, seed=self.seed)

    @cached_property
    def _scores(self) -> Sample:
        assert self.score_cells is not None
        cells = self.score_cells.keep(self.judged)
        return Sample.of(self._bases(of_scores=True), cells, scored=True, seed=self.seed)

    @cached_property
    def _group_values(self) -> Mapping[str, Mapping[str, float]]:
        """Every group's value of every base metric, also of groups that are left out."""
        of_labels, of_scores = self._bases(of_scores=False), self._bases(of_scores=True)
        found = disparities.fairlearn_groups(of_labels, self.cells) if of_labels else {name: {} for name in self.rows}
        if self.score_cells is not None:
            exact = disparities.exact_scores(of_scores, self.score_cells)
            for index, name in enumerate(self.score_cells.groups):
                found[name].update(zip(of_scores, exact[:, index].tolist(), strict=True))
        return found

    def _bases(self, *, of_scores: bool) -> tuple[str, ...]:
        wanted = [DISPARITIES[name] for name in self.metrics if DISPARITIES[name].of_scores is of_scores]
        return tuple(dict.fromkeys(base for disparity in wanted for base in disparity.bases))

    def measure(self, metric: str, limit: Limit) -> Measure:
        """Measure one metric over the groups and judge it; never raises for what the data hold."""
        disparity = DISPARITIES[metric]
        if len(self.rows) < 2 or len(self.judged) < 2:
            return self._measured(disparity, limit, self._too_few_groups(), None, None)
        sample = (self._scores if disparity.of_scores else self._labels).only(disparity.bases)
        undefined = [self.judged[index] for index in _undefined(sample.point)]
        found: tuple[Verdict, float | None, Interval | None]
        if disparity.spread == "each":
            found = self._each(disparity, limit, sample)
        else:
            found = self._spread(disparity, limit, sample, known=not undefined)
        verdict, value, span = found
        verdict = self._guard(verdict, disparity, undefined)
        return self._measured(disparity, limit, verdict, value, span)

    def _spread(
        self, disparity: Disparity, limit: Limit, sample: Sample, *, known: bool
    ) -> tuple[Verdict, float | None, Interval | None]:
        cells = (self.score_cells if disparity.of_scores else self.cells) or self.cells
        # Of a group that lacks a label, fairlearn has rates of 0, but no score metric, and no R² from a single cell.
        if not known and (disparity.of_scores or disparity.bases == ("r2_score",)):
            return Verdict(Outcome.INCONCLUSIVE), None, None
        value = disparities.fairlearn_value(disparity, cells.keep(self.judged))
        if value != value:  # noqa: PLR0124  # only NaN differs from itself
            reason = f"{disparity.name} for {self.column} is not defined: {disparity.bases[0]} is 0 in every group"
            return (
                Verdict(
                    Outcome.ERROR, reason, "a model that selects nobody has no ratio to judge: take the difference"
                ),
                None,
                None,
            )
        span = interval(disparities.spread(sample.draws, disparity.spread))
        if span is not None:
            shift = disparities.spread(sample.point, disparity.spread) - disparities.spread(
                sample.binned, disparity.spread
            )
            span = (span[0] + float(shift), span[1] + float(shift))
        verdict = self._decide(f"{disparity.name} for {self.column}", value, limit, span)
        return verdict, value, span

    def _each(self, disparity: Disparity, limit: Limit, sample: Sample) -> tuple[Verdict, float, Interval | None]:
        """Judge a plain rate in each group; the group that stands worst gives value and interval."""
        worst_so_far: tuple[Verdict, float, Interval | None, float] | None = None
        for index, name in enumerate(self.judged):
            value = self._group_values[name][disparity.bases[0]]
            span = interval(sample.draws[:, 0, index])
            whose = name if self.rows[name] >= SMALLEST_SHOWN else f"a group of fewer than {SMALLEST_SHOWN} rows"
            verdict = self._decide(f"{disparity.name} of {whose} in {self.column}", value, limit, span)
            margin = min(
                value - limit.min if limit.min is not None else float("inf"),
                limit.max - value if limit.max is not None else float("inf"),
            )
            if worst_so_far is None or _worse(verdict.outcome, margin, worst_so_far[0].outcome, worst_so_far[3]):
                worst_so_far = (verdict, value, span, margin)
        assert worst_so_far is not None
        return worst_so_far[:3]

    def _decide(self, what: str, value: float, limit: Limit, span: Interval | None) -> Verdict:
        rows = sum(self.rows[name] for name in self.judged)
        return decide(what, value, limit, interval=span, rows=rows, decide_on=self.decide_on)

    def _too_few_groups(self) -> Verdict:
        if len(self.rows) < 2:
            null = NULL in self.rows
            return Verdict(
                Outcome.ERROR,
                f"{self.column} {'is null in every row' if null else 'has one group only'}: "
                "one group has nothing to differ from",
                "measure on data with rows of every group, or name another column in `sensitive`",
            )
        reason = f"fewer than two groups of {self.column} can be judged: {self._small_groups()}"
        return Verdict(Outcome.INCONCLUSIVE, reason, "measure on more rows of these groups, or lower min_group_size")

    def _guard(self, verdict: Verdict, disparity: Disparity, undefined: list[str]) -> Verdict:
        """Keep a verdict from being better than the groups allow, and name the groups that were left out."""
        if undefined and verdict.outcome is not Outcome.ERROR:
            return Verdict(
                Outcome.INCONCLUSIVE,
                f"{' and '.join(disparity.bases)} of {_listed(undefined)} in {self.column} cannot be told: too few "
                "rows there have the label or prediction that it is a share of",
                "measure on more rows of these groups, or leave small ones out with `small_groups: report`",
            )
        if self.too_small and not self.leave_out:
            return Verdict(
                Outcome.INCONCLUSIVE,
                f"groups of {self.column} are too small to judge {disparity.name}: {self._small_groups()}",
                "measure on more rows of these groups, or set `small_groups: report` to name them and judge the others",
            )
        if self.too_small:
            note = f"left out of {self.column}: {self._small_groups()}"
            reason = f"{verdict.reason}; {note}" if verdict.reason else note
            return Verdict(verdict.outcome, reason, verdict.hint)
        return verdict

    def _small_groups(self) -> str:
        smallest_first = sorted(self.too_small, key=lambda name: (self.too_small[name], name))
        needed = f"fewer than {self.min_group_size:,} rows"
        if min(self.too_small.values()) < SMALLEST_SHOWN:
            return f"{_listed(sorted(smallest_first))} with {needed}"
        told = [
            f"{name} ({self.too_small[name]:,} rows, {self.min_group_size - self.too_small[name]:,} more are needed)"
            for name in smallest_first
        ]
        return f"{_listed(told)} with {needed}"

    def _measured(
        self, disparity: Disparity, limit: Limit, verdict: Verdict, value: float | None, span: Interval | None
    ) -> Measure:
        groups = {
            name: {base: _known(self._group_values[name][base]) for base in disparity.bases} for name in self.rows
        }
        hint = verdict.hint or (self._hint(disparity) if verdict.outcome in (Outcome.FAILED, Outcome.WARNED) else "")
        return Measure(
            metric=disparity.name,
            outcome=verdict.outcome,
            value=value,
            column=self.column,
            interval=span,
            limit=limit,
            counts=dict(self.rows),
            groups=groups,
            too_small=dict(self.too_small),
            support=self._support(disparity),
            reason=verdict.reason,
            hint=hint,
        )

    def _hint(self, disparity: Disparity) -> str:
        """Name the groups furthest apart, and what usually helps."""
        base, behind = max(disparity.bases, key=self._gap), self._support(disparity)
        rates = {name: self._group_values[name][base] for name in self.judged}
        low, high = min(rates, key=lambda name: rates[name]), max(rates, key=lambda name: rates[name])
        shown = all(min(part[base][0], part[base][1] - part[base][0]) >= SMALLEST_SHOWN for part in behind.values())
        low_text, high_text = (f"{n} ({number(rates[n])})" if shown else n for n in (low, high))
        return (
            f"{base} is lowest for {low_text} and highest for {high_text}: look at features that stand in for "
            f"{self.column}, train with weights that balance the groups (reweighing), or choose a threshold for each "
            "group (fairlearn.postprocessing.ThresholdOptimizer)"
        )

    def _support(self, disparity: Disparity) -> dict[str, dict[str, tuple[int, int]]]:
        tables = zip(self.cells.groups, self.cells.table(), strict=True)
        return {name: {base: support(base, table) for base in disparity.bases} for name, table in tables}

    def _gap(self, base: str) -> float:
        rates = [self._group_values[name][base] for name in self.judged]
        return max(rates) - min(rates)


def _undefined(point: Array) -> list[int]:
    import numpy as np

    return [int(index) for index in np.flatnonzero(np.isnan(point).any(axis=0))]


def _worse(outcome: Outcome, margin: float, than: Outcome, than_margin: float) -> bool:
    if outcome is than:
        return margin < than_margin
    return worst((outcome, than)) is outcome


def _known(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124  # only NaN differs from itself


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
