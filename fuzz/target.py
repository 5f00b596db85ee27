"""What one parser has to stand, and how it is judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aims_mlops.errors import VerificationError

FOUND = Path("fuzz-found")
"""Where an input that broke something is kept."""


def nothing_more(_content: bytes, _value: Any) -> None:
    """Hold a value to nothing: that it was read without another exception is all that is asked."""


@dataclass(frozen=True)
class Target:
    """One parser: valid inputs to start from, the parser, what it may raise, and what its values are held to."""

    name: str
    seeds: Sequence[bytes]
    """Valid inputs, made by the code itself. Each has to pass."""
    read: Callable[[bytes], Any]
    refusals: tuple[type[Exception], ...] = (VerificationError,)
    hold: Callable[[bytes, Any], None] = nothing_more
    """Raises `AssertionError` where bytes were taken that must not be: a mutation that is accepted."""
    json: bool = False
    """Whether single values inside are replaced too, and the whole written in canonical form again."""


def judge(target: Target, content: bytes) -> bool:
    """Whether a parser took some bytes; raises what it must not raise, and `AssertionError` where it must not take."""
    try:
        value = target.read(content)
    except target.refusals:
        return False
    target.hold(content, value)
    return True


def keep(target: Target, content: bytes, folder: Path = FOUND) -> Path:
    """Write an input that broke something where `python -m fuzz --replay` finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target.name}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    return path
