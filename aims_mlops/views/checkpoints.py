"""What `aims log` shows, in the terminal and as JSON. What nobody outside has seen is called unwitnessed."""

from __future__ import annotations

from typing import Any

from aims_mlops.api import Checkpointed, Cosigned, LogVerification, Proved
from aims_mlops.views.layout import Line, Lines
from aims_mlops.views.words import count

SCHEMA = "aims.log/1"


def checkpoint_wire(made: Checkpointed) -> dict[str, Any]:
    """Return `aims.log/1` of a checkpoint that was signed now."""
    signed = made.signed
    return {
        "schema": SCHEMA,
        "act": "checkpoint",
        "origin": made.origin,
        "keys": [made.key],
        "size": signed.size,
        "root": signed.root.hex(),
        "before": made.before,
        "note": signed.note.to_bytes().decode(),
        "exit_code": 0,
    }


def checkpoint_table(made: Checkpointed) -> Lines:
    """Return what was signed, its note as it stands, and what it is still worth."""
    signed = made.signed
    fresh = _leaves(signed.size - made.before)
    return Lines(
        (
            *(_plain(line) for line in signed.note.to_bytes().decode().splitlines()),
            Line(body=((f"verifier key  {made.key}", ""),)),
            Line(
                body=(
                    (f"signed: {_leaves(signed.size)}, {fresh} more than before; ", "bold"),
                    ("unwitnessed until somebody outside has it", "yellow"),
                )
            ),
        )
    )


def log_wire(found: LogVerification) -> dict[str, Any]:
    """Return `aims.log/1` of a verification."""
    return {
        "schema": SCHEMA,
        "act": "verify",
        "origin": found.origin,
        "keys": list(found.keys),
        "size": found.size,
        "root": found.root.hex(),
        "tiles": {"kept": found.tiles, "missing": found.tiles_missing},
        "checkpoints": [
            {
                "where": list(row.where),
                "size": row.size,
                "root": row.root.hex(),
                "witnesses": list(row.witnesses),
                "witnessed": row.witnessed,
                "holds": row.holds,
            }
            for row in found.checkpoints
        ],
        "quorum": found.quorum,
        "witnessed": found.witnessed,
        "compared": found.compared,
        "unwitnessed": found.unwitnessed,
        "erased": [{"leaf": item.leaf.seq, "tombstone": item.tombstone.seq} for item in found.erased],
        "troubles": [{"word": item.word, "where": item.where, "what": item.what} for item in found.troubles],
        "exit_code": int(found.exit_code),
    }


def log_table(found: LogVerification) -> Lines:
    """Return every checkpoint and every trouble, a line each, and a summary last."""
    lines = [_plain(f"verifier key  {key}") for key in found.keys]
    for row in found.checkpoints:
        seen = ", ".join(row.witnesses) if row.witnesses else "no witness"
        word, style = ("holds", "") if row.holds else ("DOES NOT HOLD", "red")
        told = f"{word}; kept: {', '.join(row.where)}; cosigned by {seen} ({len(row.witnesses)} of {found.quorum})"
        lines.append(Line(((f"checkpoint of {_leaves(row.size)}  ", "bold"),), ((told, style),)))
    lines += [_plain(f"leaf {item.leaf.seq}  {item.kind}: {item.says}") for item in found.erased]
    lines += [
        Line(((f"✗ {item.word:10}  ", "red"), (f"{item.where}  ", "bold")), ((item.what, ""),))
        for item in found.troubles
    ]
    return Lines((*lines, Line(body=_summary(found))))


def _summary(found: LogVerification) -> tuple[tuple[str, str], ...]:
    leaves = f"{_leaves(found.size)}, {count(found.tiles, 'full tile')}"
    if found.troubles:
        return ((f"DOES NOT VERIFY: {count(len(found.troubles), 'trouble')}; {leaves}", "bold"),)
    parts = [(f"log holds: {leaves}, {count(len(found.checkpoints), 'checkpoint')}", "bold")]
    if found.witnessed:
        parts.append((f"; witnessed up to {_leaves(found.witnessed)}", "bold"))
    if found.compared:
        parts.append((f"; compared up to {_leaves(found.compared)}", "bold"))
    if found.unwitnessed or not found.size:
        nobody = _leaves(found.unwitnessed)
        parts.append((f"; UNWITNESSED: {nobody} that nobody outside has seen", "bold yellow"))
    return tuple(parts)


def proof_wire(made: Proved, file: str) -> dict[str, Any]:
    """Return `aims.log/1` of a proof that was written."""
    return {
        "schema": SCHEMA,
        "act": "prove",
        "origin": made.checkpoint.checkpoint.origin,
        "statement": made.leaf.payload,
        "index": made.leaf.seq,
        "size": made.checkpoint.size,
        "root": made.checkpoint.root.hex(),
        "hashes": len(made.proof.hashes),
        "witnesses": list(made.witnesses),
        "witnessed": made.witnessed,
        "file": file,
        "exit_code": 0,
    }


def proof_table(made: Proved, file: str) -> Lines:
    """Return where the proof lies and what it proves."""
    said = f"leaf {made.leaf.seq} is in the checkpoint of {_leaves(made.checkpoint.size)}: {file}, "
    hashes = f"{len(made.proof.hashes)} hashes"
    seen = f"witnessed by {', '.join(made.witnesses)}" if made.witnessed else "unwitnessed"
    return Lines((Line(body=((f"{said}{hashes}; ", "bold"), (seen, "" if made.witnessed else "yellow"))),))


def cosigned_wire(made: list[Cosigned], failed: dict[str, str], code: int) -> dict[str, Any]:
    """Return `aims.log/1` of what witnesses answered."""
    return {
        "schema": SCHEMA,
        "act": "witness",
        "cosigned": [
            {
                "place": item.place,
                "size": item.size,
                "by": list(item.by),
                "witnesses": list(item.witnesses),
                "quorum": item.quorum,
                "witnessed": item.witnessed,
            }
            for item in made
        ],
        "failed": failed,
        "exit_code": code,
    }


def cosigned_table(made: list[Cosigned], failed: dict[str, str]) -> Lines:
    """Return each witness's answer, and whether they are enough."""
    lines = [
        Line(
            ((f"{item.place}  ", "bold"),),
            ((f"cosigned {_leaves(item.size)} as {', '.join(item.by)}", ""),),
        )
        for item in made
    ]
    lines += [Line((("✗ ", "red"), (f"{place}  ", "bold")), ((what, ""),)) for place, what in failed.items()]
    last = made[-1] if made else None
    if last is None:
        summary = ("no witness cosigned: unwitnessed", "bold yellow")
    else:
        enough = "witnessed" if last.witnessed else "still unwitnessed"
        told = f"{enough}: {len(last.witnesses)} of {last.quorum} needed"
        summary = (told, "bold" if last.witnessed else "bold yellow")
    return Lines((*lines, Line(body=(summary,))))


def _leaves(number: int) -> str:
    return "1 leaf" if number == 1 else f"{number} leaves"


def _plain(text: str) -> Line:
    return Line(body=((text, ""),))
