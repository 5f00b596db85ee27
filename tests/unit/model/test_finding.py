"""Limits, measures and findings."""

from __future__ import annotations

from typing import Any

import pytest

from aims_mlops.model.finding import CheckResult, Finding, Limit, Measure
from aims_mlops.model.outcome import Outcome
from tests.builders import DATA, NOW, dataset

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "a limit needs min, max or not_below"),
        ({"warn": 0.1}, "a limit needs min, max or not_below"),
        ({"min": 0.2, "max": 0.1}, "min 0.2 is above max 0.1: nothing could pass"),
        ({"min": 0.1, "max": 0.2, "warn": 0.15}, "warn needs exactly one of min and max beside it"),
        ({"not_below": "champion", "warn": 0.15}, "warn needs exactly one of min and max beside it"),
        ({"max": 0.1, "warn": 0.2}, "warn 0.2 is above max 0.1: it would never be seen"),
        ({"min": 0.2, "warn": 0.1}, "warn 0.1 is below min 0.2: it would never be seen"),
        ({"not_below": "champion", "tolerance": -0.1}, "tolerance -0.1 is negative"),
        ({"max": NAN}, "max nan is not a finite number"),
        ({"min": NAN}, "min nan is not a finite number"),
        ({"max": INF}, "max inf is not a finite number"),
        ({"min": -INF}, "min -inf is not a finite number"),
        ({"max": 0.1, "warn": NAN}, "warn nan is not a finite number"),
        ({"not_below": "champion", "tolerance": NAN}, "tolerance nan is not a finite number"),
        ({"not_below": "champion", "tolerance": INF}, "tolerance inf is not a finite number"),
    ],
    ids=repr,
)
def test_a_limit_that_makes_no_sense_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        Limit(**given)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ({"max": 0.1}, {"max": 0.1}),
        ({"min": 0.0}, {"min": 0.0}),
        ({"min": 0.1, "max": 0.1}, {"min": 0.1, "max": 0.1}),
        ({"max": 0.1, "warn": 0.1}, {"max": 0.1, "warn": 0.1}),
        ({"min": 0.1, "warn": 0.1}, {"min": 0.1, "warn": 0.1}),
        ({"not_below": "champion"}, {"not_below": "champion", "tolerance": 0.0}),
        (
            {"min": 0.85, "not_below": "champion", "tolerance": 0.05, "warn": 0.9},
            {"min": 0.85, "warn": 0.9, "not_below": "champion", "tolerance": 0.05},
        ),
        ({"max": 1.0, "tolerance": 0.5}, {"max": 1.0}),
    ],
    ids=repr,
)
def test_a_limit_is_written_with_what_was_set(given: dict[str, Any], wire: dict[str, Any]) -> None:
    assert Limit(**given).to_wire() == wire


def measure(outcome: Outcome, reason: str = "", hint: str = "") -> Measure:
    return Measure("rate", outcome, 0.5, reason=reason, hint=hint)


@pytest.mark.parametrize(
    ("measures", "outcome", "reason", "hint"),
    [
        ([], Outcome.ERROR, "", ""),
        ([measure(Outcome.PASSED, "all is well", "rest")], Outcome.PASSED, "", ""),
        ([measure(Outcome.FAILED)], Outcome.FAILED, "", ""),
        ([measure(Outcome.FAILED, "a is high")], Outcome.FAILED, "a is high", ""),
        (
            [measure(Outcome.WARNED, "near", "look"), measure(Outcome.FAILED, "a is high", "reweigh")],
            Outcome.FAILED,
            "a is high",
            "reweigh",
        ),
        (
            [measure(Outcome.FAILED, "a is high"), measure(Outcome.FAILED, "b is high", "reweigh")],
            Outcome.FAILED,
            "a is high (and 1 more)",
            "reweigh",
        ),
        ([measure(Outcome.ERROR, "no label"), measure(Outcome.FAILED)], Outcome.FAILED, "", ""),
    ],
    ids=[
        "nothing was measured",
        "a pass needs no reason",
        "a failure without words",
        "one failure",
        "the worst speaks",
        "several are counted",
        "an error does not speak for a failure",
    ],
)
def test_a_finding_is_the_worst_of_its_measures(
    measures: list[Measure], outcome: Outcome, reason: str, hint: str
) -> None:
    found = Finding.of(iter(measures), rows=10, libraries={"fairlearn": "0.13"})

    assert (found.outcome, found.reason, found.hint) == (outcome, reason, hint)
    assert (found.measures, found.rows, found.libraries) == (tuple(measures), 10, {"fairlearn": "0.13"})


def test_the_use_of_a_dataset_is_written_whole() -> None:
    assert dataset(origin="attached").to_wire() == {
        "name": "evaluation",
        "digest": str(DATA),
        "kind": "files",
        "rows": 14652,
        "origin": "attached",
    }


def test_a_result_speaks_for_its_finding() -> None:
    finding = Finding(Outcome.FAILED, (measure(Outcome.FAILED),), 10, "a is high", "reweigh")
    made = CheckResult("parity", "fairness", required=True, finding=finding, measured_at=NOW)

    assert (made.outcome, made.measures, made.reason, made.hint) == (
        Outcome.FAILED,
        finding.measures,
        "a is high",
        "reweigh",
    )
