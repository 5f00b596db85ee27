"""What a dataset's digest is, so that anybody can compute it again.

**files-sha256**: the SHA-256 of a text with one line for each file: the 64 lower-case hexadecimal digits of the
SHA-256 of its bytes, the lines sorted, each ended by a line feed. Names and places of files do not count. In a shell:

    sha256sum FILES | cut -c1-64 | sort | sha256sum

**content-v1**, for data that is not in files. Data is columns with a name and a kind, in their order, and rows in any
order: queries and Spark have none. It is the SHA-256 of this text, each line ended by a line feed:

1. the RFC 8785 JSON of `[[name, kind], …]`, kind being `number`, `text`, `boolean`, `time` or `other`;
2. for each row the 64 hexadecimal digits of the SHA-256 of its cells, one after the other; these lines sorted, equal
   rows as often as they occur.

A cell is a tag of one ASCII byte and what belongs to it (whole numbers big-endian, eight bytes long):

    -   null; also NaN, which pandas cannot tell from it
    n   a number: the IEEE 754 double, big-endian, -0.0 as 0.0. So 1 and 1.0 are equal, whatever type holds them;
        32-bit floats and decimals count as the (nearest) double
    i   a whole number of an integer column beyond ±2^53: length, then its decimal digits
    s   text: length in bytes, then UTF-8
    t f true, false
    m   a date or time stamp: signed seconds since 1970-01-01T00:00Z, then nanoseconds; without a zone it is UTC
    c   a time of day: seconds since midnight, then nanoseconds
    b   binary: length, then the bytes

Nested values and durations have no cell: such a column is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_mlops.data.frames import decimal_doubles
from aims_mlops.errors import DataError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.model.digest import Digest

if TYPE_CHECKING:
    import pyarrow as pa

FILES = "files-sha256"
CONTENT = "content-v1"

_BLOCK = 1 << 20
_BATCH = 1 << 16
_EXACT = 1 << 53
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def file_hex(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal; raises `OSError`."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sha.update(block)
    return sha.hexdigest()


def files_digest(paths: Iterable[Path]) -> Digest:
    """Return the digest `files-sha256` of some files; raises `OSError`."""
    lines = sorted(file_hex(path) for path in paths)
    return Digest.of("".join(line + "\n" for line in lines).encode())


def content_digest(table: pa.Table, kinds: Mapping[str, str]) -> Digest:
    """Return the digest `content-v1` of an Arrow table, whose columns have these kinds, in their order.

    Holds 32 bytes for each row, to sort them. Raises `DataError` for a column of nested values or durations.
    """
    import numpy as np

    sha = hashlib.sha256(canonical([[name, kind] for name, kind in kinds.items()]) + b"\n")
    hashes = b"".join(b"".join(row_hashes(batch)) for batch in table.to_batches(max_chunksize=_BATCH))
    # Fixed width, so the zero bytes that numpy does not show at the end of an item still count when it sorts.
    ordered = np.sort(np.frombuffer(hashes, dtype="S32"))
    for start in range(0, len(ordered), _BATCH):
        lines = ordered[start : start + _BATCH].tobytes().hex("\n", 32)
        sha.update(lines.encode() + b"\n")
    return Digest.from_hex(sha.hexdigest())


def row_hashes(batch: pa.RecordBatch) -> list[bytes]:
    """Return the SHA-256 of each row of a batch, as `content-v1` defines it."""
    import pyarrow.compute as pc

    cells = [_cells(column, name) for column, name in zip(batch.columns, batch.schema.names, strict=True)]
    rows = pc.binary_join_element_wise(*cells, _large(b""))
    return [hashlib.sha256(row).digest() for row in rows.to_pylist()]


def _large(content: bytes) -> Any:
    """Return a scalar of Arrow's binary type that holds more than 2 GiB a batch."""
    import pyarrow as pa

    return pa.scalar(content, pa.large_binary())


def _cells(column: Any, name: str) -> Any:
    """Return a column's cells as binary, none of them null."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    if kinds.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kinds.is_null(column.type):
        return pa.array([b"-"] * len(column), pa.large_binary())
    if kinds.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return pc.if_else(column.is_valid(), _present(column, name), _large(b"-"))


def _present(column: Any, name: str) -> Any:
    """Return the cells of the values that are there; where one is null, anything."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    kind = column.type
    if kinds.is_boolean(kind):
        return pc.if_else(column, _large(b"t"), _large(b"f"))
    if kinds.is_integer(kind):
        return _whole(column)
    if kinds.is_floating(kind) or kinds.is_decimal(kind):
        return _doubles(decimal_doubles(column) if kinds.is_decimal(kind) else column.cast(pa.float64()))
    if kinds.is_date(kind):
        return _moments(b"m", column.cast(pa.timestamp("ms")))
    if kinds.is_timestamp(kind) or kinds.is_time(kind):
        return _moments(b"m" if kinds.is_timestamp(kind) else b"c", column)
    return _bytes(column, name)


def _bytes(column: Any, name: str) -> Any:
    import pyarrow as pa
    import pyarrow.types as kinds

    kind = column.type
    if kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind):
        return _sized(b"s", column.cast(pa.large_string()).cast(pa.large_binary()))
    if kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_fixed_size_binary(kind):
        return _sized(b"b", column.cast(pa.large_binary()))
    raise DataError(
        f"column {name!r} holds values of type {kind}, which have no digest",
        hint="leave the column out, or give the data as a parquet file",
    )


def _packed(tag: bytes, *words: Any) -> Any:
    """Return cells of a tag and some 8-byte words, given as numpy arrays of `>u8`, `>i8` or `>f8`."""
    import numpy as np
    import pyarrow as pa

    rows = len(words[0])
    cells = np.empty((rows, 1 + 8 * len(words)), dtype="u1")
    cells[:, 0] = tag[0]
    for place, word in enumerate(words):
        cells[:, 1 + 8 * place : 9 + 8 * place] = np.ascontiguousarray(word).view("u1").reshape(rows, 8)
    width = pa.binary(cells.shape[1])
    fixed = pa.FixedSizeBinaryArray.from_buffers(width, rows, [None, pa.py_buffer(cells.tobytes())])
    return fixed.cast(pa.large_binary())


def _doubles(column: Any) -> Any:
    # Adding 0.0 makes -0.0 positive and changes nothing else.
    return _packed(b"n", (column.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0).astype(">f8"))


def _whole(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    filled = column.fill_null(0).cast(pa.uint64() if kinds.is_unsigned_integer(column.type) else pa.int64())
    numbers = filled.to_numpy()
    exact = (numbers <= _EXACT) & (numbers >= (0 if kinds.is_unsigned_integer(column.type) else -_EXACT))
    doubles = _packed(b"n", numbers.astype(">f8"))
    if exact.all():
        return doubles
    return pc.if_else(pa.array(exact), doubles, _sized(b"i", filled.cast(pa.large_string()).cast(pa.large_binary())))


def _sized(tag: bytes, column: Any) -> Any:
    import pyarrow.compute as pc

    filled = column.fill_null(b"")
    heads = _packed(tag, pc.binary_length(filled).to_numpy().astype(">u8"))
    return pc.binary_join_element_wise(heads, filled, _large(b""))


def _moments(tag: bytes, column: Any) -> Any:
    """Return cells of seconds and nanoseconds; Arrow keeps the instant itself in UTC."""
    import numpy as np
    import pyarrow as pa

    unit = _UNITS[column.type.unit]
    storage = pa.int32() if column.type.bit_width == np.dtype("i4").itemsize * 8 else pa.int64()
    ticks = column.cast(storage).cast(pa.int64()).fill_null(0).to_numpy()
    seconds, rest = np.divmod(ticks, unit)
    return _packed(tag, seconds.astype(">i8"), (rest * (10**9 // unit)).astype(">u8"))
