from __future__ import annotations

import hashlib
import json
import math
import struct
import subprocess
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.data.digests import content_digest, files_digest
from aims_mlops.data.frames import arrow_table
from aims_mlops.data.sql import kind_of
from aims_mlops.errors import DataError
from aims_mlops.model.digest import Digest


def digest(frame: object) -> Digest:
    table = arrow_table(frame, "x")
    return content_digest(table, {field.name: kind_of(field.type) for field in table.schema})


def test_the_digest_of_files_is_what_the_shell_computes(tmp_path: Path) -> None:
    contents = [b"", b"one", b"one", b"x" * 3_000_000, bytes(range(256))]
    paths = [tmp_path / f"file-{place}" for place, _ in enumerate(contents)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    shell = subprocess.run(
        "sha256sum * | cut -c1-64 | sort | sha256sum", shell=True, cwd=tmp_path, capture_output=True, check=True
    )
    assert files_digest(paths).hex == shell.stdout.decode()[:64]
    assert files_digest(reversed(paths)) == files_digest(paths)
    assert files_digest(paths[1:]) != files_digest(paths)
    assert files_digest(paths[:2]) != files_digest(paths[:3])


def cell(value: Any) -> bytes:
    """A cell as the documentation of `content-v1` says, written a second time and without Arrow."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return b"-"
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int) and abs(value) > 2**53:
        return b"i" + struct.pack(">Q", len(str(value))) + str(value).encode()
    if isinstance(value, int | float | Decimal):
        return b"n" + struct.pack(">d", float(value) + 0.0)
    if isinstance(value, time):
        seconds = value.hour * 3600 + value.minute * 60 + value.second
        return b"c" + struct.pack(">qQ", seconds, value.microsecond * 1000)
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        passed = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return b"m" + struct.pack(">qQ", passed.days * 86400 + passed.seconds, passed.microseconds * 1000)
    content = value.encode() if isinstance(value, str) else value
    return (b"s" if isinstance(value, str) else b"b") + struct.pack(">Q", len(content)) + content


def documented(columns: dict[str, tuple[str, list[Any]]]) -> str:
    head = json.dumps([[name, kind] for name, (kind, _) in columns.items()], separators=(",", ":"), ensure_ascii=False)
    rows = zip(*(values for _, values in columns.values()), strict=True)
    lines = sorted(hashlib.sha256(b"".join(map(cell, row))).hexdigest() for row in rows)
    return hashlib.sha256("".join(line + "\n" for line in [head, *lines]).encode()).hexdigest()


MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001
COLUMNS = {
    "whole": ("number", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "unsigned": ("number", pa.uint64(), st.integers(0, 2**64 - 1)),
    "small": ("number", pa.int8(), st.integers(-128, 127)),
    "double": ("number", pa.float64(), st.floats()),
    "single": ("number", pa.float32(), st.floats(width=32)),
    "decimal": ("number", pa.decimal128(20, 4), st.decimals(-(10**12), 10**12, places=4)),
    'text "ü"': ("text", pa.string(), st.text(st.characters(codec="utf-8"))),
    "flag": ("boolean", pa.bool_(), st.booleans()),
    "stamp": ("time", pa.timestamp("us"), MOMENTS),
    "zoned": ("time", pa.timestamp("us", "Europe/Berlin"), MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))),
    "day": ("time", pa.date32(), st.dates()),
    "clock": ("time", pa.time64("us"), st.times()),
    "bytes": ("other", pa.binary(), st.binary()),
}
ROWS = st.lists(st.tuples(*(st.none() | values for _, _, values in COLUMNS.values())), min_size=1, max_size=12)


@given(ROWS)
def test_the_digest_of_a_frame_is_what_its_documentation_says(rows: list[tuple[Any, ...]]) -> None:
    values = {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)}
    table = pa.table({name: pa.array(values[name], type_) for name, (_, type_, _) in COLUMNS.items()})
    assert digest(table).hex == documented({name: (kind, values[name]) for name, (kind, _, _) in COLUMNS.items()})


@given(ROWS, st.randoms())
def test_the_order_of_rows_does_not_count(rows: list[tuple[Any, ...]], random: Any) -> None:
    def table(ordered: list[tuple[Any, ...]]) -> pa.Table:
        columns = enumerate(COLUMNS.items())
        return pa.table({name: pa.array([row[n] for row in ordered], type_) for n, (name, (_, type_, _)) in columns})

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert digest(table(shuffled)) == digest(table(rows))


def test_the_same_data_has_one_digest_in_every_library_and_type() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, None, 3],
            "share": [0.5, np.nan, -0.0],
            "name": ["a", None, "ü"],
            "group": pd.Categorical(["x", "y", None]),
            "flag": [True, None, False],
            "when": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
            "nothing": [None, None, None],
        }
    )
    table = pa.table(
        {
            "whole": pa.array([1, None, 3], pa.uint8()),
            "share": pa.array([0.5, None, 0], pa.float32()),
            "name": pa.array(["a", None, "ü"], pa.string_view()),
            "group": ["x", "y", None],
            "flag": [True, None, False],
            "when": pa.array([date(2026, 1, 1), None, date(2026, 1, 3)]),
            "nothing": pa.nulls(3),
        }
    )
    assert digest(frame) == digest(pl.from_pandas(frame)) == digest(pa.Table.from_pandas(frame)) == digest(table)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pa.table({"a": [1, 2, 3], "b": ["x", "y", "y"]}), id="another value"),
        pytest.param(pa.table({"a": [1, 2, None], "b": ["x", "y", "z"]}), id="a null"),
        pytest.param(pa.table({"a": [1, 2], "b": ["x", "y"]}), id="a row less"),
        pytest.param(pa.table({"a": [1, 2, 3, 3], "b": ["x", "y", "z", "z"]}), id="a row twice"),
        pytest.param(pa.table({"a": [2, 1, 3], "b": ["x", "y", "z"]}), id="values that changed places in one column"),
        pytest.param(pa.table({"b": ["x", "y", "z"], "a": [1, 2, 3]}), id="columns in another order"),
        pytest.param(pa.table({"A": [1, 2, 3], "b": ["x", "y", "z"]}), id="another name"),
        pytest.param(pa.table({"a": ["1", "2", "3"], "b": ["x", "y", "z"]}), id="another kind"),
        pytest.param(pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [1, 2, 3]}), id="a column more"),
    ],
)
def test_other_data_has_another_digest(other: pa.Table) -> None:
    assert digest(other) != digest(pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]}))


def test_text_cannot_move_from_one_cell_to_the_next() -> None:
    assert digest(pa.table({"a": ["xs"], "b": ["y"]})) != digest(pa.table({"a": ["x"], "b": ["sy"]}))


def test_a_slice_and_pieces_have_the_digest_of_the_whole() -> None:
    whole = pa.table({"a": list(range(100)), "b": [str(n) for n in range(100)], "c": [n % 2 == 0 for n in range(100)]})
    assert digest(pa.concat_tables([whole[:33], whole[33:34], whole[34:]])) == digest(whole)
    assert digest(pa.concat_tables([whole, whole])[50:150]) == digest(whole)


@pytest.mark.parametrize(("values", "type_"), [([[1]], "list<item: int64>"), ([timedelta(1)], "duration[us]")])
def test_nested_values_and_durations_are_refused(values: list[Any], type_: str) -> None:
    with pytest.raises(DataError) as caught:
        digest(pa.table({"a": pa.array(values)}))
    assert str(caught.value) == f"column 'a' holds values of type {type_}, which have no digest"
    assert caught.value.hint == "leave the column out, or give the data as a parquet file"
