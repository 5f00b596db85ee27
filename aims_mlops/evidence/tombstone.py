"""The body of a `tombstone`: which statement was erased, and why (docs/predicates/tombstone.md). Pure.

The leaf of what was erased stays, so that its place, kind and subject are known for ever. A tombstone explains that
the text is gone, and nothing more: what was erased counts as missing. It explains only if all of this holds:

1. somebody signed it whom the policy trusts for `tombstone`; where he would be trusted but for the term of his key or
   the tombstone's own times, the leaf counts as erased still, and that its text is gone is not explained: revoking a
   key must not bring back what was erased;
2. it is about the registry of the log, and its subject is the digest of the erased statement;
3. it names the place and the kind of that leaf, and stands behind it;
4. the kind is one of `ERASABLE`.

Only kinds whose loss the gate takes for a missing result can be erased. Without a policy, promotion, decision, waiver,
finding or key event something could open, or nobody could tell who opened it; such a statement has to be written
without personal data in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.model.digest import Digest

KIND = "tombstone"
SUBJECT_NAME = "erased-statement.json"
"""Name of a tombstone's subject; its digest is that of the erased statement's payload."""

ERASABLE = ("check-result", "record", "incident", "intent")
"""The kinds of statement that can be erased."""

REASONS = ("data-subject-request", "legal-obligation", "recorded-by-mistake", "retention-ended")
"""Why a text is erased: a word, since a sentence would say personal things again."""

ASKED_BY = ("data-subject", "controller", "authority", "court")
"""Who asked for it: a role, never a name."""

LONGEST_BASIS = 200
"""Characters of the longest legal basis that is taken."""

_PERSONAL = re.compile(r"@|\d{6,}")
_ERASABLE_TYPES = frozenset(map(predicate_type, ERASABLE))


def can_be_erased(leaf: Leaf) -> bool:
    """Whether a leaf's kind is one that can be erased."""
    return leaf.type in _ERASABLE_TYPES


def basis_problem(basis: str) -> str | None:
    """Say why a text is not taken as a legal basis; None where it is. Finds the plainest personal data only."""
    if not basis.strip() or not basis.isprintable() or len(basis) > LONGEST_BASIS:
        return f"the legal basis is one line of 1 to {LONGEST_BASIS} characters, and this has {len(basis)}"
    if _PERSONAL.search(basis):
        return "the legal basis holds an address or a long number: it stays in the log for ever"
    return None


def tombstone(leaf: Leaf, *, reason: str, asked_by: str, basis: str) -> dict[str, Any]:
    """Return the body of the tombstone of a leaf."""
    return {
        "erases": leaf.payload,
        "leaf": leaf.seq,
        "kind": kind_of(leaf),
        "reason": reason,
        "askedBy": asked_by,
        "basis": basis,
    }


def kind_of(leaf: Leaf) -> str:
    """Return the kind of statement that a leaf says it is about."""
    return leaf.type.removeprefix("urn:aims-mlops:").removesuffix(":v1")


@dataclass(frozen=True, slots=True)
class Erasure:
    """A leaf whose statement was erased, and the tombstone that says so."""

    leaf: Leaf
    tombstone: Record

    @property
    def kind(self) -> str:
        """What kind of statement it was."""
        return kind_of(self.leaf)

    @property
    def says(self) -> str:
        """In a few words: `erased, tombstone #9 (retention-ended, by officer)`."""
        reason = self.tombstone.statement.body.get("reason")
        why = reason if reason in REASONS else "for a reason that is not known here"
        by = f"by {self.tombstone.signer}" if self.explains else "by a key that counts no more"
        return f"erased, tombstone #{self.tombstone.seq} ({why}, {by})"

    @property
    def explains(self) -> bool:
        """Whether the text may be gone: the tombstone counts. A doubted one shuts the gate, and excuses nothing."""
        return self.tombstone.signer is not None


def erasure(leaf: Leaf, said: Record, *, registry_id: str) -> Erasure | None:
    """Return the erasure that a statement makes, by the rules above; None where it makes none.

    A doubted tombstone (`Record.doubted`) shuts as any other does, and explains nothing: see `Erasure.explains`.
    """
    body: Mapping[str, Any] = said.statement.body
    erases = (
        (said.signer is not None or said.doubted)
        and said.statement.kind == KIND
        and said.statement.header.registry_id == registry_id
        and said.statement.subject == leaf.payload
        and (body.get("erases"), body.get("kind")) == (leaf.payload, kind_of(leaf))
        and type(body.get("leaf")) is int
        and body.get("leaf") == leaf.seq < said.seq
        and can_be_erased(leaf)
    )
    return Erasure(leaf, said) if erases else None


def erased_words(erased: Iterable[Erasure], kinds: Iterable[str], subject: Digest | None) -> str:
    """Return how the newest statement of these kinds about some files was erased; empty where none was."""
    everything = tuple(erased)
    found = [item for kind in kinds if (item := newest_erased(everything, kind, subject)) is not None]
    return max(found, key=lambda item: item.leaf.seq).says if found else ""


def newest_erased(erased: Iterable[Erasure], kind: str, subject: Digest | None) -> Erasure | None:
    """Return the newest erased statement of a kind about some files; None where none was erased."""
    about = [item for item in erased if item.kind == kind and item.leaf.subject == subject]
    return max(about, key=lambda item: item.leaf.seq, default=None)
