"""Errors know their exit code, their words and their hint."""

from __future__ import annotations

from itertools import permutations

import pytest

from aims_mlops import errors
from aims_mlops.errors import AimsError, Denied, ExitCode, worst_exit_code


def test_the_published_numbers_stay() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "SHUT": 1,
        "USAGE": 2,
        "UNDECIDED": 3,
        "UNVERIFIED": 4,
        "NOTHING": 5,
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("AimsError", 3),
        ("UsageError", 2),
        ("ConfigError", 2),
        ("SigningError", 2),
        ("CannotDecide", 3),
        ("RegistryError", 3),
        ("FilesGone", 3),
        ("StoreError", 3),
        ("DataError", 3),
        ("PredictorError", 3),
        ("NotifyError", 3),
        ("MissingExtra", 3),
        ("CheckError", 3),
        ("NothingToDo", 5),
        ("VerificationError", 4),
        ("Denied", 1),
    ],
)
def test_each_error_has_its_exit_code_its_message_and_its_hint(name: str, code: int) -> None:
    kind: type[AimsError] = getattr(errors, name)
    error = kind("what happened", hint="what to do")

    assert isinstance(error, AimsError)
    assert error.exit_code == code
    assert (str(error), error.hint) == ("what happened", "what to do")
    assert kind("what happened").hint == ""


def test_every_error_is_in_the_table_above_and_none_is_green() -> None:
    found = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, AimsError)}

    assert len(found) == 16
    assert all(kind("x").exit_code is not ExitCode.OK for kind in found)


def test_a_denial_carries_the_code_of_its_decision_and_leaves_the_class_alone() -> None:
    assert Denied("no", code=ExitCode.UNVERIFIED).exit_code == 4
    assert Denied("no").exit_code == 1
    assert Denied.exit_code == AimsError.exit_code


ORDER = [ExitCode.USAGE, ExitCode.SHUT, ExitCode.UNVERIFIED, ExitCode.UNDECIDED, ExitCode.NOTHING, ExitCode.OK]


def test_one_comes_before_four_before_three() -> None:
    for size in range(1, len(ORDER) + 1):
        for codes in permutations(ORDER, size):
            assert worst_exit_code(list(codes)) is min(codes, key=ORDER.index)


def test_no_code_at_all_is_zero() -> None:
    assert worst_exit_code([]) is ExitCode.OK
