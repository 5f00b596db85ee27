from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from aims_mlops.plugin import CheckError, Finding, Outcome
from aims_mlops_checks.data_quality import DataQuality, DataQualityOptions
from tests.checks.memory_engine import MemoryEngine, context_of

PEOPLE = pd.DataFrame(
    {
        "name": [f"person-{index}" for index in range(400)],
        "age": [*range(20, 58), 140, 150] * 10,
        "town": (["north", "south"] * 19 + [None, None]) * 10,
        "empty": [None] * 400,
    }
)


def judge(
    expectations: Sequence[tuple[str, Mapping[str, Any]]],
    frame: pd.DataFrame = PEOPLE,
    *,
    engine: MemoryEngine | None = None,
    severity: str = "critical",
) -> Finding:
    inline = [{"type": kind, "kwargs": kwargs, "severity": severity} for kind, kwargs in expectations]
    options = DataQualityOptions.model_validate({"data": "people", "expectations": inline})
    engine = engine or MemoryEngine()
    return DataQuality().run(context_of(options, engine.open("people", frame), engine=engine))


def judge_suite(folder: Path, text: str | bytes | None) -> Finding:
    path = folder / "suite.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    engine = MemoryEngine()
    options = DataQualityOptions(data="people", suite="suite.json")
    context = context_of(options, engine.open("people", PEOPLE), engine=engine, file=lambda _: path.read_bytes())
    return DataQuality().run(context)


def test_unexpected_rows_are_counted_and_the_reason_says_where() -> None:
    finding = judge([("expect_column_values_to_be_between", {"column": "age", "max_value": 120})])
    (measure,) = finding.measures
    assert (measure.outcome, measure.value, measure.column) == (Outcome.FAILED, 20, "age")
    assert measure.reason == "age: 20 of 400 rows are unexpected (expect_column_values_to_be_between)"
    assert measure.hint == "correct the data at its source; change the suite only where the expectation is wrong"
    assert finding.rows == 400
    assert list(finding.libraries) == ["great-expectations"]


def test_measures_come_in_the_suite_s_order_also_where_an_expectation_is_there_twice() -> None:
    suite: list[tuple[str, dict[str, Any]]] = [
        ("expect_column_values_to_not_be_null", {"column": "town"}),
        ("expect_table_row_count_to_equal", {"value": 400}),
        ("expect_column_to_exist", {"column": "age"}),
        ("expect_column_values_to_not_be_null", {"column": "town"}),
        ("expect_column_mean_to_be_between", {"column": "age", "min_value": 0}),
        ("expect_compound_columns_to_be_unique", {"column_list": ["name", "age"]}),
    ]
    measures = judge(suite).measures
    assert [measure.metric for measure in measures] == [kind for kind, _ in suite]
    assert [measure.column for measure in measures] == ["town", None, "age", "town", "age", "name, age"]
    assert [measure.value for measure in measures] == [20, 400, None, 20, PEOPLE["age"].mean(), 0]


@pytest.mark.parametrize("severity", ["warning", "info"])
def test_a_milder_expectation_that_does_not_hold_warns(severity: str) -> None:
    finding = judge([("expect_column_values_to_not_be_null", {"column": "town"})], severity=severity)
    assert finding.outcome is Outcome.WARNED


def test_only_the_columns_that_the_suite_needs_are_read() -> None:
    engine = MemoryEngine()
    condition = {"row_condition": 'town == "north"', "condition_parser": "pandas"}
    finding = judge(
        [
            ("expect_column_values_to_be_between", {"column": "age", "min_value": 21, **condition}),
            ("expect_column_to_exist", {"column": "name"}),
        ],
        engine=engine,
    )
    assert engine.frames_read == [("age", "town")]
    assert finding.measures[0].value == 10


def test_expectations_about_the_table_see_the_true_table_without_reading_a_row() -> None:
    engine = MemoryEngine()
    names = list(PEOPLE.columns)
    finding = judge(
        [
            ("expect_table_columns_to_match_ordered_list", {"column_list": names}),
            ("expect_table_columns_to_match_set", {"column_set": names[::-1]}),
            ("expect_table_column_count_to_equal", {"value": 4}),
            ("expect_table_column_count_to_be_between", {"max_value": 4}),
            ("expect_column_to_exist", {"column": "age", "column_index": 1}),
            ("expect_table_row_count_to_equal", {"value": 400}),
        ],
        engine=engine,
    )
    assert finding.outcome is Outcome.PASSED
    assert engine.frames_read == []
    wrong = judge([("expect_table_columns_to_match_set", {"column_set": ["age"]})])
    assert wrong.reason == "people: not as expected (expect_table_columns_to_match_set)"
    assert wrong.hint == "the columns are: name, age, town, empty"


def test_a_column_that_is_not_there_fails_its_existence_and_is_an_error_for_its_values() -> None:
    finding = judge(
        [
            ("expect_column_to_exist", {"column": "agee"}),
            ("expect_column_values_to_not_be_null", {"column": "agee"}),
            ("expect_column_values_to_not_be_null", {"column": "age"}),
        ]
    )
    assert [measure.outcome for measure in finding.measures] == [Outcome.FAILED, Outcome.ERROR, Outcome.PASSED]
    assert finding.measures[1].reason == "people has no column 'agee' (expect_column_values_to_not_be_null)"
    assert finding.measures[1].hint == "did you mean 'age'?"


def test_an_expectation_that_raises_is_an_error_with_the_exception_s_type_only() -> None:
    finding = judge(
        [
            ("expect_column_values_to_match_strftime_format", {"column": "age", "strftime_format": "%Y"}),
            ("expect_column_values_to_be_unique", {"column": "name"}),
        ]
    )
    first, second = finding.measures
    assert first.outcome is Outcome.ERROR
    assert first.reason == (
        "age: Great Expectations raised MetricResolutionError (expect_column_values_to_match_strftime_format)"
    )
    assert first.hint.endswith("(age is of kind number)")
    assert second.outcome is Outcome.PASSED


def test_a_column_of_nulls_does_not_pass_what_would_hold_of_nothing() -> None:
    finding = judge(
        [
            ("expect_column_values_to_be_between", {"column": "empty", "min_value": 1}),
            ("expect_column_distinct_values_to_be_in_set", {"column": "empty", "value_set": [1]}),
            ("expect_column_values_to_be_null", {"column": "empty"}),
        ]
    )
    outcomes = [measure.outcome for measure in finding.measures]
    assert outcomes == [Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE, Outcome.PASSED]
    assert finding.reason.startswith("empty: nothing but nulls, so that nothing was judged")


def test_a_row_condition_that_selects_nothing_is_inconclusive() -> None:
    condition = {"row_condition": "age > 900", "condition_parser": "pandas"}
    finding = judge([("expect_column_values_to_not_be_null", {"column": "town", **condition})])
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.reason.startswith("town: the row condition selected no row")


def test_data_without_rows_is_an_error() -> None:
    with pytest.raises(CheckError, match="people has no rows"):
        judge([("expect_column_to_exist", {"column": "age"})], PEOPLE[:0])


def test_quantiles_whose_answer_is_a_numpy_bool_are_judged() -> None:
    ranges = {"quantiles": [0.5], "value_ranges": [[30, 50]]}
    finding = judge([("expect_column_quantile_values_to_be_between", {"column": "age", "quantile_ranges": ranges})])
    assert finding.outcome is Outcome.PASSED
    assert finding.measures[0].value is None
    assert finding.measures[0].reason == "age: the observed value could be that of a row and is not shown"


def test_no_value_of_a_row_is_in_the_finding(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    secrets = pd.DataFrame(
        {
            "name": [f"secret-{index}" for index in range(200)],
            "pay": 7_654_000 + dice.permutation(200),
            "once": [*[None] * 199, 7_654_999],
        }
    )
    half = {"quantiles": [0.5], "value_ranges": [[0, 1]]}
    finding = judge(
        [
            ("expect_column_values_to_be_in_set", {"column": "name", "value_set": ["a"], "result_format": "COMPLETE"}),
            ("expect_column_distinct_values_to_be_in_set", {"column": "name", "value_set": ["a"]}),
            ("expect_column_distinct_values_to_equal_set", {"column": "name", "value_set": ["a"]}),
            ("expect_column_distinct_values_to_contain_set", {"column": "name", "value_set": ["a"]}),
            ("expect_column_most_common_value_to_be_in_set", {"column": "name", "value_set": ["a"]}),
            ("expect_column_values_to_match_regex_list", {"column": "name", "regex_list": ["a"]}),
            ("expect_column_values_to_be_between", {"column": "name", "min_value": 1}),
            ("expect_column_values_to_match_strftime_format", {"column": "name", "strftime_format": "%Y"}),
            ("expect_column_values_to_be_json_parseable", {"column": "name"}),
            ("expect_column_max_to_be_between", {"column": "pay", "max_value": 1}),
            ("expect_column_min_to_be_between", {"column": "pay", "max_value": 1}),
            ("expect_column_median_to_be_between", {"column": "pay", "max_value": 1}),
            ("expect_column_quantile_values_to_be_between", {"column": "pay", "quantile_ranges": half}),
            ("expect_column_values_to_be_unique", {"column": "pay"}),
            ("expect_column_sum_to_be_between", {"column": "once", "max_value": 1}),
            ("expect_column_mean_to_be_between", {"column": "once", "max_value": 1}),
            ("expect_compound_columns_to_be_unique", {"column_list": ["name", "pay"]}),
        ],
        secrets,
    )
    said = repr(finding)
    assert len(finding.measures) == 17
    assert "secret-" not in said
    assert "7654" not in said
    assert "765" not in "".join(str(measure.value) for measure in finding.measures)


def test_aggregates_of_enough_rows_are_shown() -> None:
    finding = judge(
        [
            ("expect_column_sum_to_be_between", {"column": "age", "min_value": 0}),
            ("expect_column_unique_value_count_to_be_between", {"column": "town", "min_value": 2}),
            ("expect_column_values_to_be_of_type", {"column": "age", "type_": "int64"}),
        ]
    )
    assert [measure.value for measure in finding.measures] == [PEOPLE["age"].sum(), 2, "int64"]


def test_nothing_is_printed_and_nothing_warns(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            judge(
                [
                    # This one makes its bins by itself, and would draw a bar while it does.
                    ("expect_column_kl_divergence_to_be_less_than", {"column": "age", "threshold": 0.1}),
                    ("expect_column_values_to_be_between", {"column": "name", "min_value": 1}),
                    ("expect_column_to_exist", {"column": "age", "result_format": "SUMMARY"}),
                ]
            )
    assert capfd.readouterr() == ("", "")


def test_the_caller_s_own_context_environment_and_files_stay_as_they_are(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as library
        from great_expectations.data_context import project_manager

        mine = library.get_context(mode="ephemeral")
    before, environment, stderr = project_manager.get_current_project(), dict(os.environ), sys.stderr
    try:
        judge([("expect_column_to_exist", {"column": "age"})])
        assert project_manager.get_current_project() is before is mine
        assert not mine.data_sources.all()
        assert (dict(os.environ), sys.stderr) == (environment, stderr)
    finally:
        project_manager.set_project(None)


GOOD = {"type": "expect_column_to_exist", "kwargs": {"column": "age"}}


@pytest.mark.parametrize(
    ("document", "said", "hint"),
    [
        pytest.param(b"\xff\xfe{", "suite.json: the suite is not text in UTF-8", "UTF-8", id="not text"),
        pytest.param('{"a":\n  nope}', "suite.json:2:3: not JSON", "to_json_dict", id="not JSON"),
        pytest.param("[]", "no list of `expectations`", "to_json_dict", id="a list at the top"),
        pytest.param('{"expectations": 3}', "no list of `expectations`", "to_json_dict", id="a number in its place"),
        pytest.param({"expectations": []}, "would pass everything", "add an expectation", id="an empty suite"),
        pytest.param({"expectations": [GOOD, 3]}, "expectation 2: not an object", "to_json_dict", id="a number inside"),
        pytest.param({"expectations": [{"kwargs": {}}]}, "expectation 1: type: Field required", "", id="no type"),
        pytest.param(
            {"expectations": [{"expectation_type": "x"}]}, "before 1.0", "call the key `type`", id="an old suite"
        ),
        pytest.param(
            {"expectations": [{**GOOD, "severity": "mild"}]}, "expectation 1: severity: ", "", id="unknown severity"
        ),
        pytest.param(
            {"expectations": [GOOD, {**GOOD, "type": "expect_column_to_exists"}]},
            "suite.json: expectation 2: expect_column_to_exists is not an expectation type of Great Expectations",
            "did you mean expect_column_to_exist?",
            id="a type that is nearly right",
        ),
        pytest.param(
            {"expectations": [{"type": "zzz"}]},
            "zzz is not an expectation type",
            "greatexpectations.io",
            id="no such type",
        ),
        pytest.param(
            {"expectations": [{"type": "expect_column_values_to_be_null", "kwargs": {"colum": "age"}}]},
            "does not take these arguments: column: field required; colum: extra fields not permitted",
            "compare its kwargs",
            id="a wrong argument",
        ),
        pytest.param(
            {"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": {"$PARAMETER": "c"}}}]},
            "expectation 1: expect_column_to_exist has a suite parameter",
            "write the value in its place",
            id="a suite parameter",
        ),
    ],
)
def test_a_suite_that_cannot_be_used_is_an_error_with_a_hint(
    document: Any, said: str, hint: str, tmp_path: Path
) -> None:
    text = document if document is None or isinstance(document, str | bytes) else json.dumps(document)
    with pytest.raises(CheckError) as error:
        judge_suite(tmp_path, text)
    assert said in str(error.value)
    assert hint in error.value.hint
    assert str(tmp_path) not in str(error.value)


def test_a_suite_that_the_library_wrote_itself_is_read(tmp_path: Path) -> None:
    suite = {"name": "s", "id": None, "meta": {"great_expectations_version": "1.24.1"}, "notes": None}
    kept = {**GOOD, "meta": {}, "id": "7", "severity": "critical", "rendered_content": None, "notes": None}
    assert judge_suite(tmp_path, json.dumps({**suite, "expectations": [kept]})).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({}, "exactly one of suite and expectations", id="neither"),
        pytest.param({"suite": "s.json", "expectations": [GOOD]}, "exactly one of suite and expectations", id="both"),
        pytest.param({"expectations": []}, "at least 1 item", id="no expectation"),
        pytest.param({"expectations": [{"kwargs": {}}]}, "Field required", id="no type"),
        pytest.param({"expectations": [{**GOOD, "mostly": 1}]}, "Extra inputs", id="an argument in the wrong place"),
    ],
)
def test_options_without_meaning_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DataQualityOptions(data="people", **options)


def test_a_count_of_fewer_than_ten_rows_is_not_told() -> None:
    (measure,) = judge(
        [("expect_column_values_to_be_between", {"column": "age", "max_value": 120})], PEOPLE[:40]
    ).measures
    assert (measure.outcome, measure.value, measure.suppressed) == (Outcome.FAILED, None, True)
    assert measure.reason == "age: fewer than 10 of 40 rows are unexpected (expect_column_values_to_be_between)"
