"""One place of the log, opened: what was said, by whom, and whether it may be believed.

For each leaf, in this order:

1. the envelope is there, and its bytes have the digest that the leaf names;
2. its payload has the digest that the leaf names;
3. a key that the policy trusts for this kind of statement signed exactly these bytes;
4. the payload is a statement of ours in canonical form;
5. the statement's predicate type and subject are those of the leaf.

1 failing for a missing envelope is a hole; 1, 2 and 5 failing is tampering; 3 failing makes the statement untrusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Fault, Head, Leaf
from aims_mlops.evidence.statement import Statement, predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey
from aims_mlops.model.seen import Seen
from aims_mlops.model.subject import Subject
from aims_mlops.model.times import from_text

if TYPE_CHECKING:
    from aims_mlops.evidence.tombstone import Erasure

ANYBODY = "anybody"
"""Beside the kinds of statement in `Trust.by_kind`: everybody active in the register, for what opens nothing."""


def trusted_as(statement: Statement) -> str:
    """Return for what a signer has to be trusted: the statement's kind, or `ANYBODY`.

    Of waivers only the approval opens anything; anybody in the register may ask for one or speak against it.
    """
    asks = statement.kind == "waiver" and statement.body.get("act") != "approve"
    return ANYBODY if asks else statement.kind


@dataclass(frozen=True, slots=True)
class Trust:
    """Who may say what: key ids per kind of statement, the person behind each, and the keys themselves."""

    by_kind: Mapping[str, Mapping[Digest, str]]
    keys: Mapping[Digest, PublicKey]

    def signed(self, kind: str, envelope: Envelope) -> dict[Digest, str]:
        """Return the trusted keys that signed an envelope of this kind, each with its person."""
        trusted = self.by_kind.get(kind, {})
        return {key: trusted[key] for key in envelope.open_with(self.keys[key] for key in trusted if key in self.keys)}

    def signers(self, kind: str, envelope: Envelope) -> tuple[str, ...]:
        """Return the people whose trusted keys signed an envelope of this kind, each once."""
        return tuple(dict.fromkeys(self.signed(kind, envelope).values()))


@dataclass(frozen=True, slots=True)
class Record:
    """A statement of the log. `signer` is None where nobody who is trusted for it signed it."""

    seq: int
    payload: Digest
    captured_at: datetime
    statement: Statement
    signer: str | None
    keys: Mapping[Digest, str] = field(default_factory=dict)
    """Each trusted key that signed it, with its person: an envelope may have several."""

    def binds(self, subject: Subject | None) -> bool:
        """Whether it is bound to exactly this version of this registry and these bytes (law 3)."""
        header = self.statement.header
        return (
            subject is not None
            and self.statement.subject == subject.digest
            and (header.registry_id, header.workspace) == (subject.registry_id, subject.workspace)
            and (header.model, header.version) == (subject.name, subject.version)
            and header.version_created_at == subject.created_at
        )


class Walked(Protocol):
    """A log that was walked: what is wrong with it, how many leaves were read, and the newest of them."""

    @property
    def faults(self) -> tuple[Fault, ...]: ...  # noqa: D102  # said above

    @property
    def size(self) -> int: ...  # noqa: D102

    @property
    def head(self) -> Head | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """What the gate looks at: the statements that concern a version, and everything that does not hold."""

    records: tuple[Record, ...]
    faults: tuple[Fault, ...]
    size: int
    head: Digest | None
    latest: datetime | None = None
    """The latest time of recording among statements that are not shown because nothing is asked of them."""
    seen: Seen | None = None
    """All leaves about the version's files; None where these could not be digested, or the log has
    faults. Nothing is judged by it."""
    erased: tuple[Erasure, ...] = ()
    """The statements about the version's files that were erased: what they said may have been the newest."""

    @classmethod
    def of(
        cls,
        walk: Walked,
        records: tuple[Record, ...],
        faults: tuple[Fault, ...],
        *,
        latest: datetime | None = None,
        seen: Seen | None = None,
        erased: tuple[Erasure, ...] = (),
    ) -> EvidenceView:
        """Put a walked log and its opened records together."""
        head = None if walk.head is None else walk.head.digest
        return cls(records, (*walk.faults, *faults), walk.size, head, latest, seen, erased)


def open_leaf(leaf: Leaf, envelope: bytes | None, trust: Trust) -> Record | Fault:
    """Open one leaf by the five steps above. Never raises for what it reads."""
    if envelope is None:
        return Fault("hole", leaf.seq, f"the statement of leaf {leaf.seq} is gone")
    try:
        if Digest.of(envelope) != leaf.envelope:  # (1)
            raise VerificationError("the envelope is not the one that was appended")
        opened = Envelope.from_bytes(envelope)
        if opened.payload_digest != leaf.payload:  # (2)
            raise VerificationError("the payload is not the one that was appended")
        statement = Statement.from_bytes(opened.payload)  # (4)
        if predicate_type(statement.kind) != leaf.type or statement.subject != leaf.subject:  # (5)
            raise VerificationError("the statement is not about what the leaf says")
        captured_at = from_text(leaf.captured_at)
    except (VerificationError, ValueError) as error:
        return Fault("tampered", leaf.seq, f"leaf {leaf.seq}: {error}")
    keys = trust.signed(trusted_as(statement), opened)  # (3)
    return Record(leaf.seq, leaf.payload, captured_at, statement, next(iter(keys.values()), None), keys)
