"""One place of the log, opened: what was said, by whom, and whether it may be believed.

For each leaf, in this order:

1. the envelope is there, and its bytes have the digest that the leaf names;
2. its payload has the digest that the leaf names;
3. a key that the policy trusts for this kind of statement, and this system, signed exactly these bytes; its term
   covers the statement, and the statement's own times can be (`evidence/validity.py`);
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
from aims_mlops.evidence.anchors import Anchor, earliest
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Fault, Head, Leaf
from aims_mlops.evidence.statement import Statement, predicate_type
from aims_mlops.evidence.validity import Times, impossible, outside
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey
from aims_mlops.model.seen import Seen
from aims_mlops.model.subject import Subject
from aims_mlops.model.times import from_text
from aims_mlops.model.trust import Rule

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
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    """For the kinds that have some: who of `by_kind` is trusted for which systems."""
    anchors: tuple[Anchor, ...] = ()
    """Who outside saw the log, and when."""

    def signed(
        self, statement: Statement, envelope: Envelope, *, captured_at: datetime, seq: int | None = None
    ) -> Signed:
        """Judge who signed a statement that was recorded at a time, as the leaf of a number: the one place for it.

        Without a number no anchor covers it. Not checked here: that the envelope is this statement's.
        """
        header = statement.header
        granted = self._granted(trusted_as(statement), header.system)
        known = [self.keys[key] for key in granted if key in self.keys]
        signed = {key: granted[key] for key in envelope.open_with(known)}
        anchor = None if seq is None else earliest(self.anchors, seq)
        times = Times(header.measured_at, header.signed_at, captured_at, anchor)
        cannot_be = impossible(times)
        whys = {key: cannot_be or outside(self.keys[key].term, times) for key in signed}
        return Signed(
            keys={key: person for key, person in signed.items() if not whys[key]},
            lapsed={key: person for key, person in signed.items() if whys[key]},
            why=next((why for why in whys.values() if why), ""),
        )

    def _granted(self, kind: str, system: str | None) -> dict[Digest, str]:
        """Return the keys that the rules trust for a kind of statement about a system, whatever their terms."""
        keys, rules = self.by_kind.get(kind, {}), self.rules.get(kind)
        if rules is None:
            return dict(keys)
        people = {person for rule in rules if rule.governs(system) for person in rule.by}
        return {key: person for key, person in keys.items() if person in people}


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a statement, of those who are trusted for it: keys with their people.

    `lapsed` are keys whose signature holds and does not count, and `why` says what the first of them lacks.
    """

    keys: Mapping[Digest, str]
    lapsed: Mapping[Digest, str]
    why: str = ""

    @property
    def people(self) -> tuple[str, ...]:
        """Who signed so that it counts, each once."""
        return tuple(dict.fromkeys(self.keys.values()))


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
    lapsed: Mapping[Digest, str] = field(default_factory=dict)
    """Each key that signed it and would be trusted, but for its term or the statement's times, with its person."""
    why: str = ""
    """What is wrong with those, in words."""

    @property
    def people(self) -> tuple[str, ...]:
        """Who signed it of those who are trusted for it, each once, and no matter whether it counts."""
        found = dict.fromkeys((*self.keys.values(), *self.lapsed.values()))
        return tuple(found) or (() if self.signer is None else (self.signer,))

    @property
    def all_keys(self) -> frozenset[Digest]:
        """The keys that signed it of those who are trusted for it, no matter whether they count."""
        return frozenset((*self.keys, *self.lapsed))

    @property
    def doubted(self) -> bool:
        """Whether it would count but for the term of a key or its own times.

        It opens nothing, and it is not looked past either: a revocation must not bring an older statement back.
        """
        return self.signer is None and bool(self.lapsed)

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
    signed = trust.signed(statement, opened, captured_at=captured_at, seq=leaf.seq)  # (3)
    signer = next(iter(signed.people), None)
    return Record(leaf.seq, leaf.payload, captured_at, statement, signer, signed.keys, signed.lapsed, signed.why)
