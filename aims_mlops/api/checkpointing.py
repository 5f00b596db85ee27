"""`aims log checkpoint`: the log as it stands, signed, once it was found to contain every checkpoint signed before."""

from __future__ import annotations

from dataclasses import dataclass

from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.log_identity import identity, kept_checkpoints
from aims_mlops.api.looking import walk_log
from aims_mlops.api.services import Services
from aims_mlops.errors import CannotDecide, NothingToDo, UsageError, VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import Checkpoint, SignedCheckpoint
from aims_mlops.evidence.merkle import Tree
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Signer

LOCK = "log-checkpoint"
"""One signer at a time: two that start from the same checkpoint could sign two histories."""

_LOOK = "sign nothing: `aims log verify` tells more; put the newest copy of the store back, or find out who rewrote it"


@dataclass(frozen=True)
class Checkpointed:
    """A checkpoint that was signed now, how many leaves the one before had, and the key that verifies it."""

    signed: SignedCheckpoint
    before: int
    key: str
    origin: str


def checkpoint(services: Services, signer: Signer, *, pin: bool = False) -> Checkpointed:
    """Sign the log as it stands, and keep the checkpoint with the log and outside it.

    (1) Every leaf and envelope holds. (2) Root and size are computed from the leaves as they stand. (3) Every
    checkpoint signed before, the one outside the database first of all, is a beginning of this tree. (4) Only then is
    it signed; outside first, so that what was signed is never forgotten.

    With `pin` an operator says that he looked, and that the checkpoint outside may be written anew where it is gone.
    Raises `VerificationError` where (1) or (3) does not hold, `CannotDecide` for a hole, `NothingToDo` where no leaf
    is new.
    """
    if services.store.enforces:
        hint = "run it with AIMS_STORE set to the server's own database; `aims log verify` works from here"
        raise UsageError(f"{services.store.place} keeps the log, and whoever keeps it signs its checkpoints", hint=hint)
    who = identity(services)
    key = who.key_of(signer)
    with services.store.lock(LOCK):
        walked = walk_log(services, whole=True)
        tree = tree_of(services, walked)
        kept = kept_checkpoints(services, who)
        for item in kept:
            hold(tree, item)
        _refuse_faults(walked)
        _must_be_outside(services, kept, pin=pin)
        last = kept[-1] if kept else None
        if last is not None and last.size == tree.size:
            _keep(services, last)
        if tree.size == (0 if last is None else last.size):
            said = "the log is empty" if last is None else f"no leaf is new since the checkpoint of {last.size} leaves"
            raise NothingToDo(f"nothing to sign: {said}", hint="aims check MODEL records something")
        note = Checkpoint(who.origin, tree.size, merkle.root(tree, tree.size)).sign(key, signer.sign)
        signed = who.open(note.to_bytes())
        _keep(services, signed)
    return Checkpointed(signed, 0 if last is None else last.size, str(key), who.origin)


def tree_of(services: Services, walked: KnownWalk) -> Tree:
    """Return the tree over the leaves as they stand: those that were walked, where nothing was wrong with them.

    Raises `VerificationError` where a leaf is another one now than a moment before.
    """
    tree, known = Tree(), walked.leaves
    for place, content in enumerate(services.store.leaves()):
        if not walked.faults:
            if place == walked.size:  # what was appended meanwhile is for the next time
                break
            if Digest.of(content) != known[place].digest:
                raise VerificationError(f"leaf {place} changed while the log was read", hint=_LOOK)
        tree.add(merkle.leaf_hash(content))
    if not walked.faults and tree.size != walked.size:
        raise VerificationError(f"leaf {tree.size} was taken away while the log was read", hint=_LOOK)
    return tree


def hold(tree: Tree, old: SignedCheckpoint) -> None:
    """Hold a tree to an older checkpoint of it by a consistency proof; raise `VerificationError`."""
    if tree.size < old.size:
        what = f"the log has {tree.size} leaves, but a checkpoint of {old.size} was signed: its tail is cut off"
        raise VerificationError(f"{what}, or this is an old copy", hint=_LOOK)
    if old.size == 0:
        return
    now = merkle.root(tree, tree.size)
    try:
        proof = merkle.prove_consistency(tree, old.size, tree.size)
        merkle.verify_consistency(old.size, old.root, tree.size, now, proof)
    except VerificationError as error:
        what = f"the first {old.size} leaves are not those of the checkpoint that was signed over them"
        raise VerificationError(f"{what}: the log was rewritten, or forked from an old copy", hint=_LOOK) from error


def _refuse_faults(walked: KnownWalk) -> None:
    for fault in walked.faults:
        if fault.kind != "hole":
            raise VerificationError(f"the log does not hold: {fault.what}", hint=_LOOK)
    if walked.faults:
        raise CannotDecide(f"the log has a hole: {walked.faults[0].what}", hint=_LOOK)


def _must_be_outside(services: Services, kept: list[SignedCheckpoint], *, pin: bool) -> None:
    if kept and services.store.last_checkpoint() is None:
        if not pin:
            raise VerificationError(
                f"the store has checkpoints up to {kept[-1].size} leaves, and none is kept outside it on this host",
                hint="put the file back that lay beside the head; or, having looked, `aims log checkpoint --pin`",
            )
        services.store.pin_checkpoint(kept[-1].note.to_bytes())


def _keep(services: Services, signed: SignedCheckpoint) -> None:
    content = signed.note.to_bytes()
    if services.store.last_checkpoint() != content:
        services.store.pin_checkpoint(content)
    services.store.keep_checkpoint(content, size=signed.size)
