"""Evidently, on rows, is the oracle for the drift numbers that we compute from aggregates."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aims_mlops.data.duckdb_engine import DuckEngine
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.plugin import Dataset, Engine, Finding, Measure, Outcome
from aims_mlops_checks._binned import sturges_edges
from aims_mlops_checks.drift import Drift, DriftOptions
from tests.checks.memory_engine import MemoryEngine, context_of, finite, kind_of

METHODS = ("psi", "jensenshannon")
SHARED = Path(os.environ.get("AIMS_SHARED", Path(__file__).parents[3] / "shared"))

Series = Any
Oracle = Callable[[str, Series, Series], float]


@pytest.fixture(scope="module")
def evidently() -> Oracle:
    """Evidently's own functions; its import warns about its dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently.legacy.calculations import stattests
        from evidently.legacy.core import ColumnType
    tests = {"psi": stattests.psi_stat_test, "jensenshannon": stattests.jensenshannon_stat_test}

    def measure(method: str, reference: Series, current: Series) -> float:
        numeric = kind_of(reference) == "number"
        kind = ColumnType.Numerical if numeric else ColumnType.Categorical
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value, _ = tests[method].func(finite(reference), finite(current), kind, 0.1)
        return float(value)

    return measure


@dataclass(frozen=True)
class Pair:
    """A column of the reference and of the current data, and how it was made."""

    reference: Series
    current: Series
    made: str

    def __repr__(self) -> str:
        return self.made


FAMILIES: dict[str, Callable[[np.random.Generator, int, bool], Any]] = {
    "normal": lambda dice, rows, moved: dice.normal(0.3 * moved, 1, rows),
    "heavy tail": lambda dice, rows, moved: dice.standard_cauchy(rows) * (3 if moved else 1),
    "lognormal": lambda dice, rows, moved: dice.lognormal(moved, 2, rows),
    "mostly zero": lambda dice, rows, moved: np.where(dice.random(rows) < 0.8, 0, dice.exponential(1 + moved, rows)),
    "constant": lambda dice, rows, moved: np.full(rows, 4.25 + moved * dice.integers(0, 2)),
    "few whole numbers": lambda dice, rows, moved: dice.integers(moved * 3, 15, rows),
    "many whole numbers": lambda dice, rows, moved: dice.integers(moved * 30, 400, rows),
    "about twenty whole numbers": lambda dice, rows, moved: dice.integers(moved, 22, rows),
    "truths": lambda dice, rows, moved: dice.random(rows) < 0.2 + 0.5 * moved,
    "words": lambda dice, rows, moved: pd.array(dice.choice(["a", "b", "c", "dé"], rows), dtype="str"),
    "unseen words": lambda dice, rows, moved: pd.array(dice.choice([*"ab", *("xyz" * moved)], rows), dtype="str"),
    "narrow floats": lambda dice, rows, moved: dice.normal(0.3 * moved, 1, rows).astype(np.float32),
}


def made(family: str, seed: int, rows: tuple[int, int], gaps: float) -> Pair:
    dice = np.random.default_rng(seed)
    before, after = (pd.Series(FAMILIES[family](dice, n, bool(moved))) for moved, n in enumerate(rows))
    told = f"{family}, seed {seed}, rows {rows}, gaps {gaps}"
    return Pair(_with_gaps(before, dice, gaps), _with_gaps(after, dice, gaps), told)


def _with_gaps(side: Series, dice: np.random.Generator, share: float) -> Series:
    """Put nulls, and infinities where the type has them, into a share of the rows."""
    gaps = dice.random(len(side)) < share
    if not gaps.any() or side.dtype == bool:
        return side
    if not pd.api.types.is_float_dtype(side):
        return side.mask(gaps)
    return side.mask(gaps, pd.Series(dice.choice([np.nan, np.inf, -np.inf], len(side)), dtype=side.dtype))


def families(*left_out: str) -> st.SearchStrategy[Pair]:
    return st.builds(
        made,
        st.sampled_from([name for name in FAMILIES if name not in left_out]),
        st.integers(0, 2**32 - 1),
        st.tuples(st.integers(1, 400), st.integers(1, 400)),
        st.sampled_from([0.0, 0.0, 0.1, 0.9]),
    )


def tiny(reference: list[float], current: list[float]) -> Pair:
    return Pair(pd.Series(reference, dtype=float), pd.Series(current, dtype=float), f"{reference} and {current}")


floats = st.floats(-1e12, 1e12) | st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf])
tiny_samples = st.builds(tiny, st.lists(floats, min_size=1, max_size=60), st.lists(floats, min_size=1, max_size=60))


def run(reference: Dataset, current: Dataset, method: str, *, engine: Engine, columns: tuple[str, ...]) -> Finding:
    options = DriftOptions(reference="reference", current="current", columns=columns, method=method, min_rows=1)  # type: ignore[arg-type]
    return Drift().run(context_of(options, reference, current, engine=engine))


def in_memory(pair: Pair, method: str) -> Measure:
    engine = MemoryEngine()
    reference = engine.open("reference", pair.reference.to_frame("x"))
    current = engine.open("current", pair.current.to_frame("x"))
    return run(reference, current, method, engine=engine, columns=("x",)).measures[0]


@pytest.fixture(scope="module")
def duck() -> Iterator[DuckEngine]:
    with DuckEngine() as engine:
        yield engine


def in_duckdb(engine: DuckEngine, pair: Pair, method: str) -> Measure:
    # The places make sure that equal samples are still different data.
    frames = [
        pd.DataFrame({"x": side, "place": np.arange(len(side)) + offset})
        for side, offset in ((pair.reference, 0), (pair.current, 1))
    ]
    reference = engine.open(DatasetSpec("reference", ""), frames[0])
    current = engine.open(DatasetSpec("current", ""), frames[1])
    return run(reference, current, method, engine=engine, columns=("x",)).measures[0]


def hold(measure: Measure, pair: Pair, method: str, evidently: Oracle) -> None:
    if finite(pair.reference).empty or finite(pair.current).empty:
        assert measure.outcome is Outcome.ERROR
        return
    expected = evidently(method, pair.reference, pair.current)
    assert isinstance(measure.value, float), measure.reason
    if method == "jensenshannon" and not abs(expected) >= 1e-7:
        # The distance is a root: where both samples are alike, 1e-9 of it is less than the rounding of a sum.
        assert measure.value < 1e-7
        return
    assert measure.value == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=150, deadline=None)
@given(pair=families() | tiny_samples)
@example(pair=made("about twenty whole numbers", 1, (400, 10), 0.0))
@example(pair=made("heavy tail", 1, (400, 400), 0.1))
@example(pair=made("unseen words", 1, (400, 400), 0.1))
@example(pair=made("narrow floats", 1, (400, 400), 0.1))
@example(pair=made("truths", 1, (400, 400), 0.0))
@example(pair=tiny([1.0], [1.0]))
@example(pair=tiny([math.nan], [1.0]))
def test_from_aggregates_we_measure_what_evidently_measures_on_rows(method: str, evidently: Oracle, pair: Pair) -> None:
    hold(in_memory(pair, method), pair, method, evidently)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40, deadline=None)
@given(pair=families("narrow floats") | tiny_samples)
def test_on_duckdb_we_measure_what_evidently_measures_on_rows(
    method: str, evidently: Oracle, duck: DuckEngine, pair: Pair
) -> None:
    if all(side.isna().all() for side in (pair.reference, pair.current)):
        return
    hold(in_duckdb(duck, pair, method), pair, method, evidently)


@pytest.mark.parametrize(
    ("values", "storage"),
    [
        pytest.param(np.arange(3000) % 21, "integer", id="whole numbers closer together than Sturges' width"),
        pytest.param(np.arange(3000) % 400, "integer", id="whole numbers"),
        pytest.param(np.random.default_rng(0).normal(size=3000), "float64", id="float64"),
        pytest.param(np.random.default_rng(0).normal(size=3000).astype(np.float32), "float32", id="float32"),
    ],
)
@pytest.mark.parametrize("rows", [3000, 3000 * 400], ids=["few rows", "many rows"])
def test_edges_from_three_numbers_are_those_that_numpy_makes_from_rows(values: Any, storage: str, rows: int) -> None:
    sample = np.tile(values, rows // len(values))
    expected = np.histogram_bin_edges(sample, bins="sturges")
    edges = sturges_edges(rows, float(values.min()), float(values.max()), storage=storage)
    assert edges.tolist() == expected.astype(np.float64).tolist()


@pytest.fixture(scope="session")
def income(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The income project's data, made by its own script."""
    script = SHARED / "contract" / "income" / "make_data.py"
    if not script.exists():
        pytest.skip("the shared folder with the income project is not there (AIMS_SHARED names it)")
    target = tmp_path_factory.mktemp("income")
    adult = SHARED / "data" / "fairness" / "adult.parquet"
    subprocess.run([sys.executable, "-W", "ignore", str(script), str(adult), str(target)], check=True)
    return target


def expected_numbers() -> dict[str, dict[str, float]]:
    text = (SHARED / "contract" / "income" / "expected.json").read_text(encoding="utf-8")
    numbers: dict[str, dict[str, float]] = json.loads(text)["psi"]
    return numbers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("window", "path", "drifted"),
    [
        pytest.param("evaluation", "evaluation.parquet", [], id="evaluation"),
        pytest.param("week-1", "production/week-1.parquet", [], id="week 1"),
        pytest.param("week-2", "production/week-2.parquet", ["age", "hours-per-week"], id="week 2"),
        pytest.param("both weeks", "production/*.parquet", ["age", "hours-per-week"], id="both weeks"),
    ],
)
def test_the_income_project_drifts_as_evidently_computed(
    window: str, path: str, drifted: list[str], income: Path, duck: DuckEngine
) -> None:
    expected = expected_numbers()[window]
    reference = duck.open(DatasetSpec("reference", str(income / "reference.parquet"), label="income"))
    current = duck.open(DatasetSpec("current", str(income / path)))
    finding = run(reference, current, "psi", engine=duck, columns=tuple(expected))
    *columns, share = finding.measures
    assert {measure.column: measure.value for measure in columns} == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert [measure.column for measure in columns if measure.outcome is Outcome.FAILED] == drifted
    assert finding.outcome is (Outcome.FAILED if drifted else Outcome.PASSED)
    assert share.value == pytest.approx(len(drifted) / 7)
