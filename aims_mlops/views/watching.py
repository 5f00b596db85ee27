"""What `aims watch` shows: at the terminal, as JSON, in one line of a log, and in a message to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aims_mlops.api import WatchReport
from aims_mlops.model.bypass import Bypass, Word
from aims_mlops.model.times import to_text
from aims_mlops.views.layout import Line, Lines
from aims_mlops.views.words import count, printable

_WIDTH = len("unrecorded")
_MOST = 20
"""Findings that a message names; the rest is counted."""


def watch_wire(report: WatchReport) -> dict[str, Any]:
    """Return `aims.watch/1`: what was looked at, each finding, and what does not hold in the log."""
    return {
        "schema": "aims.watch/1",
        "at": to_text(report.at),
        "looked": report.looked,
        "exit_code": int(report.exit_code),
        "findings": [_finding(found) for found in report.findings],
        "log": [{"word": fault.kind, "where": fault.seq, "what": fault.what} for fault in report.faults],
        "notes": list(report.notes),
        "notices": list(report.notices),
    }


def _finding(found: Bypass) -> dict[str, Any]:
    created = found.version.created_at
    return {
        "id": found.id,
        "word": found.word.value,
        "model": {
            "registry_id": found.version.registry_id,
            "workspace": found.version.workspace,
            "name": found.version.name,
            "version": found.version.version,
            "digest": found.digest,
        },
        "created_at": None if created is None else to_text(created),
        "to": found.target.to_wire(),
        "seen": found.seen,
        "logged": found.logged,
        "hint": found.hint,
        "promotion": found.promotion,
        "evidence": found.evidence,
        "fresh": found.fresh,
        "done": found.done,
    }


def watch_table(report: WatchReport) -> Lines:
    """Return each finding with what is there, what the log says and what to do; the summary comes last."""
    lines: list[Line] = []
    for found in report.findings:
        lines += _lines(found)
    lines += [
        Line(((f"✗ {fault.kind:{_WIDTH}}  ", "red"),), ((f"the log: {fault.what}", ""),)) for fault in report.faults
    ]
    lines += [Line((("  note: ", "dim"),), ((note, ""),)) for note in report.notes]
    lines += [Line((("! ", "yellow"),), ((notice, ""),)) for notice in report.notices]
    good = report.exit_code == 0
    return Lines((*lines, Line(body=((watch_line(report), "bold green" if good else "bold red"),))))


def _lines(found: Bypass) -> list[Line]:
    workspace = "" if found.version.workspace == "default" else f" in workspace {found.version.workspace}"
    lead = (f"✗ {found.word.value:{_WIDTH}}  ", "red")
    rows = [Line((lead,), ((found.seen + workspace, "bold"),))]
    rows.append(Line((("    the log: ", "dim"),), ((found.logged, ""),)))
    if found.done:
        rows.append(Line((("    done: ", "dim"),), ((found.done, ""),)))
    if not found.done or found.done.startswith(("nothing", "NOT")):
        rows.append(Line((("    next: ", "dim"),), ((found.hint, ""),)))
    if found.evidence is not None:
        word = "recorded" if found.fresh else "recorded before"
        rows.append(Line((("    finding: ", "dim"),), ((f"{found.evidence.short} ({word})", ""),)))
    return rows


def watch_line(report: WatchReport) -> str:
    """Say in one line what a look found."""
    looked = f"{count(report.looked, 'place')} looked at"
    unread = [found for found in report.findings if found.word is Word.UNREADABLE]
    log = "; THE LOG DOES NOT HOLD" if report.faults else ""
    if len(report.findings) > len(unread):
        found = f"{count(len(report.findings) - len(unread), 'finding')} ({len(report.fresh)} new)"
        return f"WENT ROUND THE GATE: {found}{log}; {looked}"
    if report.faults:
        return f"THE LOG DOES NOT HOLD: {report.faults[0].what}; {looked}"
    if unread:
        return f"COULD NOT BE LOOKED AT: {count(len(unread), 'place')}; {looked}"
    if not report.looked:
        return "nothing protected stands in the registry, and the log knows of no promotion: nothing was looked at"
    return f"the registry holds what the log says: {looked}"


def watch_message(fresh: Sequence[Bypass]) -> tuple[str, str]:
    """Return title and text of a message about new findings. It names models and places, and no person."""
    lines = []
    for found in fresh[:_MOST]:
        done = f" [{found.done}]" if found.done else ""
        lines.append(printable(f"{found.word.value}: {found.seen}; {found.logged}{done}"))
    if len(fresh) > _MOST:
        lines.append(f"and {len(fresh) - _MOST} more")
    lines.append("aims watch --once shows what to do")
    return f"aims watch: {count(len(fresh), 'new finding')}", "\n".join(lines)
