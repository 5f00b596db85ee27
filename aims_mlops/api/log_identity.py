"""Who the log is, by aims.yaml: its name, the keys that sign for it, and the witnesses that are trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aims_mlops.errors import NothingToDo, SigningError, UsageError, VerificationError
from aims_mlops.evidence.checkpoint import SignedCheckpoint, open_checkpoint
from aims_mlops.evidence.note import ED25519, VerifierKey
from aims_mlops.ports import Signer

if TYPE_CHECKING:  # which needs this to say who outside saw the log
    from aims_mlops.api.services import Services

_SECTION = "add to aims.yaml: log: {key: NAME}, and NAME under people: as a service; then aims keys new NAME --ed25519"


@dataclass(frozen=True)
class Identity:
    """What a checkpoint is held to. Comes from aims.yaml, never from the log."""

    person: str
    origin: str
    keys: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...]
    quorum: int

    def key_of(self, signer: Signer) -> VerifierKey:
        """Return the log's key that a signer holds; raise `SigningError` where it is none of them."""
        for key in self.keys:
            if key.key.id == signer.key_id:
                return key
        raise SigningError(
            f"the key of {signer.person!r} is not an Ed25519 key of {self.person!r}, whose key signs the log",
            hint=f"aims keys new {self.person} --ed25519, and list its public file under people.{self.person}.keys",
        )

    def open(self, content: bytes) -> SignedCheckpoint:
        """Read a checkpoint of this log; raise `VerificationError` for anything else, a bad cosignature included."""
        found = open_checkpoint(content, origin=self.origin, keys=self.keys)
        found.witnesses(self.witnesses)
        return found

    def is_witnessed(self, checkpoint: SignedCheckpoint) -> bool:
        """Whether enough of the trusted witnesses cosigned it."""
        return len(checkpoint.witnesses(self.witnesses)) >= self.quorum


def identity(services: Services) -> Identity:
    """Return who the log is; raise `UsageError` where aims.yaml does not say, or names a person without such a key."""
    settings = services.project.log
    if settings is None:
        raise UsageError("aims.yaml does not say who signs the log's checkpoints", hint=_SECTION)
    origin = settings.origin or f"aims-mlops/{services.store.registry_id()}"
    person = services.project.person(settings.key)
    enrolled = [] if person is None or not person.active else person.keys
    keys = tuple(VerifierKey(origin, ED25519, key) for key in enrolled if key.algorithm == "ed25519")
    if not keys:
        raise UsageError(
            f"{settings.key!r} has no Ed25519 key in aims.yaml to sign checkpoints with, or is not active",
            hint=f"aims keys new {settings.key} --ed25519, and list its public file under people.{settings.key}.keys",
        )
    witnesses = tuple(VerifierKey.parse(text) for text in settings.witnesses)
    return Identity(settings.key, origin, keys, witnesses, settings.quorum)


def merged(checkpoints: list[SignedCheckpoint]) -> list[SignedCheckpoint]:
    """Return each checkpoint once, smallest first, with all the signatures that were collected on its text."""
    by_text: dict[bytes, SignedCheckpoint] = {}
    for item in checkpoints:
        text = item.note.text
        note = item.note if text not in by_text else by_text[text].note.with_signatures(item.note.signatures)
        by_text[text] = SignedCheckpoint(item.checkpoint, note)
    return sorted(by_text.values(), key=lambda item: item.size)


def found_checkpoints(services: Services) -> list[bytes]:
    """Return the bytes of every checkpoint kept with the log, and of the one outside unless its file is damaged.

    For whoever counts what holds and leaves the rest for `aims log verify` to tell.
    """
    found = list(services.store.checkpoints())
    try:
        outside = services.store.last_checkpoint()
    except VerificationError:
        return found
    return found if outside is None or outside in found else [*found, outside]


def kept_checkpoints(services: Services, who: Identity) -> list[SignedCheckpoint]:
    """Return what is kept with the log and outside it, each once; raise `VerificationError` for one that is not ours.

    Not checked here: that the log, as it stands, has them in it.
    """
    outside = services.store.last_checkpoint()
    contents = [*services.store.checkpoints(), *([] if outside is None else [outside])]
    try:
        return merged([who.open(content) for content in contents])
    except VerificationError as error:
        hint = "aims log verify names each; who can write to the store, or to the folder of the file?"
        raise VerificationError(f"a kept checkpoint does not hold: {error}", hint=hint) from error


def newest(services: Services, who: Identity) -> SignedCheckpoint:
    """Return the newest checkpoint that is kept; raise `NothingToDo` where none is."""
    kept = kept_checkpoints(services, who)
    if not kept:
        raise NothingToDo("no checkpoint of this log was signed yet", hint="aims log checkpoint signs one")
    return kept[-1]
