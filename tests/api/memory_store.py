"""The log of a store, in memory: it can be tampered with behind a reader's back, and it counts what is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from aims_mlops.errors import StoreError
from aims_mlops.evidence.log import Head, Leaf, genesis
from aims_mlops.model.digest import Digest
from tests.builders import REGISTRY, Log


@dataclass
class MemoryStore:
    """Rows by place, envelopes by payload, and the head outside."""

    rows: dict[int, bytes] = field(default_factory=dict)
    envelopes: dict[Digest, bytes] = field(default_factory=dict)
    outside: Head | None = None
    registry: str = REGISTRY
    read: int = 0
    """Leaves and envelopes that were handed out."""
    away: bool = False
    """Whether envelopes cannot be read at the moment."""

    @classmethod
    def of(cls, log: Log) -> MemoryStore:
        return cls(dict(enumerate(log.rows)), dict(log.envelopes), log.head)

    def become(self, log: Log) -> None:
        """Hold another log from now on."""
        self.rows, self.envelopes, self.outside = dict(enumerate(log.rows)), dict(log.envelopes), log.head

    def grow(self, count: int, *, size: int = 40) -> None:
        """Append leaves over short texts that nobody signed: for reading, not for judging."""
        start = len(self.rows)
        prev = Digest.of(self.rows[start - 1]) if start else genesis(self.registry)
        for seq in range(start, start + count):
            envelope = f"envelope {seq}".encode().ljust(size)
            payload = Digest.of(f"payload {seq}".encode())
            leaf = Leaf(
                seq, prev, "urn:aims-mlops:incident:v1", payload, Digest.of(envelope), Digest.of(b"s"), "2026-11-21"
            )
            self.rows[seq], self.envelopes[payload] = leaf.to_bytes(), envelope
            prev = Digest.of(self.rows[seq])
        self.outside = Head(start + count - 1, prev)

    def registry_id(self) -> str:
        return self.registry

    def reading(self) -> AbstractContextManager[None]:
        return nullcontext()

    def leaves(self, start: int = 0) -> Iterator[bytes]:
        for seq in sorted(self.rows):
            if seq >= start:
                self.read += 1
                yield self.rows[seq]

    def leaves_at(self, places: Collection[int]) -> Mapping[int, bytes]:
        found = {seq: self.rows[seq] for seq in places if seq in self.rows}
        self.read += len(found)
        return found

    def head(self) -> Head | None:
        return self.outside

    def envelope(self, payload: Digest) -> bytes | None:
        self._answer()
        self.read += 1
        return self.envelopes.get(payload)

    def envelope_digests(self, payloads: Collection[Digest] | None = None) -> Mapping[str, Digest]:
        self._answer()
        wanted = self.envelopes if payloads is None else payloads
        found: dict[str, Digest] = {
            payload: Digest.of(self.envelopes[payload]) for payload in wanted if payload in self.envelopes
        }
        self.read += len(found)
        return found

    def held(
        self, places: Collection[int], payloads: Collection[Digest]
    ) -> tuple[Mapping[int, bytes], Mapping[str, Digest]]:
        return self.leaves_at(places), self.envelope_digests(payloads)

    def _answer(self) -> None:
        if self.away:
            raise StoreError("the store does not answer")
