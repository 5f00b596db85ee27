"""What `aims evidence erase` shows, in the terminal and as JSON."""

from __future__ import annotations

from typing import Any

from aims_mlops.api import Erased
from aims_mlops.views.layout import Line, Lines
from aims_mlops.views.words import count


def erased_wire(done: Erased) -> dict[str, Any]:
    """Return `aims.erasure/1`: what was erased, by which tombstone, and where copies may lie."""
    leaf, tombstone = done.erasure.leaf, done.erasure.tombstone
    body = tombstone.statement.body
    return {
        "schema": "aims.erasure/1",
        "statement": leaf.payload,
        "leaf": leaf.seq,
        "kind": done.erasure.kind,
        "tombstone": tombstone.payload,
        "tombstone_leaf": tombstone.seq,
        "signed_now": done.signed_now,
        "reason": body.get("reason"),
        "asked_by": body.get("askedBy"),
        "basis": body.get("basis"),
        "signed_by": tombstone.signer,
        "texts": list(done.texts),
        "copies": done.copies,
        "exit_code": 0,
    }


def erased_table(done: Erased) -> Lines:
    """Return what is gone, and what somebody has to see to by himself."""
    leaf, tombstone = done.erasure.leaf, done.erasure.tombstone
    texts = f" and {count(len(done.texts), 'text')} that only it named" if done.texts else ""
    finished = "" if done.signed_now else "; the tombstone was there already"
    lines = [
        Line(((f"{done.erasure.kind} of leaf {leaf.seq}  ", "bold"),), ((f"erased{texts}{finished}", ""),)),
        Line((("tombstone  ", "bold"),), ((f"#{tombstone.seq} {tombstone.payload}", ""),)),
    ]
    if done.copies is not None:
        told = f"copies that were attached to the version's run, under {done.copies}, are not deleted by this"
        lines.append(Line((("! ", "yellow"),), ((told, ""),)))
    lines.append(Line((("! ", "yellow"),), (("neither are backups and exports of the store", ""),)))
    summary = f"erased: the {done.erasure.kind} of leaf {leaf.seq} counts as missing from now on"
    return Lines((*lines, Line(body=((summary, "bold"),))))
