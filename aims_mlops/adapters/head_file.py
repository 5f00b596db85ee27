"""The head of the log, kept in a file outside the database: what shows that a tail was cut off."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

from aims_mlops.adapters.file_lock import explain_os_error, file_lock
from aims_mlops.errors import VerificationError
from aims_mlops.evidence.log import Head

BEFORE_FIRST = -1
"""`seq` of a head that was written before the first leaf; its digest is then the log's genesis."""


class HeadFile:
    """One file that holds one `Head`. Replaced as a whole, so that a reader sees the old one or the new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Head | None:
        """Return what is kept, or None where nothing ever was.

        Raises `VerificationError` for a file that is not a head, `StoreError` for one that cannot be read.
        """
        try:
            return Head.from_bytes(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        except VerificationError as error:
            raise VerificationError(
                f"{self.path}: {error}",
                hint="the log's head was written over: put the file back from a backup, then `aims evidence verify`",
            ) from error

    def advance(self, head: Head) -> None:
        """Keep a newer head; one that is not newer changes nothing. Does not compare the chain in between."""
        with self._lock():
            kept = self.read()
            if kept is None or kept.seq < head.seq:
                self._replace(head)

    def write(self, head: Head) -> None:
        """Keep exactly this head, whatever was kept before."""
        with self._lock():
            self._replace(head)

    def _lock(self) -> AbstractContextManager[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        return file_lock(self.path.with_name(self.path.name + ".lock"), what=str(self.path))

    def _replace(self, head: Head) -> None:
        replace_file(self.path, head.to_bytes())


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole and to the disk before it takes its name; the caller holds its lock. Raises `StoreError`."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as error:
        raise explain_os_error(error, path) from error
