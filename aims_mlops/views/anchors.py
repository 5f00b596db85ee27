"""What `aims log timestamp` and `aims log anchor` show: each anchor is called by what it proves, by nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aims_mlops.api import Given, Stamp
from aims_mlops.model.times import to_text
from aims_mlops.views.checkpoints import SCHEMA
from aims_mlops.views.layout import Line, Lines
from aims_mlops.views.words import count, leaves


def stamp_wire(item: Stamp) -> dict[str, Any]:
    """Return one time stamp."""
    at = None if item.at is None else to_text(item.at)
    return {"size": item.size, "by": item.by, "at": at, "problem": item.problem or None}


def stamps_wire(made: Sequence[Stamp], failed: Mapping[str, str], code: int) -> dict[str, Any]:
    """Return `aims.log/1` of what authorities answered."""
    stamped = [stamp_wire(item) for item in made]
    return {"schema": SCHEMA, "act": "timestamp", "timestamps": stamped, "failed": dict(failed), "exit_code": code}


def stamps_table(made: Sequence[Stamp], failed: Mapping[str, str]) -> Lines:
    """Return each authority's answer, and what a stamp does not say."""
    lines = [
        Line(((f"{item.by}  ", "bold"),), ((f"{leaves(item.size)} existed at {to_text(item.at)}", ""),))
        for item in made
        if item.at is not None
    ]
    lines += _failed(failed)
    summary = f"time-stamped by {', '.join(str(item.by) for item in made)}" if made else "no time stamp"
    told = "; a stamp says when, and witnesses no history" if made else ""
    return Lines((*lines, Line(body=((summary, "bold" if made else "bold yellow"), (told, "yellow")))))


def given_wire(
    given: Given | None, sent: Sequence[str], failed: Mapping[str, str], *, size: int, code: int
) -> dict[str, Any]:
    """Return `aims.log/1` of a checkpoint that was given away."""
    git = None
    if given is not None:
        git = {"place": given.place, "path": given.path, "pushed": given.left, "compared": given.compared}
    told = {"size": size, "git": git, "sent": list(sent), "failed": dict(failed)}
    return {"schema": SCHEMA, "act": "anchor", **told, "exit_code": code}


def given_table(given: Given | None, sent: Sequence[str], failed: Mapping[str, str], size: int) -> Lines:
    """Return where the checkpoint is now, and whether anybody else has it."""
    lines = []
    if given is not None:
        left = "pushed" if given.left else "no remote is set: it has not left this machine"
        lines.append(Line(((f"{given.place}  ", "bold"),), ((f"committed: {given.path}", ""),)))
        lines.append(Line(body=((left, ""),)))
        lines.append(Line(body=((f"held to {count(given.compared, 'checkpoint')} that it had before", ""),)))
    lines += [Line(((f"{place}  ", "bold"),), (("sent", ""),)) for place in sent]
    lines += _failed(failed)
    away = bool(sent) or (given is not None and given.left)
    word = "given away" if away else "still unwitnessed: given to nobody outside"
    return Lines((*lines, Line(body=((f"{leaves(size)}: {word}", "bold" if away else "bold yellow"),))))


def _failed(failed: Mapping[str, str]) -> list[Line]:
    return [Line((("✗ ", "red"), (f"{place}  ", "bold")), ((what, ""),)) for place, what in failed.items()]
