"""`aims evidence erase`: a signed tombstone first, then the text goes. What was erased counts as missing for ever.

In this order, so that a crash leaves at worst a tombstone whose text is still there, which counts as erased and which
a later run finishes: (1) the statement is of a kind that can be erased, and the log holds; (2) somebody who is trusted
for it signs a `tombstone`, which is appended; (3) envelope and texts that nothing else names are deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aims_mlops.api.evidence import find_leaf
from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.looking import walk_log
from aims_mlops.api.services import Said, Services, kept_policy, trusted_signer, write
from aims_mlops.errors import CannotDecide, NothingToDo, StoreError, UsageError, VerificationError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.statement import Header, Statement
from aims_mlops.evidence.tombstone import (
    ASKED_BY,
    ERASABLE,
    KIND,
    REASONS,
    SUBJECT_NAME,
    Erasure,
    basis_problem,
    can_be_erased,
    kind_of,
    tombstone,
)
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelVersion, RegisteredModel, WholeRegistry

_DIGEST = re.compile(rb"[0-9a-f]{64}")
_THERE = "run `aims evidence erase` with AIMS_STORE set to the server's own database"
_LOOK = "aims evidence verify names each place; restore the store from its backup"


@dataclass(frozen=True)
class Why:
    """Why something is erased: words of `REASONS` and `ASKED_BY`, and the legal basis in a line without names."""

    reason: str
    asked_by: str
    basis: str


@dataclass(frozen=True)
class Erased:
    """What was erased: the erasure as the log says it, and what was deleted now."""

    erasure: Erasure
    signed_now: bool
    """False where the tombstone was there already, and a run before this one did not come to the deleting."""
    texts: tuple[Digest, ...]
    """The texts that were deleted with the statement: nothing else named them."""
    copies: str | None
    """Where copies were attached in the registry, which are not deleted by this: a folder of the version's run."""


def erase(services: Services, text: str, why: Why) -> Erased:
    """Erase one statement, found by the beginning of its digest.

    Raises `UsageError` for a kind that cannot be erased and where a server keeps the log, `SigningError` where nobody
    would believe the tombstone, `NothingToDo` where it was erased before, `VerificationError` and `CannotDecide` where
    the log does not hold: nothing is erased from a damaged log, since nobody could tell it from the damage.
    """
    _must_be_words(why)
    leaf = find_leaf(services, text)
    _must_be_erasable(services, leaf)
    signer = trusted_signer(services, KIND)
    walked = walk_log(services, whole=True)
    _must_hold(walked, leaf)
    content, known = services.store.envelope(leaf.payload), walked.excused.get(leaf.seq)
    if known is not None and content is None:
        raise NothingToDo(f"{leaf.payload.short} is {known.says} already", hint="its leaf stays, as it has to")
    header = _header(services, walked, leaf, content)
    texts = () if content is None else _own_texts(services, walked, leaf, content)
    if known is None:
        body = tombstone(leaf, reason=why.reason, asked_by=why.asked_by, basis=why.basis)
        policy = None if header.model is None else kept_policy(services, header.model)
        about = SUBJECT_NAME, leaf.payload
        said = Said("tombstone", _about(header), None, policy, body, measured_at=services.clock(), about=about)
        write(services, said, signer=signer)
    erasure = walk_log(services).excused.get(leaf.seq)
    if erasure is None:
        raise VerificationError("the tombstone was appended, and does not hold: nothing was deleted", hint=_LOOK)
    try:
        services.store.erase(leaf.payload, tombstone=erasure.tombstone.payload, blobs=texts)
    except StoreError as error:
        said_ = f"the log says that {leaf.payload.short} was {erasure.says}, and its text is still there: {error}"
        raise StoreError(said_, hint="repeat `aims evidence erase` as the role that owns the tables") from error
    return Erased(erasure, known is None, texts, _copies(header))


def _must_be_words(why: Why) -> None:
    for option, given, known in (("--reason", why.reason, REASONS), ("--asked-by", why.asked_by, ASKED_BY)):
        if given not in known:
            raise UsageError(f"{option} {given!r} is no word for it", hint=f"one of: {', '.join(known)}")
    if problem := basis_problem(why.basis):
        raise UsageError(problem, hint='name the rule and nobody, e.g. --basis "GDPR Art. 17(1)(a)"')


def _must_be_erasable(services: Services, leaf: Leaf) -> None:
    if not can_be_erased(leaf):
        raise UsageError(
            f"{leaf.payload.short} is a {kind_of(leaf)}, which cannot be erased: something could open without it, or "
            "nobody could tell who opened it",
            hint=f"these can: {', '.join(ERASABLE)}; docs/how-to/erase-personal-data.md says what to do",
        )
    if services.store.enforces:
        raise UsageError(f"{services.store.place} keeps the log: erase at the store itself", hint=_THERE)


def _must_hold(walked: KnownWalk, leaf: Leaf) -> None:
    """Refuse a damaged log; a tombstone for this very leaf that holds for nobody any more may be signed anew."""
    damage = [fault for fault in walked.faults if fault.seq != leaf.seq or leaf.payload not in walked.origin.claimed]
    for fault in damage:
        if fault.kind != "hole":
            raise VerificationError(f"the log does not hold: {fault.what}", hint=_LOOK)
    if damage:
        raise CannotDecide(f"the log has a hole: {damage[0].what}; nothing is erased from it", hint=_LOOK)


def _header(services: Services, walked: KnownWalk, leaf: Leaf, content: bytes | None) -> Header:
    """Return the header of what is to be erased, or of an earlier tombstone of it where that is gone already."""
    if content is None:
        places = [place for erased, place in walked.origin.claims if walked.leaves[erased].leaf.seq == leaf.seq]
        content = services.store.envelope(walked.leaves[places[-1]].leaf.payload)
    assert content is not None  # else the log has a hole
    return Statement.from_bytes(Envelope.from_bytes(content).payload).header


def _about(header: Header) -> ModelVersion | RegisteredModel | WholeRegistry:
    registry, workspace = header.registry_id, header.workspace
    if header.model is None:
        return WholeRegistry(registry, workspace)
    if header.version is None or header.version_created_at is None:
        return RegisteredModel(registry, workspace, header.model)
    return ModelVersion(registry, workspace, header.model, header.version, header.version_created_at)


def _own_texts(services: Services, walked: KnownWalk, leaf: Leaf, content: bytes) -> tuple[Digest, ...]:
    """Return the texts beside the log which this statement names and no other does."""
    named = _named(content)
    named = {digest for digest in named if services.store.blob(digest) is not None}
    named -= {system.policy.digest for system in services.project.systems}
    for read in walked.leaves:
        if named and read.leaf.seq != leaf.seq:
            named -= {read.leaf.subject}
            named -= _named(services.store.envelope(read.leaf.payload) or b"")
    return tuple(sorted(named))


def _named(content: bytes) -> set[Digest]:
    payload = Envelope.from_bytes(content).payload if content else b""
    return set(_digests(_DIGEST.findall(payload)))


def _digests(found: Iterable[bytes]) -> Iterable[Digest]:
    return (Digest.from_hex(item.decode()) for item in found)


def _copies(header: Header) -> str | None:
    return None if header.model is None or header.version is None else f"aims/{header.model}/{header.version}/"
