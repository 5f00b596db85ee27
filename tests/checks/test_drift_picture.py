from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops_checks._picture import OTHER, category_bins, range_bins, round_edges
from aims_mlops_checks.drift import Drift, DriftOptions
from tests.checks.memory_engine import MemoryEngine, context_of

counts = st.integers(0, 400)
pairs = st.lists(st.tuples(counts, counts), min_size=1, max_size=40).filter(
    lambda rows: all(sum(side) > 0 for side in zip(*rows, strict=True))
)


def rows_of(bins: Mapping[str, Mapping[str, float | None]], totals: tuple[int, int]) -> list[float]:
    sides = zip(("reference", "current"), totals, strict=True)
    return [(shares[side] or 0.0) * total for side, total in sides for shares in bins.values()]


def totals_of(rows: list[tuple[int, int]]) -> tuple[int, int]:
    reference, current = (sum(side) for side in zip(*rows, strict=True))
    return reference, current


@given(rows=pairs)
def test_no_range_rests_on_one_to_nine_rows_and_all_rows_are_shown(rows: list[tuple[int, int]]) -> None:
    totals = totals_of(rows)
    bins = range_bins(tuple(float(i) for i in range(1, len(rows))), rows, totals=totals)
    shown = rows_of(bins, totals)
    assert not [count for count in shown if 0.5 < count < 9.5]
    assert not bins or sum(shown) == pytest.approx(sum(totals))


@given(rows=pairs)
def test_no_category_rests_on_one_to_nine_rows_and_there_are_at_most_twelve(rows: list[tuple[int, int]]) -> None:
    totals = totals_of(rows)
    names = [f"v{index}" for index in range(len(rows))]
    reference = {name: row[0] for name, row in zip(names, rows, strict=True) if row[0]}
    current = {name: row[1] for name, row in zip(names, rows, strict=True) if row[1]}
    bins = category_bins(reference, current, totals=totals)
    shown = rows_of(bins, totals)
    assert len(bins) <= 12
    assert not [count for count in shown if 0.5 < count < 9.5]
    assert not bins or sum(shown) == pytest.approx(sum(totals))


@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-6, 1e9))
def test_round_edges_lie_strictly_between_and_are_few(low: float, span: float) -> None:
    high = low + span
    edges = round_edges(low, high)
    assert len(edges) <= 11
    assert all(low < edge < high for edge in edges)
    assert list(edges) == sorted(set(edges))


def test_round_edges_of_ages() -> None:
    assert round_edges(17, 90) == (20, 30, 40, 50, 60, 70, 80)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        pytest.param(3.0, 3.0, id="one value"),
        pytest.param(-1.7e308, 1.7e308, id="wider than a float"),
        pytest.param(1e15, 1e15 + 1, id="more digits than a float has"),
    ],
)
def test_no_edges_where_none_can_be_told(low: float, high: float) -> None:
    assert round_edges(low, high) == ()


def test_the_picture_tells_neither_minimum_nor_maximum() -> None:
    dice = np.random.default_rng(0)
    engine = MemoryEngine()
    frames = [pd.DataFrame({"pay": np.round(dice.lognormal(8, 1, 5000), 2)}) for _ in range(2)]
    datasets = engine.open("reference", frames[0]), engine.open("current", frames[1])
    options = DriftOptions(reference="reference", current="current")
    pay = Drift().run(context_of(options, *datasets, engine=engine)).measures[0]
    labels = list(pay.bins)
    assert labels[0].startswith("< ")
    assert labels[-1].startswith(">= ")
    for extreme in (frame["pay"].agg(end) for frame in frames for end in ("min", "max")):
        assert not any(f"{extreme:g}" in label for label in labels)
    assert math.fsum(shares["current"] or 0 for shares in pay.bins.values()) == pytest.approx(1)


def test_long_texts_and_columns_with_many_values_are_not_shown() -> None:
    note = "a sentence that somebody wrote about themselves"
    bins = category_bins({note: 50, "yes": 50, "no": 30}, {note: 50, "yes": 50, "no": 30}, totals=(130, 130))
    assert list(bins) == ["yes", "no", OTHER]
    many = {f"name {index}": 20 for index in range(101)}
    assert category_bins(many, many, totals=(2020, 2020)) == {}


def test_a_category_that_vanished_is_shown_with_zero() -> None:
    bins = category_bins({"a": 50, "b": 50}, {"a": 100}, totals=(100, 100))
    assert bins == {"a": {"reference": 0.5, "current": 1.0}, "b": {"reference": 0.5, "current": 0.0}}


def test_numbers_and_truths_are_labelled_plainly() -> None:
    numbers = category_bins({2: 20, 1: 40}, {2: 20, 1: 40}, totals=(60, 60))
    assert list(numbers) == ["1", "2"]
    truths = category_bins({True: 20, False: 40}, {True: 20, False: 40}, totals=(60, 60))
    assert list(truths) == ["false", "true"]
