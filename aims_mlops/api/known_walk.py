"""A log that was read, and where to find things in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from aims_mlops.evidence.log import Fault, Head, Leaf, StoredLeaf, Walker
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.evidence.tombstone import KIND, Erasure, can_be_erased
from aims_mlops.model.digest import Digest


class LogStore(Protocol):
    """What is read of a store here. Every `ports.EvidenceStore` is one."""

    def reading(self) -> AbstractContextManager[None]:
        """Let what this thread reads inside the `with` go over one connection."""
        ...

    def registry_id(self) -> str:
        """Return the registry's UUID."""
        ...

    def head(self) -> Head | None:
        """Return the head kept outside the database."""
        ...

    def leaves(self, start: int = 0) -> Iterator[bytes]:
        """Yield the leaves' bytes from a place on."""
        ...

    def held(
        self, places: Collection[int], payloads: Collection[Digest]
    ) -> tuple[Mapping[int, bytes], Mapping[str, Digest]]:
        """Return the leaves' bytes at these places, and the digests of these envelopes' bytes by the payload's."""
        ...

    def envelope(self, payload: Digest) -> bytes | None:
        """Return an envelope's bytes."""
        ...

    def envelope_digests(self, payloads: Collection[Digest] | None = None) -> Mapping[str, Digest]:
        """Return the digests of these envelopes' bytes, or of all, by the payload's digest."""
        ...


_TOMBSTONE = predicate_type(KIND)


class Index:
    """One walked log and where to find things in it. Only appended to, so that what was taken of it stays true."""

    def __init__(self, registry_id: str) -> None:
        self.registry_id = registry_id
        self.walker = Walker(registry_id)
        self.by_subject: dict[Digest, list[int]] = {}
        self.by_type: dict[str, list[int]] = {}
        self.by_payload: dict[str, int] = {}
        self.claims: list[tuple[int, int]] = []
        """Places of statements that may be erased, each with that of a tombstone which says so. Signatures, and what
        else a tombstone says, are not looked at here."""
        self.claimed: set[Digest] = set()
        """The payloads of those statements."""
        self.held = 0
        """How many leaves had their envelopes held to them."""
        self.tree = Tree()
        """The Merkle tree over the first of the leaves: as many as were ever asked for."""

    def add(self, rows: Iterable[bytes]) -> None:
        """Walk on over these rows."""
        for content in rows:
            read = self.walker.read(content)
            if read is None:
                continue
            place = len(self.walker.leaves) - 1
            self.by_subject.setdefault(read.leaf.subject, []).append(place)
            self.by_type.setdefault(read.leaf.type, []).append(place)
            self.by_payload[read.leaf.payload] = place
            if read.leaf.type == _TOMBSTONE:
                self._claim(read.leaf, place)

    def _claim(self, tombstone: Leaf, place: int) -> None:
        # A tombstone's subject is the statement that it is for: its leaf says enough.
        erased = self.by_payload.get(tombstone.subject)
        if erased is not None and can_be_erased(self.walker.leaves[erased].leaf):
            self.claims.append((erased, place))
            self.claimed.add(tombstone.subject)


@dataclass(frozen=True, slots=True)
class KnownWalk:
    """A walk as it stood after one look. It does not change, whatever other threads read meanwhile."""

    faults: tuple[Fault, ...]
    size: int
    origin: Index = field(repr=False, compare=False)
    """Where its leaves are; another one after everything was walked anew."""
    erased: Mapping[int, Erasure] = field(default_factory=dict)
    """What was erased, by its `seq`; filled in by `Erasures.held`, which knows whom to trust."""

    @property
    def excused(self) -> Mapping[int, Erasure]:
        """Those of the erased whose text may be gone: the others are statements still, and only the gate hears none."""
        return {seq: item for seq, item in self.erased.items() if item.explains}

    @property
    def end(self) -> int:
        """The number behind the newest leaf that was read."""
        return 0 if self.head is None else self.head.seq + 1

    @property
    def head(self) -> Head | None:
        """The newest leaf that was read."""
        if not self.size:
            return None
        last = self.origin.walker.leaves[self.size - 1]
        return Head(last.leaf.seq, last.digest)

    @property
    def leaves(self) -> tuple[StoredLeaf, ...]:
        """Every leaf, oldest first. Copies the whole: for reports, not for decisions."""
        return tuple(self.origin.walker.leaves[: self.size])

    def about(self, subject: Digest | None, *, after: int = -1) -> list[StoredLeaf]:
        """Return the leaves with this subject, oldest first; only those behind the place `after` in the walk."""
        newest_first = self._at(self.origin.by_subject.get(subject, ())) if subject is not None else iter(())
        found = []
        for place in newest_first:
            if place <= after:
                break
            found.append(self.origin.walker.leaves[place])
        return found[::-1]

    def of_kind(self, kind: str) -> Iterator[StoredLeaf]:
        """Yield the leaves of one kind of statement, newest first."""
        for place in self._at(self.origin.by_type.get(predicate_type(kind), ())):
            yield self.origin.walker.leaves[place]

    def of(self, payload: str) -> StoredLeaf | None:
        """Return the leaf of a statement by the digest of its payload; None where it has none."""
        place = self.origin.by_payload.get(payload)
        return None if place is None or place >= self.size else self.origin.walker.leaves[place]

    def _at(self, places: list[int] | tuple[()]) -> Iterator[int]:
        return (place for place in reversed(places) if place < self.size)


def differing(
    store: LogStore,
    known: Sequence[StoredLeaf],
    fresh: Sequence[StoredLeaf] = (),
    *,
    claimed: Collection[Digest] = (),
) -> list[Fault]:
    """Read known leaves and their envelopes from the store now, and say which are gone or are others.

    That an envelope of the payloads `claimed` is gone is no fault here: a tombstone speaks of it. Of `fresh` leaves,
    which were read just now, only the envelopes. Only for leaves of a log without faults: there each lies at the place
    of its number.
    """
    places = {read.leaf.seq: read for read in known}
    both = [*known, *fresh]
    there, envelopes = store.held(list(places), [read.leaf.payload for read in both]) if both else ({}, {})
    lost = [fault for seq, read in places.items() if (fault := leaf_fault(read, there.get(seq)))]
    return lost + envelope_faults(both, envelopes, claimed)


def envelope_faults(
    known: Sequence[StoredLeaf], found: Mapping[str, Digest], claimed: Collection[Digest]
) -> list[Fault]:
    """Hold leaves to the digests of the envelopes that were found; those of `claimed` may be gone."""
    faults = [envelope_fault(read.leaf, found.get(read.leaf.payload)) for read in known]
    gone = {read.leaf.seq for read in known if read.leaf.payload in claimed}
    return [fault for fault in faults if fault is not None and not (fault.kind == "hole" and fault.seq in gone)]


def envelope_fault(leaf: Leaf, found: Digest | None) -> Fault | None:
    """Say what is wrong with a leaf's envelope, by the digest of the bytes that were found; None where it holds."""
    if found is None:
        return Fault("hole", leaf.seq, f"the statement of leaf {leaf.seq} is gone")
    if found != leaf.envelope:
        return Fault("tampered", leaf.seq, f"leaf {leaf.seq}: the envelope is not the one that was appended")
    return None


def leaf_fault(known: StoredLeaf, found: bytes | None) -> Fault | None:
    """Say what is wrong with the bytes found at the place of a known leaf; None where they are its own."""
    seq = known.leaf.seq
    if found is None:
        return Fault("hole", seq, f"leaf {seq} is gone")
    if Digest.of(found) != known.digest:
        return Fault("tampered", seq, f"leaf {seq} is not the leaf that was there before")
    return None
