"""Finds aims.yaml and reads it: once, whole, with every mistake told together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from aims_mlops.config.building import project
from aims_mlops.config.files import Files, Folder
from aims_mlops.config.grammar import CheckTypes
from aims_mlops.config.messages import validate
from aims_mlops.config.mistakes import config_error
from aims_mlops.config.positions import MAX_BYTES, Tree, Unreadable, read
from aims_mlops.config.references import refer
from aims_mlops.errors import ConfigError
from aims_mlops.model.register import Project

NAME = "aims.yaml"
"""The file that is looked for."""


def find(
    start: Path | None = None, explicit: Path | None = None, *, environment: Mapping[str, str] | None = None
) -> Path:
    """Return the aims.yaml to use: the explicit one, else `AIMS_CONFIG`, else the first from `start` upwards.

    `start` is the working folder by default; a folder that is named explicitly means the aims.yaml in it. Raises
    `ConfigError` where there is none; what was named is never replaced by something found.
    """
    named = (os.environ if environment is None else environment).get("AIMS_CONFIG")
    for source, given in (("the given file", explicit), ("AIMS_CONFIG", Path(named) if named else None)):
        if given is not None:
            file = given / NAME if given.is_dir() else given
            if not file.is_file():
                raise ConfigError(f"{source}: {file} does not exist", hint=f"name an existing {NAME}, or run aims init")
            return file.absolute()
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / NAME).is_file():
            return folder / NAME
    raise ConfigError(
        f"no {NAME} in {here} or any folder above it",
        hint="aims init writes one; --config or AIMS_CONFIG names one elsewhere",
    )


def load(path: Path, checks: CheckTypes) -> Project:
    """Read aims.yaml and all files that it names, once, into frozen values.

    `checks` are the installed check classes by their `use`. Raises `ConfigError` that lists every mistake as
    `aims.yaml:LINE:COLUMN: what`, each with its hint below it. Data is not looked at, and key files may be missing.
    """
    path = path.absolute()
    return assemble(path, content_of(path), checks, Files(Folder(path.parent)))


def assemble(path: Path, content: bytes, checks: CheckTypes, files: Files) -> Project:
    """Make frozen values of aims.yaml's bytes and of the files that a reader gives; raise as `load` does.

    `path` names the file in messages, and its folder is what relative paths of datasets start from.
    """
    try:
        tree = read(content)
    except Unreadable as error:
        raise config_error(path, [error.mistake]) from error
    # What could not be read as a value is told by its own mistake; what the grammar says about the gap is noise.
    unread = {(mistake.line, mistake.column) for mistake in tree.mistakes}
    form = len(tree.mistakes)
    aims = validate(tree, checks)
    refer(tree, checks)
    files.read_keys(tree)
    files.read_suites(tree, checks)
    mistakes = tree.mistakes[:form]
    mistakes += [item for item in tree.mistakes[form:] if (item.line, item.column) not in unread]
    if mistakes or aims is None:
        raise config_error(path, mistakes)
    return project(path, aims, tree, checks=checks, files=files)


def read_tree(path: Path) -> Tree:
    """Return the values of aims.yaml with their places; raise `ConfigError` where the file cannot be read at all."""
    return read(content_of(path))


def content_of(path: Path) -> bytes:
    """Return the bytes of aims.yaml, one more than the most at the most; raise `ConfigError` where there are none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"{path} cannot be read: {reason}", hint="make it readable, or run aims init") from error
