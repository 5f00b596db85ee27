"""The bodies of waivers: read as they were written, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.waiver_body import Answer, Refused, Request, observation, read, read_or_none, told
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import DatasetUse
from tests.builders import DATA, TOO_WIDE, failing, result, waiver_request

ASKED = waiver_request(failing())


def test_what_was_written_is_read() -> None:
    request = read(ASKED.body)
    assert isinstance(request, Request)
    assert request.to_wire() == ASKED.body
    for body in (
        Answer("approve", DATA, ""),
        Answer("revoke", DATA, "it got worse"),
        Refused("approve", "self-approval", "asked for it", "parity", DATA),
        Refused("revoke", "unknown", "the log has no such request"),
    ):
        assert read(body.to_wire()) == body


def test_unknown_fields_are_let_pass() -> None:
    assert read({**ASKED.body, "ticket": "RISK-7"}) == read(ASKED.body)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"act": "grant"}, "the act 'grant' is none of request, approve, revoke, refused"),
        ({"requirement": 7}, "text expected"),
        ({"reason": ""}, "a reason is text of 1 to 2000 characters"),
        ({"expiresAt": "tomorrow"}, "not a time"),
        ({"observed": {**ASKED.body["observed"], "status": "missing"}}, "a result that is 'missing' cannot be waived"),
        ({"observed": {**ASKED.body["observed"], "data": {}}}, "observedDigest is not the digest of what was observed"),
        ({"observed": []}, "object expected, got list"),
    ],
)
def test_another_form_is_refused_with_what_is_wrong(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(VerificationError, match=r"^waiver: ") as caught:
        read({**ASKED.body, **changes})
    assert says in str(caught.value)
    assert read_or_none({**ASKED.body, **changes}) is None


def test_an_observation_holds_status_data_and_the_measures_that_are_not_good() -> None:
    assert observation(failing()) == {"status": "failed", "data": {"evaluation": DATA}, "measures": [TOO_WIDE]}
    assert observation(failing("inconclusive")) == {
        "status": "inconclusive",
        "data": {"evaluation": DATA},
        "measures": [{**TOO_WIDE, "outcome": "inconclusive"}],
    }


def test_words_counts_and_groups_are_no_part_of_it() -> None:
    said = failing()
    measures = [{**item, "reason": "said otherwise", "counts": {"a": 10}} for item in said.body["measures"]]
    again = replace(said, body={**said.body, "measures": measures, "reason": "otherwise", "seed": 7})
    assert observation(again) == observation(said)


@pytest.mark.parametrize("outcome", ["passed", "warned", "error", "missing", "", None, ["failed"]])
def test_nothing_but_failed_and_inconclusive_can_be_waived(outcome: Any) -> None:
    said = failing()
    assert observation(replace(said, body={**said.body, "outcome": outcome})) is None


@pytest.mark.parametrize(
    "measures",
    [None, [], "all", [7], [{}], [{"outcome": 7}], [{**TOO_WIDE, "outcome": "passed"}], [{**TOO_WIDE, "value": 2**60}]],
)
def test_a_result_without_a_bad_measure_says_nothing_that_could_be_accepted(measures: Any) -> None:
    said = failing()
    assert observation(replace(said, body={**said.body, "measures": measures})) is None
    assert observation(result("failed")) is None


def test_each_part_of_an_observation_makes_another_digest() -> None:
    said = failing()
    others = [
        failing("inconclusive"),
        failing(value=0.1760000001),
        failing(value=None),
        failing(datasets=(DatasetUse("evaluation", Digest.of(b"other data"), "files", 14652),)),
    ]
    for name, value in (("metric", "m"), ("column", None), ("interval", [0.1, 0.2]), ("limit", {"max": 0.13})):
        measures = [{**item, name: value} for item in said.body["measures"]]
        others.append(replace(said, body={**said.body, "measures": measures}))
    digests = {Digest.of(canonical(observation(item))) for item in (said, *others)}
    assert len(digests) == len(others) + 1


@pytest.mark.parametrize(
    ("observed", "says"),
    [
        ({"status": "failed", "measures": [TOO_WIDE]}, "failed: demographic_parity_difference(sex) 0.176"),
        (
            {"status": "failed", "measures": [{"metric": "accuracy", "value": 0.51}, TOO_WIDE]},
            "failed: accuracy 0.51 (and 1 more)",
        ),
        ({"status": "inconclusive", "measures": [{"metric": "psi", "value": None}]}, "inconclusive: psi no value"),
        ({"status": "failed", "measures": [7]}, "failed: ?"),
        ({"status": "failed"}, "failed"),
    ],
)
def test_an_observation_is_told_in_a_few_words(observed: dict[str, Any], says: str) -> None:
    assert told(observed) == says
