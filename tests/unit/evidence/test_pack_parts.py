"""The parts of a pack: many proofs to one root, the index, and whom to trust."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.errors import CannotDecide, VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import Checkpoint
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.note import COSIGNATURE, ED25519, VerifierKey
from aims_mlops.evidence.pack_index import FileEntry, PackIndex, PackLog, is_name
from aims_mlops.evidence.pack_proofs import ProofBook
from aims_mlops.evidence.pack_trust import PackTrust, united
from aims_mlops.model.trust import Rule, Term
from tests.builders import NOW, REGISTRY, key, trust

ORIGIN = "example.org/log"
SIGNER = key("log", algorithm="ed25519")
LOG_KEY = VerifierKey(ORIGIN, ED25519, SIGNER.public)
WITNESS = VerifierKey("example.org/witness", COSIGNATURE, key("witness", algorithm="ed25519").public)


def leaf(number: int) -> bytes:
    return b"leaf %d" % number


def proofs(size: int) -> list[bytes]:
    tree = merkle.Tree(map(leaf, range(size)))
    note = Checkpoint(ORIGIN, size, merkle.root(tree, size)).sign(LOG_KEY, SIGNER.sign).to_bytes()
    return [
        LogProof(index, tuple(merkle.prove_inclusion(tree, index, size)), note, leaf(index)).to_bytes()
        for index in range(size)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 21])
def test_every_leaf_of_a_tree_is_proved_in_any_order(size: int) -> None:
    made = proofs(size)
    for order in (range(size), reversed(range(size)), sorted(range(size), key=lambda number: number * 7 % size)):
        book = ProofBook(ORIGIN, [LOG_KEY])
        for index in order:
            assert book.verify(made[index], leaf(index), index).size == size


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.data())
def test_a_proof_that_was_changed_is_refused_whatever_was_proved_before(size: int, data: st.DataObject) -> None:
    made = proofs(size)
    book = ProofBook(ORIGIN, [LOG_KEY])
    before = data.draw(st.lists(st.integers(0, size - 1), max_size=size))
    for index in before:
        book.verify(made[index], leaf(index), index)
    index = data.draw(st.integers(0, size - 1))
    place = data.draw(st.integers(0, len(made[index]) - 1))
    content = made[index]
    spoiled = content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    try:
        found = book.verify(spoiled, leaf(index), index)
    except VerificationError:
        return
    # Only lines of signatures that nobody knows may say anything; there is none here but the log's own.
    assert (found.size, spoiled.partition(b"\n\n")[0]) == (size, content.partition(b"\n\n")[0])


def test_a_proof_of_another_leaf_or_place_or_with_other_hashes_is_refused() -> None:
    made = proofs(6)
    book = ProofBook(ORIGIN, [LOG_KEY])
    for index in range(6):
        book.verify(made[index], leaf(index), index)
    lines = made[2].split(b"\n")
    cases: dict[str, tuple[bytes, bytes, int]] = {
        "another leaf": (made[2], leaf(3), 2),
        "another place": (made[2], leaf(2), 3),
        "a hash less": (b"\n".join(lines[:3] + lines[4:]), leaf(2), 2),
        "a hash more": (b"\n".join([*lines[:4], lines[3], *lines[4:]]), leaf(2), 2),
        "hashes in another order": (b"\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]), leaf(2), 2),
        "no checkpoint": (made[2].partition(b"\n\n")[0], leaf(2), 2),
        "nothing": (b"", leaf(2), 2),
    }
    for given_ in cases.values():
        with pytest.raises(VerificationError):
            book.verify(*given_)


def index(**changes: Any) -> PackIndex:
    made = PackIndex(
        system="income",
        start=NOW,
        end=NOW + timedelta(days=1),
        log=PackLog(ORIGIN, 6, "00" * 32, 6),
        period=(2, 4),
        before=(0,),
        others=(3,),
        files={"index.csv": FileEntry.of(b"x"), "statements/00000000-record.dsse.json": FileEntry.of(b"y")},
    )
    return replace(made, **changes)


def test_an_index_is_read_as_it_was_written() -> None:
    made = index()
    assert PackIndex.from_wire(made.to_wire()) == made
    assert (made.own, made.leaves) == ((0, 2, 4), (0, 2, 3, 4))


def unsorted_files(wire: dict[str, Any]) -> None:
    wire["files"].reverse()


def a_file_twice(wire: dict[str, Any]) -> None:
    wire["files"].append(wire["files"][-1])


def a_way_out(wire: dict[str, Any]) -> None:
    wire["files"][0]["name"] = "../outside"


def itself(wire: dict[str, Any]) -> None:
    wire["files"][0]["name"] = "index.json"


def a_leaf_twice(wire: dict[str, Any]) -> None:
    wire["leaves"]["others"] = [2, 3]


def unsorted_leaves(wire: dict[str, Any]) -> None:
    wire["leaves"]["period"] = [4, 2]


def a_true_size(wire: dict[str, Any]) -> None:
    wire["files"][0]["size"] = True


def no_period(wire: dict[str, Any]) -> None:
    del wire["period"]


@pytest.mark.parametrize(
    "spoil",
    [unsorted_files, a_file_twice, a_way_out, itself, a_leaf_twice, unsorted_leaves, a_true_size, no_period],
    ids=lambda spoil: spoil.__name__.replace("_", " "),
)
def test_an_index_of_another_form_is_refused(spoil: Callable[[dict[str, Any]], None]) -> None:
    wire = index().to_wire()
    spoil(wire)
    with pytest.raises(VerificationError, match="index: "):
        PackIndex.from_wire(wire)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/etc", "a/b/c", "a\\b", "A/b", ".hidden", "a b", "a\n", "ü", "a/", "-x"]
)
def test_such_a_name_is_no_files(name: str) -> None:
    assert not is_name(name)


def believed(**changes: Any) -> PackTrust:
    return replace(PackTrust(REGISTRY, trust(), ORIGIN, (LOG_KEY,), (WITNESS,), 1), **changes)


def test_trust_is_read_as_it_was_written() -> None:
    made = believed()
    again = PackTrust.from_bytes(made.to_bytes())
    assert again.trust.by_kind == made.trust.by_kind
    assert (again.origin, again.log_keys, again.witnesses, again.quorum) == (ORIGIN, (LOG_KEY,), (WITNESS,), 1)
    assert again.to_bytes() == made.to_bytes()
    assert PackTrust.from_bytes(believed(origin=None).to_bytes()).log_keys == ()


def spoiled_trust(place: str, value: Any) -> bytes:
    wire: Any = json.loads(believed().to_bytes())
    *way, last = place.split(".")
    part = wire
    for step in way:
        part = part[int(step) if step.isdigit() else step]
    part[last] = value
    return json.dumps(wire).encode()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("schema", "aims.trust/2"),
        ("revoked", []),
        ("keys.0.revokedAt", "2026-01-01"),
        ("keys.0.id", "sha256:" + "0" * 64),
        ("keys.0.algorithm", "rsa"),
        ("kinds.pack", ["sha256:" + "0" * 64]),
        ("log.quorum", 0),
        ("log.keys", ["example.org/log+00000000+AQ=="]),
        ("log.since", "2026"),
    ],
)
def test_trust_that_is_not_understood_is_not_given(place: str, value: Any) -> None:
    with pytest.raises(CannotDecide, match="the trust file does not read"):
        PackTrust.from_bytes(spoiled_trust(place, value))


def test_several_trust_files_of_one_registry_say_more_together() -> None:
    old = key("former", algorithm="ed25519").public
    former = replace(trust(), by_kind={"check-result": {old.id: "former"}}, keys={old.id: old})
    both = united([believed(), believed(trust=former, quorum=2)])
    assert set(both.trust.by_kind["check-result"].values()) == {"pipeline", "former"}
    assert both.quorum == 2
    with pytest.raises(CannotDecide, match="different registries or logs"):
        united([believed(), believed(registry="another")])
    stolen = replace(trust(), by_kind={"record": {old.id: "somebody"}, "policy": {}}, keys={old.id: old})
    again = replace(former, by_kind={"record": {old.id: "former"}})
    with pytest.raises(CannotDecide, match="one key to two people"):
        united([believed(trust=stolen), believed(trust=again)])


def test_of_two_files_the_one_that_bounds_a_key_is_believed_whatever_their_order() -> None:
    (id_, *_) = believed().trust.keys
    ended = Term(end=NOW)

    def with_term(term: Term) -> PackTrust:
        keys = believed().trust.keys
        return believed(trust=replace(trust(), keys={**keys, id_: replace(keys[id_], term=term)}))

    for both in ([believed(), with_term(ended)], [with_term(ended), believed()]):
        assert united(both).trust.keys[id_].term == ended
    with pytest.raises(CannotDecide, match="one key two terms"):
        united([with_term(ended), with_term(Term(start=NOW))])


def test_two_files_with_different_rules_for_a_kind_are_not_put_together() -> None:
    ruled = believed(trust=replace(trust(), rules={"check-result": (Rule(("pipeline",), ("income",)),)}))
    assert united([ruled, ruled]).trust.rules == ruled.trust.rules
    with pytest.raises(CannotDecide, match="different rules for a check-result"):
        united([ruled, believed()])
