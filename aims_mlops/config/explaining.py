"""`aims config explain`: what a check, a key or an exit code means, from the texts beside the code itself."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aims_mlops.config.grammar import CheckEntry, CheckTypes
from aims_mlops.config.mistakes import choices
from aims_mlops.config.schema import schema
from aims_mlops.errors import ExitCode, UsageError
from aims_mlops.plugin import Check

_INDENT = "    "


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of the grammar. `place` is where it stands, e.g. `systems.ID.checks[].max_age`."""

    place: str
    name: str
    node: Mapping[str, Any]
    required: bool

    def text(self) -> str:
        meaning = textwrap.wrap(str(self.node.get("description", "")), 100)
        need = "needed" if self.required else f"by default {json.dumps(self.node.get('default'), ensure_ascii=False)}"
        return "\n".join([self.place, *(_INDENT + line for line in meaning), f"{_INDENT}{_kind(self.node)}; {need}"])


def explain(topic: str, checks: CheckTypes) -> str:
    """Explain a check by its `use`, a key of aims.yaml by its name or whole place, or `exit-codes`.

    An empty topic lists all of them. Raises `UsageError` with the nearest topic for anything else.
    """
    keys = list(_keys(schema(checks)))
    topics = sorted({"exit-codes", *checks, *(key.name for key in keys)})
    if not topic:
        return "\n".join(topics)
    if topic == "exit-codes":
        return _exit_codes()
    parts = [_check_text(checks[topic], keys)] if topic in checks else []
    parts += [key.text() for key in keys if topic in (key.name, key.place)]
    if not parts:
        hint = choices(topic, topics, what="topics") or "aims config explain lists all topics"
        raise UsageError(f"nothing is called {topic!r}", hint=hint)
    return "\n\n".join(dict.fromkeys(parts))


def _exit_codes() -> str:
    """Return the exit codes with the texts under them in the source: the one place where they are explained."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(ExitCode))).body
    lines, name = [], ""
    for statement in body.body if isinstance(body, ast.ClassDef) else ():
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
        elif name and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            lines.append(f"{ExitCode[name].value}  {statement.value.value!s}")
    return "\n".join(lines)


def _check_text(check: type[Check], keys: list[_Key]) -> str:
    need = f"needs pip install 'aims-mlops[{check.extra}]'" if check.extra else "needs no further library"
    mark = f"checks[] (use: {check.use})."
    own = [key.text() for key in keys if mark in key.place]
    return "\n\n".join([f"{check.use}: {check.title}\n{_INDENT}{need}", *own])


def _keys(made: Mapping[str, Any]) -> Iterator[_Key]:
    """Yield every key of the grammar, each place once."""
    seen: set[str] = set()
    for key in _walk(made, made, ""):
        if key.place not in seen:
            seen.add(key.place)
            yield key


def _walk(made: Mapping[str, Any], node: Mapping[str, Any], place: str) -> Iterator[_Key]:
    if "$ref" in node:
        yield from _walk(made, made["$defs"][node["$ref"].removeprefix("#/$defs/")], place)
    for option in (*node.get("oneOf", ()), *node.get("anyOf", ())):
        yield from _walk(made, option, place)
    use = node.get("properties", {}).get("use", {}).get("const")
    for name, child in node.get("properties", {}).items():
        own = use is not None and name not in CheckEntry.model_fields and name not in ("every", "window")
        here = f"{place} (use: {use}).{name}" if own else f"{place}.{name}".removeprefix(".")
        yield _Key(here, name, child, name in node.get("required", ()))
        yield from _walk(made, child, here)
    inner = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    for child in inner:
        if isinstance(child, dict):
            yield from _walk(made, child, f"{place}.ID" if "patternProperties" in node else f"{place}.NAME")
    if isinstance(node.get("items"), dict):
        yield from _walk(made, node["items"], f"{place}[]")


def _kind(node: Mapping[str, Any]) -> str:
    """Say in words what a value looks like."""
    if "enum" in node or "const" in node:
        return "one of " + ", ".join(map(str, node.get("enum", [node.get("const")])))
    forms = (*node.get("anyOf", ()), *node.get("oneOf", ()))
    if options := [_kind(option) for option in forms if option.get("type") != "null"]:
        return " or ".join(dict.fromkeys(options))
    words = {
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
        "array": "list",
        "object": "mapping",
    }
    kind = node.get("type", "mapping")
    return str(words.get(kind, kind)) if isinstance(kind, str) else "one value"
