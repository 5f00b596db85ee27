"""The door for checks: how a number is judged, how many rows would decide, and what an option means."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aims_mlops import plugin
from aims_mlops.plugin import (
    Check,
    CheckContext,
    CheckOptions,
    DatasetName,
    FileName,
    Finding,
    Limit,
    MissingExtra,
    Outcome,
    judge,
    marked,
    require,
    rows_to_decide,
)

NAN, INF = float("nan"), float("inf")
BELOW, ABOVE, BETWEEN = Limit(max=0.1), Limit(min=0.8), Limit(min=0.1, max=0.2)
WARN_HIGH, WARN_LOW = Limit(max=0.1, warn=0.08), Limit(min=0.8, warn=0.9)


@pytest.mark.parametrize(
    ("value", "limit", "interval", "outcome"),
    [
        (0.1, BELOW, None, "passed"),
        (math.nextafter(0.1, 1), BELOW, None, "failed"),
        (0.8, ABOVE, None, "passed"),
        (math.nextafter(0.8, 0), ABOVE, None, "failed"),
        (0.1, BETWEEN, None, "passed"),
        (0.2, BETWEEN, None, "passed"),
        (0.05, BETWEEN, None, "failed"),
        (0.25, BETWEEN, None, "failed"),
        (0.05, BELOW, (0.01, 0.1), "passed"),
        (0.05, BELOW, (0.01, 0.11), "inconclusive"),
        (0.12, BELOW, (0.1, 0.15), "inconclusive"),
        (0.12, BELOW, (0.11, 0.15), "failed"),
        (0.9, ABOVE, (0.8, 0.95), "passed"),
        (0.9, ABOVE, (0.79, 0.95), "inconclusive"),
        (0.7, ABOVE, (0.6, 0.8), "inconclusive"),
        (0.7, ABOVE, (0.6, 0.79), "failed"),
        (0.15, BETWEEN, (0.05, 0.25), "inconclusive"),
        (0.15, BETWEEN, (0.1, 0.2), "passed"),
        (0.15, BETWEEN, (0.05, 0.15), "inconclusive"),
        (0.3, BETWEEN, (0.25, 0.35), "failed"),
        (0.08, WARN_HIGH, None, "passed"),
        (0.09, WARN_HIGH, None, "warned"),
        (0.11, WARN_HIGH, None, "failed"),
        (0.9, WARN_LOW, None, "passed"),
        (0.85, WARN_LOW, None, "warned"),
        (0.75, WARN_LOW, None, "failed"),
        (0.07, WARN_HIGH, (0.05, 0.09), "passed"),
        (0.09, WARN_HIGH, (0.07, 0.1), "warned"),
        (0.09, WARN_HIGH, (0.07, 0.12), "inconclusive"),
        (NAN, BELOW, None, "error"),
        (NAN, BELOW, (0.0, 0.1), "error"),
        (0.05, BELOW, (NAN, 0.1), "error"),
        (0.05, BELOW, (0.0, NAN), "error"),
        (INF, BELOW, None, "failed"),
        (-INF, ABOVE, None, "failed"),
        (0.05, BELOW, (0.0, INF), "inconclusive"),
    ],
)
def test_a_number_is_judged_by_its_whole_interval(
    value: float, limit: Limit, interval: tuple[float, float] | None, outcome: str
) -> None:
    assert judge(value, limit, interval) == outcome


NUMBERS = st.floats(-2, 2)


@given(low=NUMBERS, width=st.floats(0, 2), bound=NUMBERS, more=st.floats(0, 2))
def test_a_wider_interval_never_turns_to_passed(low: float, width: float, bound: float, more: float) -> None:
    narrow, wide = (low, low + width), (low - more, low + width + more)
    limit = Limit(max=bound)

    if judge(low, limit, narrow) is not Outcome.PASSED:
        assert judge(low, limit, wide) is not Outcome.PASSED


@given(low=NUMBERS, width=st.floats(0, 2), bound=NUMBERS, stricter=st.floats(0, 2))
def test_a_stricter_limit_never_turns_to_passed(low: float, width: float, bound: float, stricter: float) -> None:
    interval = (low, low + width)

    if not judge(low, Limit(max=bound), interval).good:
        assert not judge(low, Limit(max=bound - stricter), interval).good
    if not judge(low, Limit(min=bound), interval).good:
        assert not judge(low, Limit(min=bound + stricter), interval).good


@pytest.mark.parametrize(
    ("value", "bound", "interval", "rows", "more"),
    [
        (0.10, 0.12, (0.08, 0.14), 1000, 3000),
        (0.14, 0.12, (0.10, 0.18), 1000, 3000),
        (0.10, 0.20, (0.05, 0.12), 1000, 0),
        (0.10, 0.12, (0.08, 0.16), 1000, 8000),
        (0.10, 0.10, (0.08, 0.12), 1000, None),
        (0.10, 0.12, (0.05, 0.10), 1000, None),
        (0.14, 0.12, (0.14, 0.18), 1000, None),
    ],
    ids=[
        "twice as wide as the distance: four times the rows",
        "the same from above",
        "already decided",
        "three times as wide: nine times the rows",
        "exactly on the bound",
        "no width on the bound's side",
        "no width below",
    ],
)
def test_the_rows_that_would_decide(
    value: float, bound: float, interval: tuple[float, float], rows: int, more: int | None
) -> None:
    assert rows_to_decide(value, bound, interval, rows) == more


# Options


class Options(CheckOptions):
    """Options of a check in this test."""

    data: DatasetName
    suite: FileName | None = None
    others: tuple[DatasetName, ...] = ()
    threshold: float = 0.5


def test_options_that_name_datasets_and_files_are_found() -> None:
    assert marked(Options, "dataset") == ("data", "others")
    assert marked(Options, "file") == ("suite",)
    assert marked(CheckOptions, "file") == ()


def test_options_are_frozen_and_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Options.model_validate({"data": "a", "treshold": 1})
    made = Options(data="a")
    with pytest.raises(ValidationError, match="frozen"):
        made.data = "b"


def test_a_refused_option_does_not_repeat_its_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"data": "a", "threshold": "secret-value"})
    assert "secret-value" not in str(caught.value)


class Example:
    """A check as a third party would write it."""

    use: ClassVar[str] = "example"
    title: ClassVar[str] = "always fails"
    extra: ClassVar[str | None] = None
    options: ClassVar[type[CheckOptions]] = Options

    def run(self, context: CheckContext) -> Finding:
        return Finding(Outcome.FAILED)


def test_a_plain_class_is_a_check() -> None:
    assert isinstance(Example(), Check)
    assert not isinstance(Options(data="a"), Check)


# Libraries


def test_a_library_that_is_there_is_returned() -> None:
    assert require("json", extra="none").loads("1") == 1


@pytest.mark.parametrize("module", ["no_such_library", "no_such_library.inner"])
def test_a_missing_library_names_the_line_that_installs_it(module: str) -> None:
    with pytest.raises(MissingExtra) as caught:
        require(module, extra="fairness")
    assert "the library 'no_such_library' is not installed" in str(caught.value)
    assert caught.value.hint == "pip install 'aims-mlops[fairness]'"


def test_everything_that_is_promised_is_there() -> None:
    assert all(hasattr(plugin, name) for name in plugin.__all__)


def test_the_pure_core_imports_no_heavy_library() -> None:
    code = (
        "import sys, aims_mlops.gate, aims_mlops.plugin, aims_mlops.evidence.predicates;"
        "print([m for m in sys.modules if m.partition('.')[0] in"
        " {'mlflow','pandas','numpy','duckdb','pyarrow','click','sqlalchemy','fairlearn','evidently','sklearn'}])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "[]"


@pytest.mark.parametrize(
    ("rows", "written"),
    [
        (0, "0"),
        (1, "fewer than 10"),
        (9, "fewer than 10"),
        (10, "10"),
        (14652, "14,652"),
    ],
)
def test_a_small_count_of_rows_is_never_written_out(rows: int, written: str) -> None:
    assert plugin.counted(rows) == written
