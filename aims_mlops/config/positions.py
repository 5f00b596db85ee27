"""YAML to plain values, with the place of each. Nothing in the file can run code, repeat itself without end, or hide.

What is read is the common ground of YAML 1.2 and JSON: mappings with text as keys, lists, text, finite numbers,
true, false and null. Other tags, merge keys and second spellings of a key are mistakes; a date is text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from aims_mlops.config.mistakes import Mistake, describe

MAX_BYTES = 1_000_000
"""The largest aims.yaml that is read."""

MAX_VALUES = 200_000
"""More values than this come only from aliases that multiply each other."""

MAX_DEPTH = 50
"""Mappings and lists inside each other; aims.yaml itself needs eight."""

_SAFE_INTEGER = 2**53
_TAG = "tag:yaml.org,2002:"

KeyPath = tuple[str | int, ...]
"""The keys and list places that lead to a value, from the top."""

Place = tuple[int, int]
"""Line and column, both from 1."""


class Unreadable(Exception):
    """The text is no YAML at all, so that there is only this one mistake to tell."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.what)
        self.mistake = mistake


@dataclass(slots=True)
class Tree:
    """What was read: the value, where each part of it stands, and the mistakes of its form."""

    value: Any
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    """Where the key of a mapping's entry stands."""
    values: dict[KeyPath, Place] = field(default_factory=dict)
    """Where a value begins."""
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: KeyPath, *, of_key: bool = False) -> Place:
        """Return the place of a value, or of its key: for whole mappings and lists the key is what people look for."""
        for length in range(len(path), -1, -1):
            here = path[:length]
            value = self.get(here)
            if here in self.keys and (of_key or length < len(path) or isinstance(value, dict | list)):
                return self.keys[here]
            if here in self.values:
                return self.values[here]
        return (1, 1)

    def get(self, path: KeyPath) -> Any:
        """Return the value at a path, or None where there is none."""
        value = self.value
        for step in path:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def mapping(self, *path: str | int) -> dict[str, Any]:
        """Return the mapping at a path; an empty one where there is something else, which is told elsewhere."""
        value = self.get(path)
        return value if isinstance(value, dict) else {}

    def items(self, *path: str | int) -> Iterator[tuple[KeyPath, Any]]:
        """Yield the entries of the list at a path with their own paths; none where there is no list."""
        value = self.get(path)
        for index, entry in enumerate(value if isinstance(value, list) else ()):
            yield (*path, index), entry

    def mistake(self, path: KeyPath, what: str, hint: str = "", *, of_key: bool = False) -> None:
        """Note a mistake at a path."""
        self.mistakes.append(Mistake(*self.place(path, of_key=of_key), what, hint))


def read(content: bytes) -> Tree:
    """Read a whole aims.yaml; raise `Unreadable` for what is no mapping in YAML. Smaller mistakes are in the tree."""
    if len(content) > MAX_BYTES:
        raise Unreadable(Mistake(1, 1, f"more than {MAX_BYTES} bytes", "is this an aims.yaml?"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise Unreadable(Mistake(line, column, "not UTF-8 text", "save the file as UTF-8")) from error
    node = _compose(text)
    if node is None:
        raise Unreadable(Mistake(1, 1, "the file is empty", "aims init writes a start"))
    if not isinstance(node, MappingNode):
        what = f"expected a mapping at the top, got {'a list' if isinstance(node, SequenceNode) else 'a single value'}"
        raise Unreadable(Mistake(*_place(node), what, "begin with: schema: aims/1"))
    return _Builder().build(node)


def _compose(text: str) -> Node | None:
    # Composing yields nodes with marks and never constructs an object, so that no tag can do anything.
    try:
        return YAML(typ="safe", pure=True).compose(text)  # type: ignore[no-any-return]  # the library is half typed
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        what = ", ".join(str(part) for part in (error.problem, error.context) if part)
        raise Unreadable(Mistake(line, column, f"not YAML: {what}", _syntax_hint(str(error.problem)))) from error
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        what = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise Unreadable(Mistake(line, column, what, "remove it, or write it as an escape in double quotes")) from error
    except RecursionError as error:
        raise Unreadable(Mistake(1, 1, "nested too deeply to be read", "is this an aims.yaml?")) from error
    except (YAMLError, ValueError) as error:
        raise Unreadable(Mistake(1, 1, f"not YAML: {type(error).__name__}", "is this an aims.yaml?")) from error


def _syntax_hint(problem: str) -> str:
    if r"\t" in problem:
        return "indent with spaces: YAML allows no tabs there"
    if "mapping values" in problem:
        return "quote text that holds a colon and a space"
    if "another document" in problem:
        return "keep one document in the file: remove the --- line"
    if "undefined alias" in problem:
        return 'quote text that begins with * (a glob such as "*.parquet")'
    return "look at indentation, quotes and brackets on this line and the one before"


def _place(node: Node) -> Place:
    return (node.start_mark.line + 1, node.start_mark.column + 1)


class _Builder:
    """Turns nodes into plain values, and counts them."""

    def __init__(self) -> None:
        self.tree = Tree(None)
        self.count = 0
        self.open: set[int] = set()

    def build(self, node: Node) -> Tree:
        self.tree.value = self.value(node, ())
        return self.tree

    def wrong(self, node: Node, what: str, hint: str = "") -> None:
        self.tree.mistakes.append(Mistake(*_place(node), what, hint))

    def value(self, node: Node, path: KeyPath) -> Any:
        self.count += 1
        if self.count > MAX_VALUES:
            what = f"more than {MAX_VALUES} values: aliases multiply each other"
            raise Unreadable(Mistake(*_place(node), what, "write the values out"))
        if len(path) > MAX_DEPTH:
            raise Unreadable(Mistake(*_place(node), "nested too deeply to be read", "is this an aims.yaml?"))
        if id(node) in self.open:
            raise Unreadable(Mistake(*_place(node), "an alias that contains itself", "write the values out"))
        self.tree.values.setdefault(path, _place(node))
        self.open.add(id(node))
        try:
            return self.content(node, path)
        finally:
            self.open.discard(id(node))

    def content(self, node: Node, path: KeyPath) -> Any:
        if isinstance(node, ScalarNode):
            return self.scalar(node)
        if isinstance(node, MappingNode) and str(node.tag) == _TAG + "map":
            return self.mapping(node, path)
        if isinstance(node, SequenceNode) and str(node.tag) == _TAG + "seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        self.wrong(node, f"the tag {_tag(node)} is not allowed", "write plain values; tags are never followed")
        return None

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node)
            if key is None:
                continue
            here = (*path, key)
            if key in found:
                line = self.tree.keys[here][0]
                self.wrong(key_node, f"the key {key!r} is given twice; first on line {line}", "keep one of them")
                continue
            self.tree.keys[here] = _place(key_node)
            found[key] = self.value(value_node, here)
            if found[key] is None and not value_node.value:
                # Nothing was written; the mark of nothing is wherever the next word stands.
                self.tree.values[here] = self.tree.keys[here]
        return found

    def key(self, node: Node) -> str | None:
        if str(node.tag) == _TAG + "merge":
            self.wrong(node, "merge keys (<<) are not read", "write the keys out, so that a reviewer sees them")
            return None
        key = self.scalar(node) if isinstance(node, ScalarNode) else None
        if not isinstance(key, str):
            self.wrong(node, "a key must be text", "put it in quotes" if isinstance(node, ScalarNode) else "")
            return None
        return key

    def scalar(self, node: ScalarNode) -> Any:
        try:
            value = _SCALARS[str(node.tag).removeprefix(_TAG)](node.value)
        except KeyError:
            self.wrong(node, f"the tag {_tag(node)} is not allowed", "write plain values; tags are never followed")
            return None
        except ValueError:
            self.wrong(node, f"{describe(node.value)} is not what its tag {_tag(node)} says", "remove the tag")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.wrong(node, f"{node.value} is not a finite number", "a limit needs a number that can be reached")
            return None
        if isinstance(value, int) and abs(value) > _SAFE_INTEGER:
            self.wrong(node, "a whole number beyond 2^53 cannot be written exactly in JSON", "put it in quotes")
            return None
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            self.wrong(node, "half of a surrogate pair is not text", "write the character itself")
            return None
        return value


def _tag(node: Node) -> str:
    return str(node.tag).replace(_TAG, "!!")


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _integer(text: str) -> int:
    plain = text.replace("_", "")
    based = plain.lstrip("+-")[:2].lower() in ("0x", "0o", "0b")
    return int(plain, 0 if based else 10)


def _float(text: str) -> float:
    plain = text.replace("_", "").lower()
    return float(plain.replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "timestamp": str,
    "null": lambda _text: None,
    "bool": _boolean,
    "int": _integer,
    "float": _float,
}
