"""The embedded engine: DuckDB over parquet and CSV files and in-memory frames."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aims_mlops.data.database import Databases, Relation
from aims_mlops.data.frames import pandas_frame
from aims_mlops.data.opening import described, open_files, open_frame, unchanged
from aims_mlops.data.scoring import score_rows
from aims_mlops.data.sql import double, identifier, kind_of, known_columns, parquet_source, present, storage, value
from aims_mlops.errors import DataError, UsageError
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.plugin import PREDICTION, SCORE, ColumnStats, Contingency, Dataset, Predictor, counted, require

if TYPE_CHECKING:
    import pandas as pd

_STATS = 6
"""Aggregates of a column in the query of `stats`."""


class DuckEngine:
    """Implements `plugin.Engine` with one sealed in-memory DuckDB for each open dataset.

    `memory_limit` holds for each of them; they are asked one after the other. What does not fit spills into a private
    folder (0700) under `spill`, or under the system's temporary folder, which also holds scored rows and CSV files in
    parquet form, and is removed by `close`. A process that is killed leaves it behind.
    """

    def __init__(self, *, memory_limit: str = "1GB", spill: Path | None = None) -> None:
        """Make the private folder; raise `DataError` where that cannot be done."""
        self._databases = Databases(memory_limit)
        self._count = 0
        try:
            self._folder: Path | None = Path(tempfile.mkdtemp(prefix="aims-data-", dir=spill)).resolve()
        except OSError as error:
            where = str(spill or tempfile.gettempdir())
            hint = "name a folder that exists, can be written to and has room"
            raise DataError(f"no spill folder can be made in {where!r}", hint=hint) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every dataset and remove the private folder. May be called again."""
        self._databases.close()
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    def open(self, spec: DatasetSpec, frame: object | None = None, *, origin: str = "policy") -> Dataset:
        """Open the dataset that `spec` describes: its files, or a pandas, polars or Arrow frame in their place.

        Files are read once for the digest; of parquet only footers and at most the label column beside that, while
        CSV is read whole. A frame is `attached` unless another origin is given: it never passes for the policy's own
        data. Raises `DataError` for data that is missing, damaged, empty, without a column that `spec` names, with
        a label that is null throughout, or other than the pinned digest; `MissingExtra` without the libraries;
        `UsageError` once the engine is closed.
        """
        for library in ("duckdb", "pyarrow", "pandas", "narwhals"):
            require(library, extra="data")
        folder = self._new_folder()
        if frame is None:
            opened = open_files(spec, folder, self._databases)
        else:
            opened = open_frame(spec, frame, folder, self._databases)
            origin = "attached" if origin == "policy" else origin
        return described(spec, opened, origin=origin)

    def with_stored_predictions(self, data: Dataset, spec: DatasetSpec) -> Dataset:
        """Return the rows with the columns that `spec` names as PREDICTION and SCORE.

        Its origin is `stored-predictions`; of an attached frame `attached-stored-predictions`, since the author chose
        both, and a permission for one is none for the other.
        Raises `DataError` where `spec` names no prediction column, the column is missing, or holds nulls.
        """
        if spec.prediction is None:
            hint = "name the column in aims.yaml, prediction: COLUMN, or let the model predict"
            raise DataError(f"dataset {data.name!r} names no column of stored predictions", hint=hint)
        named = {PREDICTION: spec.prediction} | ({SCORE: spec.score} if spec.score is not None else {})
        known_columns(data, named.values())
        kinds = {name: data.columns[column] for name, column in named.items()}
        _refuse_nulls(data, named.values())
        added = ", ".join(f"{identifier(column)} AS {identifier(name)}" for name, column in named.items())
        source = f"(SELECT *, {added} FROM {data.relation.source})"
        return replace(
            data,
            columns={**data.columns, **kinds},
            relation=data.relation.reading(source),
            origin="attached-stored-predictions" if data.origin == "attached" else "stored-predictions",
        )

    def score(self, data: Dataset, predictor: Predictor, *, batch_rows: int = 50_000) -> Dataset:
        """Return the rows with the model's PREDICTION and, where it has one, SCORE.

        The predictor sees every column but the label and stored predictions, in the data's order, `batch_rows` rows
        at a time. Rows and answers are kept side by side in the private folder. Raises `PredictorError` where there
        is not one answer for each row, or an answer is null or NaN; `DataError` where there is no room.
        """
        self._count += 1
        target = data.relation.folder / f"scored-{self._count}.parquet"
        schema = score_rows(data, predictor, target, batch_rows=batch_rows)
        source = parquet_source([str(target)])
        return replace(
            data,
            columns={
                **data.columns,
                **{name: kind_of(schema.field(name).type) for name in schema.names[len(data.columns) :]},
            },
            relation=replace(data.relation, source=source),
        )

    def verify_unchanged(self, data: Dataset) -> None:
        """Compute the digest again; raise `DataError` where it differs.

        Files are found and read again, so that a file that was changed, added to the glob or taken away is seen. Of a
        frame the values that the engine holds are looked at: it shares memory with pandas, where a value can be
        written in place. Not seen: a change that was undone in between.
        """
        unchanged(data)

    def contingency(self, data: Dataset, columns: Sequence[str], *, limit: int = 1_000_000) -> Contingency:
        """Count every combination of values, sorted by the first column, then the next, nulls last.

        Cells hold int, float, str, bool or None; NaN counts as null, a decimal is a float, a time ISO 8601 text.
        Raises `DataError` for a missing column, no column, or more than `limit` cells.
        """
        names = known_columns(data, columns)
        if not names:
            raise DataError(f"dataset {data.name!r}: a contingency table needs a column", hint="name at least one")
        values = [value(name, data.columns[name]) for name in names]
        cells = _grouped(data, values, "true", limit, f"columns {', '.join(map(repr, names))}")
        return Contingency(names, tuple(cell for cell, _ in cells), tuple(count for _, count in cells))

    def value_counts(self, data: Dataset, column: str, *, limit: int = 1_000_000) -> Mapping[Any, int]:
        """Count the values of one column, sorted by value, as in `contingency` but without nulls, NaN and infinities.

        Raises `DataError` for a missing column or more than `limit` values.
        """
        known_columns(data, [column])
        kind = data.columns[column]
        cells = _grouped(data, [value(column, kind)], present(column, kind), limit, f"column {column!r}")
        return {cell: count for (cell,), count in cells}

    def stats(self, data: Dataset, columns: Sequence[str]) -> Mapping[str, ColumnStats]:
        """Return the aggregates of some columns from one scan.

        NaN counts as null; `distinct` is exact and leaves nulls and infinities out; minimum, maximum and mean are of
        the finite values of numeric columns and None for other kinds. The mean is a compensated (Kahan) sum divided
        by the number of values. Raises `DataError` for a missing column.
        """
        names = known_columns(data, columns)
        if not names:
            return {}
        selected = ", ".join(_stats_of(name, data.columns[name]) for name in names)
        (row,) = data.relation.rows(selected)
        stored = map(storage, data.relation.types(", ".join(map(identifier, names))))
        parts = [row[place : place + _STATS] for place in range(0, len(row), _STATS)]
        answers = [(*part, kept) for part, kept in zip(parts, stored, strict=True)]
        return {
            name: ColumnStats(data.columns[name], data.rows, *answer)
            for name, answer in zip(names, answers, strict=True)
        }

    def histogram(self, data: Dataset, column: str, edges: Sequence[float]) -> tuple[int, ...]:
        """Count finite values between edges: [a, b), the last bin closed, as `numpy.histogram` does.

        Edges may be infinite and may be equal. Values outside, nulls, NaN and infinities are in no bin. Raises
        `DataError` for a missing or not numeric column, fewer than two edges, and edges that fall or are NaN.
        """
        known_columns(data, [column])
        if data.columns[column] != "number":
            message = f"dataset {data.name!r}: column {column!r} is {data.columns[column]}, not numbers"
            raise DataError(message, hint="count its values instead of drawing bins")
        bounds = [float(edge) for edge in edges]
        if len(bounds) < 2 or not all(low <= high for low, high in pairwise(bounds)):
            message = f"dataset {data.name!r}: the bins of column {column!r} have no rising edges"
            raise DataError(message, hint="give at least two edges, none of them NaN, from the lowest to the highest")
        return _bin_counts(data.relation, column, bounds)

    def aggregate(self, data: Dataset, expressions: Mapping[str, str]) -> Mapping[str, Any]:
        """Answer named SQL aggregate expressions from one scan, as plain Python values; a decimal is a float.

        The expressions are the caller's own SQL in DuckDB's dialect, in which column names must be quoted; they can
        reach nothing but the dataset. Raises `DataError` where one cannot be computed.
        """
        if not expressions:
            return {}
        selected = ", ".join(f"({sql}) AS {identifier(f'a{place}')}" for place, sql in enumerate(expressions.values()))
        (row,) = data.relation.rows(selected)
        return dict(zip(expressions, map(_plain, row), strict=True))

    def frame(self, data: Dataset, columns: Sequence[str]) -> pd.DataFrame:
        """Return the rows of just these columns in the data's order, a column named twice once.

        For the types see `frames.pandas_frame`. Holds all rows in memory. Raises `DataError` for a missing column.
        """
        names = known_columns(data, columns)
        return pandas_frame(data.relation.table(", ".join(map(identifier, names))) if names else _no_columns())

    def _new_folder(self) -> Path:
        """Make a folder for one dataset within the private one."""
        if self._folder is None:
            raise UsageError("this engine is closed", hint="open datasets inside its `with` block")
        self._count += 1
        folder = self._folder / f"{self._count:04}"
        folder.mkdir(mode=0o700)
        return folder


def _grouped(
    data: Dataset, values: Sequence[str], condition: str, limit: int, what: str
) -> list[tuple[tuple[Any, ...], int]]:
    """Count rows by some expressions, sorted; raise `DataError` for more than `limit` combinations."""
    names = [f"v{place}" for place, _ in enumerate(values)]
    relation = data.relation.reading(
        f"(SELECT {', '.join(f'{sql} AS {name}' for sql, name in zip(values, names, strict=True))}"
        f" FROM {data.relation.source} WHERE {condition})"
    )
    listed = ", ".join(names)
    order = ", ".join(f"{name} ASC NULLS LAST" for name in names)
    rows = relation.rows(f"{listed}, count(*)", [limit + 1], rest=f"GROUP BY {listed} ORDER BY {order} LIMIT ?")
    if len(rows) > limit:
        counted = relation.reading(f"(SELECT DISTINCT {listed} FROM {relation.source})")
        ((found,),) = counted.rows("count(*)")
        hint = "choose columns with fewer values, or bin them; an identifier or a measured number is not a group"
        raise DataError(f"dataset {data.name!r}: {found} cells for {what}, more than {limit}", hint=hint)
    return [(tuple(map(_plain, row[:-1])), row[-1]) for row in rows]


def _stats_of(column: str, kind: str) -> str:
    """Return the `_STATS` aggregates of a column, in the order of `ColumnStats`."""
    name, there = identifier(column), present(column, kind)
    if kind != "number":
        return f"count(*) - count({name}), 0, count(DISTINCT {value(column, kind)}), NULL, NULL, NULL"
    number = double(column)
    return (
        f"count(*) FILTER ({name} IS NULL OR isnan({number})), count(*) FILTER (isinf({number})),"
        f" count(DISTINCT {name}) FILTER ({there}), min({number}) FILTER ({there}),"
        f" max({number}) FILTER ({there}), favg({number}) FILTER ({there})"
    )


def _bin_counts(relation: Relation, column: str, edges: Sequence[float]) -> tuple[int, ...]:
    """Count by bins.

    DuckDB's bins are (a, b]. Below an edge is at most the next smaller double, so counts up to that, summed from the
    left, differ from edge to edge by exactly the rows of numpy's bins.
    """
    below = [math.nextafter(edge, -math.inf) for edge in edges[:-1]] + [edges[-1]]
    bounds = sorted(set(below))
    number = double(column)
    within = f"WHERE isfinite({number}) AND {number} <= ?"
    ((counts,),) = relation.rows(f"histogram({number}, ?::DOUBLE[])", [bounds, bounds[-1]], rest=within)
    up_to: dict[float, int] = {}
    total = 0
    for bound in bounds:
        total += (counts or {}).get(bound, 0)
        up_to[bound] = total
    return tuple(up_to[high] - up_to[low] for low, high in pairwise(below))


def _refuse_nulls(data: Dataset, columns: Any) -> None:
    for column in columns:
        known = value(column, data.columns[column])
        ((missing,),) = data.relation.rows(f"count(*) - count({known})")
        if missing:
            stored = f"{counted(missing)} of {data.rows} stored predictions in column {column!r}"
            message = f"dataset {data.name!r}: {stored} are null"
            raise DataError(message, hint="store a prediction for every row, or let the model predict")


def _plain(answer: Any) -> Any:
    return float(answer) if isinstance(answer, Decimal) else answer


def _no_columns() -> Any:
    import pyarrow as pa

    return pa.table({})
