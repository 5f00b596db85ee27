"""What a log proves to be missing: announced checks without result, and statements that a decision did not see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aims_mlops.evidence.completeness import Remark, astray, unfinished, unseen
from aims_mlops.evidence.intent import intended, intent
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import Statement, predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.model.seen import LISTED, Sight
from tests.builders import DATA, MODEL_FILES, check_spec, header, policy, record, result


def announced(*ids: str, seq: int = 0, signer: str | None = "pipeline") -> Record:
    body = intent([check_spec(id_) for id_ in ids], policy=policy(), attached=())
    return record(Statement("intent", MODEL_FILES, header(datasets=()), body), seq=seq, signer=signer)


def done(run: object, id_: str, *, seq: int = 1, signer: str | None = "pipeline") -> Record:
    said = result(id_=id_)
    return record(replace(said, body={**said.body, "intent": run}), seq=seq, signer=signer)


def test_an_intent_says_which_checks_on_which_data_and_what_is_pinned() -> None:
    held = policy(datasets=(DatasetSpec("evaluation", "evaluation.parquet", digest=DATA),))
    specs = [check_spec("parity"), check_spec("drift", use="drift", datasets=("evaluation", "other"), required=False)]
    assert intent(specs, policy=held, attached={"other"}) == {
        "act": "check",
        "checks": [
            {"id": "parity", "use": "fairness", "required": True},
            {"id": "drift", "use": "drift", "required": False},
        ],
        "data": [
            {"name": "evaluation", "origin": "policy", "pinned": DATA},
            {"name": "other", "origin": "attached", "pinned": None},
        ],
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"act": "promote", "checks": [{"id": "parity"}]},
        {"act": "check"},
        {"act": "check", "checks": {"id": "parity"}},
        {"act": "check", "checks": ["parity", {"id": 3}, {}]},
        {"act": ["check"], "checks": [{"id": "parity"}]},
    ],
    ids=str,
)
def test_a_body_of_another_shape_announces_nothing(body: dict[str, Any]) -> None:
    assert intended(body) == ()


def test_an_intent_whose_checks_all_have_results_is_no_remark() -> None:
    run = announced("parity", "drift")
    assert unfinished([run, done(str(run.payload), "parity"), done(str(run.payload), "drift")]) == []


def test_a_check_that_was_announced_and_has_no_result_is_named() -> None:
    run = announced("parity", "drift")
    expected = Remark("leaf 0", "a run of checks on income/3 began, and has no result for drift")
    assert unfinished([run, done(str(run.payload), "parity")]) == [expected]


@pytest.mark.parametrize("named", ["sha256:" + "0" * 64, None, ["x"], {}], ids=str)
def test_a_result_of_another_run_does_not_finish_this_one(named: object) -> None:
    run = announced("parity")
    assert len(unfinished([run, done(named, "parity")])) == 1


def test_what_nobody_trusted_signed_neither_announces_nor_finishes() -> None:
    assert unfinished([announced("parity", signer=None)]) == []
    run = announced("parity")
    assert len(unfinished([run, done(str(run.payload), "parity", signer=None)])) == 1


def leaf(seq: int, *, kind: str = "intent", subject: Digest = MODEL_FILES, payload: str = "") -> Leaf:
    digest = Digest.of(f"{seq} {payload}".encode())
    return Leaf(seq, digest, predicate_type(kind), digest, digest, subject, "2026-11-21T20:31:34.123Z")


@pytest.mark.parametrize(
    ("there", "says"),
    [
        pytest.param(leaf(0), "", id="before it, about the same files"),
        pytest.param(None, "which is not in the log", id="not there"),
        pytest.param(leaf(0, kind="promotion"), "which is not in the log", id="another kind"),
        pytest.param(leaf(0, subject=DATA), "about other files or came after it", id="other files"),
        pytest.param(leaf(9), "about other files or came after it", id="after it"),
    ],
)
def test_the_intent_that_a_result_names_must_lie_before_it(there: Leaf | None, says: str) -> None:
    remarks = astray([done(str(MODEL_FILES), "parity")], lambda _payload: there)
    assert [says in remark.what and remark.where == "leaf 1" for remark in remarks] == [True] * bool(says)


def test_a_result_that_names_no_intent_is_no_remark() -> None:
    assert astray([record(result()), done(None, "parity")], lambda _payload: None) == []


LEAVES = [leaf(seq, kind="check-result") for seq in (0, 2, 3, 7)]


def wire(leaves: list[Leaf]) -> dict[str, Any]:
    sight = Sight()
    for item in leaves:
        sight.add(item.seq, item.payload)
    return {**sight.seen.to_wire(), "digest": str(sight.seen.digest)}


def decided(seen: object, *, size: object = 5, seq: int = 5) -> Record:
    body = {"seen": seen, "log": {"size": size, "head": None}}
    return record(Statement("gate-decision", MODEL_FILES, header(datasets=()), body), seq=seq)


def test_a_decision_that_saw_all_there_was_is_no_remark() -> None:
    first, second = decided(wire(LEAVES[:3])), decided(wire(LEAVES), size=9, seq=9)
    assert unseen([second, first], LEAVES) == []


def test_a_decision_may_have_seen_more_than_the_size_that_it_names() -> None:
    assert unseen([decided(wire(LEAVES), size=3)], LEAVES) == []


def test_a_decision_of_an_earlier_version_says_nothing_and_nothing_is_held_against_it() -> None:
    older = record(Statement("gate-decision", MODEL_FILES, header(datasets=()), {"log": {"size": 5, "head": None}}))
    assert unseen([older, decided(None)], LEAVES) == []


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (wire(LEAVES[:2]), "of statements about these files the log has 3 before it, and the decision saw 2"),
        (
            wire([LEAVES[0], LEAVES[2]]),
            "of statements about these files the log has 3 before it, and the decision saw 2",
        ),
        (wire([*LEAVES[:3], leaf(4)]), "saw leaf 4, which is not in the log, or is about other files"),
        (wire([*LEAVES[:2], leaf(3, payload="another")]), "saw other statements about these files than the 3"),
        ({**wire(LEAVES[:3]), "leaves": ["0", True]}, "does not say in the form of ours"),
        ({**wire(LEAVES[:3]), "leaves": 3}, "does not say in the form of ours"),
        ([1, 2], "does not say in the form of ours"),
        ({}, "does not say in the form of ours"),
        ({**wire(LEAVES[:3]), "count": {}}, "the decision saw {}"),
    ],
    ids=str,
)
def test_a_decision_that_did_not_see_what_the_log_has_is_named(seen: object, says: str) -> None:
    (remark,) = unseen([decided(seen)], LEAVES)
    assert remark.where == "leaf 5"
    assert says in remark.what


def test_one_bad_decision_does_not_spoil_those_after_it() -> None:
    far = {**wire(LEAVES[:3]), "leaves": [10**9]}
    bad, good = decided(far, seq=6), decided(wire(LEAVES), size=9, seq=9)
    assert [remark.where for remark in unseen([bad, good], LEAVES)] == ["leaf 6"]


def test_a_long_history_is_listed_as_far_as_a_decision_stays_small_and_digested_whole() -> None:
    many = [leaf(seq, kind="check-result") for seq in range(3 * LISTED)]
    seen = wire(many)
    assert (seen["count"], seen["leaves"]) == (3 * LISTED, list(range(2 * LISTED, 3 * LISTED)))
    assert unseen([decided(seen, size=3 * LISTED, seq=3 * LISTED)], many) == []
    assert unseen([decided(seen, size=3 * LISTED, seq=3 * LISTED)], many[1:]) != []
