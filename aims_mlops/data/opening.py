"""Opening a dataset: from files or a frame to rows that can be asked, held against what aims.yaml says of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from aims_mlops.data.csv_files import read_csv
from aims_mlops.data.database import FRAME, Databases, Relation
from aims_mlops.data.digests import CONTENT, FILES, content_digest, files_digest
from aims_mlops.data.frames import arrow_table
from aims_mlops.data.sources import (
    Shape,
    changed,
    find_files,
    format_of,
    parquet_shape,
    shown,
    unreadable,
    usable_names,
)
from aims_mlops.data.sql import identifier, kind_of, names_hint, parquet_source, value
from aims_mlops.errors import DataError
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.plugin import Dataset


@dataclass(frozen=True)
class Opened:
    """The rows of a dataset, before they are held against its description."""

    relation: Relation
    shape: Shape
    digest: Digest
    kind: str


def open_files(spec: DatasetSpec, folder: Path, databases: Databases) -> Opened:
    """Open parquet or CSV files. The digest is taken first; of parquet nothing but footers is read after it."""
    files = find_files(spec.name, spec.path)
    kind = format_of(spec.name, files)
    stamps = stamps_of(files)
    digest = digest_of_files(spec.name, files)
    _match_pin(spec, digest, FILES)
    if kind == "csv":
        relation = Relation(databases.open(folder, ()), spec.name, folder, path=spec.path, stamps=stamps)
        paths: tuple[Path, ...] = (read_csv(spec.name, files, relation),)
        shape = parquet_shape(spec.name, paths)
    else:
        shape, paths = parquet_shape(spec.name, files), _links(files, folder)
        relation = Relation(databases.open(folder, files), spec.name, folder, path=spec.path, stamps=stamps)
    return Opened(relation.reading(parquet_source([str(path) for path in paths])), shape, digest, FILES)


def open_frame(spec: DatasetSpec, frame: object, folder: Path, databases: Databases) -> Opened:
    """Open a pandas, polars or Arrow frame."""
    table = arrow_table(frame, spec.name)
    usable_names(spec.name, table.column_names)
    shape = Shape({field.name: kind_of(field.type) for field in table.schema}, table.num_rows)
    _match_rows(spec, shape)
    digest = content_digest(table, shape.columns)
    _match_pin(spec, digest, CONTENT)
    connection = databases.open(folder, ())
    connection.register(FRAME, table)
    return Opened(Relation(connection, spec.name, folder, identifier(FRAME), frame=table), shape, digest, CONTENT)


def described(spec: DatasetSpec, opened: Opened, *, origin: str) -> Dataset:
    """Return the dataset that `spec` describes.

    Raises `DataError` for no rows, a column that `spec` names and the data has not, and a label all null.
    """
    _match_rows(spec, opened.shape)
    withheld = {name for name in (spec.label, spec.prediction, spec.score) if name is not None}
    data = Dataset(
        name=spec.name,
        columns=opened.shape.columns,
        rows=opened.shape.rows,
        digest=opened.digest,
        digest_kind=opened.kind,
        relation=replace(opened.relation, withheld=frozenset(withheld)),
        label=spec.label,
        positive=spec.positive,
        sensitive=spec.sensitive,
        origin=origin,
    )
    _match_columns(spec, data)
    # Binds the query and reads nothing: types of several files that do not go together show here.
    data.relation.rows("*", rest="LIMIT 0")
    _match_label(data)
    return data


def unchanged(data: Dataset) -> None:
    """Raise `DataError` where a dataset is not what its digest says any more; see `DuckEngine.verify_unchanged`."""
    relation: Relation = data.relation
    if data.digest_kind == CONTENT:
        table = relation.frame
        now = content_digest(table, {field.name: kind_of(field.type) for field in table.schema})
    else:
        try:
            files = find_files(data.name, relation.path)
            now = digest_of_files(data.name, files)
        except DataError as error:
            raise changed(data.name, "its files are gone") from error
        if now == data.digest and stamps_of(files) != relation.stamps:
            raise changed(data.name, "a file was written or replaced, and holds the same bytes again")
    if now != data.digest:
        raise changed(data.name, f"{data.digest.short} at first, {now.short} now")


def stamps_of(files: Sequence[Path]) -> tuple[tuple[int, ...], ...]:
    """Return for each file device, inode, size and two times, the second of which nobody can set back."""
    found = []
    for path in files:
        with suppress(OSError):  # a file that cannot be seen is told of when it is read
            status = path.stat()
            found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(found)


def digest_of_files(name: str, files: Sequence[Path]) -> Digest:
    """Return the digest of files; raise `DataError` for one that cannot be read."""
    for path in files:
        try:
            path.open("rb").close()
        except OSError as error:
            raise unreadable(name, path, error) from error
    try:
        return files_digest(files)
    except OSError as error:
        raise unreadable(name, files[0].parent, error) from error


def _links(files: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Give files plain names in the private folder, since DuckDB takes `*`, `?` and `[` in a name for a pattern."""
    links = tuple(folder / f"file-{place:06}.parquet" for place, _ in enumerate(files))
    for link, path in zip(links, files, strict=True):
        link.symlink_to(path.resolve())
    return links


def _match_rows(spec: DatasetSpec, shape: Shape) -> None:
    if not shape.rows:
        where = f" ({shown(spec.path)})" if spec.path else ""
        hint = "was the file written completely, and is it the right one?"
        raise DataError(f"dataset {spec.name!r} has no rows{where}", hint=hint)


def _match_pin(spec: DatasetSpec, digest: Digest, kind: str) -> None:
    if spec.digest is not None and spec.digest != digest:
        raise DataError(
            f"dataset {spec.name!r} is not the pinned one: digest {digest.short} ({kind}), pinned {spec.digest.short}",
            hint=f"restore the data, or have the new data approved and pin it in aims.yaml: digest: {digest}",
        )


def _match_columns(spec: DatasetSpec, data: Dataset) -> None:
    named = [("label", spec.label), *(("sensitive", column) for column in spec.sensitive)]
    named += [("prediction", spec.prediction), ("score", spec.score)]
    for what, column in named:
        if column is not None and column not in data.columns:
            hint = names_hint(column, data.columns)
            raise DataError(
                f"dataset {spec.name!r} has no column {column!r}, which aims.yaml names as its {what}", hint=hint
            )


def _match_label(data: Dataset) -> None:
    if data.label is None:
        return
    known = value(data.label, data.columns[data.label])
    if not data.relation.rows("1", rest=f"WHERE {known} IS NOT NULL LIMIT 1"):
        message = f"dataset {data.name!r}: all {data.rows} values of the label {data.label!r} are null"
        raise DataError(message, hint="name another label column in aims.yaml, or use data whose labels are known")
