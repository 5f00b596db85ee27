"""Canonical JSON, and the strict reading of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import MAX_BYTES, canonical, parse

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), VALUES, max_size=4)


@given(OBJECTS)
def test_what_is_written_is_read_again_and_has_one_form(value: dict[str, Any]) -> None:
    content = canonical(value)

    assert parse(content, what="value") == value
    assert canonical(parse(content, what="value")) == content


@pytest.mark.parametrize("value", [2.0**53, -(2.0**53), 1e20, 123456789012345680000.0, 1e21, 5e-324, -0.0, 1e308])
def test_a_large_float_that_is_written_as_digits_can_be_read(value: float) -> None:
    """A sum or mean of a column may be as large: a statement that is appended must be readable for ever."""
    assert parse(canonical({"value": value}), what="value") == {"value": value}


@given(OBJECTS)
def test_another_spelling_of_the_same_value_is_refused(value: dict[str, Any]) -> None:
    spelled = json.dumps(value, indent=1).encode()

    if spelled == canonical(value):
        assert value == {}
        return
    with pytest.raises(VerificationError):
        parse(spelled, what="value")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**53 + 1, b"bytes", {1: 2}, "\ud800"])
def test_values_without_a_canonical_form_are_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical({"a": value})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "thing: not strict JSON (JSONDecodeError)"),
        (b"\xff{}", "thing: not strict JSON (UnicodeDecodeError)"),
        (b'{"a":NaN}', "thing: not strict JSON (ValueError)"),
        (b'{"a":-Infinity}', "thing: not strict JSON (ValueError)"),
        (b'{"a":1e999}', "thing: not strict JSON (ValueError)"),
        (b'{"a":9007199254740993}', "thing: not in canonical form (RFC 8785)"),
        (b'{"a":1' + b"0" * 400 + b"}", "thing: not strict JSON (ValueError)"),
        (b'{"a":1' + b"0" * 5000 + b"}", "thing: not strict JSON (ValueError)"),
        (b'{"a":1,"a":1}', "thing: not strict JSON (ValueError)"),
        (b'{"b":{"a":1,"a":2}}', "thing: not strict JSON (ValueError)"),
        (b'{"a":' + b"[" * 100_000, "thing: not strict JSON (RecursionError)"),
        (b'{"a":"\\ud800"}', "thing: not strict JSON"),
        (b"[]", "thing: not a JSON object"),
        (b"5", "thing: not a JSON object"),
        (b'{"a": 1}', "thing: not in canonical form (RFC 8785)"),
        (b'{"b":1,"a":2}', "thing: not in canonical form (RFC 8785)"),
        (b'{"a":1.0}', "thing: not in canonical form (RFC 8785)"),
        (b'{"a":1}\n', "thing: not in canonical form (RFC 8785)"),
        (b'{"a":"\\u0041"}', "thing: not in canonical form (RFC 8785)"),
        (b" " * (MAX_BYTES + 1), f"thing: {MAX_BYTES + 1} bytes, more than {MAX_BYTES}"),
    ],
    ids=[
        "empty",
        "no text",
        "NaN",
        "infinity",
        "a number too large for a float",
        "an integer that is no double",
        "an integer beyond all doubles",
        "an integer of thousands of digits",
        "a key twice",
        "a key twice further in",
        "nested deeply",
        "half a letter",
        "a list",
        "a number",
        "a space",
        "keys out of order",
        "one as a float",
        "a line end behind",
        "a letter written as an escape",
        "too large",
    ],
)
def test_only_the_canonical_form_of_an_object_is_read(content: bytes, words: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse(content, what="thing")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "spelled",
    [
        '{"a":1.0}',
        '{"a":-0.0}',
        '{"a":-0}',
        '{"a":1e+16}',
        '{"a":1e-07}',
        '{"a":[1E5]}',
        '{"a":9007199254740993}',
        '{"a":1,"a":1}',
        '{"b":1,"a":1}',
        '{"a":"\\u0041"}',
        '{"\ufb33":1,"\U0001f600":2}',
    ],
)
def test_what_the_standard_library_would_write_otherwise_is_refused(spelled: str) -> None:
    """Reading takes a quicker way where the standard library writes the same bytes: it must not take these."""
    with pytest.raises(VerificationError):
        parse(spelled.encode(), what="value")


@pytest.mark.parametrize(
    "spelled", ['{"a":1e-7}', '{"a":10000000000000000}', '{"a":0.00001}', '{"\U0001f600":2,"\ufb33":1}', '{"a":1e+21}']
)
def test_what_only_the_canonical_form_spells_so_is_read(spelled: str) -> None:
    assert canonical(parse(spelled.encode(), what="value")) == spelled.encode()
