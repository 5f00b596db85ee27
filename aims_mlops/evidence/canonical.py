"""JSON as evidence writes it (RFC 8785), and the strict reading of it."""

from __future__ import annotations

import json
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
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("an object names a key twice")
    return dict(pairs)


def reject_constant(name: str) -> Any:
    """Refuse NaN and the infinities, which JSON does not have (a hook for `json.loads`)."""
    raise ValueError(f"{name} is not JSON")


def _whole(digits: str) -> int | float:
    # RFC 8785 numbers are doubles: from 2**53 on, a float is written as bare digits and has to come back as one.
    number = int(digits)
    return number if abs(number) < 2**53 else float(digits)


def parse(content: bytes, *, what: str) -> dict[str, Any]:
    """Read an object that must be exactly its own canonical form.

    Refuses duplicate keys, NaN, bytes over `MAX_BYTES`, deep nesting and every other spelling of the same value, so
    that two readers cannot see two things in the same bytes. Raises `VerificationError` that begins with `what`.
    """
    if len(content) > MAX_BYTES:
        raise VerificationError(f"{what}: {len(content)} bytes, more than {MAX_BYTES}")
    try:
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
