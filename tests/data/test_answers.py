from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aims_mlops.data.duckdb_engine import DuckEngine
from aims_mlops.errors import DataError
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.plugin import ColumnStats, Contingency, Dataset

AWKWARD = [
    'say "hi"',
    "capital-gain",
    "two words",
    "größe ☃",
    "select",
    "1st",
    "a.b",
    "it's",
    "$1",
    "?",
    "%s",
    "v0",
    '"; DROP TABLE attached_frame; --',
    '") FROM (SELECT 1) --',
]


def held(engine: DuckEngine, **columns: Any) -> Dataset:
    return engine.open(DatasetSpec("evaluation", ""), pa.table(columns))


def clean(value: Any) -> Any:
    """A value as the answers give it: NaN is null, -0.0 is 0."""
    if isinstance(value, float):
        return None if math.isnan(value) else value + 0.0
    return value


def order(cells: tuple[Any, ...]) -> tuple[tuple[bool, Any], ...]:
    return tuple((cell is None, 0 if cell is None else cell) for cell in cells)


DOUBLES = st.lists(st.none() | st.floats(), min_size=1, max_size=30)
WORDS = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=3)
MIXED = st.lists(
    st.tuples(
        st.none() | st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf, -math.inf]) | st.floats(),
        WORDS,
        st.none() | st.booleans(),
        st.none() | st.integers(-(2**63), 2**63 - 1),
    ),
    min_size=1,
    max_size=30,
)


@given(MIXED)
def test_contingency_counts_as_python_does(shared_engine: DuckEngine, rows: list[tuple[Any, ...]]) -> None:
    types = [pa.float64(), pa.string(), pa.bool_(), pa.int64()]
    columns = {name: pa.array([row[n] for row in rows], types[n]) for n, name in enumerate("abcd")}
    found = shared_engine.contingency(held(shared_engine, **columns), list("abcd"))
    expected = Counter(tuple(map(clean, row)) for row in rows)
    assert dict(zip(found.cells, found.counts, strict=True)) == expected
    # UTF-8 orders as code points do, so text sorts alike in both.
    assert list(found.cells) == sorted(expected, key=order)
    assert [type(cell) for cells in found.cells for cell in cells if cell is not None] == [
        type(cell) for cells in sorted(expected, key=order) for cell in cells if cell is not None
    ]


@given(DOUBLES)
def test_value_counts_are_of_finite_values(shared_engine: DuckEngine, values: list[float | None]) -> None:
    found = shared_engine.value_counts(held(shared_engine, x=pa.array(values, pa.float64())), "x")
    expected = pd.Series([value + 0.0 for value in values if value is not None and math.isfinite(value)]).value_counts()
    assert list(found.items()) == sorted((key, int(count)) for key, count in expected.items())


@given(st.lists(WORDS, min_size=1, max_size=30))
def test_value_counts_of_text_leave_nulls_out(shared_engine: DuckEngine, words: list[str | None]) -> None:
    found = shared_engine.value_counts(held(shared_engine, x=pa.array(words, pa.string())), "x")
    assert found == Counter(word for word in words if word is not None)


@given(DOUBLES)
def test_stats_are_those_of_numpy(shared_engine: DuckEngine, values: list[float | None]) -> None:
    found = shared_engine.stats(held(shared_engine, x=pa.array(values, pa.float64())), ["x"])["x"]
    kept = np.array([value for value in values if value is not None and math.isfinite(value)])
    assert found.kind == "number"
    assert found.rows == len(values)
    assert found.nulls == sum(clean(value) is None for value in values)
    assert found.infinities == sum(value is not None and math.isinf(value) for value in values)
    assert found.distinct == len(np.unique(kept))
    assert found.storage == "float64"
    if not len(kept):
        assert (found.minimum, found.maximum, found.mean) == (None, None, None)
        return
    assert (found.minimum, found.maximum) == (kept.min(), kept.max())
    assume(abs(kept).max() < 1e300)
    assert found.mean == pytest.approx(math.fsum(kept) / len(kept), rel=1e-12, abs=1e-12 * abs(kept).max())


EDGES = st.lists(st.floats(allow_nan=False), min_size=2, max_size=12).map(sorted)


@given(DOUBLES, EDGES)
def test_a_histogram_counts_finite_values_as_numpy_does(
    shared_engine: DuckEngine, values: list[float | None], edges: list[float]
) -> None:
    data = held(shared_engine, x=pa.array(values, pa.float64()))
    kept = np.array([value for value in values if value is not None and math.isfinite(value)])
    # numpy refuses infinite ranges before it sorts values into bins; its sorting is this.
    at = np.append(
        np.searchsorted(np.sort(kept), edges[:-1], "left"), np.searchsorted(np.sort(kept), edges[-1], "right")
    )
    found = shared_engine.histogram(data, "x", edges)
    assert found == tuple(np.diff(at).tolist())
    if all(map(math.isfinite, edges)):
        assert found == tuple(np.histogram(kept, np.array(edges))[0].tolist())


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60), st.lists(st.integers(-20, 20), min_size=2, max_size=9))
def test_values_on_an_edge_fall_into_numpys_bin(shared_engine: DuckEngine, values: list[int], cuts: list[int]) -> None:
    edges = sorted(float(cut) for cut in cuts)
    data = held(shared_engine, x=values)
    assert shared_engine.histogram(data, "x", edges) == tuple(np.histogram(values, edges)[0].tolist())


def test_the_edges_that_numpy_makes_lose_no_row(engine: DuckEngine) -> None:
    values = np.random.default_rng(0).lognormal(size=50_000)
    edges = np.histogram_bin_edges(values, bins="sturges")
    found = engine.histogram(held(engine, x=values), "x", edges.tolist())
    assert found == tuple(np.histogram(values, edges)[0].tolist())
    assert sum(found) == len(values)


@pytest.mark.parametrize("edges", [[], [1.0], [2.0, 1.0], [0.0, math.nan, 1.0], [math.nan, math.nan]])
def test_edges_that_do_not_rise_are_refused(engine: DuckEngine, edges: list[float]) -> None:
    with pytest.raises(DataError) as caught:
        engine.histogram(held(engine, x=[1.0]), "x", edges)
    assert str(caught.value) == "dataset 'evaluation': the bins of column 'x' have no rising edges"
    assert caught.value.hint == "give at least two edges, none of them NaN, from the lowest to the highest"


def test_text_has_no_histogram(engine: DuckEngine) -> None:
    with pytest.raises(DataError) as caught:
        engine.histogram(held(engine, x=["a"]), "x", [0, 1])
    assert str(caught.value) == "dataset 'evaluation': column 'x' is text, not numbers"
    assert caught.value.hint == "count its values instead of drawing bins"


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        pytest.param(pa.array([Decimal("1.50"), None]), [1.5, None], id="decimals are floats"),
        pytest.param(pa.array([date(2026, 1, 2)]), ["2026-01-02"], id="days are ISO 8601"),
        pytest.param(pa.array([datetime(2026, 1, 2, 3, 4, 5, 600)]), ["2026-01-02T03:04:05.0006"], id="so are moments"),  # noqa: DTZ001
        pytest.param(
            pa.array([datetime(2026, 1, 2, tzinfo=UTC)], pa.timestamp("us", "Asia/Tokyo")),
            ["2026-01-02T00:00:00+00"],
            id="moments with a zone are UTC",
        ),
        pytest.param(
            pa.array([1, 2], pa.timestamp("ns")),
            [f"1970-01-01T00:00:00.00000000{n}" for n in (1, 2)],
            id="nanoseconds stay apart",
        ),
        pytest.param(pa.array(["b", "a"]).dictionary_encode(), ["a", "b"], id="categories sort as text"),
        pytest.param(pa.nulls(2), [None], id="a column without a type"),
        pytest.param(pa.array([2**64 - 1, 0], pa.uint64()), [0, 2**64 - 1], id="large unsigned numbers"),
        pytest.param(pa.array([1.5, None], pa.float16()), [1.5, None], id="half floats"),
        pytest.param(pa.array([0.1], pa.float32()), [float(np.float32(0.1))], id="single floats"),
        pytest.param(pa.array([b"ab"]), ["ab"], id="binary"),
    ],
)  # fmt: skip
def test_cells_are_plain_values(engine: DuckEngine, tmp_path: Path, values: pa.Array, cells: list[Any]) -> None:
    table = pa.table({"x": values})
    pq.write_table(table, tmp_path / "a.parquet")
    spec = DatasetSpec("evaluation", str(tmp_path / "a.parquet"))
    for data in (engine.open(spec), engine.open(spec, table)):
        assert [cell for (cell,) in engine.contingency(data, ["x"]).cells] == cells
        assert list(engine.value_counts(data, "x")) == [cell for cell in cells if cell is not None]


@pytest.mark.parametrize(
    ("values", "storage"),
    [
        (pa.array([1], pa.int8()), "integer"),
        (pa.array([1], pa.uint32()), "integer"),
        (pa.array([1], pa.int32()), "integer"),
        (pa.array([1.0], pa.float32()), "float32"),
        (pa.array([1.0]), "float64"),
        (pa.array([Decimal(1)]), "float64"),
        (pa.array(["1"]), ""),
        (pa.array([True]), ""),
        (pa.array([1], pa.timestamp("us")), ""),
    ],
    ids=str,
)
def test_stats_say_how_numbers_are_stored(engine: DuckEngine, values: pa.Array, storage: str) -> None:
    assert engine.stats(held(engine, x=values), ["x"])["x"].storage == storage


def test_stats_of_several_kinds_come_from_one_question(engine: DuckEngine) -> None:
    data = held(engine, text=["a", "a", None], flag=[True, False, None], whole=[1, 1, None], none=pa.nulls(3))
    assert engine.stats(data, ["text", "flag", "whole", "none", "text"]) == {
        "text": ColumnStats("text", 3, nulls=1, infinities=0, distinct=1),
        "flag": ColumnStats("boolean", 3, nulls=1, infinities=0, distinct=2),
        "whole": ColumnStats("number", 3, 1, 0, 1, minimum=1.0, maximum=1.0, mean=1.0, storage="integer"),
        "none": ColumnStats("text", 3, nulls=3, infinities=0, distinct=0),
    }
    assert engine.stats(data, []) == {}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_column_names_are_only_names(engine: DuckEngine, tmp_path: Path, name: str) -> None:
    table = pa.table({name: [1, 2, 2], "other": ["x", "y", "y"]})
    pq.write_table(table, tmp_path / "a.parquet")
    spec = DatasetSpec("evaluation", str(tmp_path / "a.parquet"), label=name, sensitive=(name,), prediction=name)
    for data in (engine.open(spec), engine.open(spec, table)):
        assert engine.contingency(data, [name, "other"]).counts == (1, 2)
        assert engine.stats(data, [name])[name].distinct == 2
        assert engine.value_counts(data, name) == {1: 1, 2: 2}
        assert engine.histogram(data, name, [1, 2, 3]) == (1, 2)
        assert engine.frame(data, [name])[name].tolist() == [1, 2, 2]
        stored = engine.with_stored_predictions(data, spec)
        assert engine.contingency(stored, [name, "aims.prediction"]).cells == ((1, 1), (2, 2))
        assert engine.aggregate(data, {name: "count(*)"}) == {name: 3}


def test_a_csv_file_may_have_awkward_column_names(engine: DuckEngine, tmp_path: Path) -> None:
    pd.DataFrame([range(len(AWKWARD))], columns=AWKWARD).to_csv(tmp_path / "a.csv", index=False)
    data = engine.open(DatasetSpec("evaluation", str(tmp_path / "a.csv")))
    assert list(data.columns) == AWKWARD
    assert engine.contingency(data, AWKWARD).cells == (tuple(range(len(AWKWARD))),)


@pytest.mark.parametrize("ask", ["contingency", "stats", "value_counts", "histogram", "frame"])
def test_a_missing_column_is_named_with_its_nearest(engine: DuckEngine, ask: str) -> None:
    data = held(engine, age=[1], sex=["F"])
    asked: dict[str, list[Any]] = {"value_counts": ["agee"], "histogram": ["agee", [0, 1]]}
    with pytest.raises(DataError) as caught:
        getattr(engine, ask)(data, *asked.get(ask, [["agee"]]))
    assert str(caught.value) == "dataset 'evaluation' has no column 'agee'"
    assert caught.value.hint == "did you mean 'age'?"


def test_a_column_written_in_another_case_is_missing(engine: DuckEngine) -> None:
    with pytest.raises(DataError, match="has no column 'AGE'"):
        engine.contingency(held(engine, age=[1]), ["AGE"])


def test_a_hint_lists_only_some_of_many_columns(engine: DuckEngine) -> None:
    with pytest.raises(DataError) as caught:
        engine.stats(held(engine, **{f"c{n:02}": [1] for n in range(20)}), ["zzz"])
    assert caught.value.hint == (
        "its columns are: c00, c01, c02, c03, c04, c05, c06, c07, c08, c09, c10, c11 and 8 more"
    )


def test_more_cells_than_the_limit_are_refused_with_their_number(engine: DuckEngine) -> None:
    data = held(engine, **{"x": list(range(10)), "{y}": ["a", "b"] * 5})
    assert len(engine.contingency(data, ["x", "{y}"], limit=10).cells) == 10
    with pytest.raises(DataError) as caught:
        engine.contingency(data, ["x", "{y}"], limit=9)
    assert str(caught.value) == "dataset 'evaluation': 10 cells for columns 'x', '{y}', more than 9"
    assert caught.value.hint == (
        "choose columns with fewer values, or bin them; an identifier or a measured number is not a group"
    )
    with pytest.raises(DataError) as caught:
        engine.value_counts(data, "x", limit=9)
    assert str(caught.value) == "dataset 'evaluation': 10 cells for column 'x', more than 9"


def test_a_column_named_twice_counts_once(engine: DuckEngine) -> None:
    assert engine.contingency(held(engine, x=[1, 1]), ["x", "x"]) == Contingency(("x",), ((1,),), (2,))


def test_a_contingency_table_needs_a_column(engine: DuckEngine) -> None:
    with pytest.raises(DataError, match="a contingency table needs a column"):
        engine.contingency(held(engine, x=[1]), [])


def test_aggregates_come_back_as_plain_values(engine: DuckEngine) -> None:
    data = held(engine, **{"my x": [1, 2, None], "s": ["a", "b", "b"]})
    asked = {
        "rows": "count(*)",
        "mean": 'avg("my x")',
        "decimal": 'sum("my x"::DECIMAL(10, 2))',
        "first": "min(s)",
        "any": "bool_or(s = 'a')",
        "none": "max(NULL)",
    }
    answers = engine.aggregate(data, asked)
    assert answers == {"rows": 3, "mean": 1.5, "decimal": 3.0, "first": "a", "any": True, "none": None}
    assert type(answers["decimal"]) is float
    assert engine.aggregate(data, {}) == {}


@pytest.mark.parametrize(
    ("expression", "kind", "hint"),
    [
        ("count(nothing)", "BinderException", "an expression or a column does not fit the data's types"),
        ("count(", "ParserException", "an expression is not SQL"),
        ("sum(s::INTEGER)", "ConversionException", "values of one column have types that do not go together"),
    ],
)
def test_an_expression_that_cannot_be_computed_quotes_no_value(
    engine: DuckEngine, expression: str, kind: str, hint: str
) -> None:
    with pytest.raises(DataError) as caught:
        engine.aggregate(held(engine, s=["SECRET"]), {"x": expression})
    assert str(caught.value) == f"dataset 'evaluation' could not be read ({kind})"
    assert caught.value.hint == hint


# Rows for a check library


def test_a_frame_has_the_types_that_libraries_know(engine: DuckEngine) -> None:
    data = held(
        engine,
        text=["a", None],
        category=pa.array(["a", None]).dictionary_encode(),
        flag=[True, False],
        maybe=[True, None],
        whole=pa.array([1, 2], pa.int32()),
        gaps=[1, None],
        large=[2**53 + 1, None],
        huge=pa.array([2**64 - 1, None], pa.uint64()),
        double=[0.5, None],
        decimal=[Decimal("0.10"), None],
        stamp=pa.array([0, None], pa.timestamp("us")),
        empty=pa.array([None, None], pa.int64()),
    )
    frame = engine.frame(data, [*data.columns, "text"])
    assert list(frame.columns) == list(data.columns)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "text": "object", "category": "object", "flag": "bool", "maybe": "object", "whole": "int32", "gaps": "float64",
        "large": "Int64", "huge": "UInt64", "double": "float64", "decimal": "float64", "stamp": "datetime64[us]",
        "empty": "float64",
    }  # fmt: skip
    assert frame["text"].tolist() == ["a", None]
    assert frame["maybe"].tolist() == [True, None]
    assert frame["large"][0] == 2**53 + 1
    assert frame["huge"][0] == 2**64 - 1
    assert frame["decimal"][0] == 0.1
    assert frame.isna().sum().drop(["flag", "whole", "empty"]).eq(1).all()


def test_a_frame_of_no_columns_is_empty(engine: DuckEngine) -> None:
    assert engine.frame(held(engine, x=[1]), []).shape == (0, 0)
