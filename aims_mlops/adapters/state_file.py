"""Small files outside the evidence store that show that something was taken out of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from aims_mlops.adapters.file_lock import explain_os_error, file_lock
from aims_mlops.errors import VerificationError

_Kept = TypeVar("_Kept")


class StateFile(Generic[_Kept]):
    """One file that holds one value. Replaced as a whole, so that a reader sees the old one or the new one."""

    parse: Callable[[bytes], _Kept]
    """Reads the value; raises `VerificationError` for any other form."""
    damaged: ClassVar[str]
    """What to do about a file that is not such a value."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> _Kept | None:
        """Return what is kept, or None where nothing ever was.

        Raises `VerificationError` for a file that holds something else, `StoreError` for one that cannot be read.
        """
        try:
            return self.parse(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        except VerificationError as error:
            raise VerificationError(f"{self.path}: {error}", hint=self.damaged) from error

    def _locked(self) -> AbstractContextManager[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        return file_lock(self.path.with_name(self.path.name + ".lock"), what=str(self.path))

    def _replace(self, content: bytes) -> None:
        """Write the file whole and to the disk before it takes its name; the caller holds the lock."""
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            fresh.replace(self.path)
        except OSError as error:
            raise explain_os_error(error, self.path) from error
