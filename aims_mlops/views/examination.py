"""What `aims doctor` prints."""

from __future__ import annotations

from typing import Any

from aims_mlops.model.examination import Examination

_MARKS = {"ok": "✓", "warning": "!", "bad": "✗", "unknown": "?"}
_ANSWERS = {True: "enforces the gate", False: "does NOT enforce the gate", None: "could not be examined"}


def examination_lines(found: Examination) -> list[str]:
    """Return the answer, each finding with its hint, and what cannot be guarded."""
    lines = [f"{found.place} {_ANSWERS[found.enforces]}"]
    width = max((len(finding.subject) for finding in found.findings), default=0)
    for finding in found.findings:
        lines.append(f"{_MARKS[finding.state]} {finding.subject:<{width}}  {finding.what}")
        if finding.hint:
            lines.append(f"  {'':<{width}}  next: {finding.hint}")
    if found.unguarded:
        lines += ["", "What no server can guard, and aims watch finds:"]
        lines += [f"  - {what}" for what in found.unguarded]
    return lines


def examination_wire(found: Examination) -> dict[str, Any]:
    """Return the same as `aims.doctor/1`."""
    return {
        "schema": "aims.doctor/1",
        "registry": found.place,
        "enforces": found.enforces,
        "findings": [
            {"subject": item.subject, "state": item.state, "what": item.what, "hint": item.hint}
            for item in found.findings
        ],
        "unguarded": list(found.unguarded),
    }
