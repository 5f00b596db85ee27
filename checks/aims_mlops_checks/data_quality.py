"""Data quality: does the data hold what a Great Expectations suite expects of it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from aims_mlops.plugin import (
    SMALLEST_SHOWN,
    CheckContext,
    CheckError,
    CheckOptions,
    Dataset,
    DatasetName,
    Engine,
    FileName,
    Finding,
    Measure,
    Outcome,
    counted,
    require,
)
from aims_mlops_checks._expectations import Expectation, not_empty, read_suite
from aims_mlops_checks._great_expectations import Answer, build, quiet, validate

_COUNTED = {
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_unique_value_count_to_be_between",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_of_type",
    "expect_table_column_count_to_be_between",
    "expect_table_column_count_to_equal",
    "expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal",
}
"""Their observed value is a count, a share or the name of a type."""

_AVERAGED = {
    "expect_column_kl_divergence_to_be_less_than",
    "expect_column_mean_to_be_between",
    "expect_column_pair_cramers_phi_value_to_be_less_than",
    "expect_column_stdev_to_be_between",
    "expect_column_sum_to_be_between",
}
"""Their observed value is made of all rows, and tells of one only where there are few."""

_OF_NULLS = {"expect_column_values_to_be_null"}
"""They may hold of a column without values, as those that count."""


class DataQualityOptions(CheckOptions):
    """Which data, and what is expected of it: a suite file or expectations, exactly one of the two."""

    data: DatasetName
    """The dataset to judge."""
    suite: FileName | None = None
    """A Great Expectations suite, a JSON file beside aims.yaml."""
    expectations: Annotated[tuple[Expectation, ...], Field(min_length=1)] | None = None
    """Expectations written here, in the suite's own form."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.suite is None) == (self.expectations is None):
            raise ValueError("give exactly one of suite and expectations")
        return self


class DataQuality:
    """Runs a Great Expectations suite, with the library's own semantics, on just the columns that it needs.

    One measure for each expectation, in the suite's order: the count of unexpected rows or values where there is one,
    else the observed number. Values of rows (extremes, quantiles, lists of values) are not shown. Outcomes: holds
    `passed`; does not hold `failed`, or `warned` where its severity is `warning` or `info`; raised, or speaks of a
    column that is not there, `error`. An expectation about values that found only nulls has judged nothing:
    `inconclusive`; one whose row condition selected no row: `warned`.
    """

    use: ClassVar[str] = "data-quality"
    title: ClassVar[str] = "Holds the data against a Great Expectations suite"
    extra: ClassVar[str | None] = "quality"
    options: ClassVar[type[CheckOptions]] = DataQualityOptions

    def run(self, context: CheckContext) -> Finding:
        """Measure and judge. Raises `CheckError` for a suite that cannot be used and for data without rows."""
        options: DataQualityOptions = context.options
        suite, where = _suite(options, context)
        data = context.data(options.data)
        if data.rows == 0:
            raise CheckError(
                f"{data.name} has no rows: expectations about values would hold of nothing",
                hint="see why the data is empty",
            )
        absent = {place: names for place, item in enumerate(suite) if (names := _absent(item, data))}
        with quiet():
            version = require("great_expectations", extra="quality").__version__
            built = build(suite, where)
            seen = _ask(suite, built, data, engine=context.engine, absent=absent)
        measures = [
            _missing(item, absent[place], data) if place in absent else _measure(item, seen.answers[place], seen)
            for place, item in enumerate(suite)
        ]
        return Finding.of(measures, rows=data.rows, libraries={"great-expectations": version})


@dataclass(frozen=True)
class _Seen:
    """What was asked, what was answered, and how many values each column has that was read."""

    data: Dataset
    answers: Mapping[int, Answer]
    filled: Mapping[str, int]

    def fewest(self, item: Expectation) -> int:
        return min((self.filled[name] for name in item.columns if name in self.filled), default=self.data.rows)


def _suite(options: DataQualityOptions, context: CheckContext) -> tuple[tuple[Expectation, ...], str]:
    if options.suite is not None:
        return read_suite(context.file(options.suite), options.suite), options.suite
    return not_empty(options.expectations or (), "expectations"), "expectations"


def _absent(item: Expectation, data: Dataset) -> tuple[str, ...]:
    return () if item.about_shape else tuple(name for name in item.columns if name not in data.columns)


def _ask(
    suite: Sequence[Expectation],
    built: Sequence[object],
    data: Dataset,
    *,
    engine: Engine,
    absent: Mapping[int, tuple[str, ...]],
) -> _Seen:
    """Ask about the columns' presence on a table of names only, and about values on the columns that are needed."""
    import pandas as pd

    asked = [(item, thing) for place, (item, thing) in enumerate(zip(suite, built, strict=True)) if place not in absent]
    about_rows = [item for item, _ in asked if not item.about_shape]
    needed = {name for item in about_rows for name in item.needs(data.columns)}
    columns = [name for name in data.columns if name in needed]
    names_only = pd.DataFrame(columns=list(data.columns))
    answers = validate([thing for item, thing in asked if item.about_shape], names_only)
    if not about_rows:
        return _Seen(data, answers, {})
    frame = engine.frame(data, columns) if columns else pd.DataFrame(index=pd.RangeIndex(data.rows))
    answers |= validate([thing for item, thing in asked if not item.about_shape], frame)
    return _Seen(data, answers, {name: int(frame[name].count()) for name in columns})


def _missing(item: Expectation, names: Sequence[str], data: Dataset) -> Measure:
    close = get_close_matches(names[0], data.columns, n=1, cutoff=0.7)
    known = f"did you mean {close[0]!r}?" if close else f"the columns are: {', '.join(list(data.columns)[:20])}"
    reason = f"{data.name} has no column {', '.join(map(repr, names))} ({item.type})"
    return Measure(item.type, Outcome.ERROR, column=_column(item), reason=reason, hint=known)


def _measure(item: Expectation, answer: Answer, seen: _Seen) -> Measure:
    value, hidden = _value(item, answer, seen)
    outcome, said, hint = _verdict(item, answer, seen, value=value)
    told = f"{said}; the observed value could be that of a row and is not shown" if said and hidden else said
    if hidden and not said:
        told = "the observed value could be that of a row and is not shown"
    where = _column(item) or seen.data.name
    small = answer.unexpected is not None and _is_small(answer.unexpected)
    reason = f"{where}: {told}" if told else ""
    return Measure(item.type, outcome, value, _column(item), reason=reason, hint=hint, suppressed=small)


def _verdict(item: Expectation, answer: Answer, seen: _Seen, *, value: float | str | None) -> tuple[Outcome, str, str]:
    data = seen.data
    if answer.exception:
        kinds = ", ".join(f"{name} is of kind {data.columns[name]}" for name in item.columns if name in data.columns)
        hint = "run the suite with Great Expectations itself to see the message" + (f" ({kinds})" if kinds else "")
        return Outcome.ERROR, f"Great Expectations raised {answer.exception} ({item.type})", hint
    if answer.success and answer.rows == 0:
        return Outcome.INCONCLUSIVE, f"the row condition selected no row ({item.type})", "see whether it is meant so"
    if answer.success and _of_nothing(item, answer, seen):
        hint = "see why the column is empty; expect_column_values_to_not_be_null would say so first"
        return Outcome.INCONCLUSIVE, f"nothing but nulls, so that nothing was judged ({item.type})", hint
    if answer.success:
        return Outcome.PASSED, "", ""
    outcome = Outcome.FAILED if item.severity == "critical" else Outcome.WARNED
    return outcome, f"{_unexpected(answer, value)} ({item.type})", _advice(item, data)


def _of_nothing(item: Expectation, answer: Answer, seen: _Seen) -> bool:
    """Whether it holds only because there was no value that it could be held against."""
    if answer.rows is not None and answer.missing == answer.rows:
        return True
    return seen.fewest(item) == 0 and item.type not in _COUNTED | _OF_NULLS


def _unexpected(answer: Answer, value: float | str | None) -> str:
    if answer.unexpected is None:
        return "not as expected" if value is None else f"not as expected, found {value}"
    count = counted(answer.unexpected)
    if answer.rows is None:
        return f"{count} different values are unexpected"
    return f"{count} of {answer.rows} rows are unexpected"


def _is_small(count: int) -> bool:
    """Whether a count is a small cell, which no evidence may hold: whose rows they are could be worked out."""
    return 0 < count < SMALLEST_SHOWN


def _advice(item: Expectation, data: Dataset) -> str:
    if item.about_shape:
        return f"the columns are: {', '.join(list(data.columns)[:20])}"
    return "correct the data at its source; change the suite only where the expectation is wrong"


def _value(item: Expectation, answer: Answer, seen: _Seen) -> tuple[float | str | None, bool]:
    """Return the number to show, and whether there is one that is kept back."""
    if answer.exception or (answer.unexpected is None and answer.observed is None):
        return None, False
    if answer.unexpected is not None:
        return (None, False) if _is_small(answer.unexpected) else (answer.unexpected, False)
    enough = seen.fewest(item) >= SMALLEST_SHOWN and "row_condition" not in item.kwargs
    if item.type in _COUNTED or (item.type in _AVERAGED and enough):
        return _plain(answer.observed), False
    return None, not item.about_shape


def _plain(observed: object) -> float | str | None:
    if isinstance(observed, Real):
        number = float(observed)
        return int(number) if number.is_integer() and not isinstance(observed, float) else number
    return observed if isinstance(observed, str) else None


def _column(item: Expectation) -> str | None:
    return ", ".join(item.columns) or None
