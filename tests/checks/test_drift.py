from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from aims_mlops.plugin import CheckError, DataError, Finding, Measure, Outcome
from aims_mlops_checks.drift import Drift, DriftOptions
from tests.checks.memory_engine import MemoryEngine, context_of


def sample(rows: int, *, shift: float = 0.0, seed: int = 0) -> pd.DataFrame:
    dice = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "height": dice.normal(170 + shift, 10, rows),
            "town": dice.choice(["north", "south", "east"], rows),
            "member": dice.random(rows) < 0.4,
            "children": dice.integers(0, 5, rows),
        }
    )


def compare(reference: pd.DataFrame, current: pd.DataFrame, *, label: str | None = None, **options: Any) -> Finding:
    engine = MemoryEngine()
    datasets = engine.open("reference", reference, label=label), engine.open("current", current)
    chosen = DriftOptions(reference="reference", current="current", **options)
    return Drift().run(context_of(chosen, *datasets, engine=engine))


def of(finding: Finding, column: str) -> Measure:
    return next(measure for measure in finding.measures if measure.column == column)


def share(finding: Finding) -> Measure:
    return finding.measures[-1]


def test_data_from_the_same_source_passes_with_a_measure_for_each_column_and_one_for_the_share() -> None:
    finding = compare(sample(2000), sample(3000, seed=1))
    assert finding.outcome is Outcome.PASSED
    assert [(m.metric, m.column) for m in finding.measures] == [
        ("psi", "height"),
        ("psi", "town"),
        ("psi", "member"),
        ("psi", "children"),
        ("share_of_drifted_columns", None),
    ]
    assert of(finding, "height").counts == {"reference": 2000, "current": 3000}
    assert finding.rows == 3000
    assert finding.libraries == {"numpy": np.__version__}


def test_a_moved_column_fails_and_the_reason_names_value_and_limit() -> None:
    finding = compare(sample(2000), sample(3000, shift=10, seed=1))
    height = of(finding, "height")
    assert finding.outcome is Outcome.FAILED
    assert height.outcome is Outcome.FAILED
    assert height.reason == f"height: psi {height.value:.3g}, the limit is 0.1"
    assert height.hint.startswith("the largest change is at ")
    assert height.hint.endswith("; examine where the column comes from, or retrain on newer data")
    assert finding.reason == f"1 of 4 columns drifted: height (psi {height.value:.3g}); at most 0% may"
    assert of(finding, "town").outcome is Outcome.PASSED


def test_a_drifted_column_within_the_share_only_warns() -> None:
    finding = compare(sample(2000), sample(3000, shift=10, seed=1), max_share_drifted=0.25)
    assert of(finding, "height").outcome is Outcome.WARNED
    assert share(finding).outcome is Outcome.PASSED
    assert share(finding).value == 0.25
    assert finding.outcome is Outcome.WARNED


def test_a_value_equal_to_the_limit_passes_and_one_just_above_it_is_written_so_that_it_shows() -> None:
    value = of(compare(sample(2000), sample(2000, shift=1, seed=1)), "height").value
    assert isinstance(value, float)
    equal = compare(sample(2000), sample(2000, shift=1, seed=1), columns=["height"], max_per_column=value)
    assert equal.outcome is Outcome.PASSED
    limit = math.nextafter(value, 0)
    above = compare(sample(2000), sample(2000, shift=1, seed=1), columns=["height"], max_per_column=limit)
    assert above.outcome is Outcome.FAILED
    shown = of(above, "height").reason.split("psi ")[1].split(",")[0]
    assert float(shown) > limit


def test_warn_per_column_warns_below_the_limit() -> None:
    finding = compare(sample(2000), sample(3000, shift=10, seed=1), max_per_column=50, warn_per_column=0.1)
    assert of(finding, "height").outcome is Outcome.WARNED
    assert of(finding, "height").reason.endswith(", a warning begins at 0.1, the limit is 50")
    assert share(finding).value == 0


def test_a_constant_column_has_a_value_like_any_other() -> None:
    same = pd.DataFrame({"x": [1.5] * 200})
    assert of(compare(same, same[:150]), "x").value == 0
    moved = of(compare(same, same + 1), "x")
    assert moved.value == pytest.approx(2 * (1 - 1e-4) * math.log(1e4))
    assert moved.outcome is Outcome.FAILED


def test_too_few_rows_make_a_column_inconclusive_not_valueless() -> None:
    finding = compare(sample(2000), sample(60, seed=1), columns=["town"])
    town = of(finding, "town")
    assert town.outcome is Outcome.INCONCLUSIVE
    assert isinstance(town.value, float)
    assert town.reason == "town: fewer than 100 values in the current data"
    assert town.hint == "about 40 more rows in the current data would decide it"
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert share(finding).outcome is Outcome.INCONCLUSIVE


def test_a_number_of_rows_under_ten_cannot_be_read_off_from_what_is_wanted() -> None:
    finding = compare(sample(2000), sample(7, seed=1), columns=["town"])
    assert of(finding, "town").hint == "about 100 more rows in the current data would decide it"


def test_a_column_without_values_is_an_error_and_the_others_are_still_measured() -> None:
    current = sample(3000, seed=1).assign(height=np.nan)
    finding = compare(sample(2000), current)
    assert of(finding, "height").outcome is Outcome.ERROR
    assert of(finding, "height").value is None
    assert of(finding, "height").reason == "height: nulls or infinities only in the current data"
    assert of(finding, "town").outcome is Outcome.PASSED
    assert finding.outcome is Outcome.ERROR


def test_no_rows_at_all_is_an_error() -> None:
    finding = compare(sample(2000), sample(0), columns=["height"])
    assert finding.outcome is Outcome.ERROR
    assert finding.reason == "height: no rows in the current data"


def test_a_failure_that_no_unjudged_column_can_undo_is_a_failure() -> None:
    current = sample(3000, shift=10, seed=1).assign(town=None)
    assert compare(sample(2000), current).outcome is Outcome.FAILED


def test_nulls_and_infinities_are_left_out() -> None:
    plain, current = sample(2000), sample(3000, seed=1)
    dirty = pd.concat([plain, pd.DataFrame({"height": [np.inf, -np.inf, np.nan]})], ignore_index=True)
    expected = of(compare(plain, current, columns=["height"]), "height")
    measured = of(compare(dirty, current, columns=["height"]), "height")
    assert (measured.value, measured.counts) == (expected.value, expected.counts)


def test_times_are_left_out_by_default_and_said_and_refused_when_named() -> None:
    early, late = (sample(200, seed=s).assign(at=pd.Timestamp("2026-01-01")) for s in (0, 1))
    by_default = compare(early, late, label="town")
    assert "at" not in [measure.column for measure in by_default.measures]
    assert share(by_default).reason.endswith("not compared: town, at")
    named = of(compare(early, late, columns=["at", "town"]), "at")
    assert named.outcome is Outcome.ERROR
    assert named.reason == "at: a column of kind time cannot be compared"
    assert "derive a number" in named.hint


def test_a_column_that_changed_its_type_is_an_error() -> None:
    current = sample(300, seed=1)
    current["children"] = current["children"].astype(str)
    measure = of(compare(sample(300), current, columns=["children"]), "children")
    assert measure.outcome is Outcome.ERROR
    assert measure.reason == "children: number in the reference data and text in the current data"


def test_too_many_different_texts_are_an_error_with_a_hint() -> None:
    names = pd.DataFrame({"name": [f"n{i}" for i in range(10_001)]})
    measure = of(compare(names, names), "name")
    assert measure.outcome is Outcome.ERROR
    assert measure.reason == "name: 10001 different values; at most 10000 are compared one by one"
    assert "group their values" in measure.hint


def test_a_range_that_floating_point_cannot_cut_is_an_error() -> None:
    wide = pd.DataFrame({"x": np.linspace(-1, 1, 200) * 1.7e308})
    measure = of(compare(wide, wide[1:]), "x")
    assert measure.outcome is Outcome.ERROR
    assert measure.reason == "x: its range cannot be cut into bins of floating-point numbers"


def test_a_missing_column_is_the_error_of_the_whole_check() -> None:
    with pytest.raises(DataError, match="current has no column 'age'"):
        compare(sample(200).assign(age=1), sample(200), columns=["age"])


def test_data_is_not_compared_with_itself() -> None:
    engine = MemoryEngine()
    first, second = engine.open("one", sample(200)), engine.open("one", sample(200))
    options = DriftOptions(reference="reference", current="current")
    context = context_of(options, engine=engine)
    object.__setattr__(context, "data", {"reference": first, "current": second}.__getitem__)
    with pytest.raises(CheckError, match="compared with itself nothing drifts") as error:
        Drift().run(context)
    assert error.value.hint == "give one the rows that the model meets now"


def test_no_common_column_is_an_error() -> None:
    with pytest.raises(CheckError, match="no column in common"):
        compare(pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}))


def test_one_scan_for_the_aggregates_of_each_dataset() -> None:
    engine = MemoryEngine()
    datasets = engine.open("reference", sample(200)), engine.open("current", sample(200, seed=1))
    Drift().run(context_of(DriftOptions(reference="reference", current="current"), *datasets, engine=engine))
    assert engine.scans == 2


def test_data_that_changes_while_it_is_read_is_an_error() -> None:
    class Growing(MemoryEngine):
        def histogram(self, data: Any, column: str, edges: Any) -> tuple[int, ...]:
            first, *rest = super().histogram(data, column, edges)
            return (first + 1, *rest)

    engine = Growing()
    datasets = engine.open("reference", sample(200)), engine.open("current", sample(200, seed=1))
    options = DriftOptions(reference="reference", current="current", columns=("height",))
    with pytest.raises(CheckError, match="height had 200 values at first and 201") as error:
        Drift().run(context_of(options, *datasets, engine=engine))
    assert "changed while it was read" in error.value.hint


def test_categorical_numbers_are_compared_value_by_value() -> None:
    dice = np.random.default_rng(0)
    codes = [pd.DataFrame({"code": dice.integers(0, 40, 4000)}) for _ in range(2)]
    by_range = of(compare(*codes), "code").value
    by_value = of(compare(*codes, categorical=["code"]), "code").value
    assert isinstance(by_value, float)
    assert isinstance(by_range, float)
    assert by_value > by_range


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"current": "reference"}, "both 'reference': nothing could ever drift", id="the same dataset"),
        pytest.param({"columns": []}, "at least 1 item", id="no column"),
        pytest.param({"columns": ["a", "a"]}, "columns names a more than once", id="a column twice"),
        pytest.param({"columns": ["a"], "categorical": ["b"]}, "names b, which columns does not", id="a strange one"),
        pytest.param({"max_per_column": 0}, "greater than 0", id="no limit left"),
        pytest.param({"max_per_column": "inf"}, "finite", id="a limit that nothing reaches"),
        pytest.param({"max_share_drifted": 1.1}, "less than or equal to 1", id="more than all"),
        pytest.param({"max_per_column": 0.1, "warn_per_column": 0.2}, "warn 0.2 is above max 0.1", id="late warning"),
        pytest.param({"method": "jensenshannon", "max_per_column": 0.84}, "never above 0.8326", id="too far"),
        pytest.param({"method": "wasserstein"}, "'psi' or 'jensenshannon'", id="unknown method"),
        pytest.param({"colums": ["a"]}, "Extra inputs are not permitted", id="unknown key"),
    ],
)
def test_options_without_meaning_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DriftOptions(**{"reference": "reference", "current": "current", **options})
