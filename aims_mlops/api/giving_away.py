"""`aims log anchor`: the newest checkpoint leaves the house, and what was given away before is held against the log."""

from __future__ import annotations

from dataclasses import dataclass

from aims_mlops.api.log_identity import identity, newest
from aims_mlops.api.log_verifying import verify_checkpoints
from aims_mlops.api.services import Services
from aims_mlops.errors import CannotDecide, ExitCode, VerificationError
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.ports import CheckpointKeeper

_LOOK = "give nothing away: `aims log verify` tells more; find out who rewrote the log"


@dataclass(frozen=True)
class Given:
    """A checkpoint that a place outside keeps now: where there, and whether it left this machine."""

    place: str
    path: str
    size: int
    left: bool
    compared: int
    """How many checkpoints were there already, and hold."""


def give(services: Services, keeper: CheckpointKeeper) -> Given:
    """Hold the log to every checkpoint that a place keeps, then give it the newest.

    Raises `VerificationError` where the log is not what it was, and gives nothing then; `CannotDecide` for a hole, and
    where the place does not answer.
    """
    who = identity(services)
    signed = newest(services, who)
    there = keeper.checkpoints(who.origin)
    found = verify_checkpoints(services, there)
    if found.troubles:
        first = found.troubles[0]
        what = f"the log does not hold: {first.where}: {first.what}"
        kind = CannotDecide if found.exit_code is ExitCode.UNDECIDED else VerificationError
        raise kind(what, hint=_LOOK)
    path, left = keeper.keep(who.origin, signed.size, signed.note.to_bytes())
    return Given(keeper.place, path, signed.size, left, len(there))


def to_send(services: Services) -> tuple[str, SignedCheckpoint]:
    """Return the log's name and its newest checkpoint; raise `NothingToDo` where none was signed yet."""
    who = identity(services)
    return who.origin, newest(services, who)
