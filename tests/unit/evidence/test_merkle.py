"""The Merkle tree: against a naive one, against published cases, and against proofs that were tampered with."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.errors import VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.merkle import Place, Tree

SHARED = Path(os.environ.get("AIMS_SHARED", Path(__file__).parents[4] / "shared"))
CASES = SHARED / "vectors" / "merkle" / "testdata"


# The naive tree: the definitions of RFC 6962, word for word


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = naive_split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def naive_path(place: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = naive_split(len(leaves))
    if place < k:
        return [*naive_path(place, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(place - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(old: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = naive_split(len(leaves))
    if old <= k:
        return [*naive_subproof(old, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_subproof(old - k, leaves[k:], whole=False), naive_root(leaves[:k])]


def leaves_of(count: int) -> list[bytes]:
    return [f"leaf {number}".encode() for number in range(count)]


@pytest.mark.parametrize("size", [*range(70), 255, 256, 257])
def test_roots_are_those_of_the_definition(size: int) -> None:
    tree = Tree(leaves_of(max(size, 70)))
    assert merkle.root(tree, size) == naive_root(leaves_of(size))


def test_the_published_root_of_eight_leaves() -> None:
    # RFC 6962's reference implementation and all later ones test with these inputs.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    tree = Tree(bytes.fromhex(text) for text in inputs)
    assert merkle.root(tree, 8).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(st.integers(1, 200), st.data())
@settings(max_examples=150, deadline=None)
def test_every_inclusion_proof_is_that_of_the_definition_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    tree = Tree(leaves)
    proof = merkle.prove_inclusion(tree, index, size)
    assert proof == naive_path(index, leaves)
    merkle.verify_inclusion(merkle.leaf_hash(leaves[index]), index, size, proof, naive_root(leaves))


@given(st.integers(1, 200), st.data())
@settings(max_examples=150, deadline=None)
def test_every_consistency_proof_is_that_of_the_definition_and_verifies(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    leaves = leaves_of(new)
    proof = merkle.prove_consistency(Tree(leaves), old, new)
    assert proof == naive_subproof(old, leaves, whole=True)
    merkle.verify_consistency(old, naive_root(leaves[:old]), new, naive_root(leaves), proof)


@given(st.integers(1, 120), st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_inclusion_proof_never_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = Tree(leaves_of(size))
    hashed = merkle.leaf_hash(leaves_of(size)[index])
    proof, root = merkle.prove_inclusion(tree, index, size), merkle.root(tree, size)
    changed, place, of = change(data, proof), index, size
    if changed == proof:
        place = data.draw(st.integers(-2, size + 2).filter(lambda other: other != index))
    with pytest.raises(VerificationError):
        merkle.verify_inclusion(hashed, place, of, changed, root)


@given(st.integers(2, 120), st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_consistency_proof_never_verifies(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    tree = Tree(leaves_of(new))
    proof, roots = merkle.prove_consistency(tree, old, new), (merkle.root(tree, old), merkle.root(tree, new))
    changed = change(data, proof)
    if changed == proof:
        roots = (hashlib.sha256(roots[0]).digest(), roots[1]) if data.draw(st.booleans()) else (roots[1], roots[0])
    with pytest.raises(VerificationError):
        merkle.verify_consistency(old, roots[0], new, roots[1], changed)


def change(data: st.DataObject, proof: list[bytes]) -> list[bytes]:
    """Change a proof in one way; or not at all, and then the caller changes something else."""
    how = data.draw(st.sampled_from(["nothing", "longer", "shorter", "flipped", "short hash"]))
    if how == "longer":
        return [*proof, hashlib.sha256(b"more").digest()]
    if not proof or how == "nothing":
        return proof
    place = data.draw(st.integers(0, len(proof) - 1))
    if how == "shorter":
        return proof[:place] + proof[place + 1 :]
    other = bytes([proof[place][0] ^ 1]) + proof[place][1:] if how == "flipped" else proof[place][:-1]
    return [*proof[:place], other, *proof[place + 1 :]]


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not among the first"):
        merkle.prove_inclusion(Tree(leaves_of(5)), index, size)


def test_a_tree_does_not_begin_with_a_larger_one() -> None:
    with pytest.raises(ValueError, match="does not begin with 4"):
        merkle.prove_consistency(Tree(leaves_of(5)), 4, 3)
    with pytest.raises(VerificationError, match="has not all of the subtrees"):
        merkle.root(Tree(leaves_of(5)), 6)


class Counting:
    """Counts what a proof asks for."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.asked, self.times = tree, 0, 0

    def subtrees(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        self.asked += len(places)
        self.times += 1
        return self.tree.subtrees(places)


def test_a_proof_asks_once_and_for_a_few_subtrees() -> None:
    size = 5000
    counting = Counting(Tree(leaves_of(size)))
    merkle.prove_inclusion(counting, 1234, size)
    merkle.prove_consistency(counting, 1234, size)
    merkle.root(counting, size)
    assert counting.times == 3
    assert counting.asked < 3 * 2 * size.bit_length()


# The published cases


def cases(kind: str) -> list[Path]:
    return sorted((CASES / kind).rglob("*.json"))


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def holds_inclusion(case: Mapping[str, Any]) -> bool:
    proof = [decoded(item) for item in case["proof"] or ()]
    try:
        merkle.verify_inclusion(
            decoded(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, decoded(case["root"])
        )
    except VerificationError:
        return False
    return True


def holds_consistency(case: Mapping[str, Any]) -> bool:
    proof = [decoded(item) for item in case["proof"] or ()]
    roots = decoded(case["root1"]), decoded(case["root2"])
    try:
        merkle.verify_consistency(case["size1"], roots[0], case["size2"], roots[1], proof)
    except VerificationError:
        return False
    return True


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared folder with published cases is not here (AIMS_SHARED)")
@pytest.mark.parametrize(("kind", "holds"), [("inclusion", holds_inclusion), ("consistency", holds_consistency)])
def test_the_published_cases_give_their_verdicts(kind: str, holds: Any) -> None:
    """transparency-dev/merkle 417fb0c, testdata: good proofs, corrupted ones, wrong sizes, garbage."""
    found = {path: json.loads(path.read_text()) for path in cases(kind)}
    assert len(found) == 98
    wrong = [str(path) for path, case in found.items() if holds(case) == case["wantErr"]]
    assert not wrong
