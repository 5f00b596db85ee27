"""The main job on the income project: what must come out, held to the plain libraries on row data."""

from __future__ import annotations

import json
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Income

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("income")]

SHARED = Path(os.environ.get("AIMS_SHARED", ROOT.parent / "shared"))


@cache
def expected() -> Any:
    """The figures of the contract, computed on row data with the plain libraries."""
    path = SHARED / "contract" / "income" / "expected.json"
    if not path.exists():
        pytest.skip(f"no {path}: the contract's figures are not here")
    return json.loads(path.read_text())


@pytest.fixture(scope="session")
def reports(income: Income) -> dict[str, Any]:
    """What `aims check` answers for both models, as JSON."""
    return {
        "unfair": income.json("check", "income/1", expect=1),
        "fair": income.json("check", "income/2", expect=0),
    }


def result(report: Any, id_: str) -> Any:
    (found,) = [item for item in report["results"] if item["id"] == id_]
    return found


def measure(report: Any, id_: str, metric: str, column: str | None = None) -> Any:
    found = [m for m in result(report, id_)["measures"] if m["metric"] == metric and column in (None, m["column"])]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="session")
def rows(income: Income) -> Any:
    """The evaluation rows with each model's labels and scores, predicted here by MLflow itself."""
    import mlflow
    import pandas as pd
    from mlflow.tracking._tracking_service import utils

    before = utils._tracking_uri, os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(income.environment["MLFLOW_TRACKING_URI"])
    try:
        data = pd.read_parquet(income.folder / "data" / "evaluation.parquet")
        features = data.drop(columns="income")
        for kind, version in (("unfair", 1), ("fair", 2)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = mlflow.sklearn.load_model(f"models:/income/{version}")
                data[kind] = model.predict(features)
                data[f"{kind}-score"] = model.predict_proba(features)[:, 1]
        return data
    finally:
        # MLflow has no way of unsetting it, and an empty one would stand before the environment for all later tests.
        utils._tracking_uri = before[0]
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        if before[1] is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before[1]


def test_registering_says_what_the_checks_found(income: Income) -> None:
    said = (income.folder / "unfair.stderr").read_text()
    assert "parity-by-sex: failed" in said
    assert "demographic_parity_difference" in said
    assert "NOT RECORDED" not in said


def test_the_unfair_model_is_denied_because_of_parity_by_sex_alone(income: Income) -> None:
    decision = income.json("gate", "income/1", "--to", "champion", expect=1)
    assert decision["schema"] == "aims.gate/1"
    assert decision["verdict"] == "denied"
    shut = [item["id"] for item in decision["requirements"] if item["required"] and item["status"] != "passed"]
    assert shut == ["parity-by-sex"]
    assert decision["owner"]["id"] == "income-owner"
    assert decision["enforced_by"] == "client"


def test_the_fair_model_is_allowed(income: Income) -> None:
    decision = income.json("gate", "income/2", "--to", "champion")
    assert decision["verdict"] == "allowed"
    assert decision["decision"].startswith("sha256:")


def test_counts_drift_and_quality_equal_the_contract(reports: dict[str, Any]) -> None:
    for kind, report in reports.items():
        assert result(report, "input-drift")["rows"] == pytest.approx(expected()["rows"]["evaluation"])
        for column, value in expected()["psi"]["evaluation"].items():
            assert measure(report, "input-drift", "psi", column)["value"] == pytest.approx(value, abs=1e-9)
        sex = measure(report, "parity-by-sex", "demographic_parity_difference")
        assert sex["counts"] == expected()["models"][kind]["sex"]["counts"]
        quality = result(report, "evaluation-quality")["measures"]
        assert len(quality) == expected()["quality"]["statistics"]["evaluated_expectations"]
        passed = [item for item in quality if item["outcome"] == "passed"]
        assert len(passed) == expected()["quality"]["statistics"]["successful_expectations"]


@pytest.mark.parametrize("kind", ["unfair", "fair"])
def test_fairness_equals_fairlearn_on_row_data(kind: str, reports: dict[str, Any], rows: Any) -> None:
    import fairlearn.metrics as fm

    for metric in ("demographic_parity_difference", "equalized_odds_difference"):
        value = getattr(fm, metric)(rows["income"], rows[kind], sensitive_features=rows["sex"])
        assert measure(reports[kind], "parity-by-sex", metric)["value"] == pytest.approx(value, abs=1e-12)
    large = rows[rows.groupby("race")["race"].transform("size") >= 400]
    value = fm.demographic_parity_difference(large["income"], large[kind], sensitive_features=large["race"])
    race = measure(reports[kind], "parity-by-race", "demographic_parity_difference")
    assert race["value"] == pytest.approx(value, abs=1e-12)
    assert race["too_small"] == {"Amer-Indian-Eskimo": 129, "Other": 126}


@pytest.mark.parametrize("kind", ["unfair", "fair"])
def test_performance_equals_scikit_learn_on_row_data(kind: str, reports: dict[str, Any], rows: Any) -> None:
    from sklearn.metrics import accuracy_score, roc_auc_score

    accuracy = measure(reports[kind], "accuracy", "accuracy")["value"]
    assert accuracy == pytest.approx(accuracy_score(rows["income"], rows[kind]), abs=1e-12)
    area = measure(reports[kind], "accuracy", "roc_auc")["value"]
    assert area == pytest.approx(roc_auc_score(rows["income"], rows[f"{kind}-score"]), abs=1e-12)


def test_intervals_are_those_that_the_contract_names(reports: dict[str, Any]) -> None:
    parity = measure(reports["unfair"], "parity-by-sex", "demographic_parity_difference")
    assert parity["interval"] == pytest.approx([0.165, 0.188], abs=0.003)
    odds = measure(reports["unfair"], "parity-by-sex", "equalized_odds_difference")
    assert odds["interval"] == pytest.approx([0.057, 0.125], abs=0.01)
    assert odds["outcome"] == "passed"


def test_a_plain_alias_call_raises_under_autolog(income: Income) -> None:
    script = (
        "import aims_mlops as aims\n"
        "from mlflow import MlflowClient\n"
        "client = MlflowClient()\n"
        "aims.autolog()\n"
        "try:\n"
        "    client.set_registered_model_alias('income', 'champion', 1)\n"
        "except Exception as error:\n"
        "    print(getattr(error, 'error_code', ''), error)\n"
        "print(dict(client.get_registered_model('income').aliases))\n"
    )
    done = income.python("-c", script)
    assert "PERMISSION_DENIED" in done.stdout, done.stderr
    assert "parity-by-sex is failed" in done.stdout
    assert "Income Model Owner <income-owner@example.org>" in done.stdout
    assert done.stdout.rstrip().endswith("{}"), done.stdout
