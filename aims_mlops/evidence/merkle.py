"""The Merkle tree of RFC 6962 over the leaves of the log: hashes, roots, proofs, and what holds a proof to its roots.

1. A leaf's hash is SHA-256(0x00 ‖ its bytes), a node's SHA-256(0x01 ‖ left ‖ right): neither can pass for the other.
2. A subtree of level L and number N covers the leaves N·2^L to (N+1)·2^L. It is complete once all of them are there,
   and never changes then. Every root and every proof is made of complete subtrees, O(log n) of them.
3. A proof is a list of hashes without places: sizes and index say where each belongs, and one too many or too few is
   refused like a wrong one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from aims_mlops.errors import VerificationError

HASH_BYTES = 32
"""Length of every hash."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

Place = tuple[int, int]
"""A complete subtree: its level, and its number among those of that level."""

Span = tuple[int, int]
"""Leaves from the first to the one before the second."""


def leaf_hash(content: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its two halves."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Subtrees(Protocol):
    """Where the hashes of complete subtrees come from: leaves, tiles, or anything else."""

    def subtrees(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the hashes of these subtrees, which are complete. Raises `VerificationError` for one that is gone."""
        ...


class Tree:
    """A tree that grows leaf by leaf, whole in memory: about 200 bytes a leaf. Implements `Subtrees`."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """Hash these leaves' bytes."""
        self._levels: list[list[bytes]] = [[]]
        for content in leaves:
            self.add(leaf_hash(content))

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return len(self._levels[0])

    def add(self, hashed: bytes) -> None:
        """Add the hash of the next leaf, and of every subtree that it completes."""
        level = 0
        self._levels[0].append(hashed)
        while len(self._levels[level]) % 2 == 0:
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(node_hash(*self._levels[level][-2:]))
            level += 1

    def subtrees(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        """Return the hashes of these subtrees."""
        try:
            return {(level, number): self._levels[level][number] for level, number in places}
        except IndexError as error:
            raise VerificationError(f"a tree of {self.size} leaves has not all of the subtrees asked for") from error


def root(source: Subtrees, size: int) -> bytes:
    """Return the root of the first `size` leaves."""
    return _hash_spans(source, [(0, size)])[0] if size else EMPTY_ROOT


def prove_inclusion(source: Subtrees, index: int, size: int) -> list[bytes]:
    """Return the proof that a leaf is in the tree of the first `size`, from its sibling up to a child of the root.

    Raises `ValueError` for an index that is not below the size.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not among the first {size}")
    spans: list[Span] = []
    start, end = 0, size
    while end - start > 1:  # RFC 6962, 2.1.1: downwards, so that the proof is the other way round
        middle = start + _split(end - start)
        spans.append((middle, end) if index < middle else (start, middle))
        start, end = (start, middle) if index < middle else (middle, end)
    return _hash_spans(source, spans[::-1])


def prove_consistency(source: Subtrees, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of the first `new` leaves begins with that of the first `old`.

    Nothing has to be proved from no leaves, or between equal sizes: the proof is empty. Raises `ValueError` where the
    old size is above the new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not begin with {old}")
    if old in (0, new):
        return []
    spans: list[Span] = []
    start, end, whole = 0, new, True
    while end != old:  # RFC 6962, 2.1.2: SUBPROOF, downwards as well
        middle = start + _split(end - start)
        spans.append((middle, end) if old <= middle else (start, middle))
        start, end, whole = (start, middle, whole) if old <= middle else (middle, end, False)
    # Whoever has the old root knows this subtree already where it is the old tree itself.
    return _hash_spans(source, ([] if whole else [(start, end)]) + spans[::-1])


def verify_inclusion(hashed: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> None:
    """Hold a leaf's hash to a root; raise `VerificationError` where the proof does not lead from one to the other."""
    _must_be_hashes(hashed, root_hash, *proof)
    if not 0 <= index < size:
        raise VerificationError(f"inclusion: leaf {index} is not among the first {size}")
    place, last, found = index, size - 1, hashed  # RFC 9162, 2.1.3.2
    for sibling in proof:
        if last == 0:
            raise VerificationError(f"inclusion: {len(proof)} hashes are too many for leaf {index} of {size}")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            place, last = _to_right_child(place, last)
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise VerificationError(f"inclusion: {len(proof)} hashes are too few for leaf {index} of {size}")
    if found != root_hash:
        raise VerificationError(f"inclusion: leaf {index} does not lead to the root of {size} leaves")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Hold a root to an older one; raise `VerificationError` where the new tree does not begin with the old.

    A proof from no leaves proves nothing, and is refused: whoever starts there has nothing to compare with.
    """
    if not 0 < old <= new:
        raise VerificationError(f"consistency: from {old} to {new} leaves there is nothing to prove")
    if old == new:  # nothing is hashed: the two are the same bytes or they are not
        if proof:
            raise VerificationError(f"consistency: {len(proof)} hashes are too many between equal sizes")
        if old_root != new_root:
            raise VerificationError(f"consistency: two different roots of {new} leaves")
        return
    _must_be_hashes(old_root, new_root, *proof)
    if not proof:
        raise VerificationError(f"consistency: no hashes are too few from {old} to {new} leaves")
    _climb(old, old_root, new, new_root, proof)


def _climb(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)  # RFC 9162, 2.1.4.2
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_found = new_found = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError(f"consistency: {len(proof)} hashes are too many from {old} to {new} leaves")
        if place & 1 or place == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            place, last = _to_right_child(place, last)
        else:
            new_found = node_hash(new_found, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise VerificationError(f"consistency: {len(proof)} hashes are too few from {old} to {new} leaves")
    if old_found != old_root or new_found != new_root:
        raise VerificationError(f"consistency: the tree of {new} leaves does not begin with that of {old}")


def _to_right_child(place: int, last: int) -> tuple[int, int]:
    """Go up while there is no sibling on the right: an incomplete subtree has no node of its own there."""
    while place & 1 == 0 and place != 0:
        place, last = place >> 1, last >> 1
    return place, last


def _split(count: int) -> int:
    """Return the largest power of two below a count of two or more."""
    return 1 << ((count - 1).bit_length() - 1)


def _complete(start: int, end: int) -> list[Place]:
    """Return the complete subtrees that make up a span which begins where a subtree of its size may begin."""
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def _hash_spans(source: Subtrees, spans: Sequence[Span]) -> list[bytes]:
    """Return the hash of each span, asking for all subtrees at once."""
    parts = [_complete(*span) for span in spans]
    known = source.subtrees(list(dict.fromkeys(place for part in parts for place in part)))
    hashes = []
    for part in parts:
        found = known[part[-1]]
        for place in part[-2::-1]:
            found = node_hash(known[place], found)
        hashes.append(found)
    return hashes


def _must_be_hashes(*values: bytes) -> None:
    for value in values:
        if len(value) != HASH_BYTES:
            raise VerificationError(f"proof: a hash of {len(value)} bytes, not {HASH_BYTES}")
