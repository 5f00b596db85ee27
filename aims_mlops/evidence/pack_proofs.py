"""Many inclusion proofs to few roots, each node hashed once.

A proof of one leaf has as many hashes as the tree has levels, and its neighbour's has the same but for the lowest. So
what was once led to the root is remembered by its place: a further proof is climbed only until it meets a place that
is known, and from there on it has to be, hash for hash, what was written there before. Ten thousand proofs of fourteen
hashes then take two hashes each. What is refused is what `merkle.verify_inclusion` refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

from aims_mlops.errors import VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import SignedCheckpoint, open_checkpoint
from aims_mlops.evidence.log_proof import FIRST_LINE, LogProof
from aims_mlops.evidence.merkle import leaf_hash, node_hash
from aims_mlops.evidence.note import VerifierKey, unbase64


class ProofBook:
    """Verifies proofs of one log. Implements what `LogProof.verify` does, but for the envelope."""

    def __init__(self, origin: str, keys: Sequence[VerifierKey]) -> None:
        self._origin, self._keys = origin, keys
        self._checkpoints: dict[bytes, SignedCheckpoint] = {}
        self._known: dict[tuple[int, bytes], dict[tuple[int, int], tuple[bytes, bytes]]] = {}

    def verify(self, content: bytes, leaf: bytes, seq: int) -> SignedCheckpoint:
        """Return the checkpoint that a leaf's bytes are proved to be in at a place; raise `VerificationError`."""
        head, _, checkpoint = content.partition(b"\n\n")
        first, extra, index, rest = (head + b"\n").split(b"\n", 3) if head.count(b"\n") >= 2 else (b"",) * 4
        if first != FIRST_LINE.encode() or not extra.startswith(b"extra ") or index != b"index %d" % seq:
            proof = LogProof.from_bytes(content)  # says what is wrong with its form
            raise VerificationError(f"proof: of another place ({proof.index}), or without its leaf")
        if unbase64(extra[6:].decode("latin-1"), what="proof: extra") != leaf:
            raise VerificationError("proof: of another leaf")
        signed = self._checkpoints.get(checkpoint)
        if signed is None:
            signed = self._checkpoints[checkpoint] = open_checkpoint(checkpoint, origin=self._origin, keys=self._keys)
        self._climb(leaf_hash(leaf), seq, signed, rest)
        return signed

    def _climb(self, hashed: bytes, index: int, signed: SignedCheckpoint, rest: bytes) -> None:
        known = self._known.setdefault((signed.size, signed.root), {})
        if not 0 <= index < signed.size:
            raise VerificationError(f"inclusion: leaf {index} is not among the first {signed.size}")
        place, last, level, found = index, signed.size - 1, 0, hashed  # RFC 9162, 2.1.3.2
        path: list[tuple[tuple[int, int], tuple[bytes, bytes]]] = []
        while (there := known.get((level, place))) is None:
            path.append(((level, place), (found, rest)))
            line, _, rest_above = rest.partition(b"\n")
            if last == 0 or not line:
                self._finish(found, index, signed, last=last, rest=rest)
                break
            sibling = _hash(line)
            if place & 1 or place == last:
                found = node_hash(sibling, found)
                while place & 1 == 0 and place != 0:
                    place, last, level = place >> 1, last >> 1, level + 1
            else:
                found = node_hash(found, sibling)
            place, last, level, rest = place >> 1, last >> 1, level + 1, rest_above
        else:
            if there != (found, rest):
                raise VerificationError(f"inclusion: leaf {index} does not lead to the root of {signed.size} leaves")
        known.update(path)

    @staticmethod
    def _finish(found: bytes, index: int, signed: SignedCheckpoint, *, last: int, rest: bytes) -> None:
        if last != 0 or rest:
            many = "few" if last else "many"
            raise VerificationError(f"inclusion: the hashes are too {many} for leaf {index} of {signed.size}")
        if found != signed.root:
            raise VerificationError(f"inclusion: leaf {index} does not lead to the root of {signed.size} leaves")


def _hash(line: bytes) -> bytes:
    content = unbase64(line.decode("latin-1"), what="proof: a hash")
    if len(content) != merkle.HASH_BYTES:
        raise VerificationError(f"proof: a hash of {len(content)} bytes, not {merkle.HASH_BYTES}")
    return content
