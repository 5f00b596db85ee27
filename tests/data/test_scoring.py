from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aims_mlops.data.duckdb_engine import DuckEngine
from aims_mlops.errors import DataError, PredictorError
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.plugin import PREDICTION, SCORE, Dataset


class Model:
    """Answers with a function of the batch, and keeps what it was shown."""

    def __init__(self, answer: Callable[[pa.RecordBatch], dict[str, Any]], *, ahead: int = 0) -> None:
        self.isolation = "none"
        self.answer = answer
        self.ahead = ahead
        self.names: list[str] = []
        self.sizes: list[int] = []

    def predict(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held: list[pa.RecordBatch] = []
        for batch in batches:
            self.names = batch.schema.names
            self.sizes.append(len(batch))
            held.append(batch)
            if len(held) > self.ahead:
                yield pa.RecordBatch.from_pydict(self.answer(held.pop(0)))
        for batch in held:
            yield pa.RecordBatch.from_pydict(self.answer(batch))


def echo(batch: pa.RecordBatch) -> dict[str, Any]:
    """Predict the row's own number."""
    return {PREDICTION: batch.column("n"), SCORE: pa.array(batch.column("n").to_numpy() / 1e6)}


def opened(engine: DuckEngine, rows: int = 10, **facts: Any) -> Dataset:
    table = pa.table({"n": range(rows), "y": [n % 2 for n in range(rows)], "p": [n % 3 for n in range(rows)]})
    return engine.open(DatasetSpec("evaluation", "", **facts), table)


def refusal(engine: DuckEngine, model: Any, *, rows: int = 10, batch_rows: int = 4) -> tuple[str, str]:
    with pytest.raises(PredictorError) as caught:
        engine.score(opened(engine, rows), model, batch_rows=batch_rows)
    return str(caught.value), caught.value.hint


def test_each_row_gets_its_own_prediction_over_row_groups_and_files(engine: DuckEngine, tmp_path: Path) -> None:
    rows = 400_000
    order = np.random.default_rng(0).permutation(3 * rows)
    for place in range(3):
        part = order[place * rows : (place + 1) * rows]
        table = pa.table({"n": part, "text": part.astype(str)})
        pq.write_table(table, tmp_path / f"{place}.parquet", row_group_size=(1777, 40_000, 122_880)[place])
    data = engine.open(DatasetSpec("evaluation", str(tmp_path / "*.parquet")))
    model = Model(echo, ahead=2)
    scored = engine.score(data, model)
    assert set(model.sizes) == {50_000}
    wrong = 'count(*) FILTER (n <> "aims.prediction" OR text <> n::VARCHAR OR "aims.score" <> n / 1e6)'
    assert engine.aggregate(scored, {"rows": "count(*)", "wrong": wrong}) == {"rows": 3 * rows, "wrong": 0}
    assert engine.frame(scored, ["n"])["n"].to_numpy().tolist() == order.tolist()


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_are_scored_in_their_order(engine: DuckEngine, form: Callable[[Any], object]) -> None:
    order = np.random.default_rng(0).permutation(200_000)
    scored = engine.score(engine.open(DatasetSpec("evaluation", ""), form({"n": order})), Model(echo))
    frame = engine.frame(scored, ["n", PREDICTION])
    assert frame["n"].tolist() == frame[PREDICTION].tolist() == order.tolist()


def test_csv_files_are_scored_in_their_order(engine: DuckEngine, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(200_000)
    pd.DataFrame({"n": order}).to_csv(tmp_path / "a.csv", index=False)
    scored = engine.score(engine.open(DatasetSpec("evaluation", str(tmp_path / "a.csv"))), Model(echo))
    frame = engine.frame(scored, ["n", PREDICTION])
    assert frame["n"].tolist() == frame[PREDICTION].tolist() == order.tolist()


def test_a_scored_dataset_is_the_same_data_with_two_more_columns(engine: DuckEngine) -> None:
    data = opened(engine, label="y", positive=1, sensitive=("n",))
    scored = engine.score(data, Model(echo))
    assert dict(scored.columns) == {**data.columns, PREDICTION: "number", SCORE: "number"}
    assert (scored.digest, scored.rows, scored.origin) == (data.digest, data.rows, data.origin)
    assert (scored.label, scored.positive, scored.sensitive) == ("y", 1, ("n",))
    assert engine.contingency(scored, ["y", PREDICTION]).counts == (1,) * 10
    engine.verify_unchanged(scored)


def test_a_model_without_scores_adds_one_column(engine: DuckEngine) -> None:
    scored = engine.score(opened(engine), Model(lambda batch: {PREDICTION: ["yes"] * len(batch)}))
    assert scored.columns[PREDICTION] == "text"
    assert SCORE not in scored.columns


def test_the_model_sees_neither_the_label_nor_stored_predictions(engine: DuckEngine) -> None:
    model = Model(echo)
    engine.score(opened(engine, label="y", prediction="p"), model)
    assert model.names == ["n"]


def test_batches_are_full_but_for_the_last(engine: DuckEngine, tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": range(10_000)}), tmp_path / "a.parquet", row_group_size=700)
    model = Model(echo)
    engine.score(engine.open(DatasetSpec("evaluation", str(tmp_path / "a.parquet"))), model, batch_rows=3000)
    assert model.sizes == [3000, 3000, 3000, 1000]


def test_other_questions_may_be_asked_meanwhile(engine: DuckEngine) -> None:
    data = opened(engine)

    def asking(batch: pa.RecordBatch) -> dict[str, Any]:
        assert engine.value_counts(data, "y") == {0: 5, 1: 5}
        return echo(batch)

    assert engine.score(data, Model(asking), batch_rows=3).rows == 10


@pytest.mark.parametrize(
    ("predict", "answered"),
    [
        pytest.param(lambda batch: {PREDICTION: [1] * (len(batch) - 1)}, 3, id="one too few in each batch"),
        pytest.param(lambda batch: {PREDICTION: [1] * (len(batch) + 1)}, 5, id="one too many in each batch"),
        pytest.param(lambda _: {PREDICTION: [1]}, 1, id="one for the whole batch"),
    ],
)
def test_predictions_of_another_length_are_refused(
    engine: DuckEngine, predict: Callable[[pa.RecordBatch], dict[str, Any]], answered: int
) -> None:
    message, hint = refusal(engine, Model(predict))
    assert message == f"the model answered {answered} predictions for 4 rows"
    assert hint == "predict must return one label for each row, in the rows' order"


class Fixed:
    """Reads some batches and answers with others."""

    def __init__(self, reads: int, answers: int) -> None:
        self.isolation = "none"
        self.reads = reads
        self.answers = answers

    def predict(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in zip(range(self.reads), batches, strict=False):
            pass
        for _ in range(self.answers):
            yield pa.RecordBatch.from_pydict({PREDICTION: [1] * 4})


@pytest.mark.parametrize(
    ("model", "numbers"),
    [
        pytest.param(Fixed(3, 0), "0 predictions for 12 rows", id="no answer at all"),
        pytest.param(Fixed(3, 2), "8 predictions for 12 rows", id="a batch left out"),
        pytest.param(Fixed(2, 2), "8 predictions for 12 rows", id="a batch never read"),
        pytest.param(Fixed(2, 3), "12 predictions for 8 rows", id="more answers than batches read"),
        pytest.param(Fixed(0, 1), "4 predictions for 0 rows", id="an answer before a question"),
    ],
)
def test_a_wrong_number_of_batches_is_refused(engine: DuckEngine, model: Fixed, numbers: str) -> None:
    message, _ = refusal(engine, model, rows=12)
    assert message == f"the model answered {numbers}"


def test_rows_that_change_while_they_are_scored_are_not_laid_to_the_model(engine: DuckEngine, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(10)}), path)
    data = engine.open(DatasetSpec("evaluation", str(path)))
    pq.write_table(pa.table({"n": range(7)}), path)
    with pytest.raises(DataError) as caught:
        engine.score(data, Model(echo))
    changed = "10 rows at first, 7 now"
    assert str(caught.value) == f"dataset 'evaluation' changed while it was being read ({changed})"


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        pytest.param(
            lambda b: {PREDICTION: [None, *[1] * (len(b) - 1)]},
            "fewer than 10 of the model's 10 predictions",
            id="null",
        ),
        pytest.param(lambda b: {PREDICTION: [float("nan")] * len(b)}, "10 of the model's 10 predictions", id="NaN"),
        pytest.param(
            lambda b: {PREDICTION: [1] * len(b), SCORE: [float("nan"), *[0.5] * (len(b) - 1)]},
            "fewer than 10 of the model's 10 scores",
            id="a score",
        ),
    ],
)
def test_null_answers_are_refused_with_their_number(
    engine: DuckEngine, predict: Callable[[pa.RecordBatch], dict[str, Any]], message: str
) -> None:
    assert refusal(engine, Model(predict)) == (
        f"{message} are null or NaN",
        "does the model take nulls in its input? Let it impute them",
    )


@pytest.mark.parametrize("later", ["one", True, 1.5], ids=["text", "booleans", "fractions"])
def test_an_answer_that_changes_its_type_is_refused(engine: DuckEngine, later: object) -> None:
    def changing(batch: pa.RecordBatch) -> dict[str, Any]:
        first = batch.column("n")[0].as_py() == 0
        return {PREDICTION: [1 if first else later] * len(batch)}

    message, hint = refusal(engine, Model(changing))
    assert message == "the model answered with other columns or types in a later batch than in the first"
    assert hint == "predict must return labels of one type, whatever rows it is given"


def test_an_answer_without_predictions_is_refused(engine: DuckEngine) -> None:
    message, hint = refusal(engine, Model(lambda batch: {"label": [1] * len(batch)}))
    assert message == "the predictor answered without a column 'aims.prediction'"
    assert hint == "this is a fault of the platform's hook"


def test_a_predictors_own_error_comes_through(engine: DuckEngine) -> None:
    def broken(_batch: pa.RecordBatch) -> dict[str, Any]:
        raise PredictorError("the model fails in predict", hint="look at its traceback")

    assert refusal(engine, Model(broken)) == ("the model fails in predict", "look at its traceback")


def test_a_full_disk_is_said(engine: DuckEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", full)
    with pytest.raises(DataError) as caught:
        engine.score(opened(engine), Model(echo))
    assert str(caught.value) == "dataset 'evaluation': its predictions could not be kept (OSError)"
    assert caught.value.hint == "free room in the spill folder"


def test_scoring_holds_few_batches_at_a_time(engine: DuckEngine, tmp_path: Path) -> None:
    rows = 2_000_000
    pq.write_table(pa.table({"n": np.arange(rows), "x": np.random.default_rng(0).random(rows)}), tmp_path / "a.parquet")
    data = engine.open(DatasetSpec("evaluation", str(tmp_path / "a.parquet")))
    peaks: list[int] = []

    def watching(batch: pa.RecordBatch) -> dict[str, Any]:
        peaks.append(pa.total_allocated_bytes())
        return echo(batch)

    start = time.monotonic()
    engine.score(data, Model(watching))
    assert max(peaks) < 24 * rows / 2, f"Arrow held {max(peaks)} bytes of some {24 * rows}"
    assert time.monotonic() - start < 120


# Stored predictions


def test_stored_predictions_are_given_their_names(engine: DuckEngine, tmp_path: Path) -> None:
    pq.write_table(pa.table({"y": [0, 1], "p": ["a", "b"], "s": [0.1, 0.9]}), tmp_path / "a.parquet")
    spec = DatasetSpec("evaluation", str(tmp_path / "a.parquet"), label="y", prediction="p", score="s")
    data = engine.open(spec)
    stored = engine.with_stored_predictions(data, spec)
    assert dict(stored.columns) == {**data.columns, PREDICTION: "text", SCORE: "number"}
    assert stored.origin == "stored-predictions"
    assert engine.contingency(stored, ["y", PREDICTION, SCORE]).cells == ((0, "a", 0.1), (1, "b", 0.9))
    engine.verify_unchanged(stored)


def test_predictions_stored_in_an_attached_frame_are_both(engine: DuckEngine) -> None:
    data = opened(engine, prediction="p")
    assert engine.with_stored_predictions(data, DatasetSpec("evaluation", "", prediction="p")).origin == (
        "attached-stored-predictions"
    )


@pytest.mark.parametrize("column", ["p", "s"])
def test_stored_nulls_are_refused_with_their_number(engine: DuckEngine, column: str) -> None:
    columns = {"p": [0.0, 1.0, 1.0, 0.0], "s": [0.1, 0.9, 0.8, 0.2]} | {column: [None, float("nan"), 1.0, 0.0]}
    spec = DatasetSpec("evaluation", "", prediction="p", score="s")
    data = engine.open(spec, pa.table(columns))
    with pytest.raises(DataError) as caught:
        engine.with_stored_predictions(data, spec)
    assert (
        str(caught.value)
        == f"dataset 'evaluation': fewer than 10 of 4 stored predictions in column {column!r} are null"
    )
    assert caught.value.hint == "store a prediction for every row, or let the model predict"


def test_a_dataset_may_name_no_stored_predictions(engine: DuckEngine) -> None:
    with pytest.raises(DataError) as caught:
        engine.with_stored_predictions(opened(engine), DatasetSpec("evaluation", ""))
    assert str(caught.value) == "dataset 'evaluation' names no column of stored predictions"
    assert caught.value.hint == "name the column in aims.yaml, prediction: COLUMN, or let the model predict"
