"""The AI-system register: people, and the systems that they own."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Policy


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may sign for a person: DER SubjectPublicKeyInfo and its algorithm."""

    spki: bytes
    algorithm: str
    """`ecdsa-p256` or `ed25519`; taken from the key itself when it is enrolled, never from an envelope."""

    @property
    def id(self) -> Digest:
        """The key id: SHA-256 of the DER SubjectPublicKeyInfo, as `openssl pkey -pubin -outform DER` writes it."""
        return Digest.of(self.spki)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who owns or signs. `kind` is `person` or `service`; only an active person can own a system."""

    id: str
    name: str
    email: str = ""
    kind: str = "person"
    active: bool = True
    keys: tuple[PublicKey, ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """One entry of the register with the policy that governs its models."""

    id: str
    name: str
    owner: str
    policy: Policy
    models: tuple[str, ...]
    deputy: str | None = None
    intended_purpose: str = ""
    risk_class: str = "unclassified"
    number: str | None = None
    line: int = 0

    def claims(self, model: str) -> bool:
        """Whether this entry claims a registered model (its globs are matched case-sensitively)."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)


@dataclass(frozen=True, slots=True)
class Project:
    """All of aims.yaml, read once."""

    path: Path
    organisation: str
    contact: str
    people: tuple[Person, ...]
    systems: tuple[System, ...]
    signer: str | None = None
    store: str | None = None

    @property
    def root(self) -> Path:
        """The folder that relative paths start from."""
        return self.path.parent

    def person(self, id_: str) -> Person | None:
        """Return the person with this id, if there is one."""
        return next((person for person in self.people if person.id == id_), None)

    def claimants(self, model: str) -> tuple[System, ...]:
        """Return every system that claims a registered model: none and several both keep the gate shut."""
        return tuple(system for system in self.systems if system.claims(model))
