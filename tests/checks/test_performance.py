from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aims_mlops.plugin import PREDICTION, SCORE, CheckError, Finding, Measure, Outcome
from aims_mlops_checks._fit import METRICS
from aims_mlops_checks.performance import Performance, PerformanceOptions
from tests.checks.fakes import context, dataset, people

OF_LABELS = sorted({m.function for m in METRICS.values() if m.reads in ("labels", "two labels")})
OF_SCORES = sorted({m.function for m in METRICS.values() if m.reads == "score"})
OF_NUMBERS = sorted({m.function for m in METRICS.values() if m.reads == "numbers"})


def run(frame: pd.DataFrame, metrics: dict[str, Any], **more: Any) -> Finding:
    facts = {key: more.pop(key) for key in ("label", "positive") if key in more}
    options = PerformanceOptions.model_validate({"data": "evaluation", "metrics": metrics})
    return Performance().run(context(options, dataset(frame, **facts), **more))


def only(finding: Finding) -> Measure:
    (measure,) = finding.measures
    return measure


def on_rows(function: str, label: Any, predicted: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(getattr(sm, function)(label, predicted))


def numbers(rows: int, *, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    label = random.normal(10, 3, rows)
    return pd.DataFrame({"label": label, PREDICTION: label + random.standard_t(3, rows)})


pairs = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 8)), min_size=4, max_size=80)


@given(pairs)
@settings(max_examples=60, deadline=None)
def test_values_of_two_labels_and_of_scores_are_scikit_learns_of_the_rows(rows: list[tuple[bool, bool, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["label", PREDICTION, SCORE]).astype(int)
    frame[SCORE] = frame[SCORE] / 8
    if frame["label"].nunique() < 2:
        return
    finding = run(frame, {name: {"min": -99} for name in [*OF_LABELS, *OF_SCORES]})
    for measure in finding.measures:
        if measure.value is None:
            assert measure.outcome is Outcome.INCONCLUSIVE
            assert measure.metric == "precision_score", "the others are defined wherever both labels occur"
            continue
        predicted = frame[SCORE if measure.metric in OF_SCORES else PREDICTION]
        theirs = on_rows(measure.metric, frame["label"], predicted)
        assert measure.value == pytest.approx(theirs, rel=1e-12, abs=1e-12), measure.metric


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("wxyz")), min_size=6, max_size=60))
@settings(max_examples=40, deadline=None)
def test_values_of_several_classes_are_scikit_learns_of_the_rows(rows: list[tuple[str, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["label", PREDICTION])
    if not set(frame["label"]) & set(frame[PREDICTION]):
        return
    names = ["accuracy_score", "zero_one_loss", "balanced_accuracy_score", "matthews_corrcoef", "cohen_kappa_score"]
    for measure in run(frame, {name: {"min": -9} for name in names}).measures:
        theirs = on_rows(measure.metric, frame["label"], frame[PREDICTION])
        if measure.value is None:
            assert np.isnan(theirs)
            continue
        assert measure.value == pytest.approx(theirs, rel=1e-12, abs=1e-12), measure.metric


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=60))
@settings(max_examples=40, deadline=None)
def test_values_of_numbers_are_scikit_learns_of_the_rows(rows: list[tuple[int, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["label", PREDICTION]) / 4
    if frame["label"].nunique() < 2:
        return
    for measure in run(frame, {name: {"max": 1e9} for name in OF_NUMBERS}).measures:
        theirs = on_rows(measure.metric, frame["label"], frame[PREDICTION])
        assert measure.value == pytest.approx(theirs, rel=1e-12, abs=1e-12), measure.metric


def resampled(
    frame: pd.DataFrame, metric: Callable[[pd.DataFrame], float], *, times: int = 1000
) -> tuple[float, float]:
    random = np.random.default_rng(1)
    values = [metric(frame.iloc[random.integers(0, len(frame), len(frame))]) for _ in range(times)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize("function", [*OF_LABELS, *OF_SCORES])
def test_intervals_of_labels_and_scores_are_those_of_resampled_rows(function: str) -> None:
    frame = people(900)
    frame[SCORE] = np.clip(frame[SCORE] + np.linspace(0, 1e-5, 900), 0.01, 0.99)  # 900 scores: they are binned
    measure = only(run(frame, {function: {"min": -9}}))
    column = SCORE if function in OF_SCORES else PREDICTION
    plain = resampled(frame, lambda rows: on_rows(function, rows["label"], rows[column]), times=300)
    width = plain[1] - plain[0]
    assert measure.interval == pytest.approx(plain, abs=0.2 * width)


@pytest.mark.parametrize("function", OF_NUMBERS)
@pytest.mark.parametrize("rows", [600, 4000], ids=["a block for each row", "rows in random blocks"])
def test_intervals_of_numbers_are_those_of_resampled_rows(function: str, rows: int) -> None:
    frame = numbers(rows)
    measure = only(run(frame, {function: {"min": -9e9}}))
    plain = resampled(frame, lambda part: on_rows(function, part["label"], part[PREDICTION]), times=300)
    assert measure.interval == pytest.approx(plain, abs=0.3 * (plain[1] - plain[0]))


def test_a_name_may_be_written_with_or_without_score() -> None:
    frame = people(400)
    short, full, brier = run(
        frame, {"accuracy": {"min": 0.1}, "accuracy_score": {"min": 0.1}, "brier": {"max": 1}}
    ).measures
    assert (short.metric, full.metric, brier.metric) == ("accuracy", "accuracy_score", "brier")
    assert (short.value, short.interval) == (full.value, full.interval)


def test_a_failure_says_value_interval_and_limit() -> None:
    finding = run(exactly(2100, 900), {"accuracy": {"min": 0.9}})
    assert finding.outcome is Outcome.FAILED
    assert re.fullmatch(r"accuracy is 0\.7 \(0\.6\d+ to 0\.7\d+\), the limit is at least 0\.9", finding.reason)
    assert finding.hint.startswith("train on more or better data")


def test_an_interval_across_the_limit_is_inconclusive_with_an_estimate() -> None:
    finding = run(exactly(75, 25), {"accuracy": {"min": 0.68}})
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert re.search(
        r"between 0\.\d+ and 0\.\d+ at 95 %; the limit is at least 0\.68; about [\d,]+ more", finding.reason
    )


def test_deciding_on_the_point_is_said() -> None:
    finding = run(exactly(75, 25), {"accuracy": {"min": 0.68}}, decide_on="point")
    assert finding.outcome is Outcome.PASSED
    assert finding.reason.endswith("decided on the point, not on the interval")


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    frame = people(300)
    limits = {"roc_auc": {"min": 0.1}}
    first, again, other = (only(run(frame, limits, seed=seed)).interval for seed in (3, 3, 4))
    assert first == again != other


CHAMPION = {("champion", "accuracy"): ("income/2", 0.75)}


def exactly(right: int, wrong: int) -> pd.DataFrame:
    label = np.arange(right + wrong) % 2
    return pd.DataFrame({"label": label, PREDICTION: np.where(np.arange(len(label)) < right, label, 1 - label)})


@pytest.mark.parametrize(
    ("right", "tolerance", "outcome"),
    [
        pytest.param(750, 0.0, Outcome.PASSED, id="as good"),
        pytest.param(749, 0.0, Outcome.FAILED, id="a little worse"),
        pytest.param(700, 0.05, Outcome.PASSED, id="just inside the tolerance"),
        pytest.param(699, 0.05, Outcome.FAILED, id="just outside the tolerance"),
    ],
)
def test_the_champion_is_compared_by_the_point(right: int, tolerance: float, outcome: Outcome) -> None:
    limits = {"accuracy": {"not_below": "champion", "tolerance": tolerance}}
    assert run(exactly(right, 1000 - right), limits, champions=CHAMPION).outcome is outcome


def test_falling_behind_the_champion_names_it() -> None:
    limits = {"accuracy": {"min": 0.5, "not_below": "champion", "tolerance": 0.01}}
    finding = run(exactly(700, 300), limits, champions=CHAMPION)
    assert finding.outcome is Outcome.FAILED
    assert finding.reason == (
        "accuracy is 0.7, below the 0.75 of income/2, the last version allowed as champion, by more than the "
        "tolerance 0.01"
    )
    assert finding.hint == (
        "train a model at least as good as income/2, or let the owner widen the tolerance in aims.yaml"
    )


def test_being_as_good_as_the_champion_does_not_make_up_for_a_missed_limit() -> None:
    limits = {"accuracy": {"min": 0.9, "not_below": "champion"}}
    assert run(exactly(800, 200), limits, champions=CHAMPION).outcome is Outcome.FAILED


def test_a_limit_against_a_champion_that_never_was_is_waived_and_said() -> None:
    for limits in ({"not_below": "champion"}, {"min": 0.5, "not_below": "champion"}):
        finding = run(exactly(800, 200), {"accuracy": limits})
        assert finding.outcome is Outcome.PASSED
        assert finding.reason == "accuracy: no promotion to champion is in the log yet: not compared"


def test_a_precision_without_any_positive_prediction_is_inconclusive() -> None:
    frame = exactly(400, 0).assign(**{PREDICTION: 0})
    measure = only(run(frame, {"precision": {"min": 0.0}}))
    assert (measure.outcome, measure.value) == (Outcome.INCONCLUSIVE, None)
    assert measure.reason == (
        "precision is not defined: too few rows have the label or prediction that it is a share of"
    )


def test_a_label_of_one_row_gives_no_interval() -> None:
    frame = exactly(400, 0).assign(label=[1] + [0] * 399, **{PREDICTION: [1] + [0] * 399})
    measure = only(run(frame, {"recall": {"min": 0.5}}))
    assert (measure.outcome, measure.value, measure.interval) == (Outcome.INCONCLUSIVE, 1.0, None)


BASE = people(100)
THREE = pd.DataFrame({"label": list("xyz") * 20, PREDICTION: list("xyz") * 20, SCORE: 0.5})
REFUSED: dict[str, tuple[pd.DataFrame, str, dict[str, Any], str, str]] = {
    "no score": (
        BASE.drop(columns=SCORE),
        "roc_auc",
        {},
        "the model gives no score for dataset 'evaluation', and a metric of this check needs one",
        (
            "log a model that has predict_proba, name a column of probabilities with `score:` beside the dataset, or "
            "take metrics of labels only"
        ),
    ),
    "a metric of two labels on three": (
        THREE,
        "f1",
        {},
        (
            "the label column 'label' of dataset 'evaluation' is not binary: it has 3 different values, and this check "
            "needs exactly 2"
        ),
        "take a column of two labels; for several classes make one dataset for each class against the rest",
    ),
    "a score metric on three labels": (
        THREE,
        "roc_auc",
        {},
        (
            "the label column 'label' of dataset 'evaluation' is not binary: it has 3 different values, and this check "
            "needs exactly 2"
        ),
        "take a column of two labels; for several classes make one dataset for each class against the rest",
    ),
    "no label": (
        BASE,
        "accuracy",
        {"label": None},
        "dataset 'evaluation' has no label, and the metric 'accuracy' needs one",
        "name the column of true labels: `label: COLUMN` beside the dataset",
    ),
    "null labels": (
        BASE.assign(label=BASE["label"].where(np.arange(100) >= 12)),
        "accuracy",
        {},
        "the label column 'label' of dataset 'evaluation' is null in 12 of 100 rows",
        "leave rows without a label out of the dataset, or find their labels",
    ),
    "null predictions": (
        BASE.assign(**{PREDICTION: BASE[PREDICTION].where(np.arange(100) >= 12)}),
        "accuracy",
        {},
        "the prediction for dataset 'evaluation' is null in 12 of 100 rows",
        "the model must answer a label for each row",
    ),
    "labels as text and predictions as numbers": (
        BASE.assign(label=BASE["label"].astype(str).astype(object)),
        "accuracy",
        {},
        "no prediction for dataset 'evaluation' is one of the labels in column 'label'",
        "let the model predict the labels as they stand in the data, not their index, text or probability",
    ),
    "numbers for a metric of classes": (
        numbers(300),
        "accuracy",
        {},
        (
            "the label column 'label' of dataset 'evaluation' and its predictions have 600 different values, more than "
            "200: 'accuracy' is a metric of classes"
        ),
        "for numbers take mean_absolute_error, root_mean_squared_error or r2",
    ),
    "text for a metric of numbers": (
        THREE,
        "r2",
        {},
        "the metric 'r2' needs numbers, but labels or predictions of dataset 'evaluation' are text",
        "for classes take accuracy, balanced_accuracy or f1",
    ),
    "infinite predictions": (
        numbers(50).assign(**{PREDICTION: np.inf}),
        "r2",
        {},
        "labels or predictions of dataset 'evaluation' are infinite in 50 of 50 rows",
        "leave such rows out of the dataset, or mend the model that answers them",
    ),
    "no probabilities": (
        BASE.assign(**{SCORE: BASE[SCORE] + 5}),
        "brier",
        {},
        (
            "the metric 'brier' needs probabilities, but the score for dataset 'evaluation' lies outside 0 to 1 in "
            "100 of 100 rows"
        ),
        "calibrate the score to a probability, or take roc_auc, which looks at its order only",
    ),
    "no rows": (
        BASE.head(0),
        "accuracy",
        {},
        "dataset 'evaluation' has no rows",
        "nothing can be measured on it: name another file",
    ),
}


@pytest.mark.parametrize(("frame", "metric", "facts", "message", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_measured_is_refused_with_a_hint(
    frame: pd.DataFrame, metric: str, facts: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(CheckError) as refused:
        run(frame, {metric: {"min": 0.1}}, **facts)
    assert (str(refused.value), refused.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        pytest.param(
            {"acuracy": {"min": 0.5}}, "unknown performance metric 'acuracy'; did you mean 'accuracy'?", id="misspelt"
        ),
        pytest.param({"xyz": {"min": 0.5}}, "unknown performance metric 'xyz'; known: accuracy, ", id="foreign"),
        pytest.param(
            {"log_loss": {"not_below": "champion"}},
            "log_loss: lower is better, so not_below would let the worse model through; give max",
            id="a loss against the champion",
        ),
        pytest.param({}, "at least 1 item", id="no metric"),
        pytest.param({"accuracy": {"tolerance": 0.1}}, "a limit needs min, max or not_below", id="no limit"),
    ],
)
def test_a_wrong_option_is_refused_when_the_configuration_is_read(metrics: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PerformanceOptions.model_validate({"data": "evaluation", "metrics": metrics})
    assert message in str(refused.value)


@pytest.mark.parametrize("name", sorted({metric.function for metric in METRICS.values()}))
def test_every_name_is_a_function_of_this_scikit_learn(name: str) -> None:
    assert callable(getattr(sm, name))


def test_options_are_read_without_any_check_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from aims_mlops_checks.fairness import FairnessOptions as F; "
        "from aims_mlops_checks.performance import PerformanceOptions as P; "
        "F(data='d', metrics={'selection_rate_ratio': {'min': 0.8}}); P(data='d', metrics={'f1': {'min': 0.8}}); "
        "print(sorted({'numpy', 'pandas', 'sklearn', 'fairlearn', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
