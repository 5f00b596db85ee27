"""The log: one leaf for each statement, each leaf bound to the one before it.

A leaf holds digests only, so that a text can be erased lawfully while its place stays. Rules of a whole log:

1. Leaf N says `seq` N; the first is 0. No number is missing.
2. Each leaf's `prev` is the SHA-256 of the bytes of the leaf before it; the first leaf's is `genesis(registry id)`.
3. The head kept outside the database is the SHA-256 of a leaf that is still there, at its place.
4. No payload has two leaves: an old pass that is appended again would become the newest result.

What breaks 1 or 2 is tampering or loss; what breaks 3 is a tail cut off, or another log in its place; what breaks 4
is a replay by somebody who can write to the database and needs no key for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical, parse
from aims_mlops.model.digest import Digest

_FIELDS = {"v", "seq", "prev", "type", "payload", "envelope", "subject", "capturedAt"}


def _is_version_1(wire: Mapping[str, Any]) -> bool:
    # `true` equals 1 in Python, but it is not the number that the format names.
    return type(wire["v"]) is int and wire["v"] == 1 and type(wire["seq"]) is int


def genesis(registry_id: str) -> Digest:
    """Return what the first leaf's `prev` must be: a log belongs to one registry."""
    return Digest.of(f"aims-mlops log v1\n{registry_id}\n".encode())


@dataclass(frozen=True, slots=True)
class Leaf:
    """One place in the sequence. `captured_at` is the store's clock, as text."""

    seq: int
    prev: Digest
    type: str
    payload: Digest
    envelope: Digest
    subject: Digest
    captured_at: str

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that is stored and hashed."""
        return canonical(
            {
                "v": 1,
                "seq": self.seq,
                "prev": str(self.prev),
                "type": self.type,
                "payload": str(self.payload),
                "envelope": str(self.envelope),
                "subject": str(self.subject),
                "capturedAt": self.captured_at,
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a leaf; raise `VerificationError` for any other form."""
        wire: dict[str, Any] = parse(content, what="leaf")
        if set(wire) != _FIELDS or not _is_version_1(wire):
            raise VerificationError("leaf: not a leaf of version 1")
        if not (isinstance(wire["type"], str) and isinstance(wire["capturedAt"], str)):
            raise VerificationError("leaf: type and capturedAt are texts")
        try:
            return cls(
                wire["seq"],
                Digest(wire["prev"]),
                wire["type"],
                Digest(wire["payload"]),
                Digest(wire["envelope"]),
                Digest(wire["subject"]),
                wire["capturedAt"],
            )
        except (TypeError, ValueError) as error:
            raise VerificationError(f"leaf: {error}") from error


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """A leaf and the digest of its bytes."""

    leaf: Leaf
    digest: Digest

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a leaf and keep the digest of exactly these bytes."""
        return cls(Leaf.from_bytes(content), Digest.of(content))


@dataclass(frozen=True, slots=True)
class Head:
    """The newest leaf known: its place and digest. Kept outside the database."""

    seq: int
    digest: Digest

    def to_bytes(self) -> bytes:
        """Return the canonical JSON of the head file."""
        return canonical({"v": 1, "seq": self.seq, "leaf": str(self.digest)})

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a head file; raise `VerificationError` for any other form."""
        wire = parse(content, what="head")
        if set(wire) != {"v", "seq", "leaf"} or not _is_version_1(wire):
            raise VerificationError("head: not a head of version 1")
        try:
            return cls(wire["seq"], Digest(wire["leaf"]))
        except (TypeError, ValueError) as error:
            raise VerificationError(f"head: {error}") from error


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not hold in a log: a `hole` (something is gone) or `tampered` (something was changed)."""

    kind: str
    seq: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Walk:
    """A log read from its first leaf to its last, and everything found wrong on the way."""

    leaves: tuple[StoredLeaf, ...]
    faults: tuple[Fault, ...]

    @property
    def head(self) -> Head | None:
        """The newest leaf that was read."""
        return Head(self.leaves[-1].leaf.seq, self.leaves[-1].digest) if self.leaves else None


def walk(stored: Iterable[bytes], *, registry_id: str, head: Head | None) -> Walk:
    """Read every leaf and hold the log to its rules. Never raises for what it reads: it reports."""
    leaves: list[StoredLeaf] = []
    faults: list[Fault] = []
    places: dict[Digest, int] = {}
    expected_seq, expected_prev = 0, genesis(registry_id)
    for position, content in enumerate(stored):
        try:
            read = StoredLeaf.from_bytes(content)
        except VerificationError as error:
            faults.append(Fault("tampered", position, f"row {position}: {error}"))
            expected_seq, expected_prev = expected_seq + 1, Digest.of(content)
            continue
        if read.leaf.seq != expected_seq:
            gap = f"after leaf {expected_seq - 1} comes leaf {read.leaf.seq}" if expected_seq else "leaf 0 is gone"
            faults.append(Fault("hole", expected_seq, gap))
        elif read.leaf.prev != expected_prev:
            faults.append(
                Fault("tampered", read.leaf.seq, f"leaf {read.leaf.seq} does not follow from the one before it")
            )
        first = places.setdefault(read.leaf.payload, read.leaf.seq)
        if first != read.leaf.seq:
            what = f"leaf {read.leaf.seq} repeats the statement of leaf {first}: a statement is appended once"
            faults.append(Fault("tampered", read.leaf.seq, what))
        leaves.append(read)
        expected_seq, expected_prev = read.leaf.seq + 1, read.digest
    faults.extend(_check_head(leaves, head))
    return Walk(tuple(leaves), tuple(faults))


def _check_head(leaves: list[StoredLeaf], head: Head | None) -> list[Fault]:
    if head is None:
        lost = "the log has leaves, but no head of it is kept outside the store"
        return [Fault("hole", None, lost)] if leaves else []
    last = leaves[-1].leaf.seq if leaves else -1
    if last < head.seq:
        return [
            Fault("hole", head.seq, f"the log ends at leaf {last}, but leaf {head.seq} was seen: its tail is cut off")
        ]
    at_head = next((read for read in leaves if read.leaf.seq == head.seq), None)
    if at_head is None or at_head.digest != head.digest:
        return [Fault("tampered", head.seq, f"leaf {head.seq} is not the leaf that was seen there before")]
    return []
