"""`aims log prove`: a file that proves offline that one statement is in the log that a checkpoint was signed over."""

from __future__ import annotations

from dataclasses import dataclass

from aims_mlops.api.evidence import find_leaf, must_be_there
from aims_mlops.api.log_identity import Identity, identity, kept_checkpoints
from aims_mlops.api.services import Services
from aims_mlops.errors import NothingToDo, VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.tiles import TiledTree


@dataclass(frozen=True)
class Proved:
    """A proof that verified, its leaf, the checkpoint in it, and the trusted witnesses that cosigned that."""

    proof: LogProof
    leaf: Leaf
    checkpoint: SignedCheckpoint
    witnesses: tuple[str, ...]
    witnessed: bool


def prove_logged(services: Services, text: str) -> Proved:
    """Prove that the statement with this digest is in the log; verify the proof as a stranger would.

    A checkpoint with enough witnesses goes before a newer one without. Raises `VerificationError` where statement,
    leaf and checkpoint do not belong together, `NothingToDo` where no checkpoint reaches the leaf yet, or
    where the statement was erased.
    """
    who = identity(services)
    leaf = find_leaf(services, text)
    must_be_there(services, leaf)
    envelope = services.store.envelope(leaf.payload)
    content = services.store.leaves_at([leaf.seq]).get(leaf.seq)
    if envelope is None or content is None:
        raise VerificationError(f"the statement of leaf {leaf.seq} is gone", hint="aims evidence verify")
    signed = _best(services, who, leaf)
    tree = TiledTree(services.store)
    with services.store.reading():
        hashes = merkle.prove_inclusion(tree, leaf.seq, signed.size)
    proof = LogProof(leaf.seq, tuple(hashes), signed.note.to_bytes(), content)
    try:
        LogProof.from_bytes(proof.to_bytes()).verify(envelope, origin=who.origin, keys=who.keys)
    except VerificationError as error:
        hint = "the leaves or their tiles were changed: `aims log verify` says which"
        raise VerificationError(f"leaf {leaf.seq} cannot be proved: {error}", hint=hint) from error
    return Proved(proof, leaf, signed, signed.witnesses(who.witnesses), who.is_witnessed(signed))


def _best(services: Services, who: Identity, leaf: Leaf) -> SignedCheckpoint:
    reaching = [item for item in kept_checkpoints(services, who) if item.size > leaf.seq]
    if not reaching:
        raise NothingToDo(
            f"no checkpoint reaches leaf {leaf.seq} yet: there is nothing to prove it by",
            hint="aims log checkpoint signs one",
        )
    return max(reaching, key=lambda item: (who.is_witnessed(item), item.size))
