"""JSON as evidence writes it (RFC 8785), and the strict reading of it."""

from __future__ import annotations

import json
import re
from typing import Any

import rfc8785

from aims_mlops.errors import VerificationError

MAX_BYTES = 8_000_000
"""More than a statement or a leaf ever needs; larger input is refused before it is parsed."""


def canonical(value: Any) -> bytes:
    """Write a value as RFC 8785 JSON; raise `ValueError` for NaN, infinities and integers beyond 2**53."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"this value has no canonical JSON form: {error}") from error


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, or raise `ValueError` where it names a key twice (a hook for `json.loads`)."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object names a key twice")
    return made


def reject_constant(name: str) -> Any:
    """Refuse NaN and the infinities, which JSON does not have (a hook for `json.loads`)."""
    raise ValueError(f"{name} is not JSON")


def _whole(digits: str) -> int | float:
    # RFC 8785 numbers are doubles: from 2**53 on, a float is written as bare digits and has to come back as one.
    number = int(digits)
    return number if abs(number) < 2**53 else float(digits)


def _fraction(digits: str) -> float | None:
    # Python writes 1e+16 and 1.0 where RFC 8785 writes 10000000000000000 and 1. Of what is left, Python's own spelling
    # is that of RFC 8785: the shortest digits that come back as the same double. None is written otherwise again.
    return None if digits.endswith(".0") or "e" in digits or "E" in digits else float(digits)


_READER = json.JSONDecoder(parse_int=_whole, parse_float=_fraction)
_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
# RFC 8785 sorts keys by UTF-16, where a character of four bytes in UTF-8 comes before some of three.
_FOUR_BYTES = re.compile(rb"[\xf0-\xf4]")


def _parse_plain(content: bytes) -> dict[str, Any] | None:
    """Read an object that the standard library writes in exactly these bytes, where RFC 8785 writes them too.

    None for anything else, canonical or not. Many times as fast as writing by RFC 8785. A key that is named twice is
    written once, so that the bytes differ; NaN is not written at all. Raises `ValueError` where it is no JSON.
    """
    if not content.isascii() and _FOUR_BYTES.search(content):
        return None
    value = _READER.decode(content.decode("utf-8"))
    return value if isinstance(value, dict) and _WRITER.encode(value).encode() == content else None


def parse(content: bytes, *, what: str) -> dict[str, Any]:
    """Read an object that must be exactly its own canonical form.

    Refuses duplicate keys, NaN, bytes over `MAX_BYTES`, deep nesting and every other spelling of the same value, so
    that two readers cannot see two things in the same bytes. Raises `VerificationError` that begins with `what`.
    """
    if len(content) > MAX_BYTES:
        raise VerificationError(f"{what}: {len(content)} bytes, more than {MAX_BYTES}")
    try:
        plain = _parse_plain(content)
        if plain is not None:
            return plain
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=unique_keys,
            parse_constant=reject_constant,
            parse_int=_whole,
        )
        again = canonical(value)
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"{what}: not strict JSON ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise VerificationError(f"{what}: not a JSON object")
    if again != content:
        raise VerificationError(f"{what}: not in canonical form (RFC 8785)")
    return value
