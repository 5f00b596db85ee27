"""In-memory frames (pandas, polars, Arrow) as Arrow tables, and Arrow answers as pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aims_mlops.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_EXACT = 1 << 53
"""Doubles tell whole numbers apart up to here."""


def arrow_table(frame: Any, name: str) -> pa.Table:
    """Return a pandas, polars or Arrow frame as an Arrow table that shares its memory where it can.

    A pandas index is left out, and NaN in pandas is null there as everywhere. Raises `DataError` for anything that is
    not such a frame, for columns that occur twice, and for an object column of mixed types.
    """
    import narwhals as nw
    import pyarrow as pa
    from narwhals.exceptions import NarwhalsError

    what = f"{type(frame).__module__.partition('.')[0]} {type(frame).__name__}"
    try:
        known = nw.from_native(frame, eager_only=True)
        columns = known.columns
        table = known.to_arrow()
    except TypeError as error:
        hint = "attach a pandas, polars or pyarrow table; collect a lazy one first"
        raise DataError(f"dataset {name!r}: a {what} is not a table that can be attached", hint=hint) from error
    except (NarwhalsError, pa.ArrowException) as error:
        hint = "give every column its own name and values of one type"
        raise DataError(
            f"dataset {name!r}: this {what} cannot be read as columns of one type each", hint=hint
        ) from error
    # from_pandas adds the index behind the columns.
    return _without_half_floats(table.select(list(range(len(columns)))).replace_schema_metadata())


def _without_half_floats(table: pa.Table) -> pa.Table:
    """DuckDB has no 16-bit floats; 32 bits hold each of their values."""
    import pyarrow as pa

    for place, column in enumerate(table.schema):
        if column.type == pa.float16():
            table = table.set_column(place, column.name, table.column(place).cast(pa.float32()))
    return table


def pandas_frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as the pandas frame that check libraries know best.

    Text: `object` with None for null. Booleans: `bool`, or `object` with None where there are nulls. Whole numbers:
    their own type; where there are nulls floats with NaN, as pandas reads them itself, unless one is beyond ±2^53 and
    would lose digits: then the nullable `Int64` (`UInt64`). Decimals and other numbers: floats with NaN for null.
    Times: pandas' own, NaT for null.
    """
    import pandas as pd

    columns = zip(table.column_names, table.columns, strict=True)
    return pd.DataFrame({name: _series(column) for name, column in columns})


def decimal_doubles(column: Any) -> Any:
    """Return an Arrow column of decimals as the nearest doubles."""
    import pyarrow as pa

    # Arrow's own cast is off by a bit now and then; its reading of text rounds rightly.
    return column.cast(pa.string()).cast(pa.float64())


def _series(column: pa.ChunkedArray) -> pd.Series:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_integer(column.type) and column.null_count and not _fits_doubles(column):
        wide, nullable = pa.int64(), pd.Int64Dtype()
        if kinds.is_unsigned_integer(column.type):
            wide, nullable = pa.uint64(), pd.UInt64Dtype()
        return column.cast(wide).to_pandas(types_mapper={wide: nullable}.get)
    if kinds.is_decimal(column.type):
        return decimal_doubles(column).to_pandas()
    if kinds.is_string(column.type) or kinds.is_large_string(column.type) or kinds.is_string_view(column.type):
        return pd.Series(column.to_numpy(zero_copy_only=False), dtype=object)
    return column.to_pandas()


def _fits_doubles(column: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    ends = pc.min_max(column).as_py()
    return ends["min"] is None or (ends["min"] >= -_EXACT and ends["max"] <= _EXACT)
