"""Whether a statement's times can be, and whether a key's term covers it. Pure.

Four times: *measured* and *signed* are what the signer wrote, *captured* is the store's clock when the leaf was
appended, *anchored* is when somebody outside saw that leaf at the latest. What the signer wrote is never enough:

1. `measured` and `signed` lie neither after `captured` nor after `anchored`, and `signed` not before `measured`.
   Clocks of two machines may differ by `CLOCK_SKEW`.
2. `signed` lies within the key's term: not before `from`, before `to`.
3. `captured` or `anchored` lies before `to`.
4. Of a revoked key, `signed` lies before the revocation, and so does `captured` or `anchored`. Where the key was
   `compromised`, only `anchored` counts: whoever has the key may have the store too, and its clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aims_mlops.evidence.anchors import Anchor
from aims_mlops.model.times import CLOCK_SKEW, to_text
from aims_mlops.model.trust import COMPROMISED, Term


@dataclass(frozen=True, slots=True)
class Times:
    """The four times of a statement. `anchor` is the earliest that covers its leaf; None where none does."""

    measured: datetime
    signed: datetime
    captured: datetime
    anchor: Anchor | None = None

    def before(self, moment: datetime) -> bool:
        """Whether the store's clock or somebody outside says that the statement was there before a moment."""
        return self.captured < moment or self.anchored_before(moment)

    def anchored_before(self, moment: datetime) -> bool:
        """Whether somebody outside says so."""
        return self.anchor is not None and self.anchor.at < moment


def impossible(times: Times) -> str:
    """Say which of a statement's times cannot be (1); empty where all can."""
    for word, moment in (("measured", times.measured), ("signed", times.signed)):
        if moment > times.captured + CLOCK_SKEW:
            return f"{word} at a time that lies after it was recorded"
        if times.anchor is not None and moment > times.anchor.at + CLOCK_SKEW:
            seen = f"{times.anchor.by} saw it in the log at {to_text(times.anchor.at)}"
            return f"{word} at {to_text(moment)}, a time that lies after {seen}"
    return "signed before it was measured" if times.signed < times.measured - CLOCK_SKEW else ""


def outside(term: Term, times: Times) -> str:
    """Say why a key's signature does not count for a statement of these times (2 to 4); empty where it does."""
    if term.start is not None and times.signed < term.start:
        return f"signed at {to_text(times.signed)}, and the key is valid from {to_text(term.start)} on"
    if term.end is not None and times.signed >= term.end:
        return f"signed at {to_text(times.signed)}, and the key ended at {to_text(term.end)}"
    if term.end is not None and not times.before(term.end):
        return f"recorded at {to_text(times.captured)}, and the key ended at {to_text(term.end)}"
    return _revoked(term, times)


def _revoked(term: Term, times: Times) -> str:
    if term.revoked is None:
        return ""
    at, reason = term.revoked.at, term.revoked.reason
    told = f"the key was revoked at {to_text(at)} ({reason})"
    if times.signed >= at:
        return f"signed at {to_text(times.signed)}, and {told}"
    if reason == COMPROMISED:
        return "" if times.anchored_before(at) else f"no outside anchor before the key was revoked: {told}"
    return "" if times.before(at) else f"recorded at {to_text(times.captured)}, and {told}"
