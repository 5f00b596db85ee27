"""The log as this process knows it: walked once, then only what is new is read. See ADR 0010.

Every look reads the new leaves and their envelopes and holds them to all rules, holds the last known leaf and the
head outside to what is known, and re-reads a few older places in turn. What was found broken stays broken until a
whole walk is clean. Whoever acts on a statement reads it from the store again: `Opened` in `api.opened` does.
"""

from __future__ import annotations

import logging
import random
import threading
import weakref

from aims_mlops.api.erasures import Erasures
from aims_mlops.api.known_walk import (
    Index,
    KnownWalk,
    LogStore,
    differing,
    envelope_faults,
    leaf_fault,
)
from aims_mlops.api.opened import Opened
from aims_mlops.errors import AimsError
from aims_mlops.evidence.log import Fault, Head, StoredLeaf
from aims_mlops.evidence.merkle import Tree, leaf_hash

_log = logging.getLogger(__name__)

REREAD = 16
"""How many older places each look reads again: after `size / REREAD` looks every place was read again."""

EVERY_SECONDS = 300.0
"""How often a server reads its whole log again."""

_BATCH = 500
_OTHER = Fault("tampered", None, "the store has another registry's id than before")


class KnownLog:
    """The verified log of one store, kept in memory for the life of a process. Safe to use from several threads.

    A process that looks once walks the whole log once. A server keeps one of these, and calls `reverify` from a
    thread of its own every few minutes.
    """

    def __init__(self, store: LogStore, *, reread: int = REREAD) -> None:
        """Read nothing yet. `reread` older places are read again at each look."""
        self.store = store
        self.opened = Opened(store, distrust=self.distrust)
        self.erasures = Erasures(store, self.opened)
        self._reread = reread
        self._turn = threading.RLock()
        self._index: Index | None = None
        self._broken: tuple[Fault, ...] = ()
        self._found = 0
        self._next = 0
        self._seen: tuple[Head | None, Head | None] = None, None
        """The head outside and the last leaf, when nothing was wrong."""

    def look(self) -> KnownWalk:
        """Read what is new and return the log as it stands now; the first look walks the whole.

        Never raises for what it reads. Raises `StoreError` where the store cannot be read, and `VerificationError`
        where its head file is damaged; what was known before is then known still.
        """
        with self._turn, self.store.reading():
            if self._index is None:
                self._index, faults, head = _walked(self.store)
                self._next = random.randrange(max(1, len(self._index.walker.leaves)))  # noqa: S311  # no secret
                self._found_now(faults, head)
            elif not self._broken:
                self._grow(self._index)
            return self._walk(self._index)

    def distrust(self, fault: Fault) -> None:
        """Take in what somebody else found broken: it stays until a whole walk is clean."""
        with self._turn:
            self._found_now([fault], None)

    def tree(self, walked: KnownWalk) -> Tree:
        """Return the Merkle tree over the leaves of a walk without faults, and perhaps over newer ones.

        It is made of the leaves that were walked and held to their chain, and grows with them: a second call hashes
        only what is new. Takes about 200 bytes of memory for a leaf, and none where nobody asks for it.
        """
        with self._turn:
            tree = walked.origin.tree
            for read in walked.origin.walker.leaves[tree.size : walked.size]:
                tree.add(leaf_hash(read.leaf.to_bytes()))
            return tree

    def reverify(self) -> KnownWalk:
        """Read every leaf and every envelope again, and return the log as it stands then.

        What is known is compared byte for byte, by digests, while others go on looking; where anything differs, or
        was broken before, all is walked anew from the first leaf and takes the place of what was known.
        """
        with self._turn:
            index, broken, found, (outside, last) = self._index, self._broken, self._found, self._seen
        if index is not None and not broken and not self._compare(index, 0 if last is None else last.seq + 1):
            return self.look()
        fresh, faults, head = _walked(self.store)
        if last is not None and not _put_back(outside, head):
            # What was seen here is a head too, and newer than the one outside where a writer died before moving it.
            faults = list(dict.fromkeys((*faults, *fresh.walker.hold_to_head(last))))
        with self._turn:
            self._index = fresh
            if self._found == found:  # else something lies perhaps behind this walk: the next one has to clear it
                self._broken = ()
            self._found_now(faults, head)
            return self.look()

    def _walk(self, index: Index) -> KnownWalk:
        return KnownWalk(self._broken, len(index.walker.leaves), index)

    def _found_now(self, faults: list[Fault], head: Head | None) -> None:
        if faults:
            self._found += 1
            self._broken = tuple(dict.fromkeys((*self._broken, *faults)))
        elif self._index is not None and not self._broken:
            self._seen = head, self._walk(self._index).head

    def _grow(self, index: Index) -> None:
        """Read on from the last known leaf, then hold new and some old places to their envelopes."""
        store, known = self.store, index.walker.leaves
        if store.registry_id() != index.registry_id:
            return self._found_now([_OTHER], None)
        head = store.head()  # before the leaves: meanwhile the log may grow, but never shrink
        rows = list(store.leaves(len(known) - 1 if known else 0))
        if known and (fault := _not_the_last(known[-1], rows)) is not None:
            return self._found_now([fault], None)
        size = len(known)
        turn = [(self._next + step) % size for step in range(min(self._reread, size))]
        old = [known[place] for place in turn]
        index.add(rows[1:] if known else rows)
        faults = [*index.walker.faults, *index.walker.hold_to_head(head)]
        faults += differing(store, old, known[index.held :], claimed=index.claimed)
        index.held = len(known)  # not before: where the store failed to answer, the same are asked for again
        self._next = (turn[-1] + 1) % size if turn else self._next
        return self._found_now(faults, head)

    def _compare(self, index: Index, size: int) -> list[Fault]:
        """Hold the first `size` places of the store to what is known. Takes nobody's turn: what is known only grows."""
        known = index.walker.leaves
        for start in range(0, size, _BATCH):
            with self.store.reading():
                some = known[start : min(size, start + _BATCH)]
                faults = differing(self.store, some, claimed=index.claimed)
            if faults:
                return faults
        return []


def keep_verifying(log: KnownLog, *, every: float = EVERY_SECONDS) -> threading.Event:
    """Call `reverify` from a thread of its own until the event that is returned is set, or the log is used no more.

    What it finds shuts the gate; a store that does not answer is tried again the next time. A thread that dies of an
    exception which nobody foresaw tells it as any thread does (`threading.excepthook`), and another takes its place.
    """
    stop, kept = threading.Event(), weakref.ref(log)

    def work() -> None:
        ended = False
        try:
            while not stop.wait(every) and (found := kept()) is not None:
                _verify_again(found)
                del found
            ended = True
        finally:
            if not ended:
                _log.error("verifying the evidence log again ended in an error; it goes on in %g s", every)
                begin()

    def begin() -> None:
        threading.Thread(target=work, name="aims-reverify", daemon=True).start()

    begin()
    return stop


def _verify_again(log: KnownLog) -> None:
    try:
        for fault in log.reverify().faults:
            _log.error("the evidence log does not hold: %s", fault.what)
    except AimsError as error:
        _log.warning("the evidence log could not be verified again: %s", error)


def _walked(store: LogStore) -> tuple[Index, list[Fault], Head | None]:
    """Walk the whole log, every envelope in it; return it, what is wrong with it, and the head that was outside."""
    head = store.head()  # before the leaves: meanwhile the log may grow, but never shrink
    index = Index(store.registry_id())
    index.add(store.leaves())
    walker, there = index.walker, store.envelope_digests()
    lost = envelope_faults(walker.leaves, there, index.claimed)
    index.held = len(walker.leaves)
    return index, [*walker.faults, *walker.hold_to_head(head), *lost], head


def _put_back(seen: Head | None, now: Head | None) -> bool:
    """Whether an operator pinned an older head than the one that was seen: of itself it never moves back."""
    return seen is not None and now is not None and now.seq < seen.seq


def _not_the_last(last: StoredLeaf, rows: list[bytes]) -> Fault | None:
    if not rows:
        seq = last.leaf.seq
        return Fault("hole", seq, f"the log ends before leaf {seq}, which was read before: its tail is cut off")
    return leaf_fault(last, rows[0])
