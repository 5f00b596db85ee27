from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from aims_mlops.plugin import PREDICTION, SCORE, CheckError, Dataset, Finding, Measure, Outcome
from aims_mlops_checks.fairness import Fairness, FairnessOptions
from tests.checks.fakes import context, dataset, people

PARITY = "demographic_parity_difference"


def options(metrics: dict[str, Any] | None = None, **more: Any) -> FairnessOptions:
    more.setdefault("sensitive", ("group",))
    return FairnessOptions.model_validate(
        {"data": "evaluation", "metrics": metrics or {PARITY: {"max": 0.3}}, **more},
    )


def run(frame: pd.DataFrame, chosen: FairnessOptions | None = None, **more: Any) -> Finding:
    facts = {key: more.pop(key) for key in ("label", "positive", "sensitive") if key in more}
    return Fairness().run(context(chosen or options(), dataset(frame, **facts), **more))


def only(finding: Finding) -> Measure:
    (measure,) = finding.measures
    return measure


def table(**groups: tuple[int, int, int, int]) -> pd.DataFrame:
    """Rows from counts of each group: true negatives, false positives, false negatives, true positives."""
    cells = ((0, 0), (0, 1), (1, 0), (1, 1))
    rows = [
        (name, label, prediction)
        for name, counts in groups.items()
        for (label, prediction), count in zip(cells, counts, strict=True)
        for _ in range(count)
    ]
    return pd.DataFrame(rows, columns=["group", "label", PREDICTION])


def test_a_model_inside_the_limit_passes_and_shows_its_groups_and_their_rows() -> None:
    finding = run(table(a=(400, 100, 200, 300), b=(380, 120, 180, 320)))
    measure = only(finding)
    assert finding.outcome is measure.outcome is Outcome.PASSED
    assert measure.value == pytest.approx(0.04)
    assert measure.column == "group"
    assert measure.counts == {"a": 1000, "b": 1000}
    assert measure.groups == {"a": {"selection_rate": 0.4}, "b": {"selection_rate": 0.44}}
    assert measure.support == {"a": {"selection_rate": (400, 1000)}, "b": {"selection_rate": (440, 1000)}}
    assert measure.interval is not None
    assert measure.interval[0] < 0.04 < measure.interval[1] < 0.3
    assert finding.rows == 2000
    assert set(finding.libraries) == {"fairlearn", "scikit-learn"}


def test_a_failure_says_value_interval_limit_groups_and_what_to_try() -> None:
    measure = only(run(table(a=(800, 50, 100, 50), b=(300, 300, 100, 300)), options({PARITY: {"max": 0.12}})))
    assert measure.outcome is Outcome.FAILED
    pattern = r"demographic_parity_difference for group is 0\.5 \(0\.4\d+ to 0\.5\d+\), the limit is at most 0\.12"
    assert re.fullmatch(pattern, measure.reason), measure.reason
    assert measure.hint == (
        "selection_rate is lowest for a (0.1) and highest for b (0.6): look at features that stand in for group, train "
        "with weights that balance the groups (reweighing), or choose a threshold for each group "
        "(fairlearn.postprocessing.ThresholdOptimizer)"
    )


def test_an_interval_across_the_limit_is_inconclusive_and_says_how_many_rows_would_decide() -> None:
    frame = table(a=(40, 10, 20, 30), b=(36, 14, 17, 33))
    measure = only(run(frame, options({PARITY: {"max": 0.15}})))
    assert measure.outcome is Outcome.INCONCLUSIVE
    found = re.fullmatch(
        r"demographic_parity_difference for group is 0\.07, between 0\.00\d+ and 0\.2\d+ at 95 %; the limit is at most "
        r"0\.15; about ([\d,]+) more rows would decide it",
        measure.reason,
    )
    assert found, measure.reason
    more = int(found[1].replace(",", ""))
    enough = pd.concat([frame] * (1 + round(1.3 * more / len(frame))))
    assert only(run(enough, options({PARITY: {"max": 0.15}}))).outcome is Outcome.PASSED


def test_deciding_on_the_point_is_said_whether_it_passes_or_fails() -> None:
    frame = table(a=(40, 10, 20, 30), b=(36, 14, 17, 33))
    passed = run(frame, options({PARITY: {"max": 0.15}}), decide_on="point")
    assert passed.outcome is Outcome.PASSED
    assert passed.reason.endswith("the limit is at most 0.15; decided on the point, not on the interval")
    assert only(passed).interval is not None
    failed = run(frame, options({PARITY: {"max": 0.06}}), decide_on="point")
    assert failed.outcome is Outcome.FAILED
    assert failed.reason.endswith("decided on the point, not on the interval")


def test_a_warning_names_the_warning_and_the_limit() -> None:
    limits = {PARITY: {"max": 0.3, "warn": 0.02}}
    finding = run(table(a=(400, 100, 200, 300), b=(380, 120, 180, 320)), options(limits))
    assert finding.outcome is Outcome.WARNED
    assert finding.reason.endswith("the warning is at 0.02, the limit is at most 0.3")
    assert finding.hint.startswith("selection_rate is lowest for a (0.4) and highest for b (0.44)")


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    frame = people(500)
    first, again, other = (only(run(frame, seed=seed)).interval for seed in (3, 3, 4))
    assert first == again != other


def test_an_interval_does_not_depend_on_what_else_is_measured() -> None:
    frame = people(500)
    more = options({"equalized_odds_difference": {"max": 0.4}, PARITY: {"max": 0.3}})
    assert run(frame, more).measures[1].interval == only(run(frame)).interval


def test_a_small_group_makes_the_measure_inconclusive_and_is_named_with_what_it_lacks() -> None:
    finding = run(table(a=(400, 100, 200, 300), b=(380, 120, 180, 320), c=(5, 5, 5, 5)))
    measure = only(finding)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert measure.too_small == {"c": 20}
    assert measure.value == pytest.approx(0.1)
    assert measure.reason == (
        "groups of group are too small to judge demographic_parity_difference: c (20 rows, 10 more are needed) "
        "with fewer than 30 rows"
    )
    assert measure.hint == (
        "measure on more rows of these groups, or set `small_groups: report` to name them and judge the others"
    )


def test_small_groups_can_be_named_and_left_out_and_the_result_still_says_so() -> None:
    frame = table(a=(400, 100, 200, 300), b=(380, 120, 180, 320), c=(5, 5, 5, 5))
    finding = run(frame, options(small_groups="report"))
    measure = only(finding)
    assert finding.outcome is Outcome.PASSED
    assert measure.value == pytest.approx(0.04)
    assert measure.too_small == {"c": 20}
    assert measure.counts == {"a": 1000, "b": 1000, "c": 20}
    assert finding.reason == "left out of group: c (20 rows, 10 more are needed) with fewer than 30 rows"


def test_the_rows_of_a_group_under_ten_stand_in_no_sentence() -> None:
    frame = table(a=(400, 100, 200, 300), b=(380, 120, 180, 320), c=(1, 2, 3, 1), d=(5, 5, 5, 5))
    for mode in ("report", "inconclusive"):
        measure = only(run(frame, options(small_groups=mode)))
        assert measure.reason.endswith("c, d with fewer than 30 rows")


def test_rates_that_rest_on_fewer_than_ten_rows_stand_in_no_hint() -> None:
    frame = table(a=(97, 1, 1, 1), b=(20, 40, 10, 30))
    measure = only(run(frame, options({PARITY: {"max": 0.1}})))
    assert measure.outcome is Outcome.FAILED
    assert measure.hint.startswith("selection_rate is lowest for a and highest for b:")


def test_when_fewer_than_two_groups_are_large_enough_nothing_is_judged() -> None:
    measure = only(run(table(a=(40, 10, 20, 30), b=(5, 5, 5, 5)), options(small_groups="report")))
    assert measure.outcome is Outcome.INCONCLUSIVE
    assert measure.value is None
    assert measure.reason.startswith("fewer than two groups of group can be judged: b (20 rows")


def test_one_group_has_nothing_to_differ_from() -> None:
    measure = only(run(table(a=(40, 10, 20, 30))))
    assert measure.outcome is Outcome.ERROR
    assert measure.reason == "group has one group only: one group has nothing to differ from"
    assert measure.hint == "measure on data with rows of every group, or name another column in `sensitive`"


def test_a_column_that_is_null_in_every_row_is_an_error() -> None:
    frame = table(a=(40, 10, 20, 30)).assign(group=None)
    finding = run(frame)
    assert finding.outcome is Outcome.ERROR
    assert finding.reason == "group is null in every row: one group has nothing to differ from"


def test_nulls_are_a_group_of_their_own() -> None:
    frame = table(a=(40, 10, 20, 30), b=(36, 14, 17, 33))
    frame["group"] = frame["group"].where(frame["group"] == "a", None)
    assert only(run(frame)).counts == {"<null>": 100, "a": 100}


def test_columns_are_judged_one_by_one_and_crossed_when_asked() -> None:
    frame = people(3000, groups=("w", "x"))
    frame["region"] = np.random.default_rng(5).choice(["north", "south"], len(frame))
    finding = run(frame, options(sensitive=("group", "region"), cross=True))
    assert [measure.column for measure in finding.measures] == ["group", "region", "group & region"]
    crossed = finding.measures[2]
    assert list(crossed.counts) == ["w & north", "w & south", "x & north", "x & south"]
    assert sum(count or 0 for count in crossed.counts.values()) == 3000
    assert len(run(frame, options(sensitive=("group", "region"))).measures) == 2


def test_the_dataset_names_the_sensitive_columns_unless_the_check_does() -> None:
    frame = people(500).rename(columns={"group": "team"})
    assert only(run(frame, options(sensitive=None), sensitive=("team",))).column == "team"


def test_demographic_parity_needs_no_label() -> None:
    frame = table(a=(40, 10, 20, 30), b=(36, 14, 17, 33)).drop(columns="label")
    assert only(run(frame, label=None)).value == pytest.approx(0.07)


def test_text_labels_are_judged_by_the_positive_one() -> None:
    frame = table(a=(40, 10, 20, 30), b=(36, 14, 17, 33)).replace({0: "no", 1: "yes"})
    assert only(run(frame, positive="yes")).value == pytest.approx(0.07)
    rates = only(run(frame, positive="no")).groups
    assert rates["a"]["selection_rate"] == pytest.approx(0.6)


def test_true_and_false_are_labels_as_one_and_nought_are() -> None:
    frame = table(a=(40, 10, 20, 30), b=(36, 14, 17, 33))
    frame["label"] = frame["label"].astype(bool)
    assert only(run(frame)).value == pytest.approx(0.07)


def test_a_plain_rate_must_be_kept_by_every_group_and_the_worst_is_shown() -> None:
    frame = table(a=(400, 100, 200, 300), b=(380, 120, 180, 320))
    low = only(run(frame, options({"selection_rate": {"min": 0.5}})))
    assert low.outcome is Outcome.FAILED
    assert low.value == pytest.approx(0.4)
    assert low.reason.startswith("selection_rate of a in group is 0.4 (")
    high = only(run(frame, options({"selection_rate": {"min": 0.1, "max": 0.42}})))
    assert high.value == pytest.approx(0.44)
    assert high.outcome is Outcome.INCONCLUSIVE


def test_a_rate_that_no_row_of_a_group_bears_is_inconclusive_though_fairlearn_says_nought() -> None:
    frame = table(a=(90, 10, 20, 80), b=(0, 0, 20, 80))
    measure = only(run(frame, options({"false_positive_rate_difference": {"max": 0.3}})))
    assert measure.value == pytest.approx(0.1)
    assert measure.outcome is Outcome.INCONCLUSIVE
    assert measure.groups["b"] == {"false_positive_rate": 0.0}
    assert measure.reason == (
        "false_positive_rate of b in group cannot be told: too few rows there have the label or prediction that it "
        "is a share of"
    )


def test_a_rate_that_one_row_bears_has_no_interval() -> None:
    frame = table(a=(90, 10, 20, 80), b=(1, 0, 20, 80))
    measure = only(run(frame, options({"false_positive_rate_difference": {"max": 0.3}})))
    assert measure.outcome is Outcome.INCONCLUSIVE
    assert measure.interval is None
    assert measure.reason.startswith(
        "false_positive_rate_difference for group is 0.1, but has no interval: in more than"
    )


def test_a_ratio_of_noughts_is_an_error_and_no_value() -> None:
    measure = only(run(table(a=(50, 0, 50, 0), b=(60, 0, 40, 0)), options({"demographic_parity_ratio": {"min": 0.8}})))
    assert measure.outcome is Outcome.ERROR
    assert measure.value is None
    assert measure.reason == ("demographic_parity_ratio for group is not defined: selection_rate is 0 in every group")


def test_a_score_metric_of_a_group_with_one_label_is_inconclusive_and_has_no_value() -> None:
    frame = people(400)
    frame.loc[frame["group"] == "a", "label"] = 0
    measure = only(run(frame, options({"log_loss_group_max": {"max": 2}})))
    assert measure.outcome is Outcome.INCONCLUSIVE
    assert measure.value is None
    assert measure.groups["a"] == {"log_loss": None}


def many(column: str) -> pd.DataFrame:
    frame = people(1500)
    return frame.assign(**{column: np.arange(1500)})


def crossed() -> pd.DataFrame:
    return people(2500).assign(x=np.arange(2500) % 40, y=np.arange(2500) // 40)


BASE = people(100)
REFUSED: dict[str, tuple[pd.DataFrame, dict[str, Any], dict[str, Any], str, str]] = {
    "three labels": (
        BASE.assign(label=np.arange(100) % 3),
        {},
        {},
        (
            "the label column 'label' of dataset 'evaluation' is not binary: it has 3 different values, and this check "
            "needs exactly 2"
        ),
        "take a column of two labels; for several classes make one dataset for each class against the rest",
    ),
    "one label": (
        BASE.assign(label=1),
        {},
        {},
        (
            "the label column 'label' of dataset 'evaluation' is not binary: it has 1 different value, and this check "
            "needs exactly 2"
        ),
        "take a column of two labels; for several classes make one dataset for each class against the rest",
    ),
    "null labels": (
        BASE.assign(label=BASE["label"].where(np.arange(100) >= 12)),
        {},
        {},
        "the label column 'label' of dataset 'evaluation' is null in 12 of 100 rows",
        "leave rows without a label out of the dataset, or find their labels",
    ),
    "text labels and no positive one": (
        BASE.replace({"label": {0: "no", 1: "yes"}}),
        {},
        {},
        (
            "the positive label 1 of dataset 'evaluation' is not one of the two in the label column 'label' of dataset "
            "'evaluation'"
        ),
        "name the label that counts as positive, as the column has it: `positive: ...` beside the dataset",
    ),
    "predictions that are no labels": (
        BASE.replace({PREDICTION: {1: 2}}),
        {},
        {},
        (
            f"{(BASE[PREDICTION] == 1).sum()} of 100 predictions for dataset 'evaluation' are none of the labels in "
            "column 'label': labels are of kind 'number', predictions of kind 'number'"
        ),
        "let the model predict the labels as they stand in the data, not their index, text or probability",
    ),
    "predictions as text": (
        BASE.assign(**{PREDICTION: BASE[PREDICTION].astype(str).astype(object)}),
        {},
        {},
        (
            "100 of 100 predictions for dataset 'evaluation' are none of the labels in column 'label': labels are of "
            "kind 'number', predictions of kind 'text'"
        ),
        "let the model predict the labels as they stand in the data, not their index, text or probability",
    ),
    "null predictions": (
        BASE.assign(**{PREDICTION: BASE[PREDICTION].where(np.arange(100) >= 3)}),
        {},
        {},
        "the prediction for dataset 'evaluation' is null in fewer than 10 of 100 rows",
        "the model must answer a label for each row",
    ),
    "no label column and a metric that needs it": (
        BASE,
        {"metrics": {"equalized_odds_difference": {"max": 0.1}}},
        {"label": None},
        "dataset 'evaluation' has no label, and the metric 'equalized_odds_difference' needs one",
        (
            "name the column of true labels: `label: COLUMN` beside the dataset; demographic_parity and selection_rate "
            "need none"
        ),
    ),
    "no label and predictions that are numbers": (
        BASE.assign(**{PREDICTION: np.arange(100) / 7}),
        {},
        {"label": None},
        (
            "the predictions for dataset 'evaluation' are not binary: they have 100 different values, and this check "
            "needs 2"
        ),
        "fairness rates are shares of a positive label: let the model predict labels, not numbers",
    ),
    "no sensitive column": (
        BASE,
        {"sensitive": None},
        {},
        "no sensitive column is named for dataset 'evaluation'",
        "name one or more: `sensitive: [sex]` in the check or beside the dataset",
    ),
    "crossing of one column": (
        BASE,
        {"cross": True},
        {},
        "cross is set, but 'group' is the only sensitive column of dataset 'evaluation'",
        "name a second column in `sensitive`, or take `cross` away",
    ),
    "continuous column": (
        many("age"),
        {"sensitive": ("age",)},
        {},
        (
            "the sensitive column 'age' of dataset 'evaluation' has 1,500 different values, more than 1,000: it looks "
            "continuous"
        ),
        "put its values into bins (an age into decades) in a column of the dataset, and name that one",
    ),
    "crossing of too many groups": (
        crossed(),
        {"sensitive": ("x", "y"), "cross": True},
        {},
        "x & y of dataset 'evaluation' makes 2500 groups of fewer than 10 rows: it looks like an identifier",
        "name a column of few groups under sensitive:, or bin its values in the data",
    ),
    "no rows": (
        BASE.head(0),
        {},
        {},
        "dataset 'evaluation' has no rows",
        "nothing can be measured on it: name another file",
    ),
    "no score": (
        BASE.drop(columns=SCORE),
        {"metrics": {"roc_auc_score_group_min": {"min": 0.8}}},
        {},
        "the model gives no score for dataset 'evaluation', and a metric of this check needs one",
        (
            "log a model that has predict_proba, name a column of probabilities with `score:` beside the dataset, or "
            "take metrics of labels only"
        ),
    ),
    "scores that are no probabilities": (
        BASE.assign(**{SCORE: BASE[SCORE] * 0 + 2}),
        {"metrics": {"log_loss_group_max": {"max": 0.8}}},
        {},
        (
            "the metric 'log_loss_group_max' needs probabilities, but the score for dataset 'evaluation' lies outside "
            "0 to 1 in 100 of 100 rows"
        ),
        "calibrate the score to a probability, or take roc_auc, which looks at its order only",
    ),
    "infinite scores": (
        BASE.assign(**{SCORE: np.inf}),
        {"metrics": {"roc_auc_score_group_min": {"min": 0.8}}},
        {},
        "the score for dataset 'evaluation' is infinite in 100 of 100 rows",
        "the model must give a finite score for each row",
    ),
}


@pytest.mark.parametrize(("frame", "chosen", "facts", "message", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_measured_is_refused_with_a_hint(
    frame: pd.DataFrame, chosen: dict[str, Any], facts: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(CheckError) as refused:
        run(frame, options(**chosen), **facts)
    assert (str(refused.value), refused.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"metrics": {"demografic_parity_difference": {"max": 0.1}}},
            "unknown fairness metric 'demografic_parity_difference'; did you mean 'demographic_parity_difference'?",
            id="misspelt metric",
        ),
        pytest.param({"metrics": {"xyz": {"max": 1}}}, "unknown fairness metric 'xyz'; known: ", id="foreign metric"),
        pytest.param(
            {"metrics": {"count": {"min": 3}}},
            "the metric 'count' takes no weights: give the rows that a group needs in min_group_size",
            id="a metric without weights",
        ),
        pytest.param(
            {"metrics": {PARITY: {"max": 0.1, "not_below": "champion"}}},
            "demographic_parity_difference: not_below is for the performance check; give min or max",
            id="comparison with the champion",
        ),
        pytest.param({"metrics": {}}, "at least 1 item", id="no metric"),
        pytest.param({"metrics": {PARITY: {"max": 0.1}}, "sensitive": []}, "at least 1 item", id="empty sensitive"),
        pytest.param(
            {"metrics": {PARITY: {"max": 0.1}}, "sensitive": ["a", "a"]}, "names a column twice", id="a column twice"
        ),
        pytest.param(
            {"metrics": {PARITY: {"max": 0.1}}, "min_group_size": 0}, "greater than or equal to 1", id="no group size"
        ),
        pytest.param({"metrics": {PARITY: {"max": 0.1}}, "sensitve": ["a"]}, "Extra inputs", id="misspelt key"),
    ],
)
def test_a_wrong_option_is_refused_when_the_configuration_is_read(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        FairnessOptions.model_validate({"data": "evaluation", **given})
    assert message in str(refused.value)


def test_reasons_and_hints_never_quote_a_label_or_a_prediction() -> None:
    frame = people(200).replace({"label": {0: "secret-a", 1: "secret-b"}})
    data: Dataset = dataset(frame)
    with pytest.raises(CheckError) as refused:
        Fairness().run(context(options(), data))
    assert "secret" not in str(refused.value) + refused.value.hint


def persons(small: int, *, rows: int = 9) -> pd.DataFrame:
    """Two large groups and so many of a few rows each, named as people are."""
    few = pd.DataFrame({"group": [f"person-{n}" for n in range(small) for _ in range(rows)]})
    return pd.concat([people(600), few.assign(label=1, **{PREDICTION: 1, SCORE: 0.5})], ignore_index=True)


def test_a_column_of_many_small_groups_is_refused_and_no_value_of_it_is_quoted() -> None:
    """Else the names of people would stand in signed evidence as names of groups."""
    with pytest.raises(CheckError) as refused:
        run(persons(21), options(small_groups="report"))
    assert str(refused.value) == (
        "group of dataset 'evaluation' makes 21 groups of fewer than 10 rows: it looks like an identifier"
    )
    assert refused.value.hint == "name a column of few groups under sensitive:, or bin its values in the data"
    assert "person-" not in str(refused.value)


@pytest.mark.parametrize(("small", "rows"), [(20, 9), (21, 10)])
def test_twenty_small_groups_and_any_number_of_larger_ones_are_measured(small: int, rows: int) -> None:
    finding = run(persons(small, rows=rows), options(small_groups="report"))
    assert len(only(finding).too_small) == small
