"""Who may sign what, from when to when, for which systems: the rules of `trust:` and the term of each key."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

COMPROMISED = "compromised"
"""The reason after which a key's signatures count only where somebody outside saw them before."""

REASONS = ("lost", COMPROMISED, "superseded", "left")
"""Why a key is revoked."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """From when on a key signs nothing any more, and why: one of `REASONS`."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Term:
    """When a key may sign: from `start` on, before `end`, and not after it was revoked. None is no bound."""

    start: datetime | None = None
    end: datetime | None = None
    revoked: Revocation | None = None

    def closed(self, now: datetime) -> str:
        """Say why the key signs nothing at a moment; empty where it may sign."""
        if self.revoked is not None and now >= self.revoked.at:
            return f"was revoked on {self.revoked.at:%Y-%m-%d} ({self.revoked.reason})"
        if self.start is not None and now < self.start:
            return f"is valid from {self.start:%Y-%m-%d %H:%M} UTC on"
        return "" if self.end is None or now < self.end else f"ended on {self.end:%Y-%m-%d %H:%M} UTC"


ALWAYS = Term()
"""The term of a key of which aims.yaml says only where it lies."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of `trust:` for a kind of statement: `threshold` of these people, for systems that a glob matches.

    `systems` None is every statement, also one that is about no system.
    """

    by: tuple[str, ...]
    systems: tuple[str, ...] | None = None
    threshold: int = 1

    def governs(self, system: str | None) -> bool:
        """Whether it speaks about statements of a system."""
        if self.systems is None:
            return True
        return system is not None and any(fnmatchcase(system, pattern) for pattern in self.systems)

    def is_met(self, people: Collection[str]) -> bool:
        """Whether enough of its people are among those who signed. Each person counts once, whatever their keys."""
        return len(set(people) & set(self.by)) >= self.threshold
