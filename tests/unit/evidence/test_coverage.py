"""The ledger of one version: every run is counted, what never ran is named, and nothing goes with its requirement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aims_mlops.evidence.coverage import Covered, Standing, cover
from aims_mlops.evidence.intent import intent
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Policy
from tests.builders import MODEL_FILES, check_spec, header, human, other, policy, record, record_spec, result

POLICY = policy([check_spec("parity")], [record_spec()])


def covered(*records: Record, policy_: Policy = POLICY, id_: str = "parity") -> Covered:
    (found,) = [item for item in cover(policy_, records) if item.id == id_]
    return found


def run(*ids: str, seq: int = 0) -> Record:
    body = intent([check_spec(id_) for id_ in ids], policy=POLICY, attached=())
    return record(Statement("intent", MODEL_FILES, header(datasets=()), body), seq=seq)


def decision(status: str, *, seq: int, **more: Any) -> Record:
    said = other()
    body = {"act": "promote", "requirements": [{"id": "parity", "status": status}], **more}
    return record(replace(said, body=body), seq=seq)


def test_what_was_never_measured_never_ran() -> None:
    found = covered()
    assert (found.standing, found.open, found.runs, found.evidence) == (Standing.NEVER, True, {}, None)


def test_seven_runs_of_which_one_passed_are_seven_runs() -> None:
    outcomes = ["failed"] * 3 + ["inconclusive", "failed", "failed", "passed"]
    found = covered(*(record(result(outcome), seq=seq) for seq, outcome in enumerate(outcomes)))
    assert (found.standing, found.runs) == (Standing.PASSED, {"failed": 5, "inconclusive": 1, "passed": 1})
    assert found.unannounced == 7


def test_the_newest_result_is_what_stands_whatever_the_order_of_reading() -> None:
    old, new = record(result("passed"), seq=1), record(result("failed"), seq=2)
    assert covered(new, old).standing is Standing.FAILED
    assert covered(new, old).evidence == new.payload


def test_an_announced_check_without_result_is_unfinished() -> None:
    found = covered(run("parity"))
    assert (found.standing, found.unfinished, found.open) == (Standing.UNFINISHED, 1, True)


def test_a_run_that_was_held_back_beside_one_that_passed_is_counted() -> None:
    first, second = run("parity", seq=0), run("parity", seq=1)
    said = result("passed")
    done = record(replace(said, body={**said.body, "intent": str(second.payload)}), seq=2)
    found = covered(first, second, done)
    assert (found.standing, found.unfinished, found.unannounced, found.open) == (Standing.PASSED, 1, 0, False)


def test_what_nobody_trusted_signed_is_no_run_and_is_counted() -> None:
    found = covered(record(result("passed"), signer=None))
    assert (found.standing, found.untrusted, found.open) == (Standing.NEVER, 1, True)


def test_a_result_under_another_policy_is_a_run_and_stale() -> None:
    found = covered(record(result(policy_digest=Digest.of(b"older"))))
    assert (found.standing, found.stale, found.open) == (Standing.PASSED, True, False)


def test_a_failure_does_not_disappear_with_its_requirement() -> None:
    lax = policy([check_spec("accuracy")])
    found = covered(record(result("failed")), policy_=lax)
    assert (found.standing, found.in_policy, found.use, found.open) == (Standing.FAILED, False, "fairness", False)


def test_an_optional_check_that_never_ran_leaves_nothing_open() -> None:
    assert not covered(policy_=policy([check_spec(required=False)])).open


def test_a_record_is_never_or_what_it_says() -> None:
    assert covered(id_="peer-review").standing is Standing.NEVER
    assert covered(record(human()), id_="peer-review").standing is Standing.PASSED
    assert covered(record(human("rejected")), id_="peer-review").runs == {"failed": 1}


def test_a_failure_that_the_newest_decision_waived_is_waived_until_something_newer_is_measured() -> None:
    failed = record(result("failed"), seq=0)
    assert covered(failed, decision("waived", seq=1)).standing is Standing.WAIVED
    assert covered(failed, decision("waived", seq=1), record(result("failed"), seq=2)).standing is Standing.FAILED
    assert covered(failed, decision("waived", seq=1), decision("failed", seq=2)).standing is Standing.FAILED
    removed = decision("waived", seq=2, act="remove", requirements=[])
    assert covered(failed, decision("waived", seq=1), removed).standing is Standing.WAIVED
    assert covered(failed, replace(decision("waived", seq=1), signer=None)).standing is Standing.FAILED


def test_a_pass_is_a_pass_beside_a_waiver() -> None:
    assert covered(record(result("passed")), decision("waived", seq=1)).standing is Standing.PASSED


@pytest.mark.parametrize("outcome", [None, [], {}, "splendid", 1])
def test_a_result_that_says_nothing_known_is_an_error(outcome: object) -> None:
    said = result()
    found = covered(record(replace(said, body={**said.body, "outcome": outcome})))
    assert (found.standing, found.runs) == (Standing.ERROR, {"error": 1})


@pytest.mark.parametrize("body", [{}, {"requirements": 3}, {"requirements": [3, {}]}], ids=str)
def test_a_decision_of_another_shape_waives_nothing(body: dict[str, Any]) -> None:
    assert covered(record(replace(other(), body=body), seq=1)).standing is Standing.NEVER
