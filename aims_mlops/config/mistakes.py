"""A mistake in aims.yaml: where it is, what is wrong, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from aims_mlops.errors import ConfigError

_LONGEST = 60
_MANY = 24
"""More names than this are not listed in a hint: nobody reads them."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake; `line` and `column` count from 1. Sorts by place."""

    line: int
    column: int
    what: str
    hint: str = ""


def config_error(path: Path, mistakes: Iterable[Mistake]) -> ConfigError:
    """Return one error that lists every mistake in the order of the file, each once."""
    lines = []
    for mistake in sorted(set(mistakes)):
        lines.append(f"{path.name}:{mistake.line}:{mistake.column}: {mistake.what}")
        if mistake.hint:
            lines.append(f"  hint: {mistake.hint}")
    return ConfigError("\n".join(lines), hint=f"correct {path}; `aims config explain KEY` says what a key means")


def choices(given: str, known: Iterable[str], *, what: str) -> str:
    """Return a hint that names the nearest of the known words, or lists them; `what` introduces the list."""
    names = list(known)
    near = get_close_matches(given, names, n=1) or get_close_matches(given.casefold(), names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    if not names or len(names) > _MANY:
        return ""
    return f"{what}: {', '.join(names)}"


def describe(value: Any) -> str:
    """Name a value of aims.yaml with its kind, e.g. `text 'abc'` or `a list`. Long text is cut."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"text {value if len(value) <= _LONGEST else value[:_LONGEST] + '…'!r}"
    return "a mapping" if isinstance(value, dict) else "a list"
