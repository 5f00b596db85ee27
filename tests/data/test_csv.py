from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aims_mlops.data.duckdb_engine import DuckEngine
from aims_mlops.errors import DataError
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.plugin import Dataset


def opened(engine: DuckEngine, path: Path, text: str) -> Dataset:
    path.write_bytes(text.encode())
    return engine.open(DatasetSpec("evaluation", str(path)))


def column(engine: DuckEngine, folder: Path, cells: list[str]) -> tuple[str, list[object]]:
    """The kind and values of a column that is written with these cells, beside one that is never null."""
    text = "n,x\n" + "".join(f"{place},{cell}\n" for place, cell in enumerate(cells))
    data = opened(engine, folder / "a.csv", text)
    cells_ = engine.contingency(data, ["n", "x"]).cells
    return data.columns["x"], [value for _, value in cells_]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        pytest.param(["1", "-2", "+3", ""], "number", [1, -2, 3, None], id="whole numbers"),
        pytest.param(["1", "2.5", "1e3", ".5", "2."], "number", [1.0, 2.5, 1000.0, 0.5, 2.0], id="numbers"),
        pytest.param(["1", "nan", "inf", "-Infinity"], "number", [1.0, None, float("inf"), float("-inf")], id="NaN"),
        pytest.param([" 1", "2 "], "number", [1, 2], id="numbers with spaces"),
        pytest.param(["true", "False", "TRUE", ""], "boolean", [True, False, True, None], id="booleans"),
        pytest.param(["yes", "no"], "text", ["yes", "no"], id="yes and no"),
        pytest.param(["t", "f"], "text", ["t", "f"], id="t and f"),
        pytest.param(["2026-01-01", "2026-01-02"], "text", ["2026-01-01", "2026-01-02"], id="days"),
        pytest.param(["10:00", "2026-01-01T10:00:00Z"], "text", ["10:00", "2026-01-01T10:00:00Z"], id="times"),
        pytest.param(["01234", "55555"], "text", ["01234", "55555"], id="codes with leading zeros"),
        pytest.param(["12345678901234567890"], "text", ["12345678901234567890"], id="beyond 64 bits"),
        pytest.param(["1_000", "0x1F"], "text", ["1_000", "0x1F"], id="numbers in a programmer's spelling"),
        pytest.param(["1", "1e999"], "number", [1.0, float("inf")], id="a number beyond the range of doubles"),
        pytest.param(["NA", "null", "None"], "text", ["NA", "null", "None"], id="words for null"),
        pytest.param(["", '""'], "text", [None, None], id="empty cells only"),
        pytest.param(['"a,b"', '"say ""hi"""'], "text", ["a,b", 'say "hi"'], id="quotes"),
        pytest.param(["# not a comment", "x"], "text", ["# not a comment", "x"], id="a hash"),
        pytest.param(["0", "-0"], "number", [0, 0], id="zeros"),
    ],
)
def test_the_type_of_a_column_follows_from_its_cells(
    engine: DuckEngine, tmp_path: Path, cells: list[str], kind: str, values: list[object]
) -> None:
    assert column(engine, tmp_path, cells) == (kind, values)


def test_a_late_text_makes_the_whole_column_text(engine: DuckEngine, tmp_path: Path) -> None:
    kind, values = column(engine, tmp_path, [*map(str, range(60_000)), "oops"])
    assert kind == "text"
    assert values[0] == "0"
    assert values[-1] == "oops"


def test_the_type_looks_at_all_files(engine: DuckEngine, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,y\n1,a\n")
    (tmp_path / "2.csv").write_text("y,x\nb,2.5\n")
    data = engine.open(DatasetSpec("evaluation", str(tmp_path / "*.csv")))
    assert engine.contingency(data, ["x", "y"]).cells == ((1.0, "a"), (2.5, "b"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "x,y\n1,a b\n"),
        ("a.csv", "x;y\n1;a b\n"),
        ("a.csv", "x|y\n1|a b\n"),
        ("a.tsv", "x\ty\n1\ta b\n"),
        ("a.CSV", "\ufeffx,y\r\n1,a b\r\n"),
        ("a.csv", "x,y\n1,a b"),
    ],
    ids=["commas", "semicolons", "bars", "tabs", "from a spreadsheet", "without a last line end"],
)
def test_the_usual_ways_to_write_a_table_are_read(engine: DuckEngine, tmp_path: Path, name: str, text: str) -> None:
    data = opened(engine, tmp_path / name, text)
    assert dict(data.columns) == {"x": "number", "y": "text"}
    assert engine.contingency(data, ["x", "y"]).cells == ((1, "a b"),)


def test_a_compressed_file_is_read(engine: DuckEngine, tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"x;y\n1;a\n"))
    data = engine.open(DatasetSpec("evaluation", str(tmp_path / "a.csv.gz")))
    assert engine.contingency(data, ["x", "y"]).cells == ((1, "a"),)


def test_a_comma_in_a_quoted_name_parts_nothing(engine: DuckEngine, tmp_path: Path) -> None:
    data = opened(engine, tmp_path / "a.csv", '"age, years";sex\n1;F\n')
    assert list(data.columns) == ["age, years", "sex"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param(b"a,b\n1,2\n3,4,SECRET\n", "Expected 2 columns, got 3", id="a cell too many"),
        pytest.param(b"a,b,c\n1,2,3\n3,SECRET\n", "Expected 3 columns, got 2", id="a cell too few"),
        pytest.param(b"a,b\nSECRET\xe9,1\n", "invalid UTF8 data", id="another encoding"),
        pytest.param(b"", "Empty CSV file", id="nothing at all"),
    ],
)
def test_a_damaged_file_is_refused_without_a_word_of_its_rows(
    engine: DuckEngine, tmp_path: Path, content: bytes, what: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        engine.open(DatasetSpec("evaluation", str(tmp_path / "a.csv")))
    assert str(caught.value) == f"dataset 'evaluation': 'a.csv' is not a good CSV file ({what})"
    assert caught.value.hint == (
        "a CSV file has a header line, as many cells in each row, and UTF-8 text; check how it was written"
    )


def test_a_file_that_is_not_what_its_suffix_says_is_refused(engine: DuckEngine, tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(DataError, match=r"^dataset 'evaluation': 'a\.csv\.gz' cannot be read \(\w+\)$"):
        engine.open(DatasetSpec("evaluation", str(tmp_path / "a.csv.gz")))


def test_no_copy_of_the_text_stays_behind(engine: DuckEngine, tmp_path: Path) -> None:
    data = opened(engine, tmp_path / "a.csv", "x\n1\n")
    assert [path.name for path in data.relation.folder.glob("*.parquet")] == ["typed.parquet"]


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(WORDS, st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=8))
def test_what_pythons_csv_writes_is_read_back(
    shared_engine: DuckEngine, tmp_path: Path, rows: list[tuple[str, float, int]]
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["words", "double", "whole"])
    writer.writerows([f"w{words}", repr(double), whole] for words, double, whole in rows)
    data = opened(shared_engine, tmp_path / "a.csv", text.getvalue())
    frame = shared_engine.frame(data, list(data.columns))
    expected = pd.DataFrame(rows, columns=["words", "double", "whole"]).astype({"words": object})
    expected["words"] = "w" + expected["words"]
    assert frame["words"].tolist() == expected["words"].tolist()
    assert [float(value) for value in frame["double"]] == expected["double"].tolist()
    assert frame["whole"].tolist() == expected["whole"].tolist()
