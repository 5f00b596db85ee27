"""The words for what came out: of a measurement, of a requirement, of a decision."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from aims_mlops.errors import ExitCode


class Outcome(StrEnum):
    """What a check found. Ordered from best to worst by `worst`."""

    PASSED = "passed"
    WARNED = "warned"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    ERROR = "error"

    @property
    def good(self) -> bool:
        """Whether this outcome can open a gate."""
        return self in (Outcome.PASSED, Outcome.WARNED)

    @property
    def exit_code(self) -> ExitCode:
        """What a command answers for this outcome of a required check."""
        if self.good:
            return ExitCode.OK
        return ExitCode.UNDECIDED if self is Outcome.ERROR else ExitCode.SHUT


_BAD_FIRST = (Outcome.FAILED, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.WARNED, Outcome.PASSED)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of a whole: failed before error before inconclusive before warned.

    A failure beside an error is a failure: it will not go away when the error does. Nothing at all is an error.
    """
    seen = set(outcomes)
    return next((outcome for outcome in _BAD_FIRST if outcome in seen), Outcome.ERROR)


class Status(StrEnum):
    """How a requirement stands at the gate."""

    PASSED = "passed"
    WARNED = "warned"
    WAIVED = "waived"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    MISSING = "missing"
    STALE = "stale"
    UNTRUSTED = "untrusted"
    MISMATCHED = "mismatched"

    @property
    def open(self) -> bool:
        """Whether a requirement that stands so lets a promotion through."""
        return self in (Status.PASSED, Status.WARNED, Status.WAIVED)

    @property
    def exit_code(self) -> ExitCode:
        """What a command answers for this status of a required requirement."""
        if self.open:
            return ExitCode.OK
        if self is Status.ERROR:
            return ExitCode.UNDECIDED
        if self in (Status.UNTRUSTED, Status.MISMATCHED):
            return ExitCode.UNVERIFIED
        return ExitCode.SHUT


class Verdict(StrEnum):
    """What the gate answers. Only the first two let anything through."""

    ALLOWED = "allowed"
    ALLOWED_BY_WAIVER = "allowed_by_waiver"
    DENIED = "denied"
    UNDECIDED = "undecided"

    @property
    def open(self) -> bool:
        """Whether the promotion may go on."""
        return self in (Verdict.ALLOWED, Verdict.ALLOWED_BY_WAIVER)
