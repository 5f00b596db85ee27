"""Proofs that a statement is in the log (C2SP tlog-proof v1): one file, verified offline against the log's key.

The file's extra data are the leaf's bytes. They are not signed and need not be: whoever verifies holds the envelope
to the leaf, and the leaf's hash to the root that is signed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import SignedCheckpoint, open_checkpoint, read_hash, read_size, write_hash
from aims_mlops.evidence.log import Fault, Leaf
from aims_mlops.evidence.note import MAX_BYTES, VerifierKey, unbase64
from aims_mlops.evidence.record import Trust, open_leaf

FIRST_LINE = "c2sp.org/tlog-proof@v1"
"""What every proof begins with."""

MOST_HASHES = 63
"""The height of the largest tree."""


@dataclass(frozen=True, slots=True)
class LogProof:
    """A place, the hashes from it to the root, and a checkpoint of that root. `leaf` are the leaf's bytes."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    leaf: bytes = b""

    def to_bytes(self) -> bytes:
        """Write the file."""
        extra = [f"extra {base64.b64encode(self.leaf).decode()}"] if self.leaf else []
        lines = [FIRST_LINE, *extra, f"index {self.index}", *map(write_hash, self.hashes), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read such a file; raise `VerificationError` for any other form."""
        if len(content) > 2 * MAX_BYTES:
            raise VerificationError(f"proof: {len(content)} bytes, more than {2 * MAX_BYTES}")
        head, empty, checkpoint = content.partition(b"\n\n")
        lines = head.decode("utf-8", "replace").split("\n")
        if not empty or lines.pop(0) != FIRST_LINE:
            raise VerificationError(f"proof: does not begin with {FIRST_LINE}")
        leaf = b""
        if lines and lines[0].startswith("extra "):
            leaf = unbase64(lines.pop(0).removeprefix("extra "), what="proof: extra")
        if not lines or not lines[0].startswith("index "):
            raise VerificationError("proof: says no index")
        index = read_size(lines.pop(0).removeprefix("index "), what="proof: index")
        if len(lines) > MOST_HASHES:
            raise VerificationError(f"proof: {len(lines)} hashes, more than {MOST_HASHES}")
        return cls(index, tuple(read_hash(line, what="proof: a hash") for line in lines), checkpoint, leaf)

    def verify(self, envelope: bytes, *, origin: str, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
        """Return the checkpoint that this very envelope is proved to be in; raise `VerificationError` otherwise.

        (1) The checkpoint is the log's. (2) The leaf, as its bytes say, stands at the index and leads to the root.
        (3) The leaf is about these bytes: digest of the envelope, of its payload, type and subject of the statement.
        Who signed the envelope, and how many witnesses the checkpoint, is **not** looked at.
        """
        signed = open_checkpoint(self.checkpoint, origin=origin, keys=keys)
        merkle.verify_inclusion(merkle.leaf_hash(self.leaf), self.index, signed.size, self.hashes, signed.root)
        leaf = Leaf.from_bytes(self.leaf)
        if leaf.seq != self.index:
            raise VerificationError(f"proof: leaf {leaf.seq} stands at place {self.index}")
        opened = open_leaf(leaf, envelope, Trust({}, {}))
        if isinstance(opened, Fault):
            raise VerificationError(f"proof: not of this envelope: {opened.what}")
        return signed
