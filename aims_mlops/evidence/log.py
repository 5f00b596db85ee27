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

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical, parse
from aims_mlops.model.digest import Digest

_FIELDS = {"v", "seq", "prev", "type", "payload", "envelope", "subject", "capturedAt"}

_TEXT, _DIGEST = rb'"([ !#-\[\]-~]{0,200})"', rb'"(sha256:[0-9a-f]{64})"'
# The form that every leaf of ours has: canonical as it stands, since its texts have nothing to escape.
_PLAIN = re.compile(
    rb'\{"capturedAt":%b,"envelope":%b,"payload":%b,"prev":%b,"seq":(0|[1-9][0-9]{0,14}),"subject":%b,"type":%b,"v":1\}'
    % (_TEXT, _DIGEST, _DIGEST, _DIGEST, _DIGEST, _TEXT)
)

_FORM = '{"capturedAt":"%s","envelope":"%s","payload":"%s","prev":"%s","seq":%d,"subject":"%s","type":"%s","v":1}'

_PLAIN_HEAD = re.compile(rb'\{"leaf":%b,"seq":(-1|0|[1-9][0-9]{0,14}),"v":1\}' % _DIGEST)


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
        quick = _FORM % (self.captured_at, self.envelope, self.payload, self.prev, self.seq, self.subject, self.type)
        if _PLAIN.fullmatch(encoded := quick.encode("utf-8", "replace")):  # six times as fast, and the same bytes
            return encoded
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
        if plain := _PLAIN.fullmatch(content):  # twenty times as fast as parsing and writing it again
            captured_at, envelope, payload, prev, seq, subject, kind = (part.decode() for part in plain.groups())
            digests = Digest(prev), Digest(payload), Digest(envelope), Digest(subject)
            return cls(int(seq), digests[0], sys.intern(kind), *digests[1:], captured_at)
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
        if plain := _PLAIN_HEAD.fullmatch(content):
            return cls(int(plain[2]), Digest(plain[1].decode()))
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
    def size(self) -> int:
        """How many leaves were read."""
        return len(self.leaves)

    @property
    def head(self) -> Head | None:
        """The newest leaf that was read."""
        return Head(self.leaves[-1].leaf.seq, self.leaves[-1].digest) if self.leaves else None


class Walker:
    """A walk that can stop and go on: what was read so far, and where the next leaf has to follow.

    Fed with the same rows in any portions it finds what `walk` finds. It only grows, and is for one thread at a time.
    """

    def __init__(self, registry_id: str) -> None:
        self.leaves: list[StoredLeaf] = []
        """Every row that is a leaf, in the order of the rows. Only appended to."""
        self.faults: list[Fault] = []
        """What breaks rules 1, 2 and 4. Only appended to."""
        self._rows = 0
        self._places: dict[Digest, int] = {}
        self._subjects: dict[Digest, Digest] = {}
        self._seq, self._prev = 0, genesis(registry_id)

    def read(self, content: bytes) -> StoredLeaf | None:
        """Read the next row; return None where it is no leaf. Never raises for what it reads: it notes a fault."""
        position, self._rows = self._rows, self._rows + 1
        try:
            read = StoredLeaf(self._shared(Leaf.from_bytes(content)), Digest.of(content))
        except VerificationError as error:
            self.faults.append(Fault("tampered", position, f"row {position}: {error}"))
            self._seq, self._prev = self._seq + 1, Digest.of(content)
            return None
        self._hold_to_rules(read.leaf)
        self.leaves.append(read)
        self._seq, self._prev = read.leaf.seq + 1, read.digest
        return read

    def _shared(self, leaf: Leaf) -> Leaf:
        # Two of five digests are there already: a long log that is kept in memory takes a third less.
        subject = self._subjects.setdefault(leaf.subject, leaf.subject)
        prev = self._prev if leaf.prev == self._prev else leaf.prev
        return Leaf(leaf.seq, prev, leaf.type, leaf.payload, leaf.envelope, subject, leaf.captured_at)

    def _hold_to_rules(self, leaf: Leaf) -> None:
        if leaf.seq != self._seq:
            gap = f"after leaf {self._seq - 1} comes leaf {leaf.seq}" if self._seq else "leaf 0 is gone"
            self.faults.append(Fault("hole", self._seq, gap))
        elif leaf.prev != self._prev:
            what = f"leaf {leaf.seq} does not follow from the one before it"
            self.faults.append(Fault("tampered", leaf.seq, what))
        first = self._places.setdefault(leaf.payload, leaf.seq)
        if first != leaf.seq:
            what = f"leaf {leaf.seq} repeats the statement of leaf {first}: a statement is appended once"
            self.faults.append(Fault("tampered", leaf.seq, what))

    def hold_to_head(self, head: Head | None) -> list[Fault]:
        """Return what breaks rule 3, for the head as it was before the last rows were read."""
        if head is None:
            lost = "the log has leaves, but no head of it is kept outside the store"
            return [Fault("hole", None, lost)] if self.leaves else []
        last = self.leaves[-1].leaf.seq if self.leaves else -1
        if last < head.seq:
            cut = f"the log ends at leaf {last}, but leaf {head.seq} was seen: its tail is cut off"
            return [Fault("hole", head.seq, cut)]
        at_head = self._at(head.seq)
        if at_head is None or at_head.digest != head.digest:
            return [Fault("tampered", head.seq, f"leaf {head.seq} is not the leaf that was seen there before")]
        return []

    def _at(self, seq: int) -> StoredLeaf | None:
        if not self.faults:  # then every leaf lies at the place of its number
            return self.leaves[seq] if seq >= 0 else None
        return next((read for read in self.leaves if read.leaf.seq == seq), None)

    def walk(self, head: Head | None) -> Walk:
        """Return the walk as far as it went."""
        return Walk(tuple(self.leaves), (*self.faults, *self.hold_to_head(head)))


def walk(stored: Iterable[bytes], *, registry_id: str, head: Head | None) -> Walk:
    """Read every leaf and hold the log to its rules. Never raises for what it reads: it reports."""
    walker = Walker(registry_id)
    for content in stored:
        walker.read(content)
    return walker.walk(head)
