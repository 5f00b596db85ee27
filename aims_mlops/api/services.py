"""What the use cases stand on, and the one way in which anything is written down."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import version as installed_version
from typing import Any

from aims_mlops.api.anchoring import anchors_of
from aims_mlops.api.known_log import KnownLog
from aims_mlops.errors import AimsError, ExitCode, SigningError, UsageError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.record import ANYBODY, Trust
from aims_mlops.evidence.statement import MANIFEST, Header, Statement, predicate_type
from aims_mlops.model.decision import Actor
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import DatasetUse
from aims_mlops.model.policy import Policy
from aims_mlops.model.register import Project, System
from aims_mlops.model.report import CheckReport
from aims_mlops.model.subject import ModelVersion, RegisteredModel, Subject, WholeRegistry
from aims_mlops.plugin import Check
from aims_mlops.ports import Clock, DataEngine, Entry, EvidenceStore, ModelRegistry, Signer, TimestampAuthority


@dataclass(frozen=True)
class Services:
    """The outside world, as ports. Built by `wiring`, replaced by fakes in tests."""

    project: Project
    store: EvidenceStore
    registry: ModelRegistry
    signer: Callable[[], Signer]
    """Chooses the signer when it is first needed; raises `SigningError`."""
    engine: Callable[[], AbstractContextManager[DataEngine]]
    checks: Mapping[str, type[Check]]
    clock: Clock
    reports: Callable[[CheckReport, Policy], Mapping[str, bytes]] = lambda _report, _policy: {}
    """Renders the files that are attached to the version for people."""
    attached: Mapping[str, object] = field(default_factory=dict)
    enforced_by: str = "client"
    """Who stands behind a decision: a client's is never honoured by a server."""
    authorities: tuple[TimestampAuthority, ...] = ()
    """The time stamp authorities that aims.yaml trusts."""
    caller: Actor | None = None
    """Who asked, where a server knows it; None means the person who signs."""

    log: KnownLog = None  # type: ignore[assignment]  # set below where it is not given
    """The store's log as this process knows it. A server gives the one that it keeps; else it is walked anew."""

    def __post_init__(self) -> None:
        if getattr(self.log, "store", None) is not self.store:
            object.__setattr__(self, "log", KnownLog(self.store))

    def actor(self) -> Actor:
        """Return who asked: the caller that a server knows, else the person whose key signs."""
        return self.caller or Actor(self.signer().person, "signature")

    def claimed_by(self, model: str) -> System:
        """Return the one system that claims a model; raise `UsageError` where there is none or several."""
        claimants = self.project.claimants(model)
        if len(claimants) == 1:
            return claimants[0]
        if claimants:
            names = ", ".join(system.id for system in claimants)
            raise UsageError(
                f"{len(claimants)} systems claim the model {model!r}: {names}",
                hint="let exactly one system in aims.yaml claim it under models:",
            )
        raise Unclaimed(model)

    def trust(self, policy: Policy, *, anchored: bool = True) -> Trust:
        """Return who may sign what under a policy; `anchored`: with who outside saw the log, and when."""
        # A finding decides nothing: whoever may decide may also say that somebody went round the gate. Neither does an
        # intent: whoever may measure may also say that he is about to. A pack shows what others signed.
        default = {
            "pack": policy.trust.get("gate-decision", {}),
            "bypass-finding": policy.trust.get("gate-decision", {}),
            "intent": policy.trust.get("check-result", {}),
        }
        anybody = {key.id: someone.id for someone in self.project.people if someone.active for key in someone.keys}
        keys = {key.id: key for person in self.project.people for key in person.keys}
        rules = dict(policy.rules)
        liken = (("pack", "gate-decision"), ("bypass-finding", "gate-decision"), ("intent", "check-result"))
        for kind, like in liken:
            if kind not in policy.trust and like in rules:
                rules[kind] = rules[like]
        anchors = anchors_of(self) if anchored else ()
        return Trust({**default, **policy.trust, ANYBODY: anybody}, keys, rules, anchors)


def trust_of(services: Services, *, anchored: bool = True) -> Trust:
    """Return the trust of the whole project: aims.yaml has one, and every system's policy carries it."""
    systems = services.project.systems
    return services.trust(systems[0].policy, anchored=anchored) if systems else Trust({}, {})


def trusted_signer(services: Services, kind: str) -> Signer:
    """Return the signer; raise `SigningError` where nobody would believe a statement of this kind by them."""
    signer, trusted = services.signer(), trust_of(services, anchored=False).by_kind.get(kind, {})
    refuse_unless(signer, kind, trusted, says=f": {services.project.path.name}")
    return signer


def refuse_unless(signer: Signer, kind: str, trusted: Mapping[Digest, str], *, says: str) -> None:
    """Raise `SigningError` unless a signer's key is among those trusted for a kind; `says` is who trusts them."""
    if signer.key_id in trusted:
        return
    names = ", ".join(dict.fromkeys(trusted.values())) or "nobody"
    raise SigningError(
        f"{signer.person} may not sign a {kind}{says} trusts {names} for it",
        hint=f"sign as one of them (--as, AIMS_SIGNER), or name {signer.person} under trust: {kind} in aims.yaml",
    )


class Unclaimed(AimsError):
    """No system of the register claims the model: it stays registered, and cannot be promoted."""

    exit_code = ExitCode.SHUT

    def __init__(self, model: str) -> None:
        super().__init__(
            f"no system of the register claims the model {model!r}",
            hint=f"add {model!r} to models: of a system in aims.yaml, under its named owner, then aims check",
        )


@dataclass(frozen=True)
class Said:
    """What is to be written down: a kind, its subject and its body; the header is made from the rest."""

    kind: str
    version: ModelVersion | RegisteredModel | WholeRegistry
    subject: Subject | None
    """None where the files could not be digested: the statement is then about the version's identity alone."""
    policy: Policy | None
    body: Mapping[str, Any]
    measured_at: datetime
    datasets: tuple[DatasetUse, ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)
    supersedes: Digest | None = None
    about: tuple[str, Digest] | None = None
    """Name and digest of the subject, where it is not a model's files: a configuration."""


def kept_policy(services: Services, model: str) -> Policy | None:
    """Return the policy that a statement about a model names, its text kept beside the log; None where none governs.

    Raises `StoreError` where the text cannot be kept.
    """
    claimants = services.project.claimants(model)
    if len(claimants) != 1:
        return None
    services.store.put_blob(claimants[0].policy.text)
    return claimants[0].policy


def write(services: Services, said: Said, *, signer: Signer) -> Digest:
    """Sign a statement and append it to the log; return its digest. All that is recorded goes through here."""
    statement, envelope = sign(services, said, signer=signer)
    entry = Entry(
        envelope.to_bytes(),
        envelope.payload_digest,
        predicate_type(said.kind),
        statement.subject,
        model=said.version.name,
        version=said.version.version,
        system=statement.header.system,
    )
    services.store.append(entry)
    return entry.payload


def sign(services: Services, said: Said, *, signer: Signer) -> tuple[Statement, Envelope]:
    """Make a statement and sign it; nothing is written down."""
    statement = _statement(services, said)
    payload = statement.to_bytes()
    return statement, Envelope(payload, (Signature(signer.key_id, signer.sign(pae(payload))),))


def _statement(services: Services, said: Said) -> Statement:
    version, signed_at = said.version, services.clock()
    identity = {"registryId": version.registry_id, "model": version.name, "version": version.version}
    header = Header(
        registry_id=version.registry_id,
        workspace=version.workspace,
        model=version.name,
        version=version.version,
        version_created_at=version.created_at,
        system=None if said.policy is None else said.policy.system,
        policy_digest=None if said.policy is None else said.policy.digest,
        tool={"name": "aims-mlops", "version": own_version()},
        libraries=said.libraries,
        nonce=secrets.token_hex(16),
        measured_at=said.measured_at,
        signed_at=signed_at,
        datasets=said.datasets,
        supersedes=said.supersedes,
    )
    if said.about is not None:
        return Statement(said.kind, said.about[1], header, said.body, subject_name=said.about[0])
    if said.subject is None:
        about = Digest.of(canonical(identity))
        return Statement(said.kind, about, header, said.body, subject_name="model-version.json")
    return Statement(said.kind, said.subject.digest, header, said.body, subject_name=MANIFEST)


@cache
def own_version() -> str:
    """Return the version of aims-mlops that is installed."""
    return installed_version("aims-mlops")
