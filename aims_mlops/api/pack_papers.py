"""What a pack has for people: a table of its statements, a page to begin with, and the two verifiers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from importlib.resources import files
from string import Template

from aims_mlops.evidence.record import Record
from aims_mlops.model.times import to_text

COLUMNS = ("seq", "time", "kind", "model", "version", "says", "signer", "digest", "file")
"""The columns of `index.csv`."""

_VERIFIERS = ("verify.py", "verify.sh")


def index_csv(rows: Iterable[tuple[Record, str, str]]) -> bytes:
    """Return the table: a row for each statement, with its file and what it says in a few words.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for record, file, says in rows:
        statement, header = record.statement, record.statement.header
        cells = (
            str(record.seq),
            to_text(record.captured_at),
            statement.kind,
            header.model or "",
            header.version or "",
            says,
            record.signer or "",
            str(record.payload),
            file,
        )
        table.writerow([f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell for cell in cells])
    return out.getvalue().encode()


def readme(system: str, start: datetime, end: datetime, *, checkpoint: int) -> bytes:
    """Return the page to begin with."""
    proved = f"one of {checkpoint} leaves" if checkpoint else "none: that these statements are in a log is not proved"
    values = {"system": system, "start": to_text(start), "end": to_text(end), "checkpoint": proved}
    return Template(_packaged("README.txt").decode()).substitute(values).encode()


def verifiers() -> dict[str, bytes]:
    """Return the two programs that verify a pack without us, as this version has them."""
    return {name: _packaged(name) for name in _VERIFIERS}


def _packaged(name: str) -> bytes:
    return (files("aims_mlops") / "pack_files" / name).read_bytes()
