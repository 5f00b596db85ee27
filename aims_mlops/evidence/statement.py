"""in-toto Statement v1 with the header that every predicate of ours carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical, parse
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import DatasetUse
from aims_mlops.model.times import from_text, to_text

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MANIFEST = "MODEL.sha256"
"""Name of the subject of everything said about a model: its files' manifest."""

KINDS = (
    "check-result",
    "intent",
    "gate-decision",
    "promotion",
    "policy",
    "register-entry",
    "record",
    "waiver",
    "incident",
    "halt",
    "bypass-finding",
    "key-event",
    "tombstone",
    "pack",
)
"""Every kind of statement, present and reserved. A kind's predicate type is `urn:aims-mlops:KIND:v1`."""


def predicate_type(kind: str) -> str:
    """Return the predicate type of a kind."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of statement")
    return f"urn:aims-mlops:{kind}:v1"


@dataclass(frozen=True, slots=True)
class Header:
    """What every statement says of its circumstances. `model` and `version` are None where it is not about a model."""

    registry_id: str
    workspace: str
    model: str | None
    version: str | None
    version_created_at: datetime | None
    system: str | None
    policy_digest: Digest | None
    tool: Mapping[str, str]
    libraries: Mapping[str, str]
    nonce: str
    measured_at: datetime
    signed_at: datetime
    datasets: tuple[DatasetUse, ...] = ()
    supersedes: Digest | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form."""
        created = self.version_created_at
        return {
            "registryId": self.registry_id,
            "workspace": self.workspace,
            "model": self.model,
            "version": self.version,
            "versionCreatedAt": None if created is None else to_text(created),
            "system": self.system,
            "policyDigest": self.policy_digest,
            "datasets": [use.to_wire() for use in self.datasets],
            "tool": dict(self.tool),
            "libraries": dict(self.libraries),
            "nonce": self.nonce,
            "supersedes": self.supersedes,
            "measuredAt": to_text(self.measured_at),
            "signedAt": to_text(self.signed_at),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Read the JSON form; unknown fields are let pass, since later versions may add some."""
        created = wire["versionCreatedAt"]
        return cls(
            registry_id=_text(wire["registryId"]),
            workspace=_text(wire["workspace"]),
            model=None if wire["model"] is None else _text(wire["model"]),
            version=None if wire["version"] is None else _text(wire["version"]),
            version_created_at=None if created is None else from_text(created),
            system=None if wire["system"] is None else _text(wire["system"]),
            policy_digest=None if wire["policyDigest"] is None else Digest(wire["policyDigest"]),
            tool=_object(wire["tool"]),
            libraries=_object(wire["libraries"]),
            nonce=_text(wire["nonce"]),
            measured_at=from_text(wire["measuredAt"]),
            signed_at=from_text(wire["signedAt"]),
            datasets=tuple(
                DatasetUse(
                    _text(use["name"]),
                    Digest(use["digest"]),
                    _text(use["kind"]),
                    int(use["rows"]),
                    _text(use["origin"]),
                )
                for use in wire["datasets"]
            ),
            supersedes=None if wire["supersedes"] is None else Digest(wire["supersedes"]),
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, got {type(value).__name__}")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):  # `dict` would take a list of pairs as well.
        raise TypeError(f"object expected, got {type(value).__name__}")
    return dict(value)


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing said about exactly one subject. `body` is the predicate without its header."""

    kind: str
    subject: Digest
    header: Header
    body: Mapping[str, Any] = field(default_factory=dict)
    subject_name: str = MANIFEST

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return canonical(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": self.subject_name, "digest": {"sha256": self.subject.hex}}],
                "predicateType": predicate_type(self.kind),
                "predicate": {**self.body, "header": self.header.to_wire()},
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read verified bytes; raise `VerificationError` unless they are a statement of ours in canonical form."""
        wire = parse(content, what="statement")
        try:
            if wire["_type"] != STATEMENT_TYPE:
                raise ValueError(f"_type is not {STATEMENT_TYPE}")
            kind = _text(wire["predicateType"]).removeprefix("urn:aims-mlops:").removesuffix(":v1")
            if wire["predicateType"] != predicate_type(kind):
                raise ValueError("unknown predicate type")
            (subject,) = wire["subject"]  # Exactly one: generic verifiers accept a match with any of several.
            body = _object(wire["predicate"])
            header = Header.from_wire(body.pop("header"))
            return cls(kind, Digest.from_hex(subject["digest"]["sha256"]), header, body, _text(subject["name"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise VerificationError(f"statement: {type(error).__name__}: {error}") from error
