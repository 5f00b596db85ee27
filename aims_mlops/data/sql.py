"""The few pieces of SQL text that queries are put together from, and what a column's kind is.

Nothing from data or configuration enters a query but through `identifier`, `literal` or a bound parameter.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from aims_mlops.errors import DataError
from aims_mlops.plugin import Dataset

_SHOWN_NAMES = 12


def identifier(name: str) -> str:
    """Quote a column's name, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text where a parameter cannot stand: in the arguments of `read_parquet` and in `COPY … TO`."""
    return "'" + text.replace("'", "''") + "'"


def parquet_source(paths: Sequence[str]) -> str:
    """Return the table expression of some parquet files, columns matched by name, rows in the files' order."""
    listed = ", ".join(literal(path) for path in paths)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false, filename = false)"


def double(column: str) -> str:
    """Return the expression of a numeric column as a double, as DuckDB rounds a decimal."""
    return f"CAST({identifier(column)} AS DOUBLE)"


def value(column: str, kind: str) -> str:
    """Return the expression of a column's value as the engine's answers give it.

    In numbers NaN is null and -0.0 is 0; times are ISO 8601 text (UTC where they have a zone); a value of kind
    `other` is DuckDB's text of it. Booleans and text are themselves.
    """
    name = identifier(column)
    if kind == "number":
        return f"CASE WHEN isnan({double(column)}) THEN NULL WHEN {name} = 0 THEN 0 ELSE {name} END"
    if kind == "time":
        return f"replace(CAST({name} AS VARCHAR), ' ', 'T')"
    return f"CAST({name} AS VARCHAR)" if kind in {"other", "text"} else name


def present(column: str, kind: str) -> str:
    """Return the condition that a value is neither null nor, in numbers, NaN or infinite."""
    # isfinite(NULL) is NULL, which no FILTER and no WHERE lets through.
    return f"isfinite({double(column)})" if kind == "number" else f"{identifier(column)} IS NOT NULL"


def kind_of(arrow_type: Any) -> str:
    """Return `number`, `text`, `boolean`, `time` or `other` for an Arrow type.

    A dictionary (a categorical) has the kind of its values; a column that is null throughout and has no type is
    text, as it is in CSV. Durations, binary and nested values are `other`.
    """
    import pyarrow.types as kinds

    if kinds.is_dictionary(arrow_type):
        return kind_of(arrow_type.value_type)
    if kinds.is_integer(arrow_type) or kinds.is_floating(arrow_type) or kinds.is_decimal(arrow_type):
        return "number"
    text = (kinds.is_string, kinds.is_large_string, kinds.is_string_view, kinds.is_null)
    if any(test(arrow_type) for test in text):
        return "text"
    if kinds.is_boolean(arrow_type):
        return "boolean"
    return (
        "time" if kinds.is_date(arrow_type) or kinds.is_timestamp(arrow_type) or kinds.is_time(arrow_type) else "other"
    )


def storage(duckdb_type: str) -> str:
    """Return how a DuckDB type stores numbers, as `ColumnStats.storage` says it; a decimal is read as `float64`."""
    if duckdb_type == "FLOAT":
        return "float32"
    if duckdb_type == "DOUBLE" or duckdb_type.startswith("DECIMAL"):
        return "float64"
    return "integer" if duckdb_type.endswith(("INT", "INTEGER")) else ""


def names_hint(wanted: str, names: Iterable[str]) -> str:
    """Return the hint for a name that is not among some: the nearest one, or what there is."""
    known = list(names)
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(wanted.casefold(), folded, n=1)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    listed = ", ".join(known[:_SHOWN_NAMES])
    return f"its columns are: {listed}" + (f" and {len(known) - _SHOWN_NAMES} more" * (len(known) > _SHOWN_NAMES))


def known_columns(data: Dataset, columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns, repeated ones once; raise `DataError` for one that the dataset has not.

    Names are compared exactly, although SQL would not look at case.
    """
    wanted = tuple(dict.fromkeys(columns))
    for column in wanted:
        if column not in data.columns:
            hint = names_hint(column, data.columns)
            raise DataError(f"dataset {data.name!r} has no column {column!r}", hint=hint)
    return wanted
