"""What `aims pack` shows, in the terminal and as JSON. What nobody outside has seen is called unwitnessed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aims_mlops.api import Pack
from aims_mlops.evidence.pack import PackReport, PackVerdict
from aims_mlops.evidence.pack_compare import PackComparison
from aims_mlops.evidence.pack_reading import PackTrouble
from aims_mlops.model.times import to_text
from aims_mlops.views.layout import Line, Lines
from aims_mlops.views.words import count

SCHEMA = "aims.pack/1"
"""The version of the JSON of every `aims pack`."""

_COLOURS = {PackVerdict.VALID: "bold", PackVerdict.INVALID: "bold red", PackVerdict.INCOMPLETE: "bold yellow"}
_SHOWN = 50
"""Troubles that are shown at the terminal; JSON has all of them."""


def pack_wire(made: Pack, place: str) -> dict[str, Any]:
    """Return `aims.pack/1` of a pack that was written."""
    index = made.index
    return {
        "schema": SCHEMA,
        "act": "build",
        "pack": place,
        "system": index.system,
        "from": to_text(index.start),
        "to": to_text(index.end),
        "digest": str(made.digest),
        "signed_by": made.signed_by,
        "statements": {"period": len(index.period), "before": len(index.before)},
        "files": len(made.files),
        "bytes": sum(map(len, made.files.values())),
        "log": {"origin": index.log.origin, "size": index.log.size, "root": index.log.root},
        "warnings": list(made.warnings),
        "exit_code": 0,
    }


def pack_table(made: Pack, place: str) -> Lines:
    """Return what was packed, and what a reader will miss in it."""
    index = made.index
    told = f"{place}: {index.system}, {to_text(index.start)} to {to_text(index.end)}"
    parts = f"{count(len(index.period), 'statement')} of the period, {len(index.before)} older; "
    return Lines(
        (
            *(Line((("! ", "yellow"),), ((warning, ""),)) for warning in made.warnings),
            Line(body=((told, ""),)),
            Line(body=((f"index {made.digest}, signed by {made.signed_by}", ""),)),
            Line(body=((f"packed: {parts}{count(len(made.files), 'file')}", "bold"),)),
        )
    )


def report_wire(found: PackReport, place: str) -> dict[str, Any]:
    """Return `aims.pack/1` of a pack that was verified."""
    index, seen = found.index, found.checkpoints
    return {
        "schema": SCHEMA,
        "act": "verify",
        "pack": place,
        "verdict": found.verdict.value,
        "system": None if index is None else index.system,
        "from": None if index is None else to_text(index.start),
        "to": None if index is None else to_text(index.end),
        "digest": found.digest,
        "signed_by": found.signed_by,
        "statements": len(found.records),
        "leaves": len(found.leaves),
        "files": 0 if index is None else len(index.files) + 1,
        "checkpoints": [{"size": size, "root": root} for size, root in seen.roots],
        "witnesses": list(seen.witnesses),
        "witnessed": seen.witnessed,
        "compared": seen.compared,
        "unwitnessed": found.unwitnessed,
        "incomparable": list(seen.incomparable),
        "troubles": _troubles_wire(found.troubles),
        "remarks": list(found.remarks),
        "exit_code": int(found.exit_code),
    }


def _troubles_wire(troubles: Iterable[PackTrouble]) -> list[dict[str, str]]:
    return [{"word": item.word, "where": item.where, "what": item.what} for item in troubles]


def report_table(found: PackReport, place: str) -> Lines:
    """Return every trouble, a line each, and the verdict last."""
    lines = [*_trouble_lines(found.troubles), *(Line((("  ", ""),), ((remark, ""),)) for remark in found.remarks)]
    told = [
        f"{name}: kept by you, and the pack has no checkpoint of its size" for name in found.checkpoints.incomparable
    ]
    lines += [Line((("  ", ""),), ((text, ""),)) for text in told]
    if found.index is not None:
        index = found.index
        about = f"{place}: {index.system}, {to_text(index.start)} to {to_text(index.end)}, index {found.digest}"
        lines.append(Line(body=((about, ""),)))
    return Lines((*lines, Line(body=_verdict(found))))


def _trouble_lines(troubles: tuple[PackTrouble, ...]) -> list[Line]:
    lines = [
        Line(((f"✗ {item.word:10}  ", "red"), (f"{item.where}  ", "bold")), ((item.what, ""),))
        for item in troubles[:_SHOWN]
    ]
    more = len(troubles) - _SHOWN
    return [*lines, Line(body=((f"… and {more} more: --format json", ""),))] if more > 0 else lines


def _verdict(found: PackReport) -> tuple[tuple[str, str], ...]:
    word, style = found.verdict.value, _COLOURS[found.verdict]
    if found.troubles:
        return ((f"{word}: {count(len(found.troubles), 'trouble')}", style),)
    if not found.trusted:
        return ((f"{word}: the form holds, and no --trust says whose signatures count", style),)
    told = f"{word}: {count(len(found.records), 'statement')}, signed by people who are trusted for them"
    parts = [(told, style)]
    if found.checkpoints.witnessed:
        seen = ", ".join(found.checkpoints.witnesses)
        parts.append((f"; witnessed up to {_leaves(found.checkpoints.witnessed)} by {seen}", "bold"))
    if found.checkpoints.compared:
        parts.append((f"; compared up to {_leaves(found.checkpoints.compared)}", "bold"))
    if found.unwitnessed:
        parts.append((f"; UNWITNESSED: {_leaves(found.unwitnessed)} that nobody outside has seen", "bold yellow"))
    return tuple(parts)


def _leaves(number: int) -> str:
    return "1 leaf" if number == 1 else f"{number} leaves"


def comparison_wire(found: PackComparison, old: str, new: str) -> dict[str, Any]:
    """Return `aims.pack/1` of two packs."""
    return {
        "schema": SCHEMA,
        "act": "compare",
        "old": report_wire(found.old, old),
        "new": report_wire(found.new, new),
        "both": found.both,
        "added": [leaf.seq for leaf in found.added],
        "gone": [leaf.seq for leaf in found.gone],
        "grew": found.grew,
        "troubles": _troubles_wire(found.troubles),
        "exit_code": int(found.exit_code),
    }


def comparison_table(found: PackComparison, old: str, new: str) -> Lines:
    """Return what contradicts, what each of the two is worth, and a summary last."""
    lines = [*_trouble_lines(found.troubles)]
    for place, report in ((old, found.old), (new, found.new)):
        lines.append(Line(((f"{place}  ", "bold"),), _verdict(report)))
    grew = {
        True: "the log only grew between them",
        False: "the log did NOT only grow",
        None: "no checkpoint is in both: that the log only grew is not shown",
    }[found.grew]
    parts = f"{_leaves(found.both)} in both, {len(found.added)} in the new alone, {len(found.gone)} in the old alone; "
    word = "THE TWO CONTRADICT EACH OTHER: " if found.troubles else ""
    return Lines((*lines, Line(body=((f"{word}{parts}{grew}", "bold red" if found.troubles else "bold"),))))
