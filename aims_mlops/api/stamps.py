"""The time stamps that are kept with the log, verified each time they are read.

What is stamped is the checkpoint's signed text: origin, size and root. So each leaf below that size existed then. A
stamp says nothing of leaves that were left out, and does not show a second history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aims_mlops.api.log_identity import Identity, found_checkpoints
from aims_mlops.errors import MissingExtra, VerificationError
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.model.digest import Digest

if TYPE_CHECKING:  # which needs this to say who outside saw the log
    from aims_mlops.api.services import Services


@dataclass(frozen=True)
class Stamp:
    """A time stamp: the checkpoint that it is over, whose it is, and until when that existed at the latest.

    `by` and `at` are None where no authority that is trusted here gave it; `problem` says why.
    """

    size: int
    root: bytes
    by: str | None
    at: datetime | None
    problem: str = ""


def stamps(services: Services, who: Identity) -> Iterator[Stamp]:
    """Yield every kept stamp of a checkpoint that is kept, verified now, or with what is wrong with it.

    Not checked here: that the log, as it stands, has the checkpoint in it.
    """
    kept = services.store.timestamps()
    texts = _texts(services, who) if kept else {}
    for over, stamp in kept:
        signed = texts.get(over)
        if signed is None:
            yield Stamp(0, b"", None, None, "a time stamp over a checkpoint that is not kept")
            continue
        yield _read(services, signed, stamp)


def _read(services: Services, signed: SignedCheckpoint, stamp: bytes) -> Stamp:
    problem = "no authority of aims.yaml is there to hold it to"
    for authority in services.authorities:
        try:
            at = authority.read(stamp, signed.note.text)
            return Stamp(signed.size, signed.root, authority.place, at)
        except (VerificationError, MissingExtra) as error:
            problem = f"{error} ({error.hint})" if isinstance(error, MissingExtra) else str(error)
    return Stamp(signed.size, signed.root, None, None, problem)


def _texts(services: Services, who: Identity) -> dict[str, SignedCheckpoint]:
    """Return the kept checkpoints that hold, by the digest of their signed text."""
    found: dict[str, SignedCheckpoint] = {}
    for content in found_checkpoints(services):
        try:
            signed = who.open(content)
        except VerificationError:
            continue
        found[str(Digest.of(signed.note.text))] = signed
    return found
