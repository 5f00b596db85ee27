"""The manifest of a model's files: the text that GNU `sha256sum` writes, sorted by the bytes of the paths.

Its SHA-256 is the model digest. Whoever holds the folder and this text can check it with `sha256sum --check`.

MLflow writes a file `registered_model_meta` at the root of a local model folder when somebody loads it. That file, and
only in MLflow's two-key form, is left out; anything else of that name counts as a file.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aims_mlops.errors import VerificationError

META_FILE = "registered_model_meta"
"""The name of the file that MLflow adds on loading."""

_META_FORM = re.compile(
    r"model_name: [^\n]+(?:\n  [^\n]+)*\nmodel_version: (?:[0-9]+|'[0-9]+'|\"[0-9]+\")\n?",
)
_META_BYTES = 1024
_LINE = re.compile(rb"([0-9a-f]{64})  ([^\n]+)\n")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    name: str
    parent: int
    """A file descriptor of the folder that holds it, so that no part of the way can be swapped for a link."""


def build(folder: Path) -> bytes:
    """Return the manifest of a folder.

    Raises `VerificationError` that names the file for links, devices, pipes and sockets, for names with control
    characters or backslashes or not in UTF-8, for two names that differ only in case or Unicode form, for a file that
    changes while it is read, and for a folder without files. Empty folders inside it are not seen; permissions,
    owners and times are not part of a model.
    """
    lines = []
    for file in _files(folder):
        with _opened(file) as source:
            if not _is_meta(file, source):
                lines.append((file.path.encode(), _hash(file, source)))
    return _text(folder, lines)


def copy(source: Path, target: Path) -> bytes:
    """Copy a folder's files into an empty folder and return the manifest of what was written.

    Refuses what `build` refuses. Permissions are not copied: files get 0600, folders 0700.
    """
    lines = []
    for file in _files(source):
        with _opened(file) as content:
            if _is_meta(file, content):
                continue
            place = target / file.path
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(place, "xb", opener=_private) as out:
                lines.append((file.path.encode(), _hash(file, content, out.fileno())))
    return _text(source, lines)


def parse(manifest: bytes) -> dict[str, str]:
    """Read a manifest into path and hexadecimal digest; `VerificationError` unless `build` could have written it."""
    found: dict[str, str] = {}
    end, last = 0, b""
    for match in _LINE.finditer(manifest):
        path = match[2]
        if match.start() != end or path <= last:
            break
        found[_checked(path)] = match[1].decode()
        end, last = match.end(), path
    if not found or end != len(manifest):
        raise VerificationError("manifest: not a sorted list of `sha256  path` lines")
    return found


def compare(old: bytes, new: bytes) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the paths that were added, removed and changed between two manifests."""
    before, after = parse(old), parse(new)
    return (
        tuple(path for path in after if path not in before),
        tuple(path for path in before if path not in after),
        tuple(path for path in after if path in before and after[path] != before[path]),
    )


def _files(folder: Path) -> Iterator[_File]:
    """Walk by descriptors, never through a link; refuse everything that is not a folder or a plain file."""
    if not stat.S_ISDIR(_lstat(folder).st_mode):
        raise VerificationError(f"{folder} is not a folder", hint="the model's files must lie in a folder of their own")
    seen: dict[str, str] = {}
    for root, folders, names, parent in os.fwalk(folder, follow_symlinks=False, onerror=_raise):
        below = Path(root).relative_to(folder).as_posix()
        for name in sorted([*folders, *names]):
            path = name if below == "." else f"{below}/{name}"
            _checked(os.fsencode(path))
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise VerificationError(
                    f"{path!r} in the model's folder is {kind}", hint="log the model again with plain files"
                )
            folded = unicodedata.normalize("NFC", path).casefold()
            if seen.setdefault(folded, path) != path:
                raise VerificationError(
                    f"{path!r} and {seen[folded]!r} in the model's folder differ only in case or Unicode form",
                    hint="rename one of them and log the model again",
                )
            if stat.S_ISREG(mode):
                yield _File(path, name, parent)


def _lstat(folder: Path) -> os.stat_result:
    try:
        return os.lstat(folder)
    except OSError as error:
        raise VerificationError(f"the model's folder cannot be read: {error}") from error


def _raise(error: OSError) -> None:
    raise VerificationError(f"the model's folder cannot be read: {error}") from error


def _checked(raw: bytes) -> str:
    try:
        path = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationError(f"{raw!r} in the model's folder is not a name in UTF-8") from None
    if "\\" in path or any(unicodedata.category(character) == "Cc" for character in path):
        raise VerificationError(f"{path!r} in the model's folder has a backslash or a control character in its name")
    if path.startswith("/") or {"", ".", ".."} & set(path.split("/")):
        raise VerificationError(f"{path!r} is not a plain relative path")
    return path


@contextmanager
def _opened(file: _File) -> Iterator[int]:
    try:
        handle = os.open(file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=file.parent)
    except OSError as error:
        raise VerificationError(f"{file.path!r} in the model's folder cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise VerificationError(f"{file.path!r} in the model's folder is not a file any more")
        yield handle
    finally:
        os.close(handle)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _is_meta(file: _File, handle: int) -> bool:
    if file.path != META_FILE or os.fstat(handle).st_size > _META_BYTES:
        return False
    content = os.pread(handle, _META_BYTES + 1, 0)
    try:
        return len(content) <= _META_BYTES and _META_FORM.fullmatch(content.decode("utf-8")) is not None
    except UnicodeDecodeError:
        return False


def _hash(file: _File, handle: int, out: int | None = None) -> str:
    before, digest = os.fstat(handle), hashlib.sha256()
    while chunk := os.read(handle, _CHUNK):
        digest.update(chunk)
        rest = memoryview(chunk)
        while out is not None and rest:
            rest = rest[os.write(out, rest) :]
    after = os.fstat(handle)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise VerificationError(f"{file.path!r} in the model's folder changed while it was read", hint="try again")
    return digest.hexdigest()


def _text(folder: Path, lines: list[tuple[bytes, str]]) -> bytes:
    if not lines:
        raise VerificationError(f"the model's folder {folder} holds no file", hint="log the model again")
    return b"".join(digest.encode() + b"  " + path + b"\n" for path, digest in sorted(lines))
