"""A pack on the disk: a folder, or a ZIP file of the same files. Nothing outside of it is read, no link is followed."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aims_mlops.errors import UsageError, VerificationError

LARGEST = 64_000_000
"""Bytes of a file in a pack beyond which it is not read: no file of a pack is near it."""

MOST = 1_000_000
"""Files of a pack beyond which it is not read."""

_CHUNK = 1 << 17
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PackFiles:
    """The files of a pack, what is in it beside plain files, and how one is read. Raises `VerificationError`."""

    names: frozenset[str]
    read: Callable[[str], bytes]
    odd: Mapping[str, str] = field(default_factory=dict)


def open_pack(path: Path) -> AbstractContextManager[PackFiles]:
    """Return a `with` that yields a folder's or a ZIP file's files; raise `UsageError` where it is neither."""
    if path.is_dir():
        return _folder(path)
    if path.is_file() and zipfile.is_zipfile(path):
        return _zipped(path)
    raise UsageError(f"{path} is neither a folder nor a ZIP file", hint="name what `aims pack build` wrote")


def write_pack(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a pack: a ZIP file where the name ends in `.zip`, else a folder. Raises `UsageError` where one is there."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} is there already: a pack never overwrites", hint="name a new folder or ZIP file")
    try:
        if path.suffix.lower() == ".zip":
            _write_zip(path, files)
        else:
            for name in sorted(files):
                place = path / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(files[name])
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})", hint="name another place") from error


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)  # the same files make the same bytes
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            made.writestr(entry, files[name], zipfile.ZIP_DEFLATED)


@contextmanager
def _folder(path: Path) -> Iterator[PackFiles]:
    names: set[str] = set()
    odd: dict[str, str] = {}
    folders = {"": os.open(path, os.O_RDONLY | os.O_DIRECTORY)}
    try:
        _list("", folders, names, odd)

        def read(name: str) -> bytes:
            folder, _, last = name.rpartition("/")
            return _read(last, folders[folder])

        yield PackFiles(frozenset(names), read, odd)
    finally:
        for handle in folders.values():
            os.close(handle)


def _list(below: str, folders: dict[str, int], names: set[str], odd: dict[str, str]) -> None:
    """List a folder and those in it, by descriptors, so that no part of the way can become a link."""
    with os.scandir(folders[below]) as entries:
        for entry in entries:
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.is_file(follow_symlinks=False):
                names.add(name)
                if len(names) > MOST:
                    raise UsageError(f"more than {MOST} files are no pack", hint="is it the right folder?")
            elif entry.is_dir(follow_symlinks=False):
                if below:
                    odd[name] = "a folder in a folder"
                    continue
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                folders[name] = os.open(entry.name, flags, dir_fd=folders[below])
                before = len(names)
                _list(name, folders, names, odd)
                if len(names) == before:
                    odd.setdefault(name, "an empty folder")
            else:
                odd[name] = "a link" if entry.is_symlink() else "a device, a pipe or a socket"


def _read(name: str, folder: int) -> bytes:
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise VerificationError(f"it cannot be read ({error.strerror})") from error
    try:
        content = os.read(handle, _CHUNK)
        if len(content) < _CHUNK:  # nearly all files of a pack: one call
            return content
        parts, size = [content], len(content)
        while chunk := os.read(handle, _CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > LARGEST:
                raise VerificationError(f"more than {LARGEST} bytes: no file of a pack")
        return b"".join(parts)
    finally:
        os.close(handle)


@contextmanager
def _zipped(path: Path) -> Iterator[PackFiles]:
    with zipfile.ZipFile(path) as source:
        names: dict[str, zipfile.ZipInfo] = {}
        odd: dict[str, str] = {}
        for entry in source.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if entry.filename in names:
                odd[entry.filename] = "twice in the ZIP file"
            elif entry.is_dir() or kind not in (0, stat.S_IFREG):
                odd[entry.filename] = "a folder or a link"
            elif entry.flag_bits & 1:
                odd[entry.filename] = "encrypted"
            names[entry.filename] = entry

        def read(name: str) -> bytes:
            if names[name].file_size > LARGEST:
                raise VerificationError(f"more than {LARGEST} bytes: no file of a pack")
            try:
                return source.read(names[name])
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, zlib.error) as error:
                raise VerificationError(f"it cannot be read ({error})") from error

        yield PackFiles(frozenset(names), read, odd)
