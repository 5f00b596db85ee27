"""What administrators said about the configuration: the `policy` statements of a log, read as it grows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.configuration import PolicyBody
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Fault, Leaf, StoredLeaf
from aims_mlops.evidence.record import Trust, open_leaf
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey

_POLICY = predicate_type("policy")
_MARK = f'"type":"{_POLICY}"'.encode()
"""What every leaf of a policy holds, since a leaf is canonical JSON: the others need not be parsed for this."""


class PolicySource(Protocol):
    """Where the log is read. Every `ports.EvidenceStore` is one."""

    def registry_id(self) -> str:
        """Return the registry's UUID."""
        ...

    def leaves(self, start: int = 0) -> Iterator[bytes]:
        """Yield the stored leaves' bytes in their order from a place on."""
        ...

    def envelope(self, payload: Digest) -> bytes | None:
        """Return an envelope's bytes by the digest of its payload."""
        ...

    def blob(self, digest: Digest) -> bytes | None:
        """Return bytes that a statement refers to."""
        ...


@dataclass(frozen=True, slots=True)
class Word:
    """One statement that at least one administrator signed. `signers` are key ids, each once."""

    statement: Digest
    body: PolicyBody
    signers: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What statements say alike: one configuration under one sequence, after the same one before."""

    sequence: int
    previous: Digest | None
    configuration: Digest
    words: tuple[Word, ...]

    @property
    def signers(self) -> tuple[Digest, ...]:
        """The distinct keys that signed it, in the order of the log."""
        return tuple(dict.fromkeys(signer for word in self.words for signer in word.signers))

    @property
    def statements(self) -> tuple[Digest, ...]:
        """The digests of the statements that say it."""
        return tuple(word.statement for word in self.words)


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """Everything about the configuration that a log holds."""

    registry_id: str
    proposals: tuple[Proposal, ...]
    others: int
    """Policy statements that are in the log and count for nothing: no administrator signed them, or ill-formed."""
    faults: tuple[Fault, ...]
    claimed: tuple[int, ...] = ()
    """The sequence that each well-formed policy statement of this registry names, whoever signed it."""

    @property
    def highest(self) -> int:
        """The highest sequence that an honest signer may have seen; 0 where there is none.

        Each takes the next, so that none is above the number of statements: a stranger's large number counts for
        nothing. Administrators who were replaced count here, though not for what is in force.
        """
        return max((number for number in self.claimed if number <= len(self.claimed)), default=0)

    def newest(self, threshold: int) -> tuple[Proposal, ...]:
        """Return the proposal with the highest sequence that enough keys signed; none, or several that contradict."""
        reached = [item for item in self.proposals if len(item.signers) >= threshold]
        highest = max((item.sequence for item in reached), default=0)
        at_top = {item.configuration: item for item in reached if item.sequence == highest}
        return tuple(at_top.values())


class PolicyLog:
    """Reads the policy statements of a log, each once: a further look reads only what was appended since.

    Only the keys given here count, whatever a configuration says. The chain is not walked: that is the gate's. Where
    the newest leaf seen is no longer at its place, the log is another one, and all of it is read again.
    """

    def __init__(self, source: PolicySource, keys: Iterable[PublicKey]) -> None:
        self._source = source
        self._keys = tuple(keys)
        self._forget()

    def look(self) -> PolicyReading:
        """Return what stands in the log now; raise `StoreError` where it cannot be read."""
        self._catch_up()
        for leaf in tuple(self._faulty):  # A store that was restored holds again.
            self._open(leaf)
        faults = tuple(self._faulty.values())
        return PolicyReading(
            self._registry_id, _alike(self._words.values()), self._others, faults, tuple(self._claimed.values())
        )

    def _forget(self) -> None:
        self._registry_id = ""
        self._seen: tuple[int, bytes] | None = None
        self._words: dict[Digest, Word] = {}
        self._claimed: dict[Digest, int] = {}
        self._others = 0
        self._faulty: dict[Leaf, Fault] = {}

    def _catch_up(self) -> None:
        rows = self._source.leaves(0 if self._seen is None else self._seen[0])
        if self._seen is not None and next(rows, None) != self._seen[1]:
            self._forget()
            rows = self._source.leaves(0)
        if self._seen is None:
            self._forget()
            self._registry_id = self._source.registry_id()
        last: bytes | None = None
        for row in rows:
            last = row
            if _MARK in row:
                self._take(row)
        if last is not None:
            self._seen = _place(last)

    def _take(self, row: bytes) -> None:
        try:
            leaf = StoredLeaf.from_bytes(row).leaf
        except VerificationError:
            return  # No leaf at all: the gate, which walks the chain, says where.
        if leaf.type == _POLICY:
            self._open(leaf)

    def _open(self, leaf: Leaf) -> None:
        content = self._source.envelope(leaf.payload)
        opened = open_leaf(leaf, content, Trust({}, {}))
        if isinstance(opened, Fault) or content is None:
            self._faulty[leaf] = opened if isinstance(opened, Fault) else Fault("hole", leaf.seq, "")
            return
        self._faulty.pop(leaf, None)
        statement, body = opened.statement, _body(opened.statement.body)
        if body is None or statement.header.registry_id != self._registry_id or statement.subject != body.configuration:
            self._others += 1
            return
        self._claimed[leaf.payload] = body.sequence
        signers = Envelope.from_bytes(content).open_with(self._keys)
        if not signers:
            self._others += 1
            return
        self._words[leaf.payload] = Word(leaf.payload, body, signers)


def _body(wire: object) -> PolicyBody | None:
    try:
        return PolicyBody.from_wire(wire) if isinstance(wire, dict) else None
    except VerificationError:
        return None


def _place(row: bytes) -> tuple[int, bytes] | None:
    try:
        return Leaf.from_bytes(row).seq, row
    except VerificationError:
        return None  # The next look reads everything again.


def _alike(words: Iterable[Word]) -> tuple[Proposal, ...]:
    """Put together what is equal in sequence, previous and configuration."""
    found: dict[tuple[int, Digest | None, Digest], list[Word]] = {}
    for word in words:
        body = word.body
        found.setdefault((body.sequence, body.previous, body.configuration), []).append(word)
    return tuple(Proposal(*key, words=tuple(alike)) for key, alike in found.items())
