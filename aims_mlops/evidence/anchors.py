"""Anchors: somebody outside saw the log at a size, no later than a time. Pure.

An anchor of size N covers the leaves with the numbers 0 to N - 1: each of them existed when the anchor was made. It
bounds a time from above and says nothing about how much earlier a leaf was written.

Whoever makes anchors (`api/anchoring.py`) has verified them under keys that aims.yaml trusts, and has held the root
that was seen to the log as it stands. Neither is checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.evidence.note import VerifierKey

COSIGNATURE = "cosignature"
"""The kind of an anchor that witnesses made: C2SP cosignature/v1 says when each of them saw a checkpoint."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Somebody outside (`by`) saw the first `size` leaves no later than `at`. `kind` says by what: `cosignature`."""

    kind: str
    by: str
    size: int
    at: datetime

    def covers(self, seq: int) -> bool:
        """Whether the leaf with this number, the first being 0, was there."""
        return 0 <= seq < self.size


def earliest(anchors: Iterable[Anchor], seq: int) -> Anchor | None:
    """Return the earliest anchor that covers the leaf with this number (the first is 0); None where none does."""
    return min((anchor for anchor in anchors if anchor.covers(seq)), key=lambda anchor: anchor.at, default=None)


def cosigned(signed: SignedCheckpoint, witnesses: Sequence[VerifierKey], quorum: int) -> Anchor | None:
    """Return the anchor that witnesses made of a checkpoint; None where fewer than `quorum` of them cosigned it.

    It counts from the time on at which the last of so many did: a single witness can not date it back alone where two
    are demanded. Raises `VerificationError` where one of the cosignatures is bad, or its time is none.
    """
    try:
        # C2SP writes 0 where a cosignature has no time.
        timed = {key: line.time for key, line in signed.note.signed_by(witnesses).items() if line.time}
        times = {key.key.id: (datetime.fromtimestamp(time, UTC), key.name) for key, time in timed.items()}
    except (ValueError, OverflowError, OSError) as error:  # a time after the year 9999 among them
        raise VerificationError(f"checkpoint: the time of a cosignature is none: {error}") from error
    if len(times) < quorum:
        return None
    at, by = sorted(times.values())[quorum - 1]
    return Anchor(COSIGNATURE, by, signed.size, at)
