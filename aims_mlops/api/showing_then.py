"""`aims systems show ID --at TIME`: what stood where at a moment, by the log alone, and what it rested on.

Nothing of today is asked but whom aims.yaml trusts: not the registry, not the policy of today, not its owner. What went
round the gate is not in the log, and so not here: `aims watch` finds it while it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aims_mlops.api.acts import Act, Acts, read_acts, since_removal, what_fails
from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.looking import statements, walk_log
from aims_mlops.api.pack_choosing import belongs, refuse_fault
from aims_mlops.api.register import system as system_entry
from aims_mlops.api.services import Services, trust_of
from aims_mlops.evidence.record import Record, Trust
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import to_text


@dataclass(frozen=True)
class Requirement:
    """One requirement as the decision has it. `evidence` and `waiver` are digests of statements, or None."""

    id: str
    status: str
    evidence: str | None
    waiver: str | None
    signed_by: str | None
    measured_at: str | None


@dataclass(frozen=True)
class Stood:
    """A version that stood at a target at that moment, and what let it stand there."""

    target: str
    model: str
    digest: Digest
    since: datetime
    promotion: Digest
    decision: Digest | None
    verdict: str | None
    owner: str | None
    policy: Digest | None
    policy_text: str | None
    """The text of that policy, where the store has it."""
    requirements: tuple[Requirement, ...]
    objection: str | None
    """Why the promotion proves nothing, in words that follow `the promotion of income/3`; None where it does."""


@dataclass(frozen=True)
class SystemThen:
    """A system at a moment. `leaves` had the log then; `configuration` is the newest that an administrator signed."""

    system: str
    at: datetime
    leaves: int
    configuration: tuple[int, str] | None
    stood: tuple[Stood, ...]


def system_then(services: Services, id_: str, at: datetime) -> SystemThen:
    """Return what stood at each target of a system at a moment, by the store's clock.

    Raises `VerificationError` or `CannotDecide` where the log does not hold: nobody can say then what was in it.
    """
    system = system_entry(services, id_).system
    walked, trust = walk_log(services, whole=True), trust_of(services)
    for fault in walked.faults:
        refuse_fault(fault)
    acts = read_acts(services, walked, trust)
    earlier = [act for act in acts.acts if act.record.captured_at <= at and belongs(act.record.statement, system)]
    history: dict[Any, list[Act]] = {}
    for act in earlier:
        history.setdefault(act.place, []).append(act)
    standing = [since_removal(done)[0] for done in history.values() if since_removal(done)]
    stood = [_stood(services, act, acts) for act in standing]
    then = sum(read.leaf.captured_at <= to_text(at) for read in walked.leaves)
    return SystemThen(
        system.id,
        at,
        then,
        _configuration(services, walked, trust, at),
        tuple(sorted(stood, key=lambda item: (item.target, item.model))),
    )


def _stood(services: Services, act: Act, acts: Acts) -> Stood:
    decision = acts.decisions.get(str(act.record.statement.body.get("decision")))
    said = {} if decision is None else decision.statement.body
    policy = act.record.statement.header.policy_digest
    text = None if policy is None else services.store.blob(policy)
    owner = said.get("owner")
    return Stood(
        target=str(act.target),
        model=act.moved.label,
        digest=act.digest,
        since=act.record.captured_at,
        promotion=act.record.payload,
        decision=None if decision is None else decision.payload,
        verdict=None if decision is None else str(said.get("verdict")),
        owner=str(owner.get("id")) if isinstance(owner, dict) else None,
        policy=policy,
        policy_text=None if text is None else text.decode("utf-8", "replace"),
        requirements=tuple(_requirements(said)),
        objection=what_fails(act, acts, servers=()),
    )


def _requirements(said: Mapping[str, Any]) -> list[Requirement]:
    listed = said.get("requirements")
    names = ("id", "status", "evidence", "waiver", "signed_by", "measured_at")
    return [
        Requirement(*(None if item.get(name) is None else str(item[name]) for name in names))  # type: ignore[arg-type]
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
    ]


def _configuration(services: Services, walked: KnownWalk, trust: Trust, at: datetime) -> tuple[int, str] | None:
    """Return sequence and digest of the newest configuration that somebody trusted for it had signed by then."""
    said = [record for record in statements(services, walked, "policy", trust) if _counts(record, at)]
    bodies = [record.statement.body for record in said]
    named = [(int(body["sequence"]), str(body["configuration"])) for body in bodies if "sequence" in body]
    return max(named, default=None)


def _counts(record: Record, at: datetime) -> bool:
    return record.signer is not None and record.captured_at <= at
