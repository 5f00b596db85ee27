"""Changes one key's entry in aims.yaml and nothing else: comments, order and spelling of the rest stay byte for byte.

The text is cut at the entry's own marks, then read again: unless exactly the change that was meant came out of it,
nothing is written, and the lines are told instead.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from aims_mlops.config.positions import Unreadable, read
from aims_mlops.errors import ConfigError

Entry = Mapping[str, Any]
"""The keys of an entry with their values: text, or a mapping of texts."""


def amended(content: bytes, person: str, place: int, change: Entry, *, after: Entry | None = None) -> bytes:
    """Return aims.yaml's bytes with keys of one entry of `people.PERSON.keys` set, and perhaps a new entry after it.

    Raises `ConfigError` with the lines to write by hand where the file is written in a way that is not cut safely.
    """
    text = content.decode("utf-8")
    before = read(content).value
    wanted = _wanted(before, person, place, change, after)
    lines = ", ".join(_flow(entry) for entry in wanted["people"][person]["keys"])
    by_hand = f"under people.{person} write: keys: [{lines}]"
    try:
        node = _keys(text, person)
        item = node.value[place]
        edits = _edits(text, item, change)
        if after is not None:
            edits.insert(0, _added(text, node, item, after))  # at one place what comes first here stands last there
        for start, end, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
            text = text[:start] + new + text[end:]
        made = text.encode()
        if read(made).value != wanted:
            raise ValueError("another value came out")
    except (ValueError, IndexError, KeyError, TypeError, Unreadable) as error:
        raise ConfigError("aims.yaml is written in a way that is not changed safely", hint=by_hand) from error
    return made


def _wanted(value: Any, person: str, place: int, change: Entry, after: Entry | None) -> Any:
    made = copy.deepcopy(value)
    keys = made["people"][person]["keys"]
    entry = keys[place] if isinstance(keys[place], dict) else {"file": keys[place]}
    keys[place] = {**entry, **change}
    if after is not None:
        keys.insert(place + 1, dict(after))
    return made


def _keys(text: str, person: str) -> SequenceNode:
    node: Node | None = YAML(typ="safe", pure=True).compose(text.removeprefix("\ufeff"))
    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark moves every place")
    for step in ("people", person, "keys"):
        node = _child(node, step)
    if not isinstance(node, SequenceNode):
        raise TypeError("no list of keys")
    return node


def _child(node: Node | None, key: str) -> Node:
    if isinstance(node, MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value  # type: ignore[no-any-return]  # the library is half typed
    raise KeyError(key)


def _edits(text: str, item: Node, change: Entry) -> list[tuple[int, int, str]]:
    """Return what to put in place of what, as places in the text: start, end, new text."""
    start, end = item.start_mark.index, item.end_mark.index
    if isinstance(item, ScalarNode):
        file = text[start:end]
        said = {key: value for key, value in change.items() if key != "file"}
        named = _scalar(change["file"]) if "file" in change else file
        return [(start, end, "{file: " + named + "".join(f", {k}: {_flow(v)}" for k, v in said.items()) + "}")]
    found = {name.value: value for name, value in item.value}
    edits = [
        (found[key].start_mark.index, found[key].end_mark.index, _flow(value))
        for key, value in change.items()
        if key in found
    ]
    fresh = [f"{key}: {_flow(value)}" for key, value in change.items() if key not in found]
    last = item.value[-1][1].end_mark.index
    if _is_flow(item):
        return [*edits, *([(last, last, "".join(f", {line}" for line in fresh))] if fresh else [])]
    place = _line_end(text, len(text[:last].rstrip()))
    indent = " " * item.value[0][0].start_mark.column
    return [*edits, *([(place, place, "".join(f"\n{indent}{line}" for line in fresh))] if fresh else [])]


def _added(text: str, node: SequenceNode, item: Node, entry: Entry) -> tuple[int, int, str]:
    if _is_flow(node):
        place = item.end_mark.index
        return (place, place, f", {_flow(entry)}")
    # A mapping on lines of its own ends, by its mark, where the next thing begins: comments in between are not its own.
    last = item.value[-1][1] if isinstance(item, MappingNode) and not _is_flow(item) else item
    place = _line_end(text, len(text[: last.end_mark.index].rstrip()))
    return (place, place, f"\n{' ' * node.start_mark.column}- {_flow(entry)}")


def _is_flow(node: Node) -> bool:
    return bool(getattr(node, "flow_style", False))


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    return _scalar(value)


def _scalar(text: str) -> str:
    plain = text and not set(text) & set("{}[],#&*!|>'\"%@`\\\n\t ?") and not text.startswith("-")
    return text if plain and ": " not in text and not text.endswith(":") else "'" + text.replace("'", "''") + "'"
