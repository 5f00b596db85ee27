"""CSV files, read once and strictly, into one parquet file in the private folder.

The dialect is fixed, never guessed from rows: a header line, `"` quotes doubled inside, UTF-8. The separator is a tab
in `.tsv`; else whichever of comma, semicolon, tab and bar parts the header line into most columns. A row with more or
fewer cells than the header is an error, not a row to pass over. The empty cell, quoted or not, is null.

A column's type is found from all of its cells, not from a sample: whole numbers that fit 64 bits, else numbers, else
`true` and `false`, else text. Text that looks like a time stays text, and so do numbers with leading zeros and whole
numbers beyond 64 bits: they are codes, and would lose digits.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aims_mlops.data.database import Relation
from aims_mlops.data.sources import same_names, unreadable, usable_names
from aims_mlops.data.sql import identifier, literal, parquet_source
from aims_mlops.errors import DataError

_SEPARATORS = ",;\t|"
_HEADER_BYTES = 1 << 20
_WHOLE = r"\s*[+-]?(0|[1-9][0-9]*)\s*"
_DECIMAL = r"((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_NUMBER = rf"\s*[+-]?({_DECIMAL}|(?i:nan|inf|infinity))\s*"
_WORDS_OF_ARROW = re.compile(
    r"Expected \d+ columns, got \d+|invalid UTF8 data|Empty CSV file|cannot infer number of columns"
)


def stage_text(name: str, files: Sequence[Path], target: Path) -> tuple[str, ...]:
    """Write the rows of CSV files, every cell text, into one parquet file; return the columns.

    Streams: holds a few blocks of rows at a time. Raises `DataError` for a damaged file, column names that cannot be
    used, and files with different columns; `OSError` where there is no room.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: list[str] = []
    writer: Any = None
    try:
        for path in files:
            reader = _open(name, path)
            columns = columns or reader.schema.names
            same_names(name, (files[0], columns), (path, reader.schema.names))
            writer = writer or pq.ParquetWriter(target, pa.schema([(column, pa.string()) for column in columns]))
            for batch in _batches(name, path, reader):
                writer.write_batch(batch.select(columns))
    finally:
        if writer is not None:
            writer.close()
    return tuple(columns)


def _open(name: str, path: Path) -> Any:
    """Return Arrow's reader of a file as text columns, its header checked."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        parse = arrow_csv.ParseOptions(delimiter=_separator(path), newlines_in_values=True)
        names = arrow_csv.open_csv(path, parse_options=parse).schema.names
        usable_names(name, names)
        convert = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        )
        return arrow_csv.open_csv(path, parse_options=parse, convert_options=convert)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(name, path, error) from error


def _batches(name: str, path: Path, reader: Any) -> Any:
    import pyarrow as pa

    try:
        yield from reader
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, path, error) from error


def _damaged(name: str, path: Path, error: Exception) -> DataError:
    """Say what is wrong with a file in Arrow's words, but for the row that these quote."""
    known = _WORDS_OF_ARROW.search(str(error))
    if known is None:
        return unreadable(name, path, error)
    hint = "a CSV file has a header line, as many cells in each row, and UTF-8 text; check how it was written"
    return DataError(f"dataset {name!r}: {path.name!r} is not a good CSV file ({known[0]})", hint=hint)


def _separator(path: Path) -> str:
    """Return the character that parts the cells of a file."""
    import pyarrow as pa

    if ".tsv" in path.suffixes:
        return "\t"
    with pa.input_stream(str(path), compression="detect") as stream:
        start = stream.read(_HEADER_BYTES).decode("utf-8-sig", errors="replace")
    header = start.splitlines()[:1]
    return max(_SEPARATORS, key=lambda separator: max(map(len, csv.reader(header, delimiter=separator)), default=0))


def find_types(relation: Relation, columns: Sequence[str]) -> dict[str, str]:
    """Return the SQL type of each text column, from all of its cells in one scan."""
    tests = [test for column in columns for test in _tests(column)]
    (answers,) = relation.rows(", ".join(f"coalesce(bool_and({test}), false)" for test in tests))
    types = ("BIGINT", "DOUBLE", "BOOLEAN")
    found = {}
    for place, column in enumerate(columns):
        fitting = answers[place * len(types) : (place + 1) * len(types)]
        found[column] = next((name for name, fits in zip(types, fitting, strict=True) if fits), "VARCHAR")
    return found


def _tests(column: str) -> tuple[str, str, str]:
    """Return what must hold of every cell that is not null for BIGINT, DOUBLE and BOOLEAN."""
    cell = identifier(column)
    whole = f"regexp_full_match({cell}, {literal(_WHOLE)})"
    fits = f"TRY_CAST({cell} AS BIGINT) IS NOT NULL"
    number = f"regexp_full_match({cell}, {literal(_NUMBER)}) AND TRY_CAST({cell} AS DOUBLE) IS NOT NULL"
    # CASE without ELSE is null for a null cell, and bool_and passes over nulls.
    return (
        f"CASE WHEN {cell} IS NOT NULL THEN {whole} AND {fits} END",
        f"CASE WHEN {cell} IS NOT NULL THEN {number} AND (NOT {whole} OR {fits}) END",
        f"CASE WHEN {cell} IS NOT NULL THEN lower({cell}) IN ('true', 'false') END",
    )


def read_csv(name: str, files: Sequence[Path], relation: Relation) -> Path:
    """Read CSV files into a parquet file with types, in the relation's folder, and return it.

    Raises as `stage_text` does.
    """
    text, typed = relation.folder / "text.parquet", relation.folder / "typed.parquet"
    columns = stage_text(name, files, text)
    staged = relation.reading(parquet_source([str(text)]))
    types = find_types(staged, columns)
    casts = ", ".join(
        f"CAST({identifier(column)} AS {type_}) AS {identifier(column)}" for column, type_ in types.items()
    )
    staged.copy(casts, typed)
    text.unlink()
    return typed
