"""Anchors: somebody outside saw the log at a size, no later than a time. Pure.

An anchor of size N covers the leaves with the numbers 0 to N - 1: each of them existed when the anchor was made. It
bounds a time from above and says nothing about how much earlier a leaf was written.

Whoever makes anchors (`api/anchoring.py`) has verified them under keys that aims.yaml trusts, and has held the root
that was seen to the log as it stands. Neither is checked here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


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
