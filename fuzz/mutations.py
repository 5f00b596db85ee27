"""Ways to spoil valid bytes. Each is decided by numbers and short texts alone, so that a search can make it smaller."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from aims_mlops.evidence.canonical import canonical
from fuzz.target import Target

TOKENS = (
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b"\r\n", b"\x00", b"\xff", b"\xc3", b" ", b"=", b"-", b"_",
    b"null", b"true", b"0", b"-0", b"1e999", b"NaN", b"Infinity", b"9007199254740993", b"9" * 400, b"0.1", b"\\ud800",
    b"\\u0000", b"[" * 3000, b'{"a":' * 1500, b"sha256:", b"\xe2\x80\xae", b"&a", b"*a", b"<<: ", b"!!python/object",
    b"---\n", b"? ", b"%YAML 1.1\n", b"-----BEGIN PUBLIC KEY-----\n",
)  # fmt: skip
"""What parsers trip over."""

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [[], {}, [[]], [None], {"": None}, "sha256:" + "0" * 64, "SHA256:" + "0" * 64, "passed", "allowed"]
    ),
    st.sampled_from(
        ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "2026-02-30T00:00:00.000Z", "2026", "1/1"]
    ),
)

EDITS = st.lists(
    st.tuples(
        st.sampled_from(("flip", "put", "cut", "repeat", "token")),
        st.integers(0, 2**20),
        st.integers(0, 255),
        st.binary(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=4,
)


def spoiled(seed: bytes, edits: Sequence[tuple[str, int, int, bytes]]) -> bytes:
    """Return bytes with some places changed."""
    content = seed
    for way, where, number, text in edits:
        at = where % (len(content) + 1)
        head, tail = content[:at], content[at:]
        match way:
            case "flip":
                content = head + bytes([tail[0] ^ (number or 1)]) + tail[1:] if tail else head + text
            case "put":
                content = head + text + tail
            case "cut":
                content = head + tail[number + 1 :]
            case "repeat":
                content = head + tail[:number] + tail
            case _:
                content = head + TOKENS[number % len(TOKENS)] + tail
    return content


def with_value(seed: bytes, place: int, way: str, value: Any) -> bytes:
    """Return JSON with one value replaced, taken out or given a second name, in canonical form where it has one."""
    document = json.loads(seed)
    spots = list(_spots(document))
    container, key = spots[place % len(spots)]
    if way == "drop":
        del container[key]
    elif way == "rename" and isinstance(container, dict):
        container[f"{value}"[:40]] = container.pop(key)
    else:
        container[key] = value
    try:
        return canonical(document)
    except ValueError:
        return json.dumps(document).encode()


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    found = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in found:
        yield value, key
        yield from _spots(inner)


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Return how inputs for a target are drawn: its seeds spoiled, bytes of no sense, and single values replaced."""
    seed = st.sampled_from(list(target.seeds))
    drawn: list[st.SearchStrategy[bytes]] = [st.builds(spoiled, seed, EDITS), st.binary(max_size=200)]
    if target.json:
        way: st.SearchStrategy[str] = st.sampled_from(("put", "drop", "rename"))
        replaced: Callable[..., bytes] = with_value
        drawn += [st.builds(replaced, seed, st.integers(0, 2**12), way, VALUES)] * 2
    return st.one_of(drawn)
