from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aims_mlops.data.duckdb_engine import DuckEngine
from aims_mlops.errors import DataError, ExitCode, MissingExtra, UsageError
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import DatasetSpec

PEOPLE = pa.table({"age": [20, 30, None], "sex": ["F", None, "M"], "income": [0, 1, 1]})


def spec(path: Path | str, **facts: Any) -> DatasetSpec:
    return DatasetSpec("evaluation", str(path), **facts)


def write(path: Path, table: pa.Table = PEOPLE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def refusal(engine: DuckEngine, wanted: DatasetSpec, frame: object | None = None) -> tuple[str, str]:
    with pytest.raises(DataError) as caught:
        engine.open(wanted, frame)
    assert caught.value.exit_code is ExitCode.UNDECIDED
    return str(caught.value), caught.value.hint


def test_a_parquet_file_opens_with_its_columns_kinds_and_rows(engine: DuckEngine, tmp_path: Path) -> None:
    data = engine.open(spec(write(tmp_path / "people.parquet"), label="income", sensitive=("sex",), positive=1))
    assert data.name == "evaluation"
    assert dict(data.columns) == {"age": "number", "sex": "text", "income": "number"}
    assert (data.rows, data.origin, data.digest_kind) == (3, "policy", "files-sha256")
    assert (data.label, data.sensitive, data.positive) == ("income", ("sex",), 1)


def test_the_kind_follows_the_type(engine: DuckEngine, tmp_path: Path) -> None:
    now = np.datetime64("2026-01-01T00:00:00", "us")
    table = pa.table(
        {
            "small": pa.array([1], pa.int8()),
            "decimal": pa.array([1]).cast(pa.decimal128(22, 2)),
            "category": pa.array(["a"]).dictionary_encode(),
            "numbered category": pa.array([3]).dictionary_encode(),
            "flag": [True],
            "stamp": [now],
            "day": pa.array([0], pa.date32()),
            "clock": pa.array([0], pa.time64("us")),
            "nothing": pa.nulls(1),
            "bytes": [b"x"],
            "list": [[1]],
            "span": pa.array([1], pa.duration("us")),
        }
    )
    kinds = engine.open(spec(write(tmp_path / "all.parquet", table))).columns
    assert list(kinds.values()) == [
        "number", "number", "text", "number", "boolean", "time", "time", "time", "text", "other", "other", "other",
    ]  # fmt: skip


def test_rows_of_a_glob_come_in_the_order_of_the_file_names(engine: DuckEngine, tmp_path: Path) -> None:
    for week in (10, 2, 1):
        write(tmp_path / f"week-{week:02}.parquet", pa.table({"week": [week, week]}))
    data = engine.open(spec(tmp_path / "*.parquet"))
    assert engine.frame(data, ["week"])["week"].tolist() == [1, 1, 2, 2, 10, 10]


def test_columns_of_several_files_are_matched_by_name_and_widened(engine: DuckEngine, tmp_path: Path) -> None:
    write(tmp_path / "1.parquet", pa.table({"a": [1, 2], "b": ["x", "y"], "c": pa.nulls(2)}))
    write(tmp_path / "2.parquet", pa.table({"c": ["z"], "b": ["w"], "a": [2.5]}))
    data = engine.open(spec(tmp_path / "*.parquet"))
    assert dict(data.columns) == {"a": "number", "b": "text", "c": "text"}
    assert engine.contingency(data, ["a", "b", "c"]).cells == ((1.0, "x", None), (2.0, "y", None), (2.5, "w", "z"))


@pytest.mark.parametrize(
    "name", ["a[1].parquet", "what?.parquet", "st*r.parquet", "o'clock.parquet", 'q".parquet', "ü ☃.pq"]
)
def test_a_file_with_an_awkward_name_is_that_file_alone(engine: DuckEngine, tmp_path: Path, name: str) -> None:
    write(tmp_path / "a1.parquet", pa.table({"x": [0] * 9}))
    write(tmp_path / "whatx.parquet", pa.table({"x": [0] * 9}))
    write(tmp_path / "stair.parquet", pa.table({"x": [0] * 9}))
    data = engine.open(spec(write(tmp_path / name, pa.table({"x": [7]}))))
    assert engine.frame(data, ["x"])["x"].tolist() == [7]


def test_a_folder_named_like_a_partition_adds_no_column(engine: DuckEngine, tmp_path: Path) -> None:
    data = engine.open(spec(write(tmp_path / "year=2026" / "a.parquet")))
    assert "year" not in data.columns
    assert "year" not in engine.frame(data, list(data.columns))


def test_hidden_files_are_no_part_of_a_glob(engine: DuckEngine, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    write(tmp_path / ".b.parquet")
    assert engine.open(spec(tmp_path / "*.parquet")).rows == 3


# Frames


def test_the_same_frame_answers_alike_from_every_library(engine: DuckEngine, tmp_path: Path) -> None:
    frame = PEOPLE.to_pandas()
    frame["when"] = pd.to_datetime(["2026-01-01", None, "2026-01-03"])
    frame["share"] = [0.5, np.nan, np.inf]
    table = pa.Table.from_pandas(frame)
    frame.to_parquet(tmp_path / "people.parquet", index=False)
    opened = [
        engine.open(spec(""), frame),
        engine.open(spec(""), pl.from_pandas(frame)),
        engine.open(spec(""), table),
        engine.open(spec(tmp_path / "people.parquet")),
    ]
    first = opened[0]
    for data in opened[1:]:
        assert data.columns == first.columns
        assert engine.contingency(data, list(data.columns)) == engine.contingency(first, list(first.columns))
        assert engine.stats(data, list(data.columns)) == engine.stats(first, list(first.columns))
        pd.testing.assert_frame_equal(engine.frame(data, list(data.columns)), engine.frame(first, list(first.columns)))
    assert len({data.digest for data in opened[:3]}) == 1


def test_a_frame_never_passes_for_the_policys_own_data(engine: DuckEngine) -> None:
    assert engine.open(spec("evaluation.parquet"), PEOPLE.to_pandas()).origin == "attached"
    assert engine.open(spec("evaluation.parquet"), PEOPLE, origin="live").origin == "live"


def test_a_pandas_index_is_no_column(engine: DuckEngine) -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 6], name="person"))
    assert list(engine.open(spec(""), frame).columns) == ["a"]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        pytest.param(lambda: [1, 2], "a builtins list", id="a list"),
        pytest.param(lambda: np.zeros((2, 2)), "a numpy ndarray", id="an array"),
        pytest.param(lambda: pl.LazyFrame({"a": [1]}), "a polars LazyFrame", id="a lazy frame"),
    ],
)
def test_what_is_no_frame_cannot_be_attached(engine: DuckEngine, frame: Callable[[], object], said: str) -> None:
    message, hint = refusal(engine, spec(""), frame())
    assert message == f"dataset 'evaluation': {said} is not a table that can be attached"
    assert hint == "attach a pandas, polars or pyarrow table; collect a lazy one first"


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(pd.DataFrame([[1, 2]], columns=["a", "a"]), id="a column twice"),
        pytest.param(pd.DataFrame({"a": [1, "secret"]}), id="numbers and text in one column"),
    ],
)
def test_a_frame_without_one_type_for_each_column_is_refused(engine: DuckEngine, frame: pd.DataFrame) -> None:
    message, hint = refusal(engine, spec(""), frame)
    assert message == "dataset 'evaluation': this pandas DataFrame cannot be read as columns of one type each"
    assert hint == "give every column its own name and values of one type"


# What is missing or damaged


def test_a_missing_file_is_named(engine: DuckEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message, hint = refusal(engine, spec(tmp_path / "data" / "gone.parquet"))
    assert message == f"dataset 'evaluation': the file {os.path.join('data', 'gone.parquet')!r} does not exist"  # noqa: PTH118
    assert hint == "check the path in aims.yaml; relative paths start from the folder of aims.yaml"


def test_a_pattern_without_a_match_is_named(
    engine: DuckEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message, hint = refusal(engine, spec(tmp_path / "*.parquet"))
    assert message == "dataset 'evaluation': no file matches '*.parquet'"
    assert hint == "check the pattern in aims.yaml; relative paths start from the folder of aims.yaml"


def test_a_folder_is_not_a_file(engine: DuckEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    message, hint = refusal(engine, spec(tmp_path / "data"))
    assert message == "dataset 'evaluation': 'data' is a folder"
    assert hint == "name the files: data/*.parquet"


def test_a_uri_is_not_a_file(engine: DuckEngine) -> None:
    message, hint = refusal(engine, spec("s3://bucket/people.parquet"))
    assert message == "dataset 'evaluation': 's3://bucket/people.parquet' is not a local file"
    assert hint == "give a local path or glob; copy the file here first"


def test_an_unknown_suffix_lists_the_known_ones(engine: DuckEngine, tmp_path: Path) -> None:
    (tmp_path / "people.xlsx").write_bytes(b"x")
    message, hint = refusal(engine, spec(tmp_path / "people.xlsx"))
    assert message == "dataset 'evaluation': the format of 'people.xlsx' is not known"
    assert hint == "formats are told by the suffix: .parquet, .pq, .csv, .csv.gz, .tsv, .tsv.gz"


def test_two_formats_do_not_make_one_dataset(engine: DuckEngine, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("age,sex,income\n1,F,0\n")
    message, hint = refusal(engine, spec(tmp_path / "*"))
    assert message == "dataset 'evaluation' is made of parquet and CSV files at once"
    assert hint == "make the pattern match files of one format"


def test_a_damaged_parquet_file_is_named(engine: DuckEngine, tmp_path: Path) -> None:
    whole = write(tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[:-20])
    message, hint = refusal(engine, spec(tmp_path / "a.parquet"))
    assert message == "dataset 'evaluation': 'a.parquet' cannot be read (ArrowInvalid)"
    assert hint == "is the file complete, and may you read it? Write it again, or correct the path in aims.yaml"


def test_damage_inside_a_parquet_file_shows_when_it_is_read(engine: DuckEngine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"x": list(range(1000))}))
    content = bytearray(path.read_bytes())
    content[4:64] = b"\xff" * 60
    path.write_bytes(content)
    data = engine.open(spec(path))
    with pytest.raises(DataError, match=r"^dataset 'evaluation' could not be read \(\w+\)$"):
        engine.frame(data, ["x"])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever may read everything cannot be locked out")
def test_a_file_that_may_not_be_read_is_named(engine: DuckEngine, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet").chmod(0)
    message, _ = refusal(engine, spec(tmp_path / "a.parquet"))
    assert message == "dataset 'evaluation': 'a.parquet' cannot be read (PermissionError)"


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_no_rows_is_an_error(engine: DuckEngine, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"empty.{suffix}"
    PEOPLE.schema.empty_table().to_pandas().to_csv(path, index=False) if suffix == "csv" else write(path, PEOPLE[:0])
    message, hint = refusal(engine, spec(path, label="income"))
    assert message == f"dataset 'evaluation' has no rows (empty.{suffix})"
    assert hint == "was the file written completely, and is it the right one?"


def test_a_frame_without_rows_is_an_error(engine: DuckEngine) -> None:
    assert refusal(engine, spec(""), PEOPLE[:0])[0] == "dataset 'evaluation' has no rows"


@pytest.mark.parametrize(
    ("facts", "message", "hint"),
    [
        pytest.param(
            {"label": "incom"},
            "dataset 'evaluation' has no column 'incom', which aims.yaml names as its label",
            "did you mean 'income'?",
            id="the label",
        ),
        pytest.param(
            {"sensitive": ("sex", "religion")},
            "dataset 'evaluation' has no column 'religion', which aims.yaml names as its sensitive",
            "its columns are: age, sex, income",
            id="a sensitive column",
        ),
        pytest.param(
            {"prediction": "Age"},
            "dataset 'evaluation' has no column 'Age', which aims.yaml names as its prediction",
            "did you mean 'age'?",
            id="the prediction, written with another case",
        ),
        pytest.param(
            {"prediction": "age", "score": "probability"},
            "dataset 'evaluation' has no column 'probability', which aims.yaml names as its score",
            "its columns are: age, sex, income",
            id="the score",
        ),
    ],
)
def test_a_column_that_the_policy_names_must_be_there(
    engine: DuckEngine, tmp_path: Path, facts: dict[str, Any], message: str, hint: str
) -> None:
    assert refusal(engine, spec(write(tmp_path / "a.parquet"), **facts)) == (message, hint)


@pytest.mark.parametrize("label", [pa.array([None, None], pa.int64()), pa.array([float("nan"), None]), pa.nulls(2)])
def test_a_label_that_is_null_throughout_is_refused(engine: DuckEngine, tmp_path: Path, label: pa.Array) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"y": label, "x": [1, 2]}))
    message, hint = refusal(engine, spec(path, label="y"))
    assert message == "dataset 'evaluation': all 2 values of the label 'y' are null"
    assert hint == "name another label column in aims.yaml, or use data whose labels are known"


def test_a_pinned_dataset_must_be_the_pinned_one(engine: DuckEngine, tmp_path: Path) -> None:
    path, pinned = write(tmp_path / "a.parquet"), Digest.of(b"another")
    there = engine.open(spec(path)).digest
    assert engine.open(spec(path, digest=there)).digest == there
    message, hint = refusal(engine, spec(path, digest=pinned))
    assert message == (
        f"dataset 'evaluation' is not the pinned one: digest {there.short} (files-sha256), pinned {pinned.short}"
    )
    assert hint == f"restore the data, or have the new data approved and pin it in aims.yaml: digest: {there}"


def test_an_attached_frame_is_held_against_the_pin_as_well(engine: DuckEngine) -> None:
    there = engine.open(spec(""), PEOPLE).digest
    assert engine.open(spec("", digest=there), PEOPLE).digest == there
    assert "is not the pinned one" in refusal(engine, spec("", digest=there), PEOPLE[:2])[0]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_files_with_different_columns_are_refused(engine: DuckEngine, tmp_path: Path, suffix: str) -> None:
    for name, column in (("a", "age"), ("b", "years")):
        path = tmp_path / f"{name}.{suffix}"
        path.write_text(f"{column},x\n1,2\n") if suffix == "csv" else write(path, pa.table({column: [1], "x": [2]}))
    message, hint = refusal(engine, spec(tmp_path / f"*.{suffix}"))
    assert message == (
        "dataset 'evaluation': its files have different columns "
        f"('age' only in 'a.{suffix}', 'years' only in 'b.{suffix}')"
    )
    assert hint == "make the pattern match files of one table"


def test_files_with_different_kinds_of_one_column_are_refused(engine: DuckEngine, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"x": [1]}))
    write(tmp_path / "b.parquet", pa.table({"x": ["one"]}))
    message, hint = refusal(engine, spec(tmp_path / "*.parquet"))
    assert message == "dataset 'evaluation': column 'x' is number in 'a.parquet' and text in 'b.parquet'"
    assert hint == "write the files with the same types, or make the pattern match fewer"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        pytest.param(
            ["x", "aims.prediction"],
            (
                "dataset 'evaluation': the column 'aims.prediction' has a reserved name",
                "rename it: names that begin with 'aims.' are given to predictions",
            ),
            id="reserved",
        ),
        pytest.param(
            ["Age", "age"],
            (
                "dataset 'evaluation': the columns 'Age' and 'age' cannot be told apart",
                "rename one: SQL does not look at the case of names",
            ),
            id="the same but for case",
        ),
        pytest.param(
            ["x", ""],
            (
                "dataset 'evaluation': a column has no name",
                "name the column, or write the file without its index (index=False)",
            ),
            id="empty",
        ),
    ],
)
@pytest.mark.parametrize("form", ["parquet", "csv", "frame"])
def test_column_names_that_cannot_be_used_are_refused(
    engine: DuckEngine, tmp_path: Path, form: str, columns: list[str], said: tuple[str, str]
) -> None:
    table = pa.table([[1], [2]], names=columns)
    path = tmp_path / f"a.{form}"
    if form == "csv":
        path.write_text(",".join(columns) + "\n1,2\n")
    if form == "parquet":
        write(path, table)
    assert refusal(engine, spec(path), table if form == "frame" else None) == said


def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    with DuckEngine() as engine:
        data = engine.open(spec(path))
    engine.close()
    with pytest.raises(UsageError, match="this engine is closed") as usage:
        engine.open(spec(path))
    assert usage.value.hint == "open datasets inside its `with` block"
    with pytest.raises(DataError, match=r"dataset 'evaluation' could not be read \(ConnectionException\)") as caught:
        engine.stats(data, ["age"])
    assert caught.value.hint == "the engine was closed; open the dataset again"


@pytest.mark.parametrize("library", ["duckdb", "pyarrow", "pandas", "narwhals"])
def test_a_missing_library_names_the_line_that_installs_it(
    engine: DuckEngine, tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=f"'{library}' is not installed") as caught:
        engine.open(spec(path))
    assert caught.value.hint == "pip install 'aims-mlops[data]'"


# Data that changes while it is read


def test_unchanged_files_verify(engine: DuckEngine, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet")
    engine.verify_unchanged(engine.open(spec(tmp_path / "*.parquet")))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: write(folder / "a.parquet", PEOPLE[:2]), id="a file was written anew"),
        pytest.param(lambda folder: write(folder / "b.parquet", PEOPLE), id="a file was added to the glob"),
    ],
)
def test_changed_files_are_found(engine: DuckEngine, tmp_path: Path, change: Callable[[Path], object]) -> None:
    write(tmp_path / "a.parquet")
    data = engine.open(spec(tmp_path / "*.parquet"))
    change(tmp_path)
    now = engine.open(spec(tmp_path / "*.parquet")).digest
    with pytest.raises(DataError) as caught:
        engine.verify_unchanged(data)
    changed = f"{data.digest.short} at first, {now.short} now"
    assert str(caught.value) == f"dataset 'evaluation' changed while it was being read ({changed})"
    assert caught.value.hint == "run again when nothing writes to it; for data that grows, check a copy"


def test_vanished_files_are_found(engine: DuckEngine, tmp_path: Path) -> None:
    data = engine.open(spec(write(tmp_path / "a.parquet")))
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(DataError) as caught:
        engine.verify_unchanged(data)
    assert str(caught.value) == "dataset 'evaluation' changed while it was being read (its files are gone)"


def test_a_frame_that_was_written_to_in_place_is_found(engine: DuckEngine) -> None:
    values = np.arange(3)
    data = engine.open(spec(""), pa.table({"a": pa.array(values)}))
    engine.verify_unchanged(data)
    values[1] = 7
    with pytest.raises(DataError, match="changed while it was being read"):
        engine.verify_unchanged(data)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_data_swapped_and_put_back_are_found(engine: DuckEngine, tmp_path: Path, suffix: str) -> None:
    """The same bytes at the end do not prove that the same bytes were read."""
    path = tmp_path / f"a.{suffix}"
    PEOPLE.to_pandas().to_csv(path, index=False) if suffix == "csv" else write(path)
    held, times = path.read_bytes(), path.stat()
    data = engine.open(spec(path))
    path.write_bytes(b"other")
    path.write_bytes(held)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(DataError) as caught:
        engine.verify_unchanged(data)
    what = "a file was written or replaced, and holds the same bytes again"
    assert str(caught.value) == f"dataset 'evaluation' changed while it was being read ({what})"


def test_a_file_moved_away_and_another_of_the_same_bytes_put_there_is_found(engine: DuckEngine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    data = engine.open(spec(path))
    held = path.read_bytes()
    path.rename(tmp_path / "kept")
    path.write_bytes(held)
    with pytest.raises(DataError, match="a file was written or replaced"):
        engine.verify_unchanged(data)


def test_data_that_were_only_read_are_unchanged(engine: DuckEngine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    data = engine.open(spec(path))
    path.read_bytes()
    engine.stats(data, ["age"])
    engine.verify_unchanged(data)


@pytest.mark.parametrize("column", ["aims.prediction", "AIMS.prediction", "Aims.Score", "aImS.x"])
def test_a_reserved_column_is_refused_in_any_case(engine: DuckEngine, tmp_path: Path, column: str) -> None:
    """SQL does not look at the case: the model's predictions would be read from the author's column."""
    table = pa.table({"x": [1], column: [1]})
    path = write(tmp_path / "a.parquet", table)
    for wanted, frame in ((spec(path), None), (spec(""), table)):
        message, hint = refusal(engine, wanted, frame)
        assert message == f"dataset 'evaluation': the column {column!r} has a reserved name"
        assert hint == "rename it: names that begin with 'aims.' are given to predictions"
