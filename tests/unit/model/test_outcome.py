"""Words for what came out: which are good, which is worst, and what a command answers."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from aims_mlops.model.outcome import Outcome, Status, Verdict, worst

WORST_FIRST = ["failed", "error", "inconclusive", "warned", "passed"]


def test_the_worst_of_several_is_the_first_of_the_order() -> None:
    for size in (1, 2, 3):
        for several in combinations_with_replacement(Outcome, size):
            assert worst(several) == min(several, key=WORST_FIRST.index)


def test_the_worst_of_nothing_is_an_error() -> None:
    assert worst([]) is Outcome.ERROR


@pytest.mark.parametrize(
    ("outcome", "good", "code"),
    [("passed", True, 0), ("warned", True, 0), ("inconclusive", False, 1), ("failed", False, 1), ("error", False, 3)],
)
def test_what_an_outcome_answers(outcome: str, good: bool, code: int) -> None:  # noqa: FBT001
    assert (Outcome(outcome).good, Outcome(outcome).exit_code) == (good, code)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("passed", 0),
        ("warned", 0),
        ("waived", 0),
        ("failed", 1),
        ("inconclusive", 1),
        ("missing", 1),
        ("stale", 1),
        ("error", 3),
        ("untrusted", 4),
        ("mismatched", 4),
    ],
)
def test_what_a_status_answers(status: str, code: int) -> None:
    assert Status(status).exit_code == code
    assert Status(status).open is (code == 0)


def test_all_words_are_in_the_tables_above() -> None:
    assert len(Status) == 10
    assert set(WORST_FIRST) == {outcome.value for outcome in Outcome}
    assert {outcome.value for outcome in Outcome} <= {status.value for status in Status}


def test_two_verdicts_open() -> None:
    assert {verdict.value for verdict in Verdict if verdict.open} == {"allowed", "allowed_by_waiver"}
    assert {verdict.value for verdict in Verdict} == {"allowed", "allowed_by_waiver", "denied", "undecided"}
