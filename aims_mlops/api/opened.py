"""Statements about one version, opened: each signature is verified once, and what may count is read again each time.

Of all records about the same bytes the gate asks for the newest of each check and person. So only those are kept, a
new statement is opened when it comes, and the length of a version's history does not slow its decisions.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from aims_mlops.api.known_walk import Index, KnownWalk, LogStore, differing
from aims_mlops.evidence.log import Fault, StoredLeaf
from aims_mlops.evidence.record import Record, Trust, open_leaf
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.evidence.tombstone import Erasure
from aims_mlops.model.digest import Digest
from aims_mlops.model.seen import Seen, Sight
from aims_mlops.model.times import from_text

_VERSIONS = 64
"""How many versions' records are kept; beyond it the one that was asked for longest ago is opened anew."""

_UNASKED = frozenset(map(predicate_type, ("gate-decision", "promotion", "intent")))
"""Kinds that fulfil no requirement: of these only the time of recording is looked at."""


@dataclass(frozen=True)
class About:
    """What a log says about some bytes, as far as it can count."""

    records: tuple[Record, ...]
    faults: tuple[Fault, ...]
    latest: datetime | None = None
    """The latest time of recording of any statement about them: a clock that was set back is seen by it."""
    seen: Seen | None = None
    """Which leaves about them there are; None in a log with faults."""
    erased: tuple[Erasure, ...] = ()
    """Which of them were erased: nothing is known of those but their kind and place."""


@dataclass
class _Kept:
    """What counts of the statements about one subject, under one trust, in one walked log."""

    walk: Index
    after: int = -1
    newest: dict[Hashable, tuple[StoredLeaf, Record]] = field(default_factory=dict)
    latest: datetime | None = None
    sight: Sight = field(default_factory=Sight)

    def take(self, read: StoredLeaf, record: Record | None, at: datetime) -> None:
        self.after = read.leaf.seq
        self.sight.add(read.leaf.seq, read.leaf.payload)
        self.latest = at if self.latest is None else max(self.latest, at)
        if record is not None:
            self.newest[place_of(record)] = read, record

    def forget(self, erased: Collection[int]) -> None:
        """Leave out what was erased since it was opened. What was older than it does not come back for it."""
        for place in [place for place, (read, _) in self.newest.items() if read.leaf.seq in erased]:
            del self.newest[place]


class Opened:
    """The opened statements of one store. Safe to use from several threads."""

    def __init__(self, store: LogStore, *, distrust: Callable[[Fault], None]) -> None:
        """`distrust` is told of each fault that is found here."""
        self._store = store
        self._distrust = distrust
        self._turn = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def about(self, walked: KnownWalk, subject: Digest | None, trust: Trust) -> About:
        """Return the records about a subject that can count, and what does not hold of them.

        Every record that is returned was read from the store in this call, leaf and envelope, and is what was
        verified before. In a log with faults nothing is taken from memory.
        """
        erased = tuple(item for item in walked.erased.values() if item.leaf.subject == subject)
        if walked.faults:
            gone = {fault.seq for fault in walked.faults} | set(walked.erased)
            opened = (self.open(read, trust) for read in walked.about(subject) if read.leaf.seq not in gone)
            return replace(_apart(opened), erased=erased)
        with self._turn:
            kept = self._of(walked, subject, trust)
            for read in walked.about(subject, after=kept.after):
                taken = self._asked(read, trust, erased=read.leaf.seq in walked.erased)
                if isinstance(taken, Fault):
                    self._distrust(taken)
                    return About((), (taken,))
                kept.take(read, *taken)
            kept.forget(walked.erased)
            found, latest, seen = list(kept.newest.values()), kept.latest, kept.sight.seen
        faults = differing(self._store, [read for read, _ in found])
        for fault in faults:
            self._distrust(fault)
        lost = {fault.seq for fault in faults}
        records = tuple(record for _, record in found if record.seq not in lost)
        return About(records, tuple(faults), latest, seen, erased)

    def _asked(self, read: StoredLeaf, trust: Trust, *, erased: bool = False) -> tuple[Record | None, datetime] | Fault:
        """Open a statement, or read only its time where nothing else is asked of its kind, or it was erased."""
        if erased or read.leaf.type in _UNASKED:
            try:
                return None, from_text(read.leaf.captured_at)
            except ValueError as error:
                return Fault("tampered", read.leaf.seq, f"leaf {read.leaf.seq}: {error}")
        opened = self.open(read, trust)
        return opened if isinstance(opened, Fault) else (opened, opened.captured_at)

    def open(self, read: StoredLeaf, trust: Trust) -> Record | Fault:
        """Read a statement from the store now and open it. Nothing is taken from memory."""
        return open_leaf(read.leaf, self._store.envelope(read.leaf.payload), trust)

    def _of(self, walked: KnownWalk, subject: Digest | None, trust: Trust) -> _Kept:
        name = subject, identity_of(trust)
        kept = self._kept.get(name)
        if kept is None or kept.walk is not walked.origin:
            kept = self._kept[name] = _Kept(walked.origin)
        self._kept.move_to_end(name)
        while len(self._kept) > _VERSIONS:
            self._kept.popitem(last=False)
        return kept


def place_of(record: Record) -> Hashable:
    """Return what the gate tells records of one subject apart by; of two with the same it never asks for the older.

    A kind that is not known here is never put together with another.
    """
    statement = record.statement
    header, id_ = statement.header, _id(record)
    if id_ is None:
        return record.payload
    identity = header.registry_id, header.workspace, header.model, header.version, header.version_created_at
    # Each who signed counts: whoever measured may not approve a waiver, though another signed with him.
    return statement.kind, id_, statement.subject, identity, record.signer, frozenset(record.keys.items())


def _id(record: Record) -> str | None:
    body = record.statement.body
    match record.statement.kind:
        case "check-result":
            check = body.get("check")
            named = check.get("id") if isinstance(check, dict) else None
        case "record":
            named = body.get("record")
        case _:
            named = None
    return named if isinstance(named, str) else None


def identity_of(trust: Trust) -> Hashable:
    """Return what tells a trust from every other."""
    said = frozenset((kind, frozenset(keys.items())) for kind, keys in trust.by_kind.items())
    return said, frozenset(trust.keys.items())


def _apart(opened: Iterable[Record | Fault]) -> About:
    found = list(opened)
    records = tuple(item for item in found if isinstance(item, Record))
    return About(records, tuple(item for item in found if isinstance(item, Fault)))
