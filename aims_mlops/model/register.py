"""The AI-system register: people, and the systems that they own."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from aims_mlops.model import names
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Policy
from aims_mlops.model.subject import Target
from aims_mlops.model.trust import ALWAYS, Term


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may sign for a person: DER SubjectPublicKeyInfo and its algorithm."""

    spki: bytes
    algorithm: str
    """`ecdsa-p256` or `ed25519`; taken from the key itself when it is enrolled, never from an envelope."""
    term: Term = ALWAYS
    """When it may sign, as aims.yaml says."""

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

    def resembles(self, model: str) -> str | None:
        """Return the glob by which a database or an eye could take a model for one of this entry's; None for none.

        Plain ASCII names are compared as databases do, not by shape: `model-1` and `model-l` are two ordinary names.
        A model that the entry claims is one of its own.
        """
        if self.claims(model):
            return None
        eye = not names.is_plain(model)
        return next((glob for glob in self.models if names.alike_glob(model, glob, eye=eye)), None)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is sent checkpoints: an address that takes a POST, or a mailbox with the server that takes mail."""

    url: str | None = None
    mail: str | None = None
    smtp: str | None = None
    sender: str | None = None

    @property
    def place(self) -> str:
        """Where it goes, for people."""
        return self.url or self.mail or ""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Who signs the log's checkpoints, and which witnesses are trusted, by their keys as text."""

    key: str
    origin: str | None = None
    witnesses: tuple[str, ...] = ()
    quorum: int = 1
    timestamps: tuple[tuple[str, str], ...] = ()
    """Time stamp authorities: the address, and the file with the roots that are trusted for it."""
    send: tuple[Recipient, ...] = ()


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
    unclaimed: str | None = None
    """`refuse` or `free`: whether a model that no system claims can reach a protected alias; None: as the place has it.

    A client refuses by default, since such a model was most likely forgotten; a server leaves models alone that it has
    no policy for.
    """
    log: LogSettings | None = None

    @property
    def root(self) -> Path:
        """The folder that relative paths start from."""
        return self.path.parent

    def person(self, id_: str) -> Person | None:
        """Return the person with this id, if there is one."""
        return next((person for person in self.people if person.id == id_), None)

    def governing(self, model: str) -> tuple[System, ...]:
        """Return the systems whose policy speaks about a model's aliases and stages.

        They are its claimants, or else those that protect its very name: what is in there was promoted from theirs.
        """
        name = Target("name", model)
        return self.claimants(model) or tuple(
            system for system in self.systems if system.policy.promotion.protects(name)
        )

    def claimants(self, model: str) -> tuple[System, ...]:
        """Return every system that claims a registered model: none and several both keep the gate shut."""
        return tuple(system for system in self.systems if system.claims(model))

    def resembles(self, model: str) -> str | None:
        """Say which claimed or protected name a model's name can be taken for without being it; None for none.

        The words follow `looks like`. A claim makes a model one of that system's, and so no look-alike of another
        claimed one; it does not make a look-alike of a protected name an honest name.
        """
        name = Target("name", model)
        protected = any(system.policy.promotion.protects(name) for system in self.systems)
        for system in self.systems if not protected or names.is_unseen(model) else ():
            if glob := system.policy.promotion.resembles(name):
                return f"the protected name {glob!r}"
        if protected or self.claimants(model):
            return None
        found = ((system, system.resembles(model)) for system in self.systems)
        return next((f"{glob!r}, which the system {system.id} claims" for system, glob in found if glob), None)
