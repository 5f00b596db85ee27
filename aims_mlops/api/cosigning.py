"""`aims log witness URL`: the newest checkpoint is shown to a witness, and what it cosigned is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from aims_mlops.api.checkpointing import LOCK
from aims_mlops.api.log_identity import Identity, identity, newest
from aims_mlops.api.services import Services
from aims_mlops.errors import CannotDecide, UsageError, VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.evidence.note import NoteSignature
from aims_mlops.evidence.tiles import TiledTree
from aims_mlops.evidence.witnessing import AddCheckpoint
from aims_mlops.ports import Witness

_FORK = "compare with whoever keeps older checkpoints: `aims log verify --checkpoint FILE`"


@dataclass(frozen=True)
class Cosigned:
    """A checkpoint that a witness cosigned: who did, who has by now, and whether that is enough."""

    place: str
    size: int
    by: tuple[str, ...]
    witnesses: tuple[str, ...]
    quorum: int

    @property
    def witnessed(self) -> bool:
        """Whether enough of the trusted witnesses cosigned it."""
        return len(self.witnesses) >= self.quorum


def cosign_at(services: Services, witness: Witness) -> Cosigned:
    """Show the newest checkpoint to a witness, with the proof from what it saw last, and keep its cosignature.

    Raises `VerificationError` where the witness saw another history or no trusted key answered, `CannotDecide` where
    it does not answer or does not know the log.
    """
    who = identity(services)
    if not who.witnesses:
        raise UsageError(
            "aims.yaml trusts no witness: a cosignature would count for nothing",
            hint="log: {witnesses: [KEY]} in aims.yaml, KEY as the witness prints it",
        )
    signed = newest(services, who)
    # What the witness saw last is not known here: it says so itself where the first question is wrong.
    status, answer = witness.add_checkpoint(AddCheckpoint(0, (), signed.note.to_bytes()).to_bytes())
    if status == HTTPStatus.CONFLICT:
        old = _seen(witness, answer, signed)
        request = AddCheckpoint(old, _proof(services, old, signed), signed.note.to_bytes())
        status, answer = witness.add_checkpoint(request.to_bytes())
        if status == HTTPStatus.CONFLICT and _seen(witness, answer, signed) == old == signed.size:
            what = f"{witness.place} cosigned another tree of {old} leaves for this log: there are two histories"
            raise VerificationError(what, hint=_FORK)
    if status != HTTPStatus.OK:
        raise _refused(witness, status, answer, who)
    return _keep(services, who, witness, signed=signed, answer=answer)


def _seen(witness: Witness, answer: bytes, signed: SignedCheckpoint) -> int:
    text = answer.decode("ascii", "replace").removesuffix("\n")
    if re.fullmatch(r"0|[1-9][0-9]{0,18}", text) is None:
        raise CannotDecide(f"{witness.place} answered a conflict without a size", hint="is it a C2SP witness?")
    if int(text) > signed.size:
        what = f"{witness.place} saw {text} leaves of this log, and the newest checkpoint here has {signed.size}"
        raise VerificationError(f"{what}: this is an old copy, or another history", hint=_FORK)
    return int(text)


def _proof(services: Services, old: int, signed: SignedCheckpoint) -> tuple[bytes, ...]:
    """Prove that the checkpoint begins with what the witness saw, by the log as it is now."""
    if old in (0, signed.size):
        return ()
    tree = TiledTree(services.store)
    with services.store.reading():
        proof = merkle.prove_consistency(tree, old, signed.size)
        merkle.verify_consistency(old, merkle.root(tree, old), signed.size, signed.root, proof)
    return tuple(proof)


def _refused(witness: Witness, status: int, answer: bytes, who: Identity) -> Exception:
    said = f"{witness.place} answered {status}: {answer[:200].decode('utf-8', 'replace').strip()}"
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return VerificationError(f"{said}: what it saw of this log is no beginning of it now", hint=_FORK)
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        hint = f"let the witness know this log: aims log witness --serve … --log '{who.keys[0]}'"
        return CannotDecide(f"{said}: it does not know this log or its key", hint=hint)
    return CannotDecide(said, hint="see that the address is that of a C2SP witness, and ask its keeper")


def _keep(services: Services, who: Identity, witness: Witness, *, signed: SignedCheckpoint, answer: bytes) -> Cosigned:
    ids = {(key.name, key.id): key for key in who.witnesses}
    try:
        lines = [NoteSignature.parse(line) for line in answer.decode().removesuffix("\n").split("\n")]
        # Cosignatures of unknown keys are ignored, as the specification wants it: they would count for nothing.
        known = [line for line in lines if (line.name, line.key_id) in ids]
        fresh = SignedCheckpoint(signed.checkpoint, type(signed.note)(signed.note.text, tuple(known)))
        by = fresh.witnesses(who.witnesses)
    except (UnicodeDecodeError, VerificationError) as error:
        hint = "nothing was kept; ask the witness's keeper"
        raise VerificationError(
            f"{witness.place} answered no cosignature of this checkpoint: {error}", hint=hint
        ) from error
    if not by:
        raise VerificationError(
            f"{witness.place} cosigned with a key that aims.yaml does not trust",
            hint="take its key into log: {witnesses: [KEY]}, from its keeper and not from its answer",
        )
    with services.store.lock(LOCK):
        whole = SignedCheckpoint(signed.checkpoint, signed.note.with_signatures(known))
        content = whole.note.to_bytes()
        last = services.store.last_checkpoint()
        if last is not None and who.open(last).note.text == whole.note.text:
            services.store.pin_checkpoint(content)
        services.store.keep_checkpoint(content, size=whole.size)
    return Cosigned(witness.place, whole.size, by, whole.witnesses(who.witnesses), who.quorum)
