"""What `aims systems status` shows, in the terminal and as JSON."""

from __future__ import annotations

from typing import Any

from aims_mlops.api.forecasting import KeyRow, StandingRow, StatusReport
from aims_mlops.model.times import to_text
from aims_mlops.views.layout import Grid

_HEAD = ("system", "model", "target", "requirement", "today", "then", "until", "reason")


def wire(report: StatusReport) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "schema": "aims.status/1",
        "now": to_text(report.now),
        "on": to_text(report.on),
        "exit_code": int(report.exit_code),
        "requirements": [_row(row) for row in report.rows],
        "keys": [
            {"kind": row.kind, "person": row.person, "today": row.today or None, "then": row.then or None}
            for row in report.keys
        ],
        "shut": len(report.shut),
        "unread": list(report.unread),
    }


def _row(row: StandingRow) -> dict[str, Any]:
    return {
        "system": row.system,
        "model": row.model,
        "target": row.target,
        "id": row.requirement,
        "kind": row.kind,
        "required": row.required,
        "today": row.today.value,
        "then": row.then.value,
        "until": None if row.until is None else to_text(row.until),
        "reason": row.reason,
    }


def table(report: StatusReport) -> Grid:
    """Return the report as a table: what is asked of each version, then the keys that will not sign."""
    cells: list[tuple[str, ...]] = [
        (
            row.system,
            row.model,
            row.target,
            row.requirement if row.required else f"({row.requirement})",
            row.today.value,
            row.then.value,
            "-" if row.until is None else f"{row.until:%Y-%m-%d %H:%M}",
            row.reason or "-",
        )
        for row in report.rows
    ]
    cells += [_key(row) for row in report.keys if row.today or row.then]
    cells += [("-", "-", "-", "-", "unread", "unread", "-", text) for text in report.unread]
    return Grid(_HEAD, tuple(cells), empty="nothing holds a protected target: aims promote MODEL --to ALIAS")


def _key(row: KeyRow) -> tuple[str, ...]:
    today, then = ("no key" if why else "key" for why in (row.today, row.then))
    return ("-", "-", "-", f"{row.person} for {row.kind}", today, then, "-", row.then or row.today)
