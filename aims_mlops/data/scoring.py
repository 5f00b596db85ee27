"""Predictions of the model version beside the rows that they belong to.

Rows are read once. Each batch goes to the predictor without the withheld columns, and comes to rest in a parquet file
in the private folder together with its predictions: a label, a group and the prediction for them can then never belong
to different rows, even where a file changes in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aims_mlops.data.database import Relation
from aims_mlops.data.sources import changed
from aims_mlops.data.sql import identifier, kind_of
from aims_mlops.errors import DataError, PredictorError
from aims_mlops.plugin import PREDICTION, SCORE, Dataset, Predictor, counted

if TYPE_CHECKING:
    import pyarrow as pa


def score_rows(data: Dataset, predictor: Predictor, target: Path, *, batch_rows: int) -> pa.Schema:
    """Write all columns and the model's answers to `target`, in the data's order; return the file's schema.

    Holds as many batches as the predictor reads ahead. Raises `PredictorError` where the answers are not one
    prediction for each row, hold nulls (or NaN), or change their type; `DataError` where there is no room.
    """
    relation: Relation = data.relation
    select = ", ".join(identifier(column) for column in data.columns)
    waiting: deque[pa.RecordBatch] = deque()
    features = [column for column in data.columns if column not in relation.withheld]

    answers = _Answers()

    def asked() -> Iterator[pa.RecordBatch]:
        for batch in rebatch(relation.batches(select, batch_rows), batch_rows):
            waiting.append(batch)
            answers.asked += len(batch)
            yield batch.select(features)
        if answers.asked != data.rows:
            raise changed(data.name, f"{data.rows} rows at first, {answers.asked} now")

    with _Writer(target, data.name) as writer:
        for answer in predictor.predict(asked()):
            rows = waiting.popleft() if waiting else None
            writer.write(answers.joined(rows, answer))
        answers.complete(data.rows)
    return writer.schema


def rebatch(batches: Iterable[pa.RecordBatch], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of `batch_rows`, the last one shorter: a call of a model has its price."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= batch_rows:
            whole = pa.concat_batches(held)
            full = len(whole) - len(whole) % batch_rows
            yield from (whole.slice(start, batch_rows) for start in range(0, full, batch_rows))
            held = [whole.slice(full)] if full < len(whole) else []
    if held:
        yield pa.concat_batches(held)


class _Answers:
    """Counts what a predictor answers, and refuses what is not one prediction for each row."""

    def __init__(self) -> None:
        self.asked = 0
        """Rows that the predictor was given."""
        self._answered = 0
        self._answered_for = 0
        self._missing = {PREDICTION: 0, SCORE: 0}

    def joined(self, rows: pa.RecordBatch | None, answer: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows with the answers for them."""
        self._answered += len(answer)
        self._answered_for += 0 if rows is None else len(rows)
        if rows is None or len(rows) != len(answer):
            raise self._wrong_number(self._answered_for)
        if PREDICTION not in answer.schema.names:
            raise PredictorError(
                f"the predictor answered without a column {PREDICTION!r}", hint="this is a fault of the platform's hook"
            )
        for name in [name for name in (PREDICTION, SCORE) if name in answer.schema.names]:
            column = answer.column(name)
            self._missing[name] += nulls_of(column)
            rows = rows.append_column(name, column)
        return rows

    def complete(self, rows: int) -> None:
        """Raise `PredictorError` unless every row got a prediction, and none of them a null."""
        if self._answered != rows:
            raise self._wrong_number(rows)
        for name, what in ((PREDICTION, "predictions"), (SCORE, "scores")):
            if self._missing[name]:
                message = f"{counted(self._missing[name])} of the model's {rows} {what} are null or NaN"
                raise PredictorError(message, hint="does the model take nulls in its input? Let it impute them")

    def _wrong_number(self, rows: int) -> PredictorError:
        message = f"the model answered {self._answered} predictions for {rows} rows"
        return PredictorError(message, hint="predict must return one label for each row, in the rows' order")


class _Writer:
    """Writes batches to a parquet file; the first one's schema holds for all."""

    def __init__(self, target: Path, name: str) -> None:
        self._target = target
        self._name = name
        self._file: Any = None
        self.schema: pa.Schema = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            with self._room():
                self._file.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Write one more batch."""
        import pyarrow.parquet as pq

        with self._room():
            if self._file is None:
                self.schema = batch.schema
                self._file = pq.ParquetWriter(self._target, batch.schema)
            self._file.write_batch(_like(self.schema, batch))

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"dataset {self._name!r}: its predictions could not be kept ({type(error).__name__})"
            raise DataError(message, hint="free room in the spill folder") from error


def _like(schema: pa.Schema, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with the first one's types, where that changes no value's kind."""
    import pyarrow as pa

    try:
        if [kind_of(field.type) for field in schema] != [kind_of(field.type) for field in batch.schema]:
            raise ValueError("kinds differ")
        return batch.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        message = "the model answered with other columns or types in a later batch than in the first"
        hint = "predict must return labels of one type, whatever rows it is given"
        raise PredictorError(message, hint=hint) from error


def nulls_of(column: Any) -> int:
    """Count nulls and NaN of an Arrow array."""
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0)
