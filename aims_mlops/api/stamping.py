"""`aims log timestamp`: an authority says that a checkpoint existed at a time, and anybody verifies it offline later.

What is stamped is the checkpoint's signed text: origin, size and root. So each leaf below that size existed then. A
stamp says nothing of leaves that were left out, and does not show a second history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aims_mlops.api.log_identity import Identity, identity, newest
from aims_mlops.errors import MissingExtra, UsageError, VerificationError
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.model.digest import Digest
from aims_mlops.ports import TimestampAuthority

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


def stamp_newest(services: Services, authority: TimestampAuthority) -> Stamp:
    """Have the newest checkpoint stamped, verify the answer at once, and keep it with the log.

    Raises `NothingToDo` where no checkpoint was signed yet, `CannotDecide` where the authority does not answer, and
    `VerificationError` where its answer does not hold; then nothing is kept.
    """
    signed = newest(services, identity(services))
    text = signed.note.text
    stamp = authority.stamp(text)
    at = authority.read(stamp, text)
    services.store.keep_timestamp(stamp, checkpoint=Digest.of(text))
    return Stamp(signed.size, signed.root, authority.place, at)


def must_stamp(services: Services) -> tuple[TimestampAuthority, ...]:
    """Return the authorities of aims.yaml; raise `UsageError` where there is none."""
    if not services.authorities:
        raise UsageError(
            "aims.yaml trusts no time stamp authority: a stamp would count for nothing",
            hint="log: {timestamps: [{url: https://…, roots: FILE.pem}]} in aims.yaml",
        )
    return services.authorities


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
    contents = list(services.store.checkpoints())
    found: dict[str, SignedCheckpoint] = {}
    try:
        outside = services.store.last_checkpoint()
        contents += [] if outside is None else [outside]
    except VerificationError:  # its file is damaged: `aims log verify` says so
        pass
    for content in contents:
        try:
            signed = who.open(content)
        except VerificationError:
            continue
        found[str(Digest.of(signed.note.text))] = signed
    return found
