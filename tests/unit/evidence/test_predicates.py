"""What results, decisions and promotions look like on the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aims_mlops.evidence import predicates
from aims_mlops.evidence.canonical import canonical
from aims_mlops.gate import decide
from aims_mlops.model.decision import ANONYMOUS, Actor, Refusal, RequirementStatus
from aims_mlops.model.finding import CheckResult, Finding, Limit, Measure
from aims_mlops.model.outcome import Outcome, Status
from aims_mlops.model.subject import Target
from tests.builders import CHAMPION, DATA, NOW, check_spec, dataset, policy, question, record, result, view

PIPELINE = Actor("pipeline", "signature")
MEASURE = Measure(
    "equalized_odds_difference",
    Outcome.PASSED,
    0.079,
    "sex",
    (0.057, 0.125),
    Limit(max=0.15),
    counts={"Female": 4890, "Male": 9762},
    groups={"Female": {"true_positive_rate": 0.578}},
    support={"Female": {"true_positive_rate": (300, 519)}},
)


def test_a_measure_is_written_whole_and_without_its_support() -> None:
    assert predicates.measure(MEASURE) == {
        "metric": "equalized_odds_difference",
        "column": "sex",
        "value": 0.079,
        "interval": [0.057, 0.125],
        "limit": {"max": 0.15},
        "outcome": "passed",
        "counts": {"Female": 4890, "Male": 9762},
        "groups": {"Female": {"true_positive_rate": 0.578}},
        "too_small": {},
        "reason": "",
        "hint": "",
        "suppressed": False,
    }


def test_bins_are_written_where_there_are_any() -> None:
    wire = predicates.measure(replace(MEASURE, bins={"low": {"reference": 0.5, "current": float("nan")}}))

    assert wire["bins"] == {"low": {"reference": 0.5, "current": None}}


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_lacks_become_null(odd: float) -> None:
    wire = predicates.measure(
        replace(MEASURE, value=odd, interval=(odd, 0.5), groups={"a": {"rate": odd}}, limit=None, column=None)
    )

    assert (wire["value"], wire["interval"], wire["groups"], wire["limit"]) == (
        None,
        [None, 0.5],
        {"a": {"rate": None}},
        None,
    )
    assert canonical(wire)


def test_a_measure_without_interval_says_null() -> None:
    assert predicates.measure(Measure("psi", Outcome.PASSED))["interval"] is None


@pytest.mark.parametrize("value", ["seen", True, 3, None], ids=repr)
def test_values_that_are_no_floats_stay(value: Any) -> None:
    assert predicates.measure(replace(MEASURE, value=value))["value"] is value


def test_a_check_result_holds_an_in_toto_test_result() -> None:
    measures = tuple(
        replace(MEASURE, outcome=outcome, column=None if outcome is Outcome.ERROR else outcome.value)
        for outcome in Outcome
    )
    finding = Finding(Outcome.FAILED, measures, 14652, "0.2 is above 0.1", "reweigh")
    made = CheckResult("parity", "fairness", True, finding, NOW, (dataset(),), detail="never written")
    spec = check_spec(controls=("iso42001 A.6.2.4",), decide_on="point")

    body = predicates.check_result(
        made, spec, options={"min_group_size": 400}, seed=7, isolation="process", policy=policy().digest
    )

    assert body["check"] == {
        "id": "parity",
        "use": "fairness",
        "required": True,
        "decideOn": "point",
        "controls": ["iso42001 A.6.2.4"],
        "options": {"min_group_size": 400},
    }
    assert (body["outcome"], body["reason"], body["hint"], body["rows"]) == (
        "failed",
        "0.2 is above 0.1",
        "reweigh",
        14652,
    )
    assert (body["seed"], body["isolation"]) == (7, "process")
    assert body["measures"] == [predicates.measure(item) for item in measures]
    assert body["testResult"] == {
        "result": "FAILED",
        "configuration": [
            {"name": "policy", "digest": {"sha256": policy().digest.hex}},
            {"name": "evaluation", "digest": {"sha256": DATA.hex}},
        ],
        "passedTests": ["equalized_odds_difference(passed)"],
        "warnedTests": ["equalized_odds_difference(warned)"],
        "failedTests": [
            "equalized_odds_difference(inconclusive)",
            "equalized_odds_difference(failed)",
            "equalized_odds_difference",
        ],
    }
    assert b"never written" not in canonical(body)


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome.PASSED, "PASSED"),
        (Outcome.WARNED, "WARNED"),
        (Outcome.FAILED, "FAILED"),
        (Outcome.INCONCLUSIVE, "FAILED"),
        (Outcome.ERROR, "FAILED"),
    ],
)
def test_nothing_doubtful_is_passed_in_the_test_result(outcome: Outcome, word: str) -> None:
    made = CheckResult("a", "fairness", True, Finding(outcome), NOW)
    body = predicates.check_result(made, check_spec(), options={}, seed=0, isolation=None, policy=DATA)

    assert body["testResult"]["result"] == word


def test_a_requirement_is_written_with_nulls_where_nothing_is_known() -> None:
    bare = RequirementStatus("owner", "builtin", Status.MISSING, reason="nobody", hint="name one")
    known = replace(bare, evidence=DATA, measured_at=NOW, signed_by="pipeline", waiver=DATA)

    assert predicates.requirement(bare) == {
        "id": "owner",
        "kind": "builtin",
        "required": True,
        "status": "missing",
        "evidence": None,
        "measured_at": None,
        "signed_by": None,
        "waiver": None,
        "reason": "nobody",
        "hint": "name one",
    }
    assert predicates.requirement(known)["measured_at"] == "2026-11-21T20:31:34.123Z"
    assert predicates.requirement(known)["evidence"] == DATA


def test_a_decision_is_written_with_what_it_saw() -> None:
    answer = decide(question(), view(record(result("failed"))), now=NOW)

    body = predicates.gate_decision(answer, actor=PIPELINE)

    assert body["to"] == {"alias": "champion"}
    assert (body["verdict"], body["exitCode"], body["enforcedBy"]) == ("denied", 1, "client")
    assert body["owner"] == {"id": "owner"}
    assert body["expiresAt"] == "2026-11-21T20:41:34.123Z"
    assert body["log"] == {"size": 1, "head": answer.log_head}
    assert body["requirements"] == [predicates.requirement(item) for item in answer.requirements]
    assert canonical(body)


def test_a_decision_about_an_unclaimed_model_names_no_owner() -> None:
    answer = decide(replace(question(), claimants=()), view(), now=NOW)

    assert predicates.gate_decision(answer, actor=PIPELINE)["owner"] is None
    assert predicates.gate_decision(answer, actor=PIPELINE)["log"] == {"size": 0, "head": None}


def test_a_promotion_names_the_decision_it_rests_on() -> None:
    assert predicates.promotion(target=CHAMPION, decision=DATA, asked=None, reason="release", actor=PIPELINE) == {
        "to": {"alias": "champion"},
        "on": None,
        "decision": DATA,
        "asked": None,
        "reason": "release",
        "actor": "pipeline",
        "actorVia": "signature",
    }


def test_a_refusal_is_written_as_a_decision_that_judged_no_version() -> None:
    refused = Refusal("prod.income", "create", Target("name", "prod.income"), "there is no version", "promote one")

    body = predicates.refusal(refused, actor=ANONYMOUS, at=NOW, enforced_by="server")

    assert (body["act"], body["verdict"], body["exitCode"]) == ("create", "denied", 1)
    assert (body["actor"], body["actorVia"], body["enforcedBy"]) == ("anonymous", "none", "server")
    assert body["to"] == {"name": "prod.income"}
    (item,) = body["requirements"]
    assert (item["status"], item["reason"], item["hint"]) == ("failed", "there is no version", "promote one")
    assert canonical(body)


@pytest.mark.parametrize("target", [CHAMPION, Target("stage", "Production"), Target("name", "prod.income")], ids=str)
def test_a_target_is_written_for_people_as_they_type_it(target: Target) -> None:
    assert predicates.target_text(target.to_wire()) == str(target)
