"""A world whose log is signed and witnessed: a log key, witnesses, and what a check writes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aims_mlops import api
from aims_mlops.adapters.witness_server import WitnessService
from aims_mlops.api import Checkpointed, LogVerification, Services
from aims_mlops.evidence.note import COSIGNATURE, ED25519, VerifierKey
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import LogSettings, Person
from tests.api.world import World
from tests.builders import key


@dataclass(frozen=True)
class LogSigner:
    """The service whose Ed25519 key signs checkpoints."""

    person: str = "the-log"

    @property
    def key_id(self) -> Digest:
        return key(self.person, algorithm="ed25519").public.id

    def sign(self, message: bytes) -> bytes:
        return key(self.person, algorithm="ed25519").sign(message)


@dataclass
class Department:
    """A witness of another department, without a socket. Remembers requests."""

    folder: Path
    name: str
    logs: list[VerifierKey]
    asked: list[bytes] = field(default_factory=list)
    now: float = 1_795_000_000.0
    """What its clock says, in seconds since 1970."""

    def __post_init__(self) -> None:
        self.service = WitnessService(
            self.folder / f"{self.name}.json",
            key=self.key,
            sign=key(self.name, algorithm="ed25519").sign,
            logs=self.logs,
            clock=lambda: self.now,
        )

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(f"w/{self.name}", COSIGNATURE, key(self.name, algorithm="ed25519").public)

    @property
    def place(self) -> str:
        return f"https://{self.name}.example.org"

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        self.asked.append(request)
        status, _, text = self.service.answer(request)
        return int(status), text.encode()


@dataclass
class LogWorld(World):
    """A world whose aims.yaml has a `log:` section."""

    settings: LogSettings = field(default_factory=lambda: LogSettings("the-log"))

    @property
    def services(self) -> Services:
        made = super().services
        signer = Person("the-log", "The log", kind="service", keys=(key("the-log", algorithm="ed25519").public,))
        people = (*made.project.people, signer)
        return replace(made, project=replace(made.project, people=people, log=self.settings))

    def write(self, count: int = 1) -> list[Digest]:
        """Write some statements down."""
        return [
            self.say("check-result", {"check": {"id": "parity"}, "outcome": "passed", "n": n}) for n in range(count)
        ]

    def checkpoint(self, **options: Any) -> Checkpointed:
        return api.checkpoint(self.services, LogSigner(), **options)

    def verify(self, **brought: bytes) -> LogVerification:
        return api.verify_checkpoints(self.services, brought)

    @property
    def log_key(self) -> VerifierKey:
        return VerifierKey(
            f"aims-mlops/{self.store.registry_id()}", ED25519, key("the-log", algorithm="ed25519").public
        )

    def department(self, name: str, *, now: float = 1_795_000_000.0) -> Department:
        """Return a witness that knows this log, and trust it from now on."""
        made = Department(self.folder, name, [self.log_key], now=now)
        self.settings = replace(self.settings, witnesses=(*self.settings.witnesses, str(made.key)))
        return made
