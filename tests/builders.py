"""Readable makers of projects, policies, keys, statements and whole logs. Every maker has a sound default."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from aims_mlops.evidence.anchors import Anchor
from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.log import Fault, Head, Leaf, genesis, walk
from aims_mlops.evidence.record import ANYBODY, EvidenceView, Record, Trust, open_leaf
from aims_mlops.evidence.statement import Header, Statement, predicate_type
from aims_mlops.evidence.waiver_body import Answer, Request, observation
from aims_mlops.gate import Question, decide
from aims_mlops.model.decision import Decision, RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import DatasetUse
from aims_mlops.model.policy import CheckSpec, DatasetSpec, Policy, Promotion, RecordSpec
from aims_mlops.model.register import Person, Project, PublicKey, System
from aims_mlops.model.subject import ModelVersion, Subject, Target
from aims_mlops.model.times import to_text

REGISTRY = "6f2c1f1e-0a44-4d5e-9f0a-3f3b1f2a7c11"
NOW = datetime(2026, 11, 21, 20, 31, 34, 123000, tzinfo=UTC)
CREATED = NOW - timedelta(days=2)
MODEL_FILES = Digest.of(b"the model's manifest")
DATA = Digest.of(b"the evaluation data")
CHAMPION = Target("alias", "champion")
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


# Keys and signatures


@dataclass(frozen=True)
class Key:
    """A private key of a test; the same name always gives the same key."""

    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        spki = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return PublicKey(spki, "ed25519" if isinstance(self.private, ed25519.Ed25519PrivateKey) else "ecdsa-p256")

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        return self.private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


@cache
def key(name: str, *, algorithm: str = "ecdsa-p256") -> Key:
    """Return the key of this name. Made from the name: worth nothing outside tests."""
    seed = hashlib.sha256(f"{algorithm} {name}".encode()).digest()
    if algorithm == "ed25519":
        return Key(ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    return Key(ec.derive_private_key(int.from_bytes(seed) % (_P256_ORDER - 1) + 1, ec.SECP256R1()))


@lru_cache(maxsize=10_000)
def sign_bytes(payload: bytes, names: tuple[str, ...]) -> Envelope:
    """Return an envelope over any payload, signed with the keys of these names."""
    signers = [key(name) for name in names]
    return Envelope(payload, tuple(Signature(str(signer.public.id), signer.sign(pae(payload))) for signer in signers))


def signed(statement: Statement, *names: str) -> Envelope:
    """Return the statement in an envelope, signed by these people (default: the pipeline)."""
    return sign_bytes(statement.to_bytes(), names or ("pipeline",))


# People, policies, systems, projects


def person(id_: str, **changes: Any) -> Person:
    return replace(Person(id_, name=id_.replace("-", " ").title(), keys=(key(id_).public,)), **changes)


def people(**changes: Any) -> tuple[Person, ...]:
    """Return an owner, a risk officer, a colleague and a pipeline; `changes` replaces by id (with underscores)."""
    everyone = (person("owner"), person("officer"), person("colleague"), person("pipeline", kind="service"))
    return tuple(changes.get(someone.id.replace("-", "_"), someone) for someone in everyone)


def check_spec(id_: str = "parity", **changes: Any) -> CheckSpec:
    return replace(CheckSpec(id_, "fairness", {}, ("evaluation",), max_age=timedelta(days=30)), **changes)


def record_spec(id_: str = "peer-review", **changes: Any) -> RecordSpec:
    return replace(RecordSpec(id_, "not-owner"), **changes)


TRUSTED = {
    "check-result": ("pipeline",),
    "gate-decision": ("pipeline",),
    "promotion": ("pipeline",),
    "register-entry": ("officer",),
    "record": ("owner", "officer", "colleague"),
    "waiver": ("officer", "colleague"),
}


def policy(checks: Sequence[CheckSpec] | None = None, records: Sequence[RecordSpec] = (), **changes: Any) -> Policy:
    """Return a policy that requires one check, unless told otherwise."""
    made = Policy(
        system="income",
        promotion=Promotion(("champion",), ("Production",), ("prod.*",)),
        datasets=(DatasetSpec("evaluation", "evaluation.parquet"), DatasetSpec("reference", "reference.parquet")),
        checks=(check_spec(),) if checks is None else tuple(checks),
        records=tuple(records),
        trust={kind: {key(id_).public.id: id_ for id_ in ids} for kind, ids in TRUSTED.items()},
        text=b"the policy of income",
    )
    return replace(made, **changes)


def system(policy_: Policy | None = None, **changes: Any) -> System:
    made = System("income", "Income estimator", owner="owner", policy=policy_ or policy(), models=("income",))
    return replace(made, **changes)


def project(*systems: System, **changes: Any) -> Project:
    made = Project(Path("/project/aims.yaml"), "Example Lending", "ai@example.org", people(), systems or (system(),))
    return replace(made, **changes)


def trust(
    policy_: Policy | None = None, people_: Iterable[Person] | None = None, anchors: Iterable[Anchor] = ()
) -> Trust:
    """Return the trust that a policy and its people's enrolled keys make up, and who outside saw the log."""
    everyone = tuple(people_ or people())
    keys = {item.id: item for someone in everyone for item in someone.keys}
    anybody = {item.id: someone.id for someone in everyone if someone.active for item in someone.keys}
    said = policy_ or policy()
    return Trust({**said.trust, ANYBODY: anybody}, keys, said.rules, tuple(anchors))


# What is spoken about


def version(**changes: Any) -> ModelVersion:
    return replace(ModelVersion(REGISTRY, "default", "income", "3", CREATED), **changes)


def subject(**changes: Any) -> Subject:
    return replace(Subject.of(version(), MODEL_FILES), **changes)


def question(*systems: System, **changes: Any) -> Question:
    """Return the question whether income/3 may become champion."""
    made = Question(version(), CHAMPION, systems or (system(),), people(), subject())
    return replace(made, **changes)


# Statements


def dataset(name: str = "evaluation", **changes: Any) -> DatasetUse:
    return replace(DatasetUse(name, DATA, "files", 14652), **changes)


def header(**changes: Any) -> Header:
    made = Header(
        registry_id=REGISTRY,
        workspace="default",
        model="income",
        version="3",
        version_created_at=CREATED,
        system="income",
        policy_digest=policy().digest,
        tool={"aims-mlops": "0.1.0"},
        libraries={"fairlearn": "0.13.0"},
        nonce="n0",
        measured_at=NOW - timedelta(hours=1),
        signed_at=NOW - timedelta(hours=1),
        datasets=(dataset(),),
    )
    return replace(made, **changes)


def result(outcome: str = "passed", *, id_: str = "parity", use: str = "fairness", **changes: Any) -> Statement:
    """Return a check result; `changes` are of the header, and `subject` of the statement."""
    bytes_ = changes.pop("subject", MODEL_FILES)
    body = {"check": {"id": id_, "use": use}, "outcome": outcome, "reason": f"{id_} {outcome}", "hint": ""}
    return Statement("check-result", bytes_, header(**changes), body)


def human(outcome: str = "passed", *, id_: str = "peer-review", **changes: Any) -> Statement:
    """Return a human record; `changes` are of the header, and `subject` of the statement."""
    bytes_ = changes.pop("subject", MODEL_FILES)
    return Statement("record", bytes_, header(datasets=(), **changes), {"record": id_, "outcome": outcome})


TOO_WIDE = {
    "metric": "demographic_parity_difference",
    "column": "sex",
    "value": 0.176,
    "interval": [0.165, 0.188],
    "limit": {"max": 0.12},
    "outcome": "failed",
}
"""A measure that is not good."""


def failing(outcome: str = "failed", *, value: float | None = 0.176, **changes: Any) -> Statement:
    """Return a result that shuts the gate, with a good measure and one that is not; `changes` are as of `result`."""
    said = result(outcome, **changes)
    measures = [{**TOO_WIDE, "column": "race", "outcome": "passed"}, {**TOO_WIDE, "value": value, "outcome": outcome}]
    return replace(said, body={**said.body, "measures": measures})


def waiver_request(about: Statement, **changes: Any) -> Statement:
    """Return a request to waive a result for two weeks; `changes` are of the body's values, else of the header."""
    observed = observation(about)
    made = Request(
        requirement=about.body["check"]["id"],
        result=Digest.of(about.to_bytes()),
        observed={} if observed is None else observed,
        reason="the next version mends it",
        expires_at=NOW + timedelta(days=14),
        owner="owner",
    )
    bytes_ = changes.pop("subject", MODEL_FILES)
    own = {name: changes.pop(name) for name in tuple(changes) if name in Request.__dataclass_fields__}
    said = header(**{"datasets": (), "nonce": "asked", **changes})
    return Statement("waiver", bytes_, said, replace(made, **own).to_wire())


def waiver_answer(act: str, request: Statement, **changes: Any) -> Statement:
    """Return an approval or a revocation of a request; `changes` are of the header, and `subject` of the statement."""
    bytes_ = changes.pop("subject", request.subject)
    body = Answer(act, Digest.of(request.to_bytes()), "seen and agreed").to_wire()
    return Statement("waiver", bytes_, header(**{"datasets": (), "nonce": act, **changes}), body)


def other(kind: str = "gate-decision", **changes: Any) -> Statement:
    """Return a statement of a kind that fulfils no requirement."""
    return Statement(kind, MODEL_FILES, header(datasets=(), **changes), {"about": kind})


def record(statement: Statement, *, seq: int = 0, signer: str | None = "pipeline", **changes: Any) -> Record:
    """Return a statement as `open_leaf` hands it on, without any cryptography."""
    made = Record(seq, Digest.of(f"{seq} {statement}".encode()), NOW - timedelta(minutes=30), statement, signer)
    return replace(made, **changes)


def view(*records: Record, faults: Sequence[Fault] = ()) -> EvidenceView:
    """Return a view of a log that holds these records."""
    size = max((item.seq for item in records), default=-1) + 1
    return EvidenceView(records, tuple(faults), size, Digest.of(b"head") if size else None)


def ask(*records: Record, policy_: Policy | None = None, faults: Sequence[Fault] = (), **changes: Any) -> Decision:
    """Ask the gate about income/3 over these records; `changes` are of the question."""
    return decide(question(system(policy_), **changes), view(*records, faults=faults), now=NOW)


def found(answer: Decision, id_: str) -> RequirementStatus:
    """Return the one requirement of this id."""
    (item,) = [item for item in answer.requirements if item.id == id_]
    return item


# A whole log


@dataclass(frozen=True)
class Entry:
    """What is appended: an envelope, and what its leaf says of it."""

    envelope: Envelope
    statement: Statement
    captured_at: str = to_text(NOW - timedelta(minutes=30))


def entry(statement: Statement, *names: str) -> Entry:
    """Return an entry signed by these people (default: the pipeline)."""
    return Entry(signed(statement, *names), statement)


@dataclass(frozen=True)
class Log:
    """A stored log: the rows of leaves, the envelopes by payload digest, and the head outside."""

    rows: tuple[bytes, ...]
    envelopes: Mapping[Digest, bytes]
    head: Head | None

    def without(self, place: int) -> Log:
        """Take a leaf and its envelope away."""
        rows = self.rows[:place] + self.rows[place + 1 :]
        return replace(self.without_envelope(place), rows=rows)

    def without_envelope(self, place: int) -> Log:
        """Take an envelope away and leave its leaf."""
        gone = Leaf.from_bytes(self.rows[place]).payload
        return replace(self, envelopes={digest: held for digest, held in self.envelopes.items() if digest != gone})

    def cut(self, length: int) -> Log:
        """Keep only so many leaves from the first on."""
        kept = {Leaf.from_bytes(row).payload for row in self.rows[:length]}
        envelopes = {digest: held for digest, held in self.envelopes.items() if digest in kept}
        return replace(self, rows=self.rows[:length], envelopes=envelopes)

    def with_row(self, place: int, content: bytes) -> Log:
        """Replace the bytes of a stored leaf."""
        return replace(self, rows=(*self.rows[:place], content, *self.rows[place + 1 :]))

    def with_envelope(self, place: int, content: bytes) -> Log:
        """Replace the bytes of a stored envelope."""
        digest = Leaf.from_bytes(self.rows[place]).payload
        return replace(self, envelopes={**self.envelopes, digest: content})

    def view(self, trusted: Trust | None = None, *, registry_id: str = REGISTRY) -> EvidenceView:
        """Walk the log and open every leaf, as a store's reader does."""
        walked = walk(self.rows, registry_id=registry_id, head=self.head)
        believed = trusted or trust()
        opened = [open_leaf(read.leaf, self.envelopes.get(read.leaf.payload), believed) for read in walked.leaves]
        records = tuple(item for item in opened if isinstance(item, Record))
        return EvidenceView.of(walked, records, tuple(item for item in opened if isinstance(item, Fault)))


def log(*entries: Entry) -> Log:
    """Append entries to an empty log and keep its head outside."""
    rows: list[bytes] = []
    envelopes: dict[Digest, bytes] = {}
    prev, head = genesis(REGISTRY), None
    for seq, item in enumerate(entries):
        content, said = item.envelope.to_bytes(), item.statement
        payload = item.envelope.payload_digest
        leaf = Leaf(
            seq, prev, predicate_type(said.kind), payload, Digest.of(content), said.subject, item.captured_at
        ).to_bytes()
        rows.append(leaf)
        envelopes[payload] = content
        prev = Digest.of(leaf)
        head = Head(seq, prev)
    return Log(tuple(rows), envelopes, head)
