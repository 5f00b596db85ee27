"""What is wrong with the form of aims.yaml, in words: pydantic's errors, each at its place in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aims_mlops.config.grammar import Aims, AnyCheck, AnyMonitor, CheckTypes, build, check_of
from aims_mlops.config.mistakes import choices, describe
from aims_mlops.config.positions import KeyPath, Tree
from aims_mlops.config.schema import keys_at, schema

_FEW = 8
"""As many names are quoted in a message; more are left to the hint."""

_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
_EXPECTED = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "dataclass": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "of at most"),
}


def validate(tree: Tree, checks: CheckTypes) -> Aims | None:
    """Return the file as grammar objects, or None with every mistake of its form noted in the tree."""
    teller = _Teller(tree, checks)
    aims = None
    # As JSON, so that a list becomes a tuple while everything else stays strict: `no` is text, never false.
    try:
        aims = build(checks).model_validate_json(json.dumps(tree.value), strict=True)
    except ValidationError as error:
        teller.tell(error)
    for path, form in teller.unknown.items():
        teller.unknown_check(path, form)
    return None if teller.unknown else aims


class _Teller:
    """Notes pydantic's errors in the tree."""

    def __init__(self, tree: Tree, checks: CheckTypes) -> None:
        self.tree = tree
        self.checks = checks
        self.unknown = {path: form for path, form in _entries(tree) if check_of(tree.get(path), checks) is None}

    @cached_property
    def schema(self) -> dict[str, Any]:
        return schema(self.checks)

    def tell(self, error: ValidationError) -> None:
        for problem in error.errors(include_url=False):
            path = self.without_tag(problem["loc"])
            if path[:4] not in self.unknown:
                self.one(problem, path)

    def without_tag(self, location: KeyPath) -> KeyPath:
        """Take out the word by which pydantic tells several forms of an entry apart: it is no key of the file."""
        tagged = len(self.checks) > 1 and location[2:3] in (("checks",), ("monitor",)) and location[0] == "systems"
        if tagged or (location[0] == "people" and location[2:3] == ("keys",)):
            return location[:4] + location[5:]
        return location[:2] + location[3:] if location[0] == "trust" else location

    def unknown_check(self, path: KeyPath, form: type[AnyCheck | AnyMonitor]) -> None:
        """Tell that the check is not known, and what is wrong with the keys that every entry has."""
        use = self.tree.get((*path, "use"))
        if isinstance(use, str):
            hint = choices(use, sorted(self.checks), what="installed checks") or "no check is installed"
            self.tree.mistake((*path, "use"), f"no check is called {use!r}", hint)
        try:
            form.model_validate_json(json.dumps(self.tree.get(path)), strict=True)
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                self.one(problem, (*path, *problem["loc"]))

    def one(self, problem: ErrorDetails, location: KeyPath) -> None:
        path, kind = self.existing(location), problem["type"]
        if kind in _UNKNOWN_KEY:
            key = str(path[-1])
            hint = choices(key, keys_at(self.schema, self.tree.value, path[:-1]), what="keys here")
            self.tree.mistake(path, f"unknown key {key!r}", hint, of_key=True)
        elif kind in ("missing", "missing_argument", "union_tag_not_found"):
            key = "use" if kind == "union_tag_not_found" else str(location[-1])
            self.tree.mistake(path, f"the key {key!r} is missing", f"add {key}: here", of_key=True)
        else:
            what, hint = _words(problem)
            self.tree.mistake(path, what, hint, of_key=location[-1:] == ("[key]",))

    def existing(self, location: KeyPath) -> KeyPath:
        """Return the part of a location that the file has: pydantic adds words for unions, and names missing keys."""
        path: KeyPath = ()
        for step in location:
            if (*path, step) in self.tree.values:
                path = (*path, step)
        return path


def _entries(tree: Tree) -> list[tuple[KeyPath, type[AnyCheck | AnyMonitor]]]:
    """Return the paths of all check entries that are mappings, with the form of their common keys."""
    return [
        (path, form)
        for system in tree.mapping("systems")
        for key, form in (("checks", AnyCheck), ("monitor", AnyMonitor))
        for path, entry in tree.items("systems", system, key)
        if isinstance(entry, dict)
    ]


def _words(problem: ErrorDetails) -> tuple[str, str]:
    """Say what was expected and what was found, with a hint."""
    kind, given, context = problem["type"], problem.get("input"), problem.get("ctx", {})
    if kind == "aims":
        return str(context["what"]), str(context["hint"])
    if kind in ("literal_error", "enum"):
        return _not_one_of(str(context["expected"]), given)
    if kind == "value_error":
        return str(context["error"]), "aims config explain KEY says what is expected"
    expected, hint = _expectation(kind, context, given)
    return f"{expected}, got {describe(given)}" if expected else f"{problem['msg']}, got {describe(given)}", hint


def _not_one_of(expected: str, given: Any) -> tuple[str, str]:
    names = re.findall(r"'([^']*)'", expected)
    what = f"expected {expected}" if len(names) <= _FEW else "not one of the names known here"
    return f"{what}, got {describe(given)}", choices(str(given), names, what="one of")


def _expectation(kind: str, context: Mapping[str, Any], given: Any) -> tuple[str, str]:
    """Return what was expected, empty where only pydantic's own words say it, and a hint."""
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"expected a number {words} {context[name]}", ""
    if kind == "too_short":
        return "expected at least one entry", "write one"
    if kind == "string_too_short":
        return "expected text that is not empty", "write a value, or take the key away"
    if kind == "int_from_float":
        return "expected a whole number", ""
    wanted = next((words for word, words in _EXPECTED.items() if kind in (f"{word}_type", f"{word}_parsing")), "")
    return f"expected {wanted}" if wanted else "", _type_hint(wanted, given)


def _type_hint(wanted: str, given: Any) -> str:
    if given is None:
        return "write a value, or take the key away"
    if wanted == "text" and not isinstance(given, dict | list):
        return "put it in quotes"
    if "number" in wanted and isinstance(given, str):
        return "write a number, without quotes"
    if wanted == "a list" and isinstance(given, str):
        return f"write [{given}]"
    if wanted == "true or false" and isinstance(given, str):
        return "yes, no, on and off are text in YAML 1.2"
    return ""
