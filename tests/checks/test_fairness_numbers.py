from __future__ import annotations

import inspect
import json
import math
import os
import runpy
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import fairlearn.metrics as fm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.plugin import PREDICTION, SCORE, Finding, Measure, Outcome
from aims_mlops_checks import _disparity as disparities
from aims_mlops_checks._cells import read_cells
from aims_mlops_checks._disparity import DISPARITIES
from aims_mlops_checks.fairness import Fairness, FairnessOptions
from aims_mlops_checks.performance import Performance, PerformanceOptions
from tests.checks.fakes import context, dataset, people

SHARED = Path(os.environ.get("AIMS_SHARED", Path(__file__).parents[3] / "shared"))
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared folder with published data is not here")


def on_rows(name: str, frame: pd.DataFrame) -> float:
    """Return fairlearn's number of a disparity, of the rows and without weights."""
    predicted = frame[SCORE if DISPARITIES[name].of_scores else PREDICTION]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(getattr(fm, name)(frame["label"], predicted, sensitive_features=frame["group"]))


def judged(frame: pd.DataFrame, metrics: dict[str, dict[str, float]], **more: Any) -> Finding:
    chosen = FairnessOptions.model_validate(
        {"data": "evaluation", "sensitive": ["group"], "metrics": metrics, "min_group_size": 1, **more}
    )
    return Fairness().run(context(chosen, dataset(frame)))


def test_the_table_of_names_is_what_this_fairlearn_exports() -> None:
    exported = {name for name in fm.__all__ if callable(getattr(fm, name)) and name != "MetricFrame"}
    takes_weights = {
        name
        for name in exported
        if "sample_weight" in inspect.signature(getattr(fm, name)).parameters
        or type(getattr(fm, name)).__name__ == "_DerivedMetric"
    }
    difference = takes_weights ^ set(DISPARITIES)
    assert not difference, f"fairlearn {fm.__name__} and our table of its metrics differ in {sorted(difference)}"


rows_of_people = st.lists(
    st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans(), st.integers(0, 8)), min_size=4, max_size=60
)


@given(rows_of_people)
@settings(max_examples=15, deadline=None)
def test_values_are_fairlearns_of_the_rows(rows: list[tuple[str, bool, bool, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["group", "label", PREDICTION, SCORE])
    frame[["label", PREDICTION]] = frame[["label", PREDICTION]].astype(int)
    frame[SCORE] /= 8
    if frame["group"].nunique() < 2 or frame["label"].nunique() < 2:
        return
    names = [name for name, disparity in DISPARITIES.items() if disparity.spread != "each"]
    for measure in judged(frame, {name: {"max": 9} for name in names}).measures:
        if measure.value is None:
            assert measure.outcome in (Outcome.INCONCLUSIVE, Outcome.ERROR)
            continue
        assert isinstance(measure.value, float)
        assert math.isclose(measure.value, on_rows(measure.metric, frame), rel_tol=1e-12, abs_tol=1e-12), measure.metric


@pytest.mark.parametrize("name", DISPARITIES)
def test_count_algebra_gives_what_fairlearn_gives_at_the_point(name: str) -> None:
    frame = people(700, groups=("a", "b", "c"))
    disparity = DISPARITIES[name]
    cells = read_cells(
        context(FairnessOptions.model_validate({"data": "d", "metrics": {name: {"max": 1}}}), dataset(frame)),
        dataset(frame),
        ("group",),
        SCORE if disparity.of_scores else PREDICTION,
    )
    table, scores = cells.score_table(most=10_000) if disparity.of_scores else (cells.table(), None)
    values = disparities.per_group(table, scores, disparity.bases)
    if disparity.spread == "each":
        theirs = [getattr(fm, name)(part["label"], part[PREDICTION]) for _, part in frame.groupby("group")]
        assert values[0].tolist() == pytest.approx(theirs, rel=1e-12)
    else:
        ours = float(disparities.spread(values, disparity.spread))
        assert ours == pytest.approx(on_rows(name, frame), rel=1e-12)


def test_plain_rates_and_group_rates_are_fairlearns() -> None:
    frame = people(700, groups=("a", "b", "c"))
    rates = ["selection_rate", "true_positive_rate", "false_positive_rate", "false_negative_rate", "true_negative_rate"]
    for measure in judged(frame, {rate: {"min": 0.0} for rate in rates}).measures:
        by_group = fm.MetricFrame(
            metrics=getattr(fm, measure.metric),
            y_true=frame["label"],
            y_pred=frame[PREDICTION],
            sensitive_features=frame["group"],
        ).by_group
        assert {name: values[measure.metric] for name, values in measure.groups.items()} == by_group.to_dict()
        assert measure.value == by_group.min()


def test_a_crossing_has_fairlearns_value_of_both_columns() -> None:
    frame = people(2000).assign(region=lambda f: np.where(np.arange(len(f)) % 3 == 0, "north", "south"))
    chosen = {"metrics": {"equalized_odds_difference": {"max": 0.5}}, "sensitive": ["group", "region"], "cross": True}
    options = FairnessOptions.model_validate({"data": "evaluation", **chosen})
    measure = Fairness().run(context(options, dataset(frame))).measures[2]
    theirs = fm.equalized_odds_difference(
        frame["label"], frame[PREDICTION], sensitive_features=frame[["group", "region"]]
    )
    assert measure.value == pytest.approx(theirs, rel=1e-12)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 200 datasets with a true difference of 0.2, about 95 % of the intervals hold it."""
    hits = 0
    for seed in range(200):
        measure = judged(people(600, seed=seed), {"demographic_parity_difference": {"max": 0.5}}).measures[0]
        assert measure.interval is not None
        hits += measure.interval[0] <= 0.2 <= measure.interval[1]
    assert 180 <= hits <= 199


def test_intervals_are_those_of_resampled_rows() -> None:
    frame = people(800)
    measure = judged(frame, {"equalized_odds_difference": {"max": 0.9}}).measures[0]
    random = np.random.default_rng(11)
    group, label, predicted = (frame[c].to_numpy() for c in ("group", "label", PREDICTION))
    drawn = []
    for _ in range(2000):
        rows = random.integers(0, len(frame), len(frame))
        g, y, p = group[rows], label[rows], predicted[rows]
        rates = [[p[(g == name) & (y == truth)].mean() for name in "ab"] for truth in (0, 1)]
        drawn.append(max(abs(first - second) for first, second in rates))
    assert measure.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


@pytest.mark.parametrize("name", ["roc_auc_score_group_min", "log_loss_group_max"])
def test_binned_scores_leave_the_value_alone_and_hardly_move_the_interval(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = people(3000)
    frame[SCORE] = np.clip(frame[SCORE] + np.linspace(0, 1e-4, 3000), 0.001, 0.999)
    binned = judged(frame, {name: {"max": 5}}).measures[0]
    monkeypatch.setattr("aims_mlops_checks._groups.SCORE_BINS", 10_000)
    exact = judged(frame, {name: {"max": 5}}).measures[0]
    assert binned.value == exact.value == pytest.approx(on_rows(name, frame), rel=1e-12)
    assert binned.interval == pytest.approx(exact.interval, abs=0.004)
    assert binned.interval != exact.interval


def by_race(frame: pd.DataFrame, metrics: list[str]) -> dict[str, Measure]:
    options = FairnessOptions.model_validate(
        {"data": "evaluation", "sensitive": ["race"], "metrics": {name: {"max": 1} for name in metrics}}
    )
    return {measure.metric: measure for measure in Fairness().run(context(options, dataset(frame))).measures}


@needs_shared
def test_propublicas_table_of_compas_is_reproduced() -> None:
    rows = pd.read_csv(SHARED / "data/fairness/compas_two_years.csv")
    rows = rows[rows["race"].isin(["African-American", "Caucasian"])]
    high = (rows["score_text"] != "Low").astype(int)
    frame = pd.DataFrame({"race": rows["race"], "label": rows["two_year_recid"], PREDICTION: high})
    metrics = ["false_positive_rate", "false_negative_rate", "equalized_odds_difference"]
    found = by_race(frame, [*metrics, "demographic_parity_difference", "demographic_parity_ratio"])
    percent = {
        (name, rate): round(100 * (found[rate].groups[name][rate] or 0), 2)
        for name in ("African-American", "Caucasian")
        for rate in metrics[:2]
    }
    assert percent == {
        ("African-American", "false_positive_rate"): 44.85,
        ("Caucasian", "false_positive_rate"): 23.45,
        ("African-American", "false_negative_rate"): 27.99,
        ("Caucasian", "false_negative_rate"): 47.72,
    }
    assert found["demographic_parity_difference"].value == pytest.approx(0.24020, abs=5e-6)
    assert found["demographic_parity_ratio"].value == pytest.approx(0.59164, abs=5e-6)
    assert found["equalized_odds_difference"].value == pytest.approx(0.21392, abs=5e-6)


@needs_shared
def test_fairlearns_published_figures_of_adult_are_reproduced() -> None:
    rows = pd.read_parquet(SHARED / "data/fairness/adult_tree_predictions.parquet")
    frame = pd.DataFrame(
        {"group": rows["sex"].astype(str), "label": rows["y_true"].astype(int), PREDICTION: rows["y_pred"].astype(int)}
    )
    found = judged(frame, {"selection_rate": {"min": 0.0}, "accuracy_score_group_min": {"min": 0.5}}).measures
    assert found[0].counts == {"Female": 16192, "Male": 32650}
    shown = {name: math.floor((rates["selection_rate"] or 0) * 10**4) for name, rates in found[0].groups.items()}
    assert shown == {"Female": 635, "Male": 2135}
    shown = {name: math.floor((rates["accuracy_score"] or 0) * 10**4) for name, rates in found[1].groups.items()}
    assert shown == {"Female": 9251, "Male": 8042}


@pytest.fixture(scope="session")
def income(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Evaluation rows of the income project with the predictions of its two models."""
    import joblib

    if not SHARED.is_dir():
        pytest.skip("the shared folder with the income project is not here")
    folder = tmp_path_factory.mktemp("income")
    before = sys.argv
    sys.argv = ["make_data.py", str(SHARED / "data/fairness/adult.parquet"), str(folder)]
    try:
        runpy.run_path(str(SHARED / "contract/income/make_data.py"), run_name="__main__")
    finally:
        sys.argv = before
    rows = pd.read_parquet(folder / "evaluation.parquet")
    features = rows.drop(columns="income")
    scored = {}
    for name in ("unfair", "fair"):
        model = joblib.load(folder / "models" / f"{name}.joblib")
        score = model.predict_proba(features)[:, 1]
        scored[name] = rows.assign(**{PREDICTION: model.predict(features), SCORE: score})
    return scored


def expected() -> Any:
    return json.loads((SHARED / "contract/income/expected.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unfair", "fair"])
def test_the_income_models_get_their_verdicts_by_sex(income: dict[str, pd.DataFrame], model: str) -> None:
    limits = {"demographic_parity_difference": {"max": 0.12}, "equalized_odds_difference": {"max": 0.15}}
    options = FairnessOptions.model_validate(
        {"data": "evaluation", "sensitive": ["sex"], "metrics": limits, "min_group_size": 400}
    )
    frame = income[model]
    started = time.perf_counter()
    finding = Fairness().run(context(options, dataset(frame, label="income")))
    assert time.perf_counter() - started < 1.5
    intervals = {
        "unfair": [(0.165, 0.188), (0.057, 0.125)],
        "fair": [(0.083, 0.105), (0.009, 0.101)],
    }[model]
    for measure, interval in zip(finding.measures, intervals, strict=True):
        theirs = getattr(fm, measure.metric)(frame["income"], frame[PREDICTION], sensitive_features=frame["sex"])
        assert measure.value == pytest.approx(theirs, rel=1e-12)
        assert measure.interval == pytest.approx(interval, abs=0.008)
        assert measure.value == pytest.approx(expected()["models"][model]["sex"][measure.metric], abs=0.005)
        assert measure.counts == expected()["models"][model]["sex"]["counts"]
    outcomes = [measure.outcome.value for measure in finding.measures]
    assert outcomes == ["failed" if model == "unfair" else "passed", "passed"]


@pytest.mark.slow
def test_the_income_project_names_two_small_races_and_judges_the_others(income: dict[str, pd.DataFrame]) -> None:
    options = FairnessOptions.model_validate(
        {
            "data": "evaluation",
            "sensitive": ["race"],
            "metrics": {"demographic_parity_difference": {"max": 0.20}},
            "min_group_size": 400,
            "small_groups": "report",
        }
    )
    (measure,) = Fairness().run(context(options, dataset(income["unfair"], label="income"))).measures
    known = expected()["models"]["unfair"]
    assert measure.too_small == {"Amer-Indian-Eskimo": 129, "Other": 126}
    assert measure.counts == known["race"]["counts"]
    assert measure.value == pytest.approx(
        known["race_groups_of_400_and_more"]["demographic_parity_difference"], abs=0.01
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unfair", "fair"])
def test_the_income_models_perform_as_scikit_learn_says(income: dict[str, pd.DataFrame], model: str) -> None:
    from sklearn.metrics import accuracy_score, roc_auc_score

    limits = {"accuracy": {"min": 0.82}, "roc_auc": {"min": 0.85, "not_below": "champion", "tolerance": 0.05}}
    options = PerformanceOptions.model_validate({"data": "evaluation", "metrics": limits})
    frame = income[model]
    started = time.perf_counter()
    finding = Performance().run(context(options, dataset(frame, label="income")))
    assert time.perf_counter() - started < 2.5
    accuracy, auc = finding.measures
    assert finding.outcome is Outcome.PASSED
    assert accuracy.value == pytest.approx(accuracy_score(frame["income"], frame[PREDICTION]), rel=1e-12)
    assert auc.value == pytest.approx(roc_auc_score(frame["income"], frame[SCORE]), rel=1e-12)
    assert accuracy.value == pytest.approx(expected()["models"][model]["accuracy"], abs=0.005)
