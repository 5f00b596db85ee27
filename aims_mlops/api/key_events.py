"""What changes about keys is a statement in the log: who may sign is nothing that changes in silence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aims_mlops.api.services import Said, Services, write
from aims_mlops.errors import SigningError
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import WholeRegistry
from aims_mlops.model.times import to_text

SUBJECT = "public-key.der"
"""Name of the subject of a key event: the key's SubjectPublicKeyInfo, whose SHA-256 is its id."""


@dataclass(frozen=True)
class KeyEvent:
    """A key of a person that was revoked (`at`, `reason`), or rotated: its `successor` signs from `at` on."""

    act: str
    person: str
    key: Digest
    at: datetime
    reason: str
    successor: Digest | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the statement's body."""
        return {
            "act": self.act,
            "person": self.person,
            "key": self.key,
            "at": to_text(self.at),
            "reason": self.reason,
            "successor": self.successor,
        }


def must_be_administrator(services: Services) -> None:
    """Raise `SigningError` where the signer may not say what changes about keys."""
    signer = services.signer()
    trusted = {
        key: who for system in services.project.systems for key, who in system.policy.trusted("key-event").items()
    }
    if signer.key_id not in trusted:
        names = ", ".join(dict.fromkeys(trusted.values())) or "nobody"
        raise SigningError(
            f"{signer.person} may not sign a key-event: the policy trusts {names} for it",
            hint=f"sign as one of them (--as PERSON), or name {signer.person} under trust: key-event in aims.yaml",
        )


def record_key_event(services: Services, event: KeyEvent) -> Digest:
    """Sign and append a key event; return its digest. Raises `SigningError` for anybody but an administrator.

    aims.yaml decides, and not this statement: it makes the change visible to whoever reads the log.
    """
    must_be_administrator(services)
    signer = services.signer()
    if event.act == "revoke" and signer.key_id == event.key:
        raise SigningError(
            f"{signer.person} would sign with the very key that is revoked: that would count for nothing",
            hint="let another administrator revoke it (--as PERSON), or rotate it first",
        )
    said = Said(
        "key-event",
        WholeRegistry(services.store.registry_id()),
        None,
        None,
        event.to_wire(),
        measured_at=services.clock(),
        about=(SUBJECT, event.key),
    )
    return write(services, said, signer=signer)
