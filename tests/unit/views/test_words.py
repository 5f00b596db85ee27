"""Numbers, times, limits and summaries in words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.model.finding import CheckResult, Limit
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.views import words
from aims_mlops.views.text import registered_message
from tests.unit.views.examples import (
    FAILED,
    NOON,
    OPTIONAL,
    PASSED,
    WAIVED,
    accuracy,
    broken,
    by_race,
    by_sex,
    decision,
    quality,
    report,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.1762319, "0.176", id="three significant digits"),
        pytest.param(14652, "14652", id="an integer in full"),
        pytest.param(14652.0, "14652", id="a large number without exponent"),
        pytest.param(998.77, "999", id="no lonely point"),
        pytest.param(0.0000512, "5.12e-05", id="a very small number"),
        pytest.param(0.0, "0", id="zero"),
        pytest.param(None, "no value", id="none"),
        pytest.param(True, "true", id="a boolean is not a number"),
        pytest.param(math.nan, "not a number", id="NaN"),
    ],
)
def test_a_number_has_sensible_digits(value: float | None, text: str) -> None:
    assert words.number(value) == text


@given(st.floats(-2, 2), st.sampled_from([0.12, 0.15, 0.8, 1.0, 0.9375]))
def test_a_written_number_lies_on_the_side_of_the_limit_where_the_value_lies(value: float, bound: float) -> None:
    written = float(words.number(value, bound))
    assert (written > bound) == (value > bound)
    assert (written < bound) == (value < bound)


def test_a_value_on_its_limit_is_written_as_the_limit() -> None:
    assert words.number(0.9375, 0.9375) == "0.9375"


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        pytest.param(Limit(max=0.12), "at most 0.12", id="an upper limit"),
        pytest.param(Limit(min=0.8, warn=0.85), "at least 0.8, warning from 0.85", id="a lower limit with a warning"),
        pytest.param(Limit(min=0.8, max=1.25), "0.8 to 1.25", id="both"),
        pytest.param(
            Limit(not_below="champion", tolerance=0.05),
            "not below champion (tolerance 0.05)",
            id="against the champion",
        ),
    ],
)
def test_a_limit_is_written_in_words(limit: Limit, text: str) -> None:
    assert words.limit(limit) == text


def test_a_time_is_written_to_the_minute_in_utc() -> None:
    assert words.moment(NOON) == "2026-11-21 20:31 UTC"


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("demographic_parity_difference", "Demographic parity difference"),
        ("expect_column_to_exist", "Column to exist"),
        ("roc_auc", "ROC AUC"),
    ],
)
def test_a_metric_has_a_title_for_people(metric: str, text: str) -> None:
    assert words.title(metric) == text


@pytest.mark.parametrize(
    ("results", "text"),
    [
        pytest.param((accuracy(), by_race()), "1 check passed, 1 not required is inconclusive", id="an optional one"),
        pytest.param(
            (accuracy(), by_sex(), quality()),
            "parity-by-sex failed, evaluation-quality failed, 1 check passed",
            id="two failed",
        ),
        pytest.param((broken(),), "live-drift could not be measured", id="an error"),
        pytest.param((), "nothing was checked", id="no check"),
    ],
)
def test_a_run_is_summed_up_in_a_line(results: tuple[CheckResult, ...], text: str) -> None:
    assert words.check_summary(report(*results)) == f"income/1: {text}"


def test_a_warning_is_part_of_the_summary() -> None:
    good = accuracy()
    warned = replace(good, finding=replace(good.finding, outcome=Outcome.WARNED))
    assert words.check_summary(report(warned, good)) == "income/1: 2 checks passed, 1 of them with a warning"


def test_the_summary_of_an_unrecorded_run_says_so() -> None:
    assert words.check_summary(report(accuracy(), unrecorded="no key")) == "income/1: 1 check passed, not recorded"


def test_a_denial_names_what_keeps_the_gate_shut() -> None:
    missing = replace(OPTIONAL, required=True)
    told = words.decision_summary(decision(PASSED, missing, FAILED))
    assert told == "income/1: denied for champion: parity-by-sex failed, peer-review is missing"


def test_an_optional_requirement_is_not_named_as_a_reason() -> None:
    assert "peer-review" not in words.decision_summary(decision(FAILED, OPTIONAL))


def test_a_waived_requirement_is_called_waived() -> None:
    told = words.decision_summary(decision(PASSED, WAIVED, verdict=Verdict.ALLOWED_BY_WAIVER))
    assert told == "income/1: allowed by waiver for champion: parity-by-sex is waived"


def test_every_status_has_a_place_in_the_order() -> None:
    assert set(words.WORST_FIRST) == set(Status)
    assert all(words.rank(outcome) >= 0 for outcome in Outcome)


@pytest.mark.parametrize("letter", ["\x1b", "\x07", "\u202e", "\x9b", "\u2066"])
def test_no_stored_name_can_move_a_cursor(letter: str) -> None:
    assert words.printable(f"a{letter}b") == f"a\\x{ord(letter):02x}b"


def test_printable_text_keeps_letters_of_every_language() -> None:
    assert words.printable("Größe 性別 क्\u200dष") == "Größe 性別 क्\u200dष"


def test_the_message_after_registration_says_what_failed_and_what_to_do() -> None:
    told = registered_message(report(accuracy(), by_sex()))
    assert told.splitlines() == [
        "income/1: parity-by-sex failed, 1 check passed",
        f"  parity-by-sex: failed: {by_sex().reason}",
        "    next: compare the selection rates of Female (0.0765) and Male (0.253); retrain, or move the threshold",
    ]


def test_the_message_of_an_unrecorded_run_begins_with_it() -> None:
    told = registered_message(report(accuracy(), unrecorded="no key", unrecorded_hint="aims keys new pipeline"))
    assert told.startswith("NOT RECORDED: no key\n  next: aims keys new pipeline\n")
