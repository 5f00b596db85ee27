"""One sealed in-memory DuckDB for each dataset, and the queries on it.

A database reads the files of its dataset and its own private folder and nothing else: no other file, no network, no
extension, no variable of the calling Python code. What it may do is fixed before the first query and locked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_mlops.data.sql import literal
from aims_mlops.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FRAME = "attached_frame"
"""The name under which an in-memory frame is known to its database."""


@dataclass(frozen=True)
class Relation:
    """What an engine keeps of an open dataset: where its rows come from, and how to read them."""

    connection: duckdb.DuckDBPyConnection
    name: str
    """The dataset's, for messages."""
    folder: Path
    """Private to this dataset; goes with the engine."""
    source: str = ""
    """A table expression in SQL."""
    path: str = ""
    """File or glob that the digest is over; empty for a frame."""
    stamps: tuple[tuple[int, ...], ...] = ()
    """What the file system said of each file before it was digested: a file put back in time has another of these."""
    frame: Any = None
    """The Arrow table of a frame; None for files."""
    withheld: frozenset[str] = field(default=frozenset())
    """Columns that a model never sees: the label and stored predictions."""

    def reading(self, source: str) -> Relation:
        """Return the same dataset with its rows read from another table expression."""
        return replace(self, source=source)

    def rows(self, select: str, parameters: Sequence[Any] = (), *, rest: str = "") -> list[tuple[Any, ...]]:
        """Answer `SELECT select FROM source rest`; raise `DataError` where it cannot be computed."""
        with _translated(self.name):
            query = f"SELECT {select} FROM {self.source} {rest}"
            return self.connection.execute(query, list(parameters)).fetchall()

    def types(self, select: str) -> tuple[str, ...]:
        """Return DuckDB's names of the types of `SELECT select FROM source`, without reading a row."""
        with _translated(self.name):
            described = self.connection.execute(f"SELECT {select} FROM {self.source} LIMIT 0").description
        return tuple(str(column[1]) for column in described or ())

    def table(self, select: str) -> pa.Table:
        """Answer `SELECT select FROM source` as an Arrow table, in the data's order."""
        with _translated(self.name):
            return self.connection.sql(f"SELECT {select} FROM {self.source}").to_arrow_table()

    def copy(self, select: str, target: Path) -> None:
        """Write `SELECT select FROM source`, in the data's order, to a parquet file in `folder`."""
        with _translated(self.name):
            query = f"COPY (SELECT {select} FROM {self.source}) TO {literal(str(target))} (FORMAT parquet)"
            self.connection.execute(query)

    def batches(self, select: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Stream `SELECT select FROM source` in the data's order, at most `batch_rows` rows at a time.

        Uses a connection of its own, so that other questions can be asked meanwhile, from this thread or another.
        """
        with _translated(self.name), self.connection.cursor() as cursor:
            if self.frame is not None:
                cursor.register(FRAME, self.frame)
            yield from cursor.sql(f"SELECT {select} FROM {self.source}").to_arrow_reader(batch_rows)


class _translated:  # noqa: N801  # reads as a participle where it is used
    """Turns DuckDB's errors into `DataError`, without their text: it quotes values of rows."""

    _HINTS = (
        ("OutOfMemoryException", "raise memory_limit, or free room in the spill folder"),
        ("IOException", "is a file gone or damaged, or the disk full?"),
        ("BinderException", "an expression or a column does not fit the data's types"),
        ("ParserException", "an expression is not SQL"),
        ("ConversionException", "values of one column have types that do not go together"),
        ("ConnectionException", "the engine was closed; open the dataset again"),
    )

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        import duckdb

        if isinstance(error, duckdb.Error):
            kind = type(error).__name__
            hint = dict(self._HINTS).get(kind, "the cause is in the traceback; it may quote values of the data")
            raise DataError(f"dataset {self.name!r} could not be read ({kind})", hint=hint) from error


class Databases:
    """Opens databases with a memory limit, a size such as `1GB`, for each, and closes them together."""

    def __init__(self, memory_limit: str) -> None:
        self._memory_limit = memory_limit
        self._threads = os.cpu_count() or 1
        self._open: list[duckdb.DuckDBPyConnection] = []

    def close(self) -> None:
        """Close every database. May be called again."""
        while self._open:
            self._open.pop().close()

    def open(self, folder: Path, files: Sequence[Path]) -> duckdb.DuckDBPyConnection:
        """Open one that reads `files` and `folder` and nothing else, spills into `folder`, and cannot be changed.

        Raises `DataError` for a memory limit that is no size.
        """
        import duckdb

        try:
            connection = duckdb.connect(":memory:", config=self._config(folder))
            self._open.append(connection)
            for statement in _seal(folder, files):
                connection.execute(statement)
        except duckdb.Error as error:
            hint = "memory_limit is a size such as '1GB' or '512MB'"
            message = f"no database with memory limit {self._memory_limit!r} could be opened"
            raise DataError(message, hint=hint) from error
        return connection

    def _config(self, folder: Path) -> dict[str, str | bool | int | float | list[str]]:
        return {
            "memory_limit": self._memory_limit,
            "temp_directory": str(folder / "spill"),
            "threads": self._threads,
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            # Kept bytes would count towards the memory limit and hide that a file has changed.
            "enable_external_file_cache": False,
        }


def _seal(folder: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """Return the statements after which a database can reach nothing else, in the only order that DuckDB takes."""
    # DuckDB follows links before it compares, so the real places are what it must be told.
    allowed = ", ".join(literal(str(path.resolve())) for path in files)
    return (
        "SET TimeZone = 'UTC'",
        f"SET allowed_directories = [{literal(str(folder.resolve()))}]",
        f"SET allowed_paths = [{allowed}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    )
