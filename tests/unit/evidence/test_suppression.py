"""No small cell leaves: not as a count, not in a rate, and not by subtraction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.predicates import measure as measure_to_wire
from aims_mlops.evidence.suppression import suppress, suppress_counts
from aims_mlops.model.finding import SMALLEST_SHOWN, Finding, Measure
from aims_mlops.model.outcome import Outcome

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
COUNTS = st.dictionaries(NAMES, st.none() | st.integers(0, 30) | st.integers(0, 5000), max_size=6)


def known(counts: Mapping[str, int | None]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count is not None}


def small_numbers(wire: Any) -> list[object]:
    """Return every integer from 1 to 9 that stands anywhere in a JSON value."""
    if isinstance(wire, dict):
        return [found for part in wire.values() for found in small_numbers(part)]
    if isinstance(wire, list):
        return [found for part in wire for found in small_numbers(part)]
    return [wire] if type(wire) is int and 0 < wire < SMALLEST_SHOWN else []


# Counts


@given(COUNTS)
def test_no_small_count_is_left(counts: dict[str, int | None]) -> None:
    shown = suppress_counts(counts)

    assert small_numbers(shown) == []
    assert set(shown) == set(counts)
    assert all(count == counts[name] for name, count in known(shown).items())


@given(COUNTS)
def test_what_is_hidden_cannot_be_worked_out_from_the_sum(counts: dict[str, int | None]) -> None:
    shown = suppress_counts(counts)
    hidden = [counts[name] for name, count in shown.items() if count is None]
    others_left = [count for count in known(shown).values() if count > 0]

    if hidden and others_left:  # Else nothing more could be hidden.
        assert len(hidden) >= 2
        assert sum(count or 0 for count in hidden) >= SMALLEST_SHOWN


@given(COUNTS)
def test_nothing_is_hidden_without_a_small_count(counts: dict[str, int | None]) -> None:
    if all(count is not None and (count == 0 or count >= SMALLEST_SHOWN) for count in counts.values()):
        assert suppress_counts(counts) == counts


@given(COUNTS)
def test_suppressing_twice_shows_nothing_that_once_hid(counts: dict[str, int | None]) -> None:
    once = suppress_counts(counts)

    assert known(suppress_counts(once)).items() <= known(once).items()


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"a": 9, "b": 10, "c": 500}, {"a": None, "b": None, "c": 500}),
        ({"a": 10, "b": 11}, {"a": 10, "b": 11}),
        ({"a": 0, "b": 50}, {"a": 0, "b": 50}),
        ({"a": 5, "b": 6, "c": 500}, {"a": None, "b": None, "c": 500}),
        ({"a": 2, "b": 3, "c": 40, "d": 500}, {"a": None, "b": None, "c": None, "d": 500}),
        ({"a": None, "b": 20, "c": 30}, {"a": None, "b": None, "c": 30}),
        ({"a": 1, "b": 30, "c": 30}, {"a": None, "b": None, "c": 30}),
        ({"a": 5, "b": 0}, {"a": None, "b": 0}),
        ({"a": 5, "b": 3}, {"a": None, "b": None}),
        ({"a": 7}, {"a": None}),
        ({}, {}),
    ],
    ids=[
        "one small: the next smallest goes too",
        "none small",
        "nobody there is no small cell",
        "two small that sum to ten",
        "two small that sum to less",
        "one already hidden",
        "equal counts go by name",
        "no other to hide behind but an empty one",
        "nothing but small ones",
        "one group alone",
        "no groups",
    ],
)
def test_counts_by_example(counts: dict[str, int | None], shown: dict[str, int | None]) -> None:
    assert suppress_counts(counts) == shown


# Whole findings

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    """A fairness-like finding: per group a table of counts, and the rates with the rows behind them."""
    measures = []
    for metric in draw(st.lists(st.sampled_from(("parity", "odds", "both")), min_size=1, max_size=3)):
        column = draw(st.sampled_from(("sex", "race")))
        counts = draw(st.dictionaries(NAMES, st.integers(0, 40) | st.integers(0, 5000), max_size=4))
        left_out = draw(st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 40), max_size=2))
        support: dict[str, dict[str, tuple[int, int]]] = {}
        for name, rows in counts.items():
            part = draw(st.integers(0, rows))
            support[name] = {rate: (draw(st.integers(0, part)), part) for rate in RATES}
        groups = {
            name: {
                rate: numerator / denominator if denominator else None for rate, (numerator, denominator) in p.items()
            }
            for name, p in support.items()
        }
        measures.append(
            Measure(
                metric, Outcome.PASSED, 0.5, column, counts=counts, groups=groups, too_small=left_out, support=support
            )
        )
    return Finding(Outcome.PASSED, tuple(measures), rows=draw(st.none() | st.integers(0, 5000)))


@given(findings())
def test_no_count_from_one_to_nine_stands_anywhere_in_what_is_written(finding: Finding) -> None:
    clean = suppress(finding)
    wire = {"rows": clean.rows, "measures": [measure_to_wire(item) for item in clean.measures]}

    canonical(wire)
    # Before it is written a rate is a float and a count an int: in RFC 8785 a rate of one is written as 1.
    assert small_numbers(wire) == []
    assert "support" not in json.dumps(wire)
    assert all(item.support == {} for item in clean.measures)


@given(findings())
def test_a_small_cell_takes_every_rate_of_its_column_with_it(finding: Finding) -> None:
    clean = suppress(finding)
    telling = {
        item.column
        for item in finding.measures
        for parts in item.support.values()
        for numerator, denominator in parts.values()
        if any(0 < cell < SMALLEST_SHOWN for cell in (numerator, denominator, denominator - numerator))
    }

    for item in clean.measures:
        if item.column in telling:
            assert all(value is None for values in item.groups.values() for value in values.values())
            assert item.suppressed or not item.groups


@given(findings())
def test_values_outcomes_and_names_stay(finding: Finding) -> None:
    for before, after in zip(finding.measures, suppress(finding).measures, strict=True):
        assert (after.metric, after.column, after.value, after.outcome) == (
            before.metric,
            before.column,
            before.value,
            before.outcome,
        )
        assert {name: set(values) for name, values in after.groups.items()} == {
            name: set(values) for name, values in before.groups.items()
        }
        assert (set(after.counts), set(after.too_small)) == (set(before.counts), set(before.too_small))


LARGE = Measure(
    "demographic_parity_difference",
    Outcome.PASSED,
    0.1,
    "sex",
    counts={"Female": 400, "Male": 600},
    groups={"Female": {"selection_rate": 0.2}, "Male": {"selection_rate": 0.3}},
    support={"Female": {"selection_rate": (80, 400)}, "Male": {"selection_rate": (180, 600)}},
)


def test_large_cells_are_untouched_but_for_their_support() -> None:
    (clean,) = suppress(Finding(Outcome.PASSED, (LARGE,), rows=1000)).measures

    assert clean == replace(LARGE, support={})
    assert not clean.suppressed


def test_what_a_check_already_hid_stays_marked() -> None:
    (clean,) = suppress(Finding(Outcome.PASSED, (replace(LARGE, suppressed=True),), rows=1000)).measures

    assert clean.suppressed


@pytest.mark.parametrize(
    "part",
    [(5, 400), (395, 400), (5, 5), (3, 9)],
    ids=["few selected", "few not selected", "few there", "few of few"],
)
def test_each_kind_of_small_cell_hides_the_rates(part: tuple[int, int]) -> None:
    item = replace(LARGE, support={**LARGE.support, "Female": {"selection_rate": part}})

    (clean,) = suppress(Finding(Outcome.PASSED, (item,), rows=1000)).measures

    assert clean.groups == {"Female": {"selection_rate": None}, "Male": {"selection_rate": None}}
    assert clean.counts == LARGE.counts
    assert clean.suppressed


def test_two_measures_of_one_column_do_not_give_a_small_cell_away_together() -> None:
    """3 of 100 negatives are selected. Selection rate x rows - true positives would say so, were it left."""
    odds = replace(
        LARGE,
        metric="equalized_odds_difference",
        groups={"Female": {"true_positive_rate": 0.5, "false_positive_rate": 0.03}},
        support={"Female": {"true_positive_rate": (150, 300), "false_positive_rate": (3, 100)}},
    )
    elsewhere = replace(LARGE, column="race")

    clean = suppress(Finding(Outcome.PASSED, (LARGE, odds, elsewhere), rows=1000)).measures

    assert clean[0].groups == {"Female": {"selection_rate": None}, "Male": {"selection_rate": None}}
    assert clean[1].groups == {"Female": {"true_positive_rate": None, "false_positive_rate": None}}
    assert clean[2].groups == LARGE.groups


def test_a_group_left_out_is_hidden_together_with_a_judged_one() -> None:
    item = replace(LARGE, too_small={"unknown": 4})

    (clean,) = suppress(Finding(Outcome.PASSED, (item,), rows=1004)).measures

    assert clean.too_small == {"unknown": None}
    assert clean.counts == {"Female": None, "Male": 600}
    assert clean.groups == {"Female": {"selection_rate": None}, "Male": {"selection_rate": 0.3}}


@pytest.mark.parametrize(("rows", "shown"), [(None, None), (0, 0), (1, None), (9, None), (10, 10)])
def test_the_whole_of_the_rows_is_a_cell_too(rows: int | None, shown: int | None) -> None:
    assert suppress(Finding(Outcome.PASSED, (), rows=rows)).rows == shown
