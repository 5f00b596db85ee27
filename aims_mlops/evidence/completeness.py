"""What a log proves to be missing: checks that were announced and never recorded, and what a decision did not see.

Pure: opened records and leaves in, remarks out. Nothing here decides about a promotion. Only statements that
somebody trusted signed are looked at: of the others it is said elsewhere that they are untrusted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aims_mlops.evidence.intent import intended
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.model.seen import Sight


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is missing or does not fit: where, and what."""

    where: str
    what: str


def unfinished(records: Iterable[Record]) -> list[Remark]:
    """Say of each intent which of its checks no result names it for: the run died, still goes on, or was held back."""
    trusted = [record for record in records if record.signer is not None]
    done = {(str(record.statement.body.get("intent")), check_id(record)) for record in _of("check-result", trusted)}
    remarks = []
    for record in _of("intent", trusted):
        open_ = [id_ for id_ in intended(record.statement.body) if (str(record.payload), id_) not in done]
        if open_:
            header = record.statement.header
            what = f"a run of checks on {header.model}/{header.version} began, and has no result for {', '.join(open_)}"
            remarks.append(Remark(f"leaf {record.seq}", what))
    return remarks


def astray(records: Iterable[Record], leaf_of: Callable[[str], Leaf | None]) -> list[Remark]:
    """Say which results name an intent that the log does not have before them, or that is about other files.

    `leaf_of` finds a leaf by the digest of its payload. A result that names none is an older version's, or could not
    announce itself, and is not remarked here.
    """
    remarks = []
    for record in _of("check-result", records):
        named = record.statement.body.get("intent")
        if record.signer is None or named is None:
            continue
        leaf = leaf_of(str(named))
        about = f"the result of {check_id(record)} names the intent {str(named)[:19]}"
        if leaf is None or leaf.type != predicate_type("intent"):
            remarks.append(Remark(f"leaf {record.seq}", f"{about}, which is not in the log"))
        elif leaf.subject != record.statement.subject or leaf.seq > record.seq:
            remarks.append(Remark(f"leaf {record.seq}", f"{about}, which is about other files or came after it"))
    return remarks


def unseen(decisions: Iterable[Record], leaves: Sequence[Leaf]) -> list[Remark]:
    """Hold what decisions about one subject say that they saw to all leaves about it, oldest first.

    A decision saw each leaf below the size of the log that it names; a server may have read a few more meanwhile, and
    those it names too. What no decision says, as those of earlier versions, is not held against it.
    """
    told = [(record, said) for record in decisions if (said := record.statement.body.get("seen")) is not None]
    places = [leaf.seq for leaf in leaves]
    known, remarks, sight, place = frozenset(places), [], Sight(), 0
    for record, said in sorted(((record, _Told(record, said)) for record, said in told), key=lambda pair: pair[1].end):
        while place < len(leaves) and leaves[place].seq < said.end:
            sight.add(leaves[place].seq, leaves[place].payload)
            place += 1
        if what := said.differs(sight, known, places[max(0, place - len(said.leaves)) : place]):
            remarks.append(Remark(f"leaf {record.seq}", what))
    return sorted(remarks, key=lambda remark: int(remark.where.partition(" ")[2]))


class _Told:
    """What a decision says that it saw. Whoever signs may write anything there."""

    def __init__(self, record: Record, said: Any) -> None:
        seen = said if isinstance(said, dict) else {}
        listed = seen.get("leaves")
        self.leaves = [place for place in listed if _is_place(place)] if isinstance(listed, list) else []
        self.well_formed = isinstance(listed, list) and len(self.leaves) == len(listed)
        self.count, self.digest = seen.get("count"), seen.get("digest")
        log = record.statement.body.get("log")
        size = log.get("size") if isinstance(log, dict) else 0
        self.end = max(size if _is_place(size) else 0, *[place + 1 for place in self.leaves], 0)

    def differs(self, sight: Sight, known: Collection[int], newest: Sequence[int]) -> str:
        """Say how it differs from what is there; empty where it does not."""
        there = sight.seen
        if not self.well_formed:
            return "the decision does not say in the form of ours what it saw"
        strange = [place for place in self.leaves if place not in known]
        if strange:
            return f"the decision saw leaf {strange[0]}, which is not in the log, or is about other files"
        if (self.count, self.digest, self.leaves) == (there.count, there.digest, list(newest)):
            return ""
        if self.count == there.count:
            return f"the decision saw other statements about these files than the {there.count} that are in the log"
        return f"of statements about these files the log has {there.count} before it, and the decision saw {self.count}"


def _is_place(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _of(kind: str, records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.statement.kind == kind]


def check_id(record: Record) -> str | None:
    """Return the requirement's id that a check result is for; None where it names none."""
    check = record.statement.body.get("check")
    named = check.get("id") if isinstance(check, dict) else None
    return named if isinstance(named, str) else None
