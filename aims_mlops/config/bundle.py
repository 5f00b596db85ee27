"""aims.yaml with every file that it names and that decides, as one piece: packed from the disk, read from its bytes."""

from __future__ import annotations

from pathlib import Path

from aims_mlops.config.files import Files, Folder, Packed
from aims_mlops.config.grammar import CheckTypes
from aims_mlops.config.loading import assemble, content_of
from aims_mlops.errors import ConfigError
from aims_mlops.evidence.configuration import MAIN, Bundle
from aims_mlops.model.register import Project


def pack(path: Path, checks: CheckTypes) -> Bundle:
    """Return the bytes of aims.yaml and of the public keys and suites that it names, exactly as they were read.

    Raises `ConfigError` with every mistake, as `load` does. Key files that do not exist yet are left out; datasets
    are no part of it.
    """
    path = path.absolute()
    content, files = content_of(path), Files(Folder(path.parent))
    assemble(path, content, checks, files)
    if files.contents.get(MAIN, content) != content:
        raise ConfigError(
            f"{path.name} names another file called {MAIN}, and in what is applied that is the name of its own",
            hint=f"rename one of the two, so that {MAIN} is the configuration",
        )
    return Bundle({**files.contents, MAIN: content})


def load_bundle(bundle: Bundle, checks: CheckTypes, *, path: Path = Path(MAIN)) -> Project:
    """Read a bundle into frozen values, from its bytes alone; raise `ConfigError` as `load` does.

    Nothing on the disk is looked at. Relative paths of datasets start from the folder of `path`, which need not exist:
    who only decides measures nothing.
    """
    content = bundle.files.get(MAIN)
    if content is None:
        raise ConfigError(f"the configuration has no {MAIN}", hint="aims apply makes one that has")
    return assemble(path, content, checks, Files(Packed(bundle.files)))
