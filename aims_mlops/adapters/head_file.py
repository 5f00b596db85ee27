"""The head of the log, kept in a file outside the database: what shows that a tail was cut off."""

from __future__ import annotations

from aims_mlops.adapters.state_file import StateFile
from aims_mlops.evidence.log import Head

BEFORE_FIRST = -1
"""`seq` of a head that was written before the first leaf; its digest is then the log's genesis."""


class HeadFile(StateFile[Head]):
    """One file that holds one `Head`."""

    parse = staticmethod(Head.from_bytes)
    damaged = "the log's head was written over: put the file back from a backup, then `aims evidence verify`"

    def advance(self, head: Head) -> None:
        """Keep a newer head; one that is not newer changes nothing. Does not compare the chain in between."""
        with self._locked():
            kept = self.read()
            if kept is None or kept.seq < head.seq:
                self._replace(head.to_bytes())

    def write(self, head: Head) -> None:
        """Keep exactly this head, whatever was kept before."""
        with self._locked():
            self._replace(head.to_bytes())
