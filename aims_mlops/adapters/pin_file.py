"""The newest configuration that was seen in force, kept in a file outside the store: what shows that one was undone."""

from __future__ import annotations

from aims_mlops.adapters.state_file import StateFile
from aims_mlops.evidence.configuration import Pinned

NAME = "applied.pin"
"""The file's name in the folder that a server keeps its state in."""


class PinFile(StateFile[Pinned]):
    """One file that holds one `Pinned`; implements `api.Pin`."""

    parse = staticmethod(Pinned.from_bytes)
    damaged = "the pin was written over: put the file back from a backup; who deletes it trusts today's store"

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.path)

    def advance(self, pinned: Pinned) -> Pinned:
        """Keep a newer pin, and return what is kept then; one that is not newer changes nothing."""
        with self._locked():
            kept = self.read()
            if kept is not None and kept.sequence >= pinned.sequence:
                return kept
            self._replace(pinned.to_bytes())
            return pinned
