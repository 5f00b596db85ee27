"""An engine over one pandas frame, and the context of a check around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aims_mlops.plugin import CheckContext, CheckOptions, ColumnStats, Contingency, DataError, Dataset, Digest

KINDS = {"i": "number", "u": "number", "f": "number", "b": "boolean"}


class FrameEngine:
    """Answers from the frame in `Dataset.relation`, row by row where that is plainest."""

    def contingency(self, data: Dataset, columns: Sequence[str], *, limit: int = 1_000_000) -> Contingency:
        missing = [column for column in columns if column not in data.columns]
        if missing:
            raise DataError(f"dataset {data.name!r} has no column {missing[0]!r}")
        counted: dict[tuple[Any, ...], int] = {}
        rows = zip(*(data.relation[column].tolist() for column in columns), strict=True)
        for row in rows:
            cell = tuple(None if pd.isna(value) else value for value in row)
            counted[cell] = counted.get(cell, 0) + 1
        if len(counted) > limit:
            raise DataError(f"more than {limit} cells")
        cells = sorted(counted, key=repr)
        return Contingency(tuple(columns), tuple(cells), tuple(counted[cell] for cell in cells))

    def stats(self, data: Dataset, columns: Sequence[str]) -> Mapping[str, ColumnStats]:
        def of(column: str) -> ColumnStats:
            if column not in data.columns:
                raise DataError(f"dataset {data.name!r} has no column {column!r}")
            values = data.relation[column]
            return ColumnStats(data.columns[column], len(values), int(values.isna().sum()), 0, int(values.nunique()))

        return {column: of(column) for column in columns}

    def value_counts(self, data: Dataset, column: str, *, limit: int = 1_000_000) -> Mapping[Any, int]:
        raise NotImplementedError

    def histogram(self, data: Dataset, column: str, edges: Sequence[float]) -> tuple[int, ...]:
        raise NotImplementedError

    def aggregate(self, data: Dataset, expressions: Mapping[str, str]) -> Mapping[str, Any]:
        raise NotImplementedError

    def frame(self, data: Dataset, columns: Sequence[str]) -> pd.DataFrame:
        raise NotImplementedError


def dataset(frame: pd.DataFrame, **facts: Any) -> Dataset:
    """Return a dataset named `evaluation` over a frame; the label is the column `label` unless said otherwise."""
    facts.setdefault("label", "label")
    kinds = {str(column): KINDS.get(frame[column].dtype.kind, "text") for column in frame.columns}
    return Dataset(
        name="evaluation",
        columns=kinds,
        rows=len(frame),
        digest=Digest.of(b"evaluation"),
        digest_kind="content",
        relation=frame,
        **facts,
    )


def context(
    options: CheckOptions,
    data: Dataset,
    *,
    seed: int = 7,
    decide_on: str = "interval",
    champions: Mapping[tuple[str, str], tuple[str, float]] | None = None,
) -> CheckContext:
    """Return what a runner would give a check; `champions` by alias and metric."""
    promoted = champions or {}
    return CheckContext(
        options=options,
        engine=FrameEngine(),
        data=lambda _name: data,
        scored=lambda _name: data,
        champion=lambda alias, metric: promoted.get((alias, metric)),
        file=lambda name: Path(name).read_bytes(),
        seed=seed,
        decide_on=decide_on,
    )


def people(rows: int, *, seed: int = 0, groups: Sequence[str] = ("a", "b"), gap: float = 0.2) -> pd.DataFrame:
    """Return rows of a column `group`, a binary `label`, and predictions that favour later groups by `gap`."""
    random = np.random.default_rng(seed)
    place = random.integers(0, len(groups), rows)
    label = (random.random(rows) < 0.4).astype(int)
    chance = 0.2 + 0.4 * label + gap * place / max(1, len(groups) - 1)
    return pd.DataFrame(
        {
            "group": np.array(groups, dtype=object)[place],
            "label": label,
            "aims.prediction": (random.random(rows) < chance).astype(int),
            "aims.score": np.round(np.clip(chance + random.normal(0, 0.15, rows), 0, 1), 3),
        }
    )
