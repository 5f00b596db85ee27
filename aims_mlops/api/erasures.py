"""Which statements of a log were erased, as far as tombstones of trusted people say so.

`KnownLog` knows no keys. It lets pass that a statement is gone for which any tombstone stands in the log; here the
tombstones are opened, and where none holds, the statement is missing as it was before.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from aims_mlops.api.known_walk import Index, KnownWalk, LogStore, envelope_fault
from aims_mlops.api.opened import Opened, identity_of
from aims_mlops.evidence.log import Fault
from aims_mlops.evidence.record import Trust
from aims_mlops.evidence.tombstone import Erasure, erasure
from aims_mlops.model.digest import Digest

_TRUSTS = 8
"""For how many trusts the opened tombstones are kept."""


@dataclass
class _Read:
    """What tombstones of one walked log explain under one trust, and how many of them were opened."""

    walk: Index
    claims: int = 0
    erased: dict[int, Erasure] = field(default_factory=dict)
    """By the place of what was erased. Never shrinks: a tombstone is a statement like any other."""
    doubted: dict[int, Erasure] = field(default_factory=dict)
    """The same of doubted tombstones: erased for the gate too, and unproved."""
    unproved: dict[int, Digest] = field(default_factory=dict)
    """Places that only tombstones speak of which hold for nobody."""


class Erasures:
    """The erased statements of one store. Each tombstone is verified once. Safe to use from several threads."""

    def __init__(self, store: LogStore, opened: Opened) -> None:
        self._store, self._opened = store, opened
        self._turn = threading.Lock()
        self._kept: OrderedDict[Hashable, _Read] = OrderedDict()

    def held(self, walked: KnownWalk, trust: Trust) -> KnownWalk:
        """Return the walk with what was erased; what is gone without a tombstone that holds is a hole in it."""
        if not walked.origin.claims:
            return walked
        with self._turn:
            read = self._read(walked, trust)
            both = (*read.doubted.items(), *read.erased.items())  # what holds comes last, and takes the place
            erased = {seq: item for seq, item in both if item.tombstone.seq < walked.end}
            unproved = dict(read.unproved)
        there = self._store.envelope_digests(list(unproved.values())) if unproved else {}
        known = {fault.seq for fault in walked.faults}
        lost: list[Fault] = []
        for seq, payload in unproved.items():
            found = walked.of(payload)
            fault = None if found is None else envelope_fault(found.leaf, there.get(payload))
            if fault is not None and seq not in known:
                what = f"{fault.what}, and nobody who is trusted for it signed a tombstone"
                lost.append(replace(fault, what=what if fault.kind == "hole" else fault.what))
        return replace(walked, faults=(*walked.faults, *lost), erased=erased)

    def _read(self, walked: KnownWalk, trust: Trust) -> _Read:
        index, name = walked.origin, identity_of(trust)
        read = self._kept.get(name)
        if read is None or read.walk is not index:
            read = self._kept[name] = _Read(index)
        self._kept.move_to_end(name)
        while len(self._kept) > _TRUSTS:
            self._kept.popitem(last=False)
        while read.claims < len(index.claims) and index.claims[read.claims][1] < walked.size:
            self._take(read, *index.claims[read.claims], trust)
            read.claims += 1
        return read

    def _take(self, read: _Read, place: int, tombstone: int, trust: Trust) -> None:
        leaves, registry_id = read.walk.walker.leaves, read.walk.registry_id
        leaf = leaves[place].leaf
        said = self._opened.open(leaves[tombstone], trust)
        found = None if isinstance(said, Fault) else erasure(leaf, said, registry_id=registry_id)
        if found is not None and found.explains:
            read.erased.setdefault(leaf.seq, found)
            read.unproved.pop(leaf.seq, None)
            return
        if found is not None:
            read.doubted.setdefault(leaf.seq, found)
        if leaf.seq not in read.erased:
            read.unproved[leaf.seq] = leaf.payload
