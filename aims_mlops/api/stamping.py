"""`aims log timestamp`: an authority says that a checkpoint existed at a time, and anybody verifies it later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aims_mlops.api.log_identity import identity, newest
from aims_mlops.api.stamps import Stamp
from aims_mlops.errors import UsageError
from aims_mlops.model.digest import Digest
from aims_mlops.ports import TimestampAuthority

if TYPE_CHECKING:  # which needs this to say who outside saw the log
    from aims_mlops.api.services import Services


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
