"""The JSON Schema of aims.yaml, and what it says about one place: which keys it takes, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aims_mlops.config.grammar import CheckTypes, build
from aims_mlops.config.positions import KeyPath


def schema(checks: CheckTypes) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) for editors; the options of each installed check are told apart by `use`.

    It knows the form only. References to people, datasets and files are judged by `load`.
    """
    made = build(checks).model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "aims.yaml"}


def keys_at(made: Mapping[str, Any], value: Any, path: KeyPath) -> tuple[str, ...]:
    """Return the keys that the mapping at a path may have; none where any key will do. `value` is the whole file."""
    nodes = list(_plain(made, made, value))
    for step in path:
        value = _child(value, step)
        inner = [child for node in nodes for child in _children(node, step)]
        nodes = [plain for child in inner for plain in _plain(made, child, value)]
    return tuple(dict.fromkeys(key for node in nodes for key in node.get("properties", ())))


def _child(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _children(node: Mapping[str, Any], step: str | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(step, int):
        candidates = [node.get("items")]
    else:
        candidates = [node.get("properties", {}).get(step)]
        if candidates == [None]:
            candidates = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    yield from (candidate for candidate in candidates if isinstance(candidate, dict))


def _plain(made: Mapping[str, Any], node: Mapping[str, Any], value: Any) -> Iterator[Mapping[str, Any]]:
    """Follow references and unions down to nodes that have keys of their own; `value` chooses by its discriminator."""
    if "$ref" in node:
        yield from _plain(made, made["$defs"][node["$ref"].removeprefix("#/$defs/")], value)
        return
    chooser = node.get("discriminator", {})
    word = value.get(chooser["propertyName"]) if chooser and isinstance(value, dict) else None
    if isinstance(word, str) and word in chooser["mapping"]:
        yield from _plain(made, {"$ref": chooser["mapping"][word]}, value)
        return
    for option in (*node.get("oneOf", ()), *node.get("anyOf", ()), *node.get("allOf", ())):
        yield from _plain(made, option, value)
    yield node
