"""Locks between processes on one machine, and what an operating system's refusal means for people."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aims_mlops.errors import StoreError

_PAUSE = 0.005
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain_os_error(error: OSError, path: Path) -> StoreError:
    """Say what a failed operation on a file of the store means, with the next step."""
    if error.errno in _FULL:
        return StoreError(
            f"the disk (or quota) of {path} is full",
            hint=f"free space for {path.parent}, then repeat",
        )
    if error.errno in _READ_ONLY:
        return StoreError(
            f"{path} cannot be written: {os.strerror(error.errno or 0)}",
            hint=f"give this user write access to {path.parent}, or name another store with AIMS_STORE",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StoreError(f"the folder {path.parent} does not exist", hint=f"make it: mkdir -p {path.parent}")
    return StoreError(f"{path} cannot be used: {error.strerror or error}", hint="look at the file, then repeat")


@contextmanager
def file_lock(path: Path, *, what: str, seconds: float = 30.0) -> Iterator[None]:
    """Hold an exclusive lock on a file of its own; the file stays, since deleting it would split the lock.

    Raises `StoreError` when another holder keeps it longer than `seconds`, or when the file cannot be opened.
    Threads exclude each other too. Whoever dies loses the lock. Not meant for network file systems.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise explain_os_error(error, path) from error
    try:
        _wait(descriptor, what=what, seconds=seconds)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, *, what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{what} is locked: another process has held it for more than {seconds:g} s",
                    hint="wait until the other run of aims is done, then repeat",
                ) from error
        time.sleep(_PAUSE)
