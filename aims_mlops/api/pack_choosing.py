"""Which leaves of a log belong into the pack of a system and a period. Only what is signed decides, no look-up column.

1. A statement belongs to a system that its header names; where it names none, to the system that claims its model, or,
   where it is about no model (a configuration, a key, an erasure), to every system.
2. The period has what belongs to the system and was recorded in it.
3. Older statements that these rest on: all that belong to the system and are about the same files as one of the period
   or as a version that was in use when it began, and everything older that belongs to every system.
4. What was erased belongs where its tombstone belongs: its leaf is there, and no statement.
5. Leaves, and only leaves, of other systems' statements about the same files: decisions count them among what they saw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from aims_mlops.api.acts import read_acts, since_removal
from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.looking import walk_log
from aims_mlops.api.services import Services
from aims_mlops.errors import CannotDecide, NothingToDo, VerificationError
from aims_mlops.evidence.log import Fault, Leaf, StoredLeaf
from aims_mlops.evidence.record import Record, Trust
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import System
from aims_mlops.model.times import from_text

_LOOK = "`aims evidence verify` names each place; half of a record is none"


@dataclass(frozen=True)
class Chosen:
    """The statements of a pack, oldest first, and the places of the log that they and their like have."""

    walked: KnownWalk
    records: tuple[Record, ...]
    leaves: tuple[Leaf, ...]
    """The leaves of `period`, `before` and `others`, ascending."""
    period: tuple[int, ...]
    before: tuple[int, ...]
    others: tuple[int, ...]


def choose(services: Services, system: System, start: datetime, end: datetime, trust: Trust) -> Chosen:
    """Choose by the four rules. Raises `VerificationError` or `CannotDecide` where the log does not hold."""
    walked = walk_log(services, whole=True)
    for fault in walked.faults:
        refuse_fault(fault)
    told = [record for record in _opened(services, walked) if record.captured_at < end]
    own = [record for record in told if belongs(record.statement, system)]
    period = [record for record in own if record.captured_at >= start]
    files = {record.statement.subject for record in period if record.statement.header.model is not None}
    files |= _in_use(services, walked, system, start, trust)
    before = [record for record in own if record.captured_at < start and _is_ground(record, files)]
    if not period and not before:
        what = f"the log has nothing of {system.id} before {end:%Y-%m-%d %H:%M} UTC"
        raise NothingToDo(what, hint="aims evidence list")
    ours = {record.seq for record in own}
    theirs = [record.seq for record in told if record.statement.subject in files and record.seq not in ours]
    erased = [item.leaf for item in walked.excused.values() if item.tombstone.seq in ours]
    late = [leaf.seq for leaf in erased if from_text(leaf.captured_at) >= start]
    early = [leaf.seq for leaf in erased if from_text(leaf.captured_at) < start and leaf.subject in files]
    mine, leaves = sorted(record.seq for record in (*period, *before)), walked.leaves
    return Chosen(
        walked=walked,
        records=tuple(_open(services, leaves[seq], trust) for seq in mine),
        leaves=tuple(leaves[seq].leaf for seq in sorted((*mine, *theirs, *late, *early))),
        period=tuple(sorted((*(record.seq for record in period), *late))),
        before=tuple(sorted((*(record.seq for record in before), *early))),
        others=tuple(theirs),
    )


def belongs(statement: Statement, system: System) -> bool:
    """Whether a statement belongs to a system (rule 1)."""
    header = statement.header
    if header.system is not None:
        return header.system == system.id
    return header.model is None or system.claims(header.model)


def _is_ground(record: Record, files: set[Digest]) -> bool:
    """Whether an older statement is one that the period rests on (rule 3)."""
    return record.statement.header.model is None or record.statement.subject in files


def _in_use(services: Services, walked: KnownWalk, system: System, at: datetime, trust: Trust) -> set[Digest]:
    """Return the model digests of what stood at a place of the system at a moment."""
    acts = read_acts(services, walked, trust)
    earlier = [act for act in acts.acts if act.record.captured_at < at and belongs(act.record.statement, system)]
    places = {act.place for act in earlier}
    standing = [since_removal([act for act in earlier if act.place == place])[:1] for place in places]
    return {act.digest for acts_ in standing for act in acts_}


def _opened(services: Services, walked: KnownWalk) -> Iterator[Record]:
    """Read every statement; whose signatures they have is asked for of those that are chosen only."""
    excused = walked.excused
    with services.store.reading():
        for read in walked.leaves:
            if read.leaf.seq not in excused:
                yield _open(services, read, Trust({}, {}))


def _open(services: Services, read: StoredLeaf, trust: Trust) -> Record:
    opened = services.log.opened.open(read, trust)
    return refuse_fault(opened) if isinstance(opened, Fault) else opened


def refuse_fault(fault: Fault) -> NoReturn:
    """Raise `CannotDecide` for a hole in the log, `VerificationError` for anything else that does not hold."""
    if fault.kind == "hole":
        raise CannotDecide(f"the log has a hole: {fault.what}", hint=_LOOK)
    raise VerificationError(f"the log does not hold: {fault.what}", hint=_LOOK)
