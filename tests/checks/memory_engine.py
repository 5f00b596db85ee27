"""An engine over pandas frames, for tests of the checks: the plain way to every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from aims_mlops.plugin import CheckContext, ColumnStats, Contingency, DataError, Dataset, Digest, Engine


class MemoryEngine:
    """Keeps the frames that it hands out and the columns that were asked for."""

    def __init__(self) -> None:
        self.frames_read: list[tuple[str, ...]] = []
        self.scans = 0

    def open(self, name: str, frame: pd.DataFrame, **facts: Any) -> Dataset:
        kinds = {str(column): kind_of(frame[column]) for column in frame}
        digest = Digest.of(name.encode())
        return Dataset(name, kinds, len(frame), digest, "content", frame, **facts)

    def contingency(self, data: Dataset, columns: Sequence[str], *, limit: int = 1_000_000) -> Contingency:
        raise NotImplementedError

    def aggregate(self, data: Dataset, expressions: Mapping[str, str]) -> Mapping[str, Any]:
        raise NotImplementedError

    def stats(self, data: Dataset, columns: Sequence[str]) -> Mapping[str, ColumnStats]:
        self.scans += 1
        return {column: self._stats(data, column) for column in columns}

    def _stats(self, data: Dataset, column: str) -> ColumnStats:
        series = self._column(data, column)
        kept = finite(series)
        numeric = data.columns[column] == "number" and len(kept) > 0
        nulls = int(series.isna().sum())
        with np.errstate(all="ignore"):
            mean = float(kept.mean()) if numeric else None
        return ColumnStats(
            data.columns[column],
            rows=len(series),
            nulls=nulls,
            infinities=len(series) - nulls - len(kept),
            distinct=int(kept.nunique()),
            minimum=float(kept.min()) if numeric else None,
            maximum=float(kept.max()) if numeric else None,
            mean=mean,
            storage=storage_of(series),
        )

    def value_counts(self, data: Dataset, column: str, *, limit: int = 1_000_000) -> Mapping[Any, int]:
        counts = finite(self._column(data, column)).value_counts()
        return {key: int(count) for key, count in zip(counts.index.tolist(), counts.tolist(), strict=True)}

    def histogram(self, data: Dataset, column: str, edges: Sequence[float]) -> tuple[int, ...]:
        counts, _ = np.histogram(finite(self._column(data, column)).to_numpy(), np.array(edges))
        return tuple(counts.tolist())

    def frame(self, data: Dataset, columns: Sequence[str]) -> pd.DataFrame:
        self.frames_read.append(tuple(columns))
        return pd.DataFrame({column: self._column(data, column) for column in columns})

    def _column(self, data: Dataset, column: str) -> pd.Series[Any]:
        if column not in data.columns:
            raise DataError(f"{data.name} has no column {column!r}", hint="look at the data's columns")
        series: pd.Series[Any] = data.relation[column]
        return series


def finite(series: pd.Series[Any]) -> pd.Series[Any]:
    """Leave out nulls and infinities, as Evidently does before it compares."""
    kept = series.dropna()
    return kept[np.isfinite(kept.to_numpy())] if pd.api.types.is_float_dtype(kept) else kept


def kind_of(series: pd.Series[Any]) -> str:
    if pd.api.types.is_bool_dtype(series):
        return "boolean"
    if pd.api.types.is_numeric_dtype(series):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(series):
        return "time"
    return "text"


def storage_of(series: pd.Series[Any]) -> str:
    if pd.api.types.is_integer_dtype(series):
        return "integer"
    return str(series.dtype) if pd.api.types.is_float_dtype(series) else ""


def context_of(
    options: Any, *datasets: Dataset, engine: Engine, file: Callable[[str], bytes] | None = None
) -> CheckContext:
    """Return what a check is given for these datasets; nothing has a score or a champion."""
    by_name = {data.name: data for data in datasets}

    def no_file(name: str) -> bytes:
        raise AssertionError(f"{name} was not to be read")

    return CheckContext(
        options=options,
        engine=engine,
        data=by_name.__getitem__,
        scored=by_name.__getitem__,
        champion=lambda _alias, _metric: None,
        file=file or no_file,
        seed=0,
    )
