"""The chain of leaves: strict places, and every way in which a log can fail to hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.log import Fault, Head, Leaf, StoredLeaf, Walk, genesis, walk
from aims_mlops.model.digest import Digest
from tests.builders import DATA, REGISTRY, Log, entry, log, other, result

THREE = log(entry(result()), entry(other("incident")), entry(result(nonce="2")))
LEAF: dict[str, Any] = json.loads(THREE.rows[1])
HEAD = {"v": 1, "seq": 2, "leaf": str(DATA)}


def read(stored: Log, *, registry_id: str = REGISTRY) -> Walk:
    return walk(stored.rows, registry_id=registry_id, head=stored.head)


def test_a_leaf_holds_digests_and_a_time_and_nothing_else() -> None:
    assert set(LEAF) == {"v", "seq", "prev", "type", "payload", "envelope", "subject", "capturedAt"}
    assert LEAF["seq"] == 1
    assert LEAF["prev"] == Digest.of(THREE.rows[0])
    assert LEAF["type"] == "urn:aims-mlops:incident:v1"
    assert Leaf.from_bytes(THREE.rows[1]).to_bytes() == THREE.rows[1]


def test_a_stored_leaf_has_the_digest_of_its_bytes() -> None:
    assert StoredLeaf.from_bytes(THREE.rows[0]).digest == Digest.of(THREE.rows[0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"v": 2}, "not a leaf of version 1"),
        ({"v": True}, "not a leaf of version 1"),
        ({"v": "1"}, "not a leaf of version 1"),
        ({"seq": "1"}, "not a leaf of version 1"),
        ({"seq": True}, "not a leaf of version 1"),
        ({"seq": 1.5}, "not a leaf of version 1"),
        ({"text": "more"}, "not a leaf of version 1"),
        ({"type": 1}, "type and capturedAt are texts"),
        ({"capturedAt": None}, "type and capturedAt are texts"),
        ({"prev": "abc"}, "leaf: not a digest: 'abc'"),
        ({"payload": None}, "leaf: "),
        ({"envelope": "sha256:" + "A" * 64}, "leaf: not a digest"),
        ({"subject": 5}, "leaf: "),
    ],
    ids=repr,
)
def test_anything_but_a_leaf_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(VerificationError) as caught:
        Leaf.from_bytes(canonical({**LEAF, **changes}))
    assert words in str(caught.value)


@pytest.mark.parametrize("field", sorted(LEAF))
def test_a_leaf_without_one_of_its_fields_is_refused(field: str) -> None:
    with pytest.raises(VerificationError, match="leaf: not a leaf of version 1"):
        Leaf.from_bytes(canonical({name: value for name, value in LEAF.items() if name != field}))


def test_a_head_is_read_as_it_was_written() -> None:
    assert THREE.head is not None
    assert Head.from_bytes(THREE.head.to_bytes()) == THREE.head
    assert read(THREE).head == THREE.head


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"v": True}, {"seq": None}, {"seq": False}, {"more": 1}, {"leaf": "abc"}, {"leaf": None}],
    ids=repr,
)
def test_anything_but_a_head_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match=r"^head: "):
        Head.from_bytes(canonical({**HEAD, **changes}))


def test_a_sound_log_has_no_fault() -> None:
    walked = read(THREE)

    assert walked.faults == ()
    assert [stored.leaf.seq for stored in walked.leaves] == [0, 1, 2]


def test_an_empty_log_without_head_is_new_and_has_no_fault() -> None:
    walked = walk([], registry_id=REGISTRY, head=None)

    assert walked == Walk((), ())
    assert walked.head is None


def test_the_head_may_lag_behind_the_log() -> None:
    assert THREE.head is not None
    first = Head(0, Digest.of(THREE.rows[0]))

    assert read(replace(THREE, head=first)).faults == ()


def test_genesis_binds_the_registry() -> None:
    assert genesis("a") != genesis("b")
    assert genesis(REGISTRY) == Digest.of(f"aims-mlops log v1\n{REGISTRY}\n".encode())
    (fault,) = read(THREE, registry_id="another").faults
    assert fault == Fault("tampered", 0, "leaf 0 does not follow from the one before it")


def edited(place: int, **changes: Any) -> Log:
    wire = json.loads(THREE.rows[place])
    return THREE.with_row(place, canonical({**wire, **changes}))


@pytest.mark.parametrize(
    ("stored", "kind", "words"),
    [
        (THREE.without(0), "hole", "leaf 0 is gone"),
        (THREE.without(1), "hole", "after leaf 0 comes leaf 2"),
        (THREE.without(2), "hole", "the log ends at leaf 1, but leaf 2 was seen: its tail is cut off"),
        (THREE.cut(0), "hole", "the log ends at leaf -1, but leaf 2 was seen: its tail is cut off"),
        (replace(THREE, head=None), "hole", "the log has leaves, but no head of it is kept outside the store"),
        (edited(0, capturedAt="x"), "tampered", "leaf 1 does not follow from the one before it"),
        (edited(2, capturedAt="x"), "tampered", "leaf 2 is not the leaf that was seen there before"),
        (THREE.with_row(1, b"{}"), "tampered", "row 1: leaf: not a leaf of version 1"),
        (THREE.with_row(2, b""), "tampered", "row 2: leaf: not strict JSON"),
        (edited(1, seq=7), "hole", "after leaf 0 comes leaf 7"),
        (replace(THREE, rows=(*THREE.rows, THREE.rows[2])), "hole", "after leaf 2 comes leaf 2"),
        (replace(THREE, head=Head(-1, DATA)), "tampered", "leaf -1 is not the leaf that was seen there before"),
        (replace(THREE, head=Head(1, DATA)), "tampered", "leaf 1 is not the leaf that was seen there before"),
    ],
    ids=[
        "the first leaf is gone",
        "a leaf in the middle is gone",
        "the last leaf is gone",
        "everything is gone",
        "the head is gone",
        "the first leaf is edited",
        "the last leaf is edited",
        "a row is no leaf",
        "the last row is no leaf",
        "a leaf is numbered anew",
        "a leaf comes twice",
        "the head is of no leaf",
        "the head is of another leaf",
    ],
)
def test_what_does_not_hold_is_named(stored: Log, kind: str, words: str) -> None:
    faults = read(stored).faults

    assert any(fault.kind == kind and fault.what.startswith(words) for fault in faults), faults


def test_a_spoiled_row_alone_does_not_spoil_the_ones_after_it() -> None:
    """The row after it is bound to bytes that are no longer there, so two faults: the row, and what follows it."""
    walked = read(THREE.with_row(0, b"{}"))

    assert [(fault.kind, fault.seq) for fault in walked.faults] == [("tampered", 0), ("tampered", 1)]
    assert [stored.leaf.seq for stored in walked.leaves] == [1, 2]


def test_a_statement_that_has_two_leaves_is_tampered_wherever_the_second_stands() -> None:
    entries = [entry(result(nonce=str(number))) for number in range(3)]
    twice = log(*entries, entries[1])

    (fault,) = read(twice).faults
    assert fault == Fault("tampered", 3, "leaf 3 repeats the statement of leaf 1: a statement is appended once")
