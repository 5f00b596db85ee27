"""Files that hold secrets: made so that nobody else can read them, and not believed where somebody else could."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from aims_mlops.errors import SigningError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path) -> bytes:
    """Return the bytes of a file that only this user (or root) owns, reads and writes.

    Looks at the file that was opened, not at its name a moment before. A link is followed where its owner is this
    user or root. Raises `FileNotFoundError` where there is no file, `SigningError` for everything else.
    """
    _refuse_foreign(path, os.lstat(path))
    try:
        # Non-blocking, so that a pipe in the file's place does not hold us for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise SigningError(f"{path} cannot be read by this user", hint=f"run as its owner, or chown {path}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SigningError(f"{path} is not a regular file", hint="put the key file itself there")
        _refuse_foreign(path, status)
        if mode := stat.S_IMODE(status.st_mode) & _OTHERS:
            does = "read" if mode & (stat.S_IRGRP | stat.S_IROTH) else "changed"
            raise SigningError(
                f"{path} can be {does} by others (mode {stat.S_IMODE(status.st_mode):04o})",
                hint=f"chmod 600 {path}; if others may have seen it, make a new key",
            )
        return file.read()


def write_private(path: Path, content: bytes) -> None:
    """Make a file with mode 0600 and write it out; raise `FileExistsError` where the name is taken, even by a link."""
    _write_new(path, content, 0o600)


def write_public(path: Path, content: bytes) -> None:
    """Make a file that all may read, mode 0644; raise `FileExistsError` where the name is taken."""
    _write_new(path, content, 0o644)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        path.unlink()  # ours, since O_EXCL made it: half a key must not keep the name taken
        raise


def _refuse_foreign(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise SigningError(
            f"{path} belongs to another user (id {status.st_uid}, this is {os.geteuid()})",
            hint=f"run as that user, or chown {os.geteuid()} {path}",
        )
