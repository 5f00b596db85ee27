from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aims_mlops.data.duckdb_engine import DuckEngine
from aims_mlops.errors import DataError
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.plugin import Dataset

HIDDEN = pa.table({"secret": [1]})


def opened(engine: DuckEngine, folder: Path) -> Dataset:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table({"x": [1, 2]}), folder / "a.parquet")
    return engine.open(DatasetSpec("evaluation", str(folder / "a.parquet")))


def test_memory_limit_and_spill_folder_are_set(tmp_path: Path) -> None:
    with DuckEngine(memory_limit="200MB", spill=tmp_path) as engine:
        data = opened(engine, tmp_path / "data")
        settings = dict(data.relation.connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert settings["memory_limit"] == "190.7 MiB"
    assert Path(settings["temp_directory"]).is_relative_to(tmp_path)
    assert settings["threads"] == str(os.cpu_count())
    wanted = {
        "preserve_insertion_order": "true",
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "lock_configuration": "true",
        "TimeZone": "UTC",
    }
    assert {name: settings[name] for name in wanted} == wanted


def test_a_question_larger_than_memory_spills(tmp_path: Path) -> None:
    rows = 3_000_000
    pq.write_table(pa.table({"x": np.random.default_rng(0).permutation(rows)}), tmp_path / "a.parquet")
    with DuckEngine(memory_limit="60MB", spill=tmp_path) as engine:
        data = engine.open(DatasetSpec("evaluation", str(tmp_path / "a.parquet")))
        assert engine.stats(data, ["x"])["x"].distinct == rows


def test_the_private_folder_is_private_and_goes_with_the_engine(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    with DuckEngine(spill=spill) as engine:
        opened(engine, tmp_path / "data")
        (folder,) = spill.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert all(stat.S_IMODE(inner.stat().st_mode) == 0o700 for inner in folder.iterdir())
    assert list(spill.iterdir()) == []
    assert (tmp_path / "data" / "a.parquet").exists()


def test_the_folder_goes_after_an_error_as_well(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    (tmp_path / "a.csv").write_text("a,b\n1,2,3\n")
    with pytest.raises(DataError), DuckEngine(spill=spill) as engine:
        engine.open(DatasetSpec("evaluation", str(tmp_path / "a.csv")))
    assert list(spill.iterdir()) == []


def test_a_spill_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        DuckEngine(spill=tmp_path / "gone")
    assert str(caught.value) == f"no spill folder can be made in {str(tmp_path / 'gone')!r}"
    assert caught.value.hint == "name a folder that exists, can be written to and has room"


@pytest.mark.parametrize("limit", ["much", "", "12"])
def test_a_memory_limit_that_is_no_size_is_said(tmp_path: Path, limit: str) -> None:
    with DuckEngine(memory_limit=limit) as engine, pytest.raises(DataError) as caught:
        opened(engine, tmp_path)
    assert str(caught.value) == f"no database with memory limit {limit!r} could be opened"
    assert caught.value.hint == "memory_limit is a size such as '1GB' or '512MB'"


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("(SELECT count(*) FROM read_parquet('{folder}/hidden.parquet'))", id="another file"),
        pytest.param("(SELECT count(*) FROM '{folder}/hidden.parquet')", id="a file as a table"),
        pytest.param("(SELECT count(*) FROM read_text('/etc/hostname'))", id="a file of the system"),
        pytest.param("(SELECT count(*) FROM glob('{folder}/*'))", id="a listing of a folder"),
        pytest.param("(SELECT count(*) FROM read_parquet('{folder}/data/../hidden.parquet'))", id="a way round"),
        pytest.param("(SELECT count(*) FROM read_csv('https://example.org/x.csv'))", id="the network"),
        pytest.param("(SELECT count(*) FROM HIDDEN)", id="a variable of the calling module"),
        pytest.param("1); SET enable_external_access = true; SELECT (1", id="a setting"),
        pytest.param("1); COPY (SELECT 1) TO '{folder}/out.csv'; SELECT (1", id="writing a file"),
        pytest.param("1); ATTACH '{folder}/other.db'; SELECT (1", id="another database"),
        pytest.param("1); INSTALL httpfs; SELECT (1", id="an extension"),
    ],
)
def test_an_expression_reaches_nothing_but_its_dataset(engine: DuckEngine, tmp_path: Path, expression: str) -> None:
    data = opened(engine, tmp_path / "data")
    pq.write_table(HIDDEN, tmp_path / "hidden.parquet")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError):
        engine.aggregate(data, {"x": expression.replace("{folder}", str(tmp_path))})
    assert sorted(tmp_path.rglob("*")) == before


def test_one_dataset_does_not_reach_another(engine: DuckEngine, tmp_path: Path) -> None:
    first = opened(engine, tmp_path / "first")
    second = opened(engine, tmp_path / "second")
    with pytest.raises(DataError):
        engine.aggregate(second, {"x": f"(SELECT count(*) FROM {first.relation.source})"})


def test_a_file_added_to_the_glob_is_not_read(engine: DuckEngine, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    data = engine.open(DatasetSpec("evaluation", str(tmp_path / "*.parquet")))
    pq.write_table(pa.table({"x": [2]}), tmp_path / "b.parquet")
    assert engine.value_counts(data, "x") == {1: 1}
