"""Data that cannot be judged: said with a hint, the gate stays shut, and what was recorded before stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest

from aims_mlops_checks.drift import Drift
from tests.cli.loans import Loans, applicants

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

Change = Callable[[pd.DataFrame], pd.DataFrame]


def three_labels(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(approved=[place % 3 for place in range(len(rows))])


@pytest.mark.parametrize(
    ("change", "check", "code", "says"),
    [
        pytest.param(
            lambda rows: rows.drop(columns="sex"),
            "parity",
            3,
            ("has no column 'sex', which aims.yaml names as its sensitive", "its columns are: age, hours, approved"),
            id="the sensitive column is missing",
        ),
        pytest.param(
            lambda rows: rows.drop(columns="hours"),
            "parity",
            3,
            (
                "the model fails in predict (Exception)",
                "see that the data has the columns and types it was trained with",
                "missing inputs ['hours']",
            ),
            id="a column that the model needs is missing",
        ),
        pytest.param(
            lambda rows: rows.drop(columns="hours"),
            "quality",
            3,
            ("evaluation has no column 'hours'", "the columns are: age, sex, approved"),
            id="a column that an expectation names is missing",
        ),
        pytest.param(
            lambda rows: rows.head(0),
            "parity",
            3,
            ("dataset 'evaluation' has no rows (data/evaluation.parquet)", "was the file written completely"),
            id="no rows",
        ),
        pytest.param(
            lambda rows: rows.assign(approved=pd.array([None] * len(rows), dtype="Int64")),
            "accuracy",
            3,
            ("all 2000 values of the label 'approved' are null", "name another label column in aims.yaml"),
            id="the label is all null",
        ),
        pytest.param(
            lambda rows: rows.assign(hours=pd.array([None] * len(rows), dtype="Int64")),
            "quality",
            1,
            ("inconclusive", "null"),
            id="a column that is judged is all null",
        ),
        pytest.param(
            lambda rows: rows.assign(sex="Female"),
            "parity",
            3,
            ("sex has one group only: one group has nothing to differ from", "data with rows of every group"),
            id="one group only",
        ),
        pytest.param(
            three_labels,
            "parity",
            3,
            ("is not binary: it has 3 different values, and this check needs exactly 2", "take a column of two labels"),
            id="the label is not binary",
        ),
    ],
)
def test_data_that_cannot_be_judged_keep_the_gate_shut(
    loans: Loans, change: Change, check: str, code: int, says: tuple[str, ...]
) -> None:
    before = loans.payloads()
    loans.change_data(change(applicants(2)))
    loans.aims("check", "loan/1", "--only", check, expect=code).says(*says)
    denied = loans.aims("gate", "loan/1", "--to", "champion", expect=code)
    denied.says("undecided" if code == 3 else "denied", check)
    loans.log_holds(more=3, before=before)


def test_a_missing_file_is_named_from_the_project(loans: Loans) -> None:
    before = loans.payloads()
    (loans.folder / "data" / "evaluation.parquet").unlink()
    said = loans.aims("check", "loan/1", expect=3)
    said.says("the file 'data/evaluation.parquet' does not exist", "check the path in aims.yaml")
    assert said.out.count("does not exist") == 4, "each check that needs the file says so"
    loans.aims("gate", "loan/1", "--to", "champion", expect=3).says("undecided", "does not exist")
    loans.log_holds(more=6, before=before)


def test_data_that_change_while_they_are_read_give_an_error_and_no_result(loans: Loans) -> None:
    before = loans.payloads()
    measure = Drift.run

    def changing(check: Drift, context: Any) -> Any:
        found = measure(check, context)
        assert found.outcome == "passed"
        loans.change_data(applicants(3))
        return found

    with patch.object(Drift, "run", changing):
        said = loans.aims("check", "loan/1", "--only", "drift", expect=3)
    said.says("dataset 'evaluation' changed while it was being read", "run again when nothing writes to it")
    loans.aims("gate", "loan/1", "--to", "champion", expect=3).says("changed while it was being read")
    loans.log_holds(more=3, before=before)


def attached(loans: Loans) -> Any:
    """Check loan/1 on a frame of the author's choice, by the Python door."""
    import aims_mlops as aims

    with loans.inside():
        aims.attach(evaluation=applicants(4))
        try:
            return aims.check("loan/1")
        finally:
            aims.attach(evaluation=None)


def test_data_attached_by_the_author_do_not_count_for_a_required_check(loans: Loans) -> None:
    before = loans.payloads()
    loans.keep_drift_alone()
    report = attached(loans)
    assert report.outcome == "passed"
    assert any("drift was measured on evaluation data that the author attached" in said for said in report.notices)
    denied = loans.aims("gate", "loan/1", "--to", "champion", expect=4)
    denied.says("mismatched", "the policy does not allow that for drift", "with the data that aims.yaml names")
    loans.log_holds(more=3, before=before)


def test_attached_data_count_where_the_policy_allows_them(loans: Loans) -> None:
    before = loans.payloads()
    loans.keep_drift_alone()
    loans.edit("use: drift\n", "use: drift\n        allow_attached: true\n")
    assert attached(loans).notices == ()
    loans.aims("gate", "loan/1", "--to", "champion", expect=0).says("allowed for champion")
    loans.log_holds(more=3, before=before)
