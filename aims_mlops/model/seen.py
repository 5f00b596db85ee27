"""What a decision was shown of some files: which leaves of the log, and one digest over all of them.

A statement that is withheld from the gate, or taken out of the log later, is then missed by anyone who reads the
signed decision: number and digest no longer come out.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Any

from aims_mlops.model.digest import Digest

LISTED = 100
"""How many of the newest leaves a decision names one by one; all are in the digest."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All leaves about one subject, as far as the log went: how many, the newest by number, and a digest over all.

    The digest is the SHA-256 of a line for each, oldest first: its number, a blank, and its payload's digest.
    """

    count: int
    leaves: tuple[int, ...]
    digest: Digest

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"count": self.count, "leaves": list(self.leaves), "digest": self.digest}


class Sight:
    """Takes leaves in, oldest first, and says at any time what was seen: what it costs does not grow with the log."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._count = 0
        self._newest: deque[int] = deque(maxlen=LISTED)
        self._digest = hashlib.sha256()

    def add(self, seq: int, payload: Digest) -> None:
        """Take in the next leaf."""
        self._count += 1
        self._newest.append(seq)
        self._digest.update(f"{seq} {payload}\n".encode())

    @property
    def seen(self) -> Seen:
        """What was taken in until now."""
        return Seen(self._count, tuple(self._newest), Digest.from_hex(self._digest.hexdigest()))
