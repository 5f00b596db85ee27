"""What `aims doctor` found out about a registry's server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `state` is `ok`, `warning`, `bad` or `unknown`."""

    subject: str
    state: str
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """Whether a registry's server enforces the gate. None where that could not be found out."""

    place: str
    enforces: bool | None
    findings: tuple[Finding, ...]
    unguarded: tuple[str, ...]
    """What nobody can guard here, in plain words."""
