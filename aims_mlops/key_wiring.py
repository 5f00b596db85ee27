"""Rotating and revoking keys: files, aims.yaml and the log, in an order that leaves nothing half trusted.

A rotation makes the new pair apart, signs the statement, moves the old pair to `keys/retired`, puts the new one in its
place, and writes aims.yaml last. Whatever fails before the files move leaves everything as it was.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from aims_mlops.adapters.key_files import private_path, public_path, read_public_key, reference_path
from aims_mlops.adapters.signers import keys_folder
from aims_mlops.api.key_events import KeyEvent
from aims_mlops.config.amending import amended
from aims_mlops.config.loading import content_of
from aims_mlops.config.positions import read
from aims_mlops.errors import ConfigError, NothingToDo, UsageError
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project, PublicKey

RETIRED = "retired"
"""The folder in `keys` for pairs that were rotated out."""

_SHORTEST = 8


@dataclass(frozen=True)
class Listed:
    """One key as aims.yaml lists it: whose, at which place of the list, and its file as written."""

    person: str
    place: int
    file: str
    key: PublicKey


def listed(project: Project) -> list[Listed]:
    """Return the keys that aims.yaml lists and whose files are there."""
    tree = read(content_of(project.path))
    found = []
    for person in project.people:
        known = {key.id: key for key in person.keys}
        for path, entry in tree.items("people", person.id, "keys"):
            file = entry.get("file") if isinstance(entry, dict) else entry
            there = project.root / str(file)
            key = known.get(read_public_key(there).id) if there.is_file() else None
            if key is not None:
                found.append(Listed(person.id, int(path[-1]), str(file), key))
    return found


def to_revoke(project: Project, name: str) -> list[Listed]:
    """Return the keys that a person's id or the beginning of a key id means, of those that are not revoked yet."""
    keys, wanted = listed(project), name.removeprefix("sha256:")
    if project.person(name) is not None:
        meant = [item for item in keys if item.person == name]
    else:
        meant = [item for item in keys if len(wanted) >= _SHORTEST and item.key.id.hex.startswith(wanted)]
        if len(meant) != 1:
            what = "no key" if not meant else f"{len(meant)} keys"
            people = ", ".join(person.id for person in project.people) or "nobody"
            hint = f"give a person ({people}) or {_SHORTEST} digits or more of a key id: aims keys list"
            raise UsageError(f"{what} of aims.yaml by the name {name!r}", hint=hint)
    open_ = [item for item in meant if item.key.term.revoked is None]
    if not open_:
        what = f"{name} has no key that could be revoked" if not meant else f"{name} is revoked already"
        raise NothingToDo(what, hint="aims keys trust shows each key's term")
    return open_


def revoke(project: Project, keys: list[Listed], *, at: str, reason: str, record: Callable[[Digest], Digest]) -> None:
    """Write the revocation of these keys into aims.yaml, once `record` has put each into the log."""
    content = content_of(project.path)
    for item in keys:
        content = amended(content, item.person, item.place, {"revoked": {"at": at, "reason": reason}})
    for item in keys:
        record(item.key.id)
    _replace(project.path, content)


def rotate(
    project: Project, person: str, *, on: date, make: Callable[[Path], object], record: Callable[[KeyEvent], Digest]
) -> tuple[Digest, Digest]:
    """Give a person a new key from a day on; the old one ends with that day. Return the ids of both.

    `make` makes the new pair, or its public half and reference, in a folder; `record` writes the event into the log.
    Raises `UsageError` for a key that is not `keys/PERSON.pub.pem`, or that has an end or a revocation already.
    """
    folder = keys_folder(project)
    old = _current(project, folder, person)
    stem = f"{person}-until-{on.isoformat()}-{old.key.id.hex[:8]}"
    retired = folder / RETIRED
    name = str((retired / f"{stem}.pub.pem").relative_to(project.root))
    change = {"file": name, "to": on.isoformat()}
    after = {"file": old.file, "from": on.isoformat()}
    content = amended(content_of(project.path), person, old.place, change, after=after)
    with _apart(retired) as staging:
        make(staging)
        made = read_public_key(public_path(staging, person)).id
        start = datetime.combine(on, time.min, UTC)
        record(KeyEvent("rotate", person, old.key.id, start, "superseded", made))
        for path in (private_path, public_path, reference_path):
            if os.path.lexists(path(folder, person)):
                path(folder, person).rename(path(retired, stem))
            if path(staging, person).exists():
                path(staging, person).rename(path(folder, person))
    _replace(project.path, content)
    return old.key.id, made


def _current(project: Project, folder: Path, person: str) -> Listed:
    public = public_path(folder, person)
    found = [
        item
        for item in listed(project)
        if item.person == person and (project.root / item.file).resolve() == public.resolve()
    ]
    if not found:
        hint = f"list it under people.{person}.keys; a key elsewhere is rotated by hand: two entries, to: and from:"
        raise UsageError(f"{public} is not a key that aims.yaml lists for {person!r}", hint=hint)
    term = found[0].key.term
    if term.end is not None or term.revoked is not None:
        hint = "move its files away, aims keys new, and list the new one with from:"
        raise UsageError(f"the key of {person!r} has an end already", hint=hint)
    return found[0]


@contextmanager
def _apart(retired: Path) -> Iterator[Path]:
    retired.mkdir(mode=0o700, parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".next-", dir=retired))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace(path: Path, content: bytes) -> None:
    """Write aims.yaml whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            file.write(content)
        shutil.copymode(path, file.name)
        Path(file.name).replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="make it writable; the log has the event already"
        ) from error
