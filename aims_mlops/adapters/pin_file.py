"""The newest configuration that was seen in force, kept in a file outside the store: what shows that one was undone."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from aims_mlops.adapters.file_lock import explain_os_error, file_lock
from aims_mlops.adapters.head_file import replace_file
from aims_mlops.errors import VerificationError
from aims_mlops.evidence.configuration import Pinned

NAME = "applied.pin"
"""The file's name in the folder that a server keeps its state in."""


class PinFile:
    """One file that holds one `Pinned`. Replaced as a whole; implements `api.Pin`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.path)

    def read(self) -> Pinned | None:
        """Return what is pinned, or None where nothing ever was.

        Raises `VerificationError` for a file that is not a pin, `StoreError` for one that cannot be read.
        """
        try:
            return Pinned.from_bytes(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        except VerificationError as error:
            raise VerificationError(
                f"{self.path}: {error}",
                hint="the pin was written over: put the file back from a backup; who deletes it trusts today's store",
            ) from error

    def advance(self, pinned: Pinned) -> Pinned:
        """Keep a newer pin, and return what is kept then; one that is not newer changes nothing."""
        with self._lock():
            kept = self.read()
            if kept is not None and kept.sequence >= pinned.sequence:
                return kept
            replace_file(self.path, pinned.to_bytes())
            return pinned

    def _lock(self) -> AbstractContextManager[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        return file_lock(self.path.with_name(self.path.name + ".lock"), what=str(self.path))
