"""The fairness check: fairlearn's metrics over sensitive groups, with intervals, judged against limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from aims_mlops.plugin import CheckContext, CheckError, CheckOptions, Dataset, DatasetName, Finding, Limit, require
from aims_mlops_checks._disparity import DISPARITIES
from aims_mlops_checks._groups import GroupJudge
from aims_mlops_checks._wording import finding, unknown_name

MOST_GROUPS = 1_000
"""More groups than this are not groups: the column is continuous, or an identifier."""


class FairnessOptions(CheckOptions):
    """What aims.yaml says to a fairness check.

    Metric names are those of `fairlearn.metrics`; a plain rate (`selection_rate`, ...) must be kept by every group.
    """

    data: DatasetName
    """The dataset to measure on; predictions come from the model version."""
    sensitive: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The columns whose values are the groups, each judged by itself; default: the dataset's own `sensitive`."""
    cross: bool = False
    """Whether the crossing of all these columns is judged as well."""
    metrics: Mapping[str, Limit] = Field(min_length=1)
    """The limit of each metric: `min`, `max`, and `warn` beside one of them."""
    min_group_size: int = Field(default=30, ge=1)
    """Rows that a group needs to be judged."""
    small_groups: Literal["inconclusive", "report"] = "inconclusive"
    """`inconclusive`: one group too small makes the measure so; `report`: it is named and left out."""

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: Mapping[str, Limit]) -> Mapping[str, Limit]:
        for name, limit in metrics.items():
            if name == "count":
                raise ValueError(
                    "the metric 'count' takes no weights: give the rows that a group needs in min_group_size"
                )
            if name not in DISPARITIES:
                raise ValueError(unknown_name(name, DISPARITIES, kind="fairness"))
            if limit.not_below is not None:
                raise ValueError(f"{name}: not_below is for the performance check; give min or max")
        return metrics

    @field_validator("sensitive")
    @classmethod
    def _once(cls, sensitive: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if sensitive is not None and len(set(sensitive)) != len(sensitive):
            raise ValueError("sensitive names a column twice")
        return sensitive


class Fairness:
    """Measures disparities between groups with fairlearn, each with a 95 % bootstrap interval.

    fairlearn sees the table of group, label and prediction with its counts as sample weights, which gives its numbers
    of the rows. Not checked: whether the labels are themselves fair, and groups that no column names.
    """

    use: ClassVar[str] = "fairness"
    title: ClassVar[str] = "Disparities between sensitive groups (fairlearn)"
    extra: ClassVar[str | None] = "fairness"
    options: ClassVar[type[CheckOptions]] = FairnessOptions

    def run(self, context: CheckContext) -> Finding:
        """Measure every metric for every sensitive column, then for their crossing.

        Raises `CheckError` where labels, predictions, scores or columns cannot be measured; `MissingExtra` without
        fairlearn; `DataError` and `PredictorError` from what it asks.
        """
        libraries = {
            name: str(require(module, extra="fairness").__version__)
            for name, module in (("fairlearn", "fairlearn"), ("scikit-learn", "sklearn"))
        }
        options: FairnessOptions = context.options
        data = context.scored(options.data)
        _require_label(data, options.metrics)
        measures = [
            judge.measure(metric, limit)
            for columns in _groupings(context, data, options)
            for judge in [_judge(context, data, columns)]
            for metric, limit in options.metrics.items()
        ]
        return finding(measures, rows=data.rows, libraries=libraries)


def _judge(context: CheckContext, data: Dataset, columns: tuple[str, ...]) -> GroupJudge:
    options: FairnessOptions = context.options
    judge = GroupJudge.open(
        context,
        data,
        columns,
        metrics=tuple(options.metrics),
        min_group_size=options.min_group_size,
        leave_out=options.small_groups == "report",
    )
    if len(judge.cells.groups) > MOST_GROUPS:
        raise CheckError(
            f"{judge.column!r} of dataset {data.name!r} has {len(judge.cells.groups):,} groups, "
            f"more than {MOST_GROUPS:,}",
            hint="cross fewer columns, or put their values into fewer bins",
        )
    return judge


def _groupings(context: CheckContext, data: Dataset, options: FairnessOptions) -> Iterator[tuple[str, ...]]:
    columns = options.sensitive if options.sensitive is not None else data.sensitive
    if not columns:
        raise CheckError(
            f"no sensitive column is named for dataset {data.name!r}",
            hint="name one or more: `sensitive: [sex]` in the check or beside the dataset",
        )
    if options.cross and len(columns) == 1:
        raise CheckError(
            f"cross is set, but {columns[0]!r} is the only sensitive column of dataset {data.name!r}",
            hint="name a second column in `sensitive`, or take `cross` away",
        )
    for column, stats in context.engine.stats(data, columns).items():
        if stats.distinct > MOST_GROUPS:
            raise CheckError(
                f"the sensitive column {column!r} of dataset {data.name!r} has {stats.distinct:,} different values, "
                f"more than {MOST_GROUPS:,}: it looks continuous",
                hint="put its values into bins (an age into decades) in a column of the dataset, and name that one",
            )
    yield from ((column,) for column in columns)
    if options.cross:
        yield tuple(columns)


def _require_label(data: Dataset, metrics: Mapping[str, Any]) -> None:
    needing = [name for name in metrics if DISPARITIES[name].needs_label]
    if data.label is None and needing:
        raise CheckError(
            f"dataset {data.name!r} has no label, and the metric {needing[0]!r} needs one",
            hint="name the column of true labels: `label: COLUMN` beside the dataset; "
            "demographic_parity and selection_rate need none",
        )
