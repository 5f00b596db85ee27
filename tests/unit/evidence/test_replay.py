"""A replay's sample, its comparison, and that it can be no requirement's record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from aims_mlops.config.grammar import Record as RecordEntry
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.replay import (
    RECORD,
    Difference,
    LibraryChange,
    Sample,
    choose,
    differences,
    in_words,
    replay_body,
    same,
)
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.outcome import Status
from tests.builders import MODEL_FILES, ask, check_spec, found, header, policy, record, record_spec, result

SAMPLE = Sample(7, 1, 1, 3, None)
MEASURE: dict[str, Any] = {
    "metric": "accuracy",
    "column": None,
    "value": 0.8125,
    "interval": [0.79, 0.83],
    "limit": {"min": 0.6},
    "outcome": "passed",
    "counts": {"a": 120, "b": None},
    "groups": {"a": {"selection_rate": 0.5}},
    "too_small": {},
    "reason": "words",
    "hint": "",
    "suppressed": False,
}
BODY = {"outcome": "passed", "rows": 500, "measures": [MEASURE]}


def test_the_same_seed_chooses_the_same_and_sha256sum_can_repeat_it() -> None:
    records = [record(result(id_=f"check-{number}"), seq=number) for number in range(20)]
    chosen = choose(records, size=5, seed=42)
    assert chosen == choose(reversed(records), size=5, seed=42)
    assert [item.seq for item in chosen] == sorted(item.seq for item in chosen)
    ranks = {hashlib.sha256(f"42 {item.payload}".encode()).hexdigest(): item for item in records}
    assert {item.seq for item in chosen} == {ranks[rank].seq for rank in sorted(ranks)[:5]}
    assert chosen != choose(records, size=5, seed=43)
    assert choose(records, size=99, seed=1) == records


def test_the_same_numbers_in_other_words_came_out() -> None:
    now = deepcopy(BODY)
    now["measures"][0] |= {"reason": "other words", "value": 0.8125 + 1e-14, "interval": [0.79, 0.83]}  # type: ignore[index]
    assert differences(BODY, now) == ()


def changed(**values: Any) -> dict[str, Any]:
    return {**BODY, "measures": [{**MEASURE, **values}]}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (changed(value=0.8126), Difference("accuracy", None, "value", 0.8125, 0.8126)),
        (changed(value=None), Difference("accuracy", None, "value", 0.8125, None)),
        (changed(interval=[0.79, 0.84]), Difference("accuracy", None, "interval", [0.79, 0.83], [0.79, 0.84])),
        (changed(interval=None), Difference("accuracy", None, "interval", [0.79, 0.83], None)),
        (changed(outcome="failed"), Difference("accuracy", None, "outcome", "passed", "failed")),
        (changed(limit={"min": 0.5}), Difference("accuracy", None, "limit", {"min": 0.6}, {"min": 0.5})),
        (changed(counts={"a": 120, "b": 12}), Difference("accuracy", None, "counts")),
        (changed(groups={"a": {"selection_rate": 0.51}}), Difference("accuracy", None, "groups")),
        ({**BODY, "outcome": "failed"}, Difference(None, None, "outcome", "passed", "failed")),
        ({**BODY, "rows": 501}, Difference(None, None, "rows", 500, 501)),
        ({**BODY, "measures": []}, Difference(None, None, "measures", 1, 0)),
        (changed(metric="recall"), Difference(None, None, "measures", 1, 1)),
    ],
)
def test_what_differs_is_named_and_counts_stay_out_of_it(now: dict[str, Any], expected: Difference) -> None:
    assert differences(BODY, now) == (expected,)


@pytest.mark.parametrize(
    ("then", "now", "alike"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0.0, 1e-13, True),
        (0.0, 1e-11, False),
        ("a", "a", True),
        ([1], [1, 2], False),
        ({"a": 1}, {"b": 1}, False),
        (None, 0, False),
    ],
)
def test_values_are_the_same_within_the_tolerance_alone(then: object, now: object, *, alike: bool) -> None:
    assert same(then, now) is alike


def replayed(came_out: bool | None = True, **changes: Any) -> Record:  # noqa: FBT001, FBT002  # as in the body
    body = replay_body(
        record(result("failed")),
        came_out=came_out,
        reason="",
        differing=(),
        changed=(LibraryChange("fairlearn", "0.12", "0.13"),),
        sample=SAMPLE,
    )
    return record(Statement("record", MODEL_FILES, header(datasets=()), {**body, **changes}), seq=9, signer="officer")


def test_no_requirement_of_aims_yaml_can_have_the_name_of_a_replay() -> None:
    with pytest.raises(ValueError, match="is not an id"):
        RecordEntry(id=RECORD)


@pytest.mark.parametrize("came_out", [True, False, None])
def test_a_replay_never_serves_as_a_record_even_where_a_policy_asks_for_one_of_its_name(
    came_out: bool | None,  # noqa: FBT001
) -> None:
    asked = policy([check_spec()], [record_spec(RECORD), record_spec("replay"), record_spec("peer-review")])
    answer = ask(record(result()), replayed(came_out), policy_=asked)
    assert not answer.allowed
    assert found(answer, RECORD).status is Status.FAILED
    assert [found(answer, id_).status for id_ in ("replay", "peer-review")] == [Status.MISSING] * 2


@pytest.mark.parametrize("spoil", [lambda item: item, lambda item: replace(item, signer="pipeline")])
@pytest.mark.parametrize("outcome", ["passed", "failed", None])
def test_a_replay_changes_no_answer_about_a_check(spoil: Callable[[Record], Record], outcome: str | None) -> None:
    held = [] if outcome is None else [record(result(outcome))]
    without = ask(*held)
    beside = ask(*held, spoil(replayed()))
    assert (beside.verdict, beside.requirements[3]) == (without.verdict, without.requirements[3])


def test_a_body_says_what_was_replayed_how_it_was_chosen_and_stays_small() -> None:
    many = [Difference("accuracy", str(number), "value", 1, 2) for number in range(300)]
    body = replay_body(record(result()), came_out=False, reason="why", differing=many, changed=(), sample=SAMPLE)
    assert (len(body["differences"]), body["differing"], body["cameOut"]) == (100, 300, False)
    assert body["sample"] == {"seed": 7, "size": 1, "of": 1, "log": {"size": 3, "head": None}}
    assert "outcome" not in body
    assert in_words(body) == "replay of parity: did not come out"
    assert in_words({"record": "peer-review"}) == "peer-review"
