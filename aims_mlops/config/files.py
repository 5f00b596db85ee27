"""The files that aims.yaml names: keys and suites. Each is read once, and what decides uses those bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from aims_mlops.config.grammar import CheckTypes, check_of
from aims_mlops.config.keys import public_key
from aims_mlops.config.positions import KeyPath, Tree
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey
from aims_mlops.plugin import marked

SUITE_BYTES = 8_000_000
"""The largest file that a check may name as part of the policy."""

KEY_BYTES = 64_000
"""A key file is a few hundred bytes; more is no key file."""


class NoFile(Exception):
    """A file that cannot be had: what is wrong with it, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


class Reader(Protocol):
    """Where the files come from: a folder, or the bytes of a bundle."""

    def holds(self, name: str) -> bool:
        """Whether anything is there under the name, be it readable or not."""
        ...

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a file's bytes, at most `limit` and one more; raise `NoFile`."""
        ...


class Folder:
    """Reads from the folder of aims.yaml. Pipes and devices are no files: they never end."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def holds(self, name: str) -> bool:
        """Whether the name leads to anything, a broken link included."""
        return os.path.lexists(self._root / name)

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a file's bytes, at most `limit` and one more; raise `NoFile`."""
        file = self._root / name
        try:
            if not file.is_file():
                what = "is not a file" if file.exists() else "does not exist"
                raise NoFile(f"the file {name} {what}", "paths start at the folder of aims.yaml")
            with file.open("rb") as stream:
                return stream.read(limit + 1)
        except OSError as error:
            raise NoFile(f"the file {name} cannot be read: {error.strerror}", "make it readable") from error


class Packed:
    """Reads from a bundle, and from nothing else."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def holds(self, name: str) -> bool:
        """Whether the bundle has a file of this name."""
        return name in self._files

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a file's bytes, at most `limit` and one more; raise `NoFile`."""
        if name not in self._files:
            raise NoFile(f"the file {name} is not among those that were applied", "aims apply, from a whole checkout")
        return self._files[name][: limit + 1]


class Files:
    """Reads the files that aims.yaml names, each once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.contents: dict[str, bytes] = {}
        """Bytes of every file that was read, by the name as written."""
        self.suites: dict[str, bytes] = {}
        """Bytes of the files that checks name, by the name as written."""
        self.keys: dict[KeyPath, PublicKey] = {}
        """Enrolled keys by the place of their entry; a key file that does not exist yet is not among them."""

    def read_keys(self, tree: Tree) -> None:
        """Read every person's keys; note what is no public key, and a key that is enrolled twice."""
        enrolled: dict[Digest, str] = {}
        for person in tree.mapping("people"):
            for path, entry in tree.items("people", person, "keys"):
                here, name = ((*path, "file"), entry.get("file")) if isinstance(entry, dict) else (path, entry)
                key = self._key(tree, here, name) if isinstance(name, str) and name else None
                if key is None:
                    continue
                if key.id in enrolled:
                    what = f"the key {name} is enrolled for {enrolled[key.id]!r} already"
                    tree.mistake(here, what, "each person signs with a key of their own: aims keys new PERSON")
                    continue
                enrolled[key.id] = person
                self.keys[path] = key

    def _key(self, tree: Tree, path: KeyPath, name: str) -> PublicKey | None:
        # Missing is allowed until `aims keys new`: nobody is trusted by a key that is not there.
        content = self._content(tree, path, name, limit=KEY_BYTES) if self._reader.holds(name) else None
        if content is None:
            return None
        try:
            return public_key(content)
        except ValueError as error:
            tree.mistake(path, f"{name}: {error}", _key_hint(str(error)))
            return None

    def read_suites(self, tree: Tree, checks: CheckTypes) -> None:
        """Read every file that a check's option names; note those that are missing or too large."""
        for path, name in named(tree, checks, "file"):
            if name not in self.suites:
                content = self._content(tree, path, name, limit=SUITE_BYTES)
                if content is not None:
                    self.suites[name] = content

    def _content(self, tree: Tree, path: KeyPath, name: str, *, limit: int) -> bytes | None:
        """Return a file's bytes, or None with the mistake noted."""
        if name not in self.contents:
            try:
                self.contents[name] = self._reader.read(name, limit=limit)
            except NoFile as error:
                tree.mistake(path, error.what, error.hint)
                return None
        content = self.contents[name]
        if len(content) > limit:
            tree.mistake(path, f"the file {name} has more than {limit} bytes", "is it the right file?")
            return None
        return content


def named(tree: Tree, checks: CheckTypes, meaning: str) -> list[tuple[KeyPath, str]]:
    """Return the places and texts of all options that name a dataset or a file, whatever else is wrong in the tree."""
    return [
        found
        for system in tree.mapping("systems")
        for key in ("checks", "monitor")
        for path, entry in tree.items("systems", system, key)
        for option in _marked(entry, checks, meaning)
        for found in _texts(entry.get(option), (*path, option))
    ]


def _marked(entry: object, checks: CheckTypes, meaning: str) -> tuple[str, ...]:
    check = check_of(entry, checks)
    return () if check is None else marked(check.options, meaning)


def _texts(value: object, path: KeyPath) -> list[tuple[KeyPath, str]]:
    if isinstance(value, str):
        return [(path, value)]
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    return [found for step, item in items for found in _texts(item, (*path, step))]


def _key_hint(problem: str) -> str:
    if "PRIVATE" in problem:
        return "name the .pub.pem file beside it, and see that the private one was not committed"
    return "aims keys new PERSON makes a pair that fits"
