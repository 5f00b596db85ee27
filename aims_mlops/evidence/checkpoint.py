"""Checkpoints (C2SP tlog-checkpoint v1.0.0): a signed note that says how many leaves a log has, and their root."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.merkle import HASH_BYTES
from aims_mlops.evidence.note import Note, NoteSignature, VerifierKey, cosigned_message, unbase64

MAX_SIZE = 2**63 - 1
"""The largest tree that is believed: what a signed integer of 64 bits holds."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_LINES = 3
Sign = Callable[[bytes], bytes]
"""Makes a raw Ed25519 signature of some bytes."""


def read_size(text: str, *, what: str) -> int:
    """Read a size or an index as these formats write it; raise `VerificationError` for any other form."""
    if _SIZE.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise VerificationError(f"{what}: {text[:40]!r} is not a number without leading zeros")
    return int(text)


def read_hash(text: str, *, what: str) -> bytes:
    """Read a hash in base64; raise `VerificationError` for any other length."""
    content = unbase64(text, what=what)
    if len(content) != HASH_BYTES:
        raise VerificationError(f"{what}: a hash of {len(content)} bytes, not {HASH_BYTES}")
    return content


def write_hash(content: bytes) -> str:
    """Write a hash in base64."""
    return base64.b64encode(content).decode()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How many leaves a log had, and what their root was. `extensions` are lines that nobody audits."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def from_text(cls, text: bytes) -> Self:
        """Read a note's text; raise `VerificationError` for any other form."""
        lines = text.decode("utf-8", "replace").split("\n")
        if len(lines) <= _LINES or lines.pop() or not all(lines):
            raise VerificationError("checkpoint: origin, size and root are expected, a line each")
        size, root = read_size(lines[1], what="checkpoint: size"), read_hash(lines[2], what="checkpoint: root")
        return cls(lines[0], size, root, tuple(lines[3:]))

    def to_text(self) -> bytes:
        """Write what is signed."""
        return "".join(
            f"{line}\n" for line in (self.origin, self.size, write_hash(self.root), *self.extensions)
        ).encode()

    def sign(self, key: VerifierKey, sign: Sign) -> Note:
        """Return the checkpoint as a note that this key signed."""
        text = self.to_text()
        return Note(text, (NoteSignature.of(key, sign(text)),))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that one of the log's keys signed, and the note that says so."""

    checkpoint: Checkpoint
    note: Note

    @property
    def size(self) -> int:
        """How many leaves it speaks for."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """The root of these leaves."""
        return self.checkpoint.root

    def witnesses(self, keys: Iterable[VerifierKey]) -> tuple[str, ...]:
        """Return the names of the witnesses that cosigned it, sorted; each public key counts once, whatever its names.

        Raises `VerificationError` where a cosignature in the name of one of these keys does not hold.
        """
        by_key = {key.key.id: key.name for key in self.note.signed_by(keys)}
        return tuple(sorted(by_key.values()))


def open_checkpoint(content: bytes, *, origin: str, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
    """Read a checkpoint and hold it to the log that it has to be of.

    Raises `VerificationError` where it has another form or origin, or none of these keys signed it.
    """
    note = Note.from_bytes(content)
    found = Checkpoint.from_text(note.text)
    if found.origin != origin:
        raise VerificationError(f"checkpoint: of the log {found.origin[:80]!r}, not of {origin!r}")
    if not note.signed_by(keys):
        raise VerificationError(f"checkpoint: of size {found.size}, not signed by a key of the log {origin!r}")
    return SignedCheckpoint(found, note)


def cosign(note: Note, key: VerifierKey, sign: Sign, *, time: int) -> NoteSignature:
    """Return a witness's cosignature of a checkpoint. Not checked here: that the log only grew; see `witnessing`."""
    return NoteSignature.of(key, sign(cosigned_message(note.text, time)), time=time)
