"""Which files a dataset is, and what columns and rows they hold, before any row is read."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aims_mlops.data.sql import kind_of
from aims_mlops.errors import DataError

RESERVED = "aims."
"""Beginning of the column names that the engine itself adds."""

_SUFFIXES = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".csv.gz", ".tsv", ".tsv.gz"),
}


@dataclass(frozen=True)
class Shape:
    """What is known of some parquet files from their footers: column kinds in order, and rows."""

    columns: Mapping[str, str]
    rows: int


def shown(path: str | Path) -> str:
    """Return a path for a message: from the working directory where it lies in there."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def find_files(name: str, path: str) -> tuple[Path, ...]:
    """Return the files of a path or glob, sorted; a file whose name looks like a glob is that file.

    Hidden files and folders are not matched. Raises `DataError` for a missing file, a glob without match and a URI.
    """
    if "://" in path:
        hint = "give a local path or glob; copy the file here first"
        raise DataError(f"dataset {name!r}: {path!r} is not a local file", hint=hint)
    literal = Path(path)
    if literal.is_file():
        return (literal,)
    if literal.is_dir():
        hint = f"name the files: {shown(literal)}/*.parquet"
        raise DataError(f"dataset {name!r}: {shown(path)!r} is a folder", hint=hint)
    files = sorted(Path(found) for found in glob.glob(path, recursive=True) if Path(found).is_file())  # noqa: PTH207
    if files:
        return tuple(files)
    if glob.has_magic(path):
        hint = "check the pattern in aims.yaml; relative paths start from the folder of aims.yaml"
        raise DataError(f"dataset {name!r}: no file matches {shown(path)!r}", hint=hint)
    hint = "check the path in aims.yaml; relative paths start from the folder of aims.yaml"
    raise DataError(f"dataset {name!r}: the file {shown(path)!r} does not exist", hint=hint)


def format_of(name: str, files: Sequence[Path]) -> str:
    """Return `parquet` or `csv` by the files' suffixes; raise `DataError` for another one or for both."""
    formats = {_format(name, path) for path in files}
    if len(formats) > 1:
        hint = "make the pattern match files of one format"
        raise DataError(f"dataset {name!r} is made of parquet and CSV files at once", hint=hint)
    return formats.pop()


def _format(name: str, path: Path) -> str:
    folded = path.name.casefold()
    for kind, suffixes in _SUFFIXES.items():
        if folded.endswith(suffixes):
            return kind
    known = ", ".join(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
    hint = f"formats are told by the suffix: {known}"
    raise DataError(f"dataset {name!r}: the format of {path.name!r} is not known", hint=hint)


def unreadable(name: str, path: Path, error: Exception) -> DataError:
    """Return the error for a file that cannot be opened or is damaged; its text is left out, as it may quote values."""
    hint = "is the file complete, and may you read it? Write it again, or correct the path in aims.yaml"
    return DataError(f"dataset {name!r}: {path.name!r} cannot be read ({type(error).__name__})", hint=hint)


def changed(name: str, how: str) -> DataError:
    """Return the error for a dataset that is not what its digest says any more."""
    hint = "run again when nothing writes to it; for data that grows, check a copy"
    return DataError(f"dataset {name!r} changed while it was being read ({how})", hint=hint)


def parquet_shape(name: str, files: Sequence[Path]) -> Shape:
    """Return the columns and rows of parquet files from their footers alone.

    Raises `DataError` for a damaged file, for files whose columns differ in name or kind, and for column names that
    cannot be used. The order of columns is the first file's; types may differ where the kind is the same.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shapes = []
    rows = 0
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                shapes.append(file.schema_arrow)
                rows += file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise unreadable(name, path, error) from error
        usable_names(name, shapes[-1].names)
        same_names(name, (files[0], shapes[0].names), (path, shapes[-1].names))
    return Shape({column: _common_kind(name, column, files, shapes) for column in shapes[0].names}, rows)


def _common_kind(name: str, column: str, files: Sequence[Path], schemas: Sequence[Any]) -> str:
    """Return a column's kind, the same in all files where it has a type at all."""
    import pyarrow.types as kinds

    found: dict[str, Path] = {}
    for path, schema in zip(files, schemas, strict=True):
        arrow_type = schema.field(column).type
        if not kinds.is_null(arrow_type):
            found.setdefault(kind_of(arrow_type), path)
    if len(found) > 1:
        (first, one), (second, other), *_ = found.items()
        message = f"dataset {name!r}: column {column!r} is {first} in {one.name!r} and {second} in {other.name!r}"
        raise DataError(message, hint="write the files with the same types, or make the pattern match fewer")
    return next(iter(found), "text")


def same_names(name: str, first: tuple[Path, Iterable[str]], second: tuple[Path, Iterable[str]]) -> None:
    """Raise `DataError` where two files of a dataset have different columns; their order may differ."""
    (one, ones), (other, others) = (first[0].name, set(first[1])), (second[0].name, set(second[1]))
    if ones == others:
        return
    differing = [f"{column!r} only in {one!r}" for column in sorted(ones - others)]
    differing += [f"{column!r} only in {other!r}" for column in sorted(others - ones)]
    more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
    raise DataError(
        f"dataset {name!r}: its files have different columns ({', '.join(differing[:5])}{more})",
        hint="make the pattern match files of one table",
    )


def usable_names(name: str, columns: Sequence[str]) -> None:
    """Raise `DataError` for column names that are reserved, empty, or the same as another but for case."""
    reserved = [column for column in columns if column.casefold().startswith(RESERVED)]
    if reserved:
        message = f"dataset {name!r}: the column {reserved[0]!r} has a reserved name"
        raise DataError(message, hint=f"rename it: names that begin with {RESERVED!r} are given to predictions")
    if not all(columns):
        hint = "name the column, or write the file without its index (index=False)"
        raise DataError(f"dataset {name!r}: a column has no name", hint=hint)
    folded = Counter(column.casefold() for column in columns)
    twins = [column for column in columns if folded[column.casefold()] > 1]
    if twins:
        named = " and ".join(repr(twin) for twin in twins if twin.casefold() == twins[0].casefold())
        message = f"dataset {name!r}: the columns {named} cannot be told apart"
        raise DataError(message, hint="rename one: SQL does not look at the case of names")
