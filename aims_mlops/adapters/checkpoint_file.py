"""The last signed checkpoint of the log, kept in a file outside the database: what shows a log that was rewritten."""

from __future__ import annotations

from aims_mlops.adapters.state_file import StateFile
from aims_mlops.evidence.note import Note


def _parse(content: bytes) -> bytes:
    Note.from_bytes(content)
    return content


class CheckpointFile(StateFile[bytes]):
    """One file that holds one signed checkpoint, as C2SP writes it. Who signed it is for the reader to verify."""

    parse = staticmethod(_parse)
    damaged = "the log's checkpoint was written over: put the file back from a backup, then `aims log verify`"

    def write(self, content: bytes) -> None:
        """Keep exactly this checkpoint, whatever was kept before."""
        with self._locked():
            self._replace(content)
