"""Predictions of the model version beside the rows that they belong to.

Rows are read once. Each batch goes to the predictor without the withheld columns, and comes to rest in a parquet file
in the private folder together with its predictions: a label, a group and the prediction for them can then never belong
to different rows, even where a file changes in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aims_mlops.data.database import Relation
from aims_mlops.data.sql import identifier
from aims_mlops.errors import DataError, PredictorError
from aims_mlops.plugin import PREDICTION, SCORE, Dataset, Predictor

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

    def asked() -> Iterator[pa.RecordBatch]:
        for batch in rebatch(relation.batches(select, batch_rows), batch_rows):
            waiting.append(batch)
            yield batch.select(features)

    answers = _Answers(data.rows)
    try:
        with _Writer(target) as writer:
            for answer in predictor.predict(asked()):
                rows = waiting.popleft() if waiting else None
                writer.write(answers.joined(rows, answer))
            answers.complete()
    except OSError as error:
        hint = "free room in the spill folder"
        raise DataError(
            f"dataset {data.name!r}: its predictions could not be kept ({type(error).__name__})", hint=hint
        ) from error
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

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._answered = 0
        self._missing = {PREDICTION: 0, SCORE: 0}

    def joined(self, rows: pa.RecordBatch | None, answer: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows with the answers for them."""
        self._answered += len(answer)
        if rows is None or len(rows) != len(answer):
            raise self._wrong_number()
        if PREDICTION not in answer.schema.names:
            raise PredictorError(
                f"the predictor answered without a column {PREDICTION!r}", hint="this is a fault of the platform's hook"
            )
        for name in [name for name in (PREDICTION, SCORE) if name in answer.schema.names]:
            column = answer.column(name)
            self._missing[name] += nulls_of(column)
            rows = rows.append_column(name, column)
        return rows

    def complete(self) -> None:
        """Raise `PredictorError` unless every row got a prediction, and none of them a null."""
        if self._answered != self._rows:
            raise self._wrong_number()
        for name, what in ((PREDICTION, "predictions"), (SCORE, "scores")):
            if self._missing[name]:
                message = f"{self._missing[name]} of the model's {self._rows} {what} are null or NaN"
                raise PredictorError(message, hint="does the model take nulls in its input? Let it impute them")

    def _wrong_number(self) -> PredictorError:
        message = f"the model answered {self._answered} predictions for {self._rows} rows"
        return PredictorError(message, hint="predict must return one label for each row, in the rows' order")


class _Writer:
    """Writes batches to a parquet file; the first one's schema holds for all."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._file: Any = None
        self.schema: pa.Schema = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Write one more batch."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._file is None:
            self.schema = batch.schema
            self._file = pq.ParquetWriter(self._target, batch.schema)
        try:
            self._file.write_batch(batch.cast(self.schema))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            message = "the model answered with other columns or types in a later batch than in the first"
            raise PredictorError(
                message, hint="predict must return labels of one type, whatever rows it is given"
            ) from error


def nulls_of(column: Any) -> int:
    """Count nulls and NaN of an Arrow array."""
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0)
