"""The gate: may this version go there? Pure: no clock, no I/O, no library.

The rules, in this order; each requirement is looked at even where an earlier one already keeps the gate shut:

1. `claimed`: exactly one system of the register claims the model.
2. `owner`: that system has an active person as owner, and a deputy too where its risk class is high.
3. `integrity`: the version's files could be digested; the log has no hole and nothing in it was changed.
   `target`: no other system protects the target too; listed only where one does.
   `actor`: somebody vouches for who asks; listed only where the policy demands it (`authenticated: true`).
4. Each check of the policy: the newest trusted result bound to exactly this version and these bytes decides. A waiver
   in force (`evidence/waivers.py`) turns a required one's `failed` or `inconclusive` into `waived`, nothing else.
5. Each human record of the policy: likewise.
   A result (or record) of these files that was erased behind the newest one may have been about any of them: then each
   is `missing` until it is measured (or made) again. Nothing is waived where a result of these files was ever erased.
6. A policy without a required check or record allows nothing.

A hole in the log makes the verdict `undecided`, whatever else stands. Otherwise the gate is open only if every
required requirement is passed, warned or waived. It asks for passing evidence, never for the absence of failures, so
that taking any statement away can only shut it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from aims_mlops.evidence.record import EvidenceView, Record
from aims_mlops.evidence.tombstone import newest_erased
from aims_mlops.evidence.waivers import Ground, applied
from aims_mlops.model.decision import Actor, Decision, RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.policy import CheckSpec, Policy, RecordSpec
from aims_mlops.model.register import Person, System
from aims_mlops.model.subject import ModelVersion, Subject, Target
from aims_mlops.model.times import duration_text

CLOCK_SKEW = timedelta(minutes=5)
"""How far two honest clocks may differ."""

_Judged = tuple[Status, str, str]
"""A status, the reason for it, and what to do next."""

PROHIBITED = "prohibited"
"""The risk class of what must not be put into service (EU AI Act, Art. 5)."""

NEEDS_DEPUTY = ("high",)
"""Risk classes for which one owner is not enough."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the gate is asked. `subject` is None where the files could not be digested; `unreadable` says why."""

    version: ModelVersion
    target: Target
    claimants: tuple[System, ...]
    people: tuple[Person, ...]
    subject: Subject | None
    unreadable: str = ""
    files_changed: bool = False
    """The files themselves are refused (a link, an odd name), rather than out of reach."""
    shared_with: str | None = None
    """Another system that protects the target too."""
    caller: Actor | None = None
    """Who asked; None is nobody known."""
    on: ModelVersion | None = None
    """The version that is to be promoted, where it is a copy: `version` is then its source, by which it is judged."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one system: everything that a requirement is judged by."""

    question: Question
    evidence: EvidenceView
    system: System
    now: datetime

    @property
    def policy(self) -> Policy:
        return self.system.policy

    def of_kind(self, kind: str) -> list[Record]:
        return [record for record in self.evidence.records if record.statement.kind == kind]


def decide(question: Question, evidence: EvidenceView, *, now: datetime, enforced_by: str = "client") -> Decision:
    """Answer a question from evidence. The decision is not recorded here, and nothing is acted on."""
    system = question.claimants[0] if len(question.claimants) == 1 else None
    owner = None if system is None else _person(question.people, system.owner)
    found = [_claimed(question)]
    if system is not None:
        look = _Look(question, evidence, system, now)
        found += [_owner(system, question.people), _integrity(question, evidence, now)]
        found += [_shared(question, system)] if question.shared_with is not None else []
        found += [_actor(question.caller)] if system.policy.promotion.authenticated else []
        found += [_check(spec, look) for spec in system.policy.checks]
        found += [_record(spec, look) for spec in system.policy.records]
        if not any(item.required for item in found if item.kind != "builtin"):
            found.append(_empty_policy(system))
    hole = any(fault.kind == "hole" for fault in evidence.faults)
    return Decision(
        version=question.version,
        target=question.target,
        verdict=_verdict(found, hole=hole),
        requirements=tuple(found),
        decided_at=now,
        system=None if system is None else system.id,
        subject=question.subject,
        owner=owner,
        policy_digest=None if system is None else system.policy.digest,
        log_size=evidence.size,
        log_head=evidence.head,
        enforced_by=enforced_by,
        on=question.on,
        seen=evidence.seen,
    )


def _verdict(found: Sequence[RequirementStatus], *, hole: bool) -> Verdict:
    shut = [item.status for item in found if item.shut]
    if hole or (shut and all(status is Status.ERROR for status in shut)):
        return Verdict.UNDECIDED
    if shut:
        return Verdict.DENIED
    waived = any(item.status is Status.WAIVED for item in found)
    return Verdict.ALLOWED_BY_WAIVER if waived else Verdict.ALLOWED


def _actor(caller: Actor | None) -> RequirementStatus:
    if caller is not None and caller.authenticated:
        return RequirementStatus("actor", "builtin", Status.PASSED, reason=f"{caller.name}, by {caller.via}")
    return RequirementStatus(
        "actor",
        "builtin",
        Status.MISSING,
        reason="the policy wants to know who promotes, and nobody vouches for the caller",
        hint="sign in: the server needs basic-auth or a trusted proxy for it (AIMS_AUTH, AIMS_TRUSTED_PROXY)",
    )


def _shared(question: Question, system: System) -> RequirementStatus:
    other, target, model = question.shared_with, question.target, question.version.name
    return RequirementStatus(
        "target",
        "builtin",
        Status.FAILED,
        reason=f"{target} is protected by system {other} too, and {model} belongs to {system.id}: "
        "one system's checks say nothing about another's production",
        hint=f"let one system alone protect {target.value} in aims.yaml",
    )


def _person(people: Iterable[Person], id_: str) -> Person | None:
    return next((person for person in people if person.id == id_), None)


def _claimed(question: Question) -> RequirementStatus:
    claimants, model = question.claimants, question.version.name
    if len(claimants) == 1 and claimants[0].risk_class == PROHIBITED:
        reason = f"system {claimants[0].id} has the risk class {PROHIBITED}: nothing of it may go live"
        hint = "the class is under systems in aims.yaml; only a person can answer for another one"
        return RequirementStatus("claimed", "builtin", Status.FAILED, reason=reason, hint=hint)
    if len(claimants) == 1:
        return RequirementStatus("claimed", "builtin", Status.PASSED, reason=f"system {claimants[0].id} claims it")
    if claimants:
        several = ", ".join(system.id for system in claimants)
        reason = f"{len(claimants)} systems claim the model {model!r}: {several}"
        hint = "let exactly one system in aims.yaml claim it under models:"
    else:
        reason = f"no system of the register claims the model {model!r}"
        hint = f"add {model!r} to models: of a system in aims.yaml, under its named owner, then aims check"
    return RequirementStatus("claimed", "builtin", Status.MISSING, reason=reason, hint=hint)


def _owner(system: System, people: Iterable[Person]) -> RequirementStatus:
    problem, role = _cannot_own(system.owner, people, role="owner"), "owner"
    if problem is None and system.risk_class in NEEDS_DEPUTY:
        role = "deputy"
        if system.deputy is None:
            problem = f"risk class {system.risk_class} needs a deputy beside the owner, and none is named"
        else:
            problem = _cannot_own(system.deputy, people, role="deputy")
        if problem is None and system.deputy == system.owner:
            problem = f"owner and deputy are the same person, {system.owner}"
    if problem is not None:
        hint = f"name an active person as {role} of systems.{system.id} in aims.yaml"
        return RequirementStatus("owner", "builtin", Status.MISSING, reason=problem, hint=hint)
    return RequirementStatus("owner", "builtin", Status.PASSED, reason=f"{system.owner} owns it")


def _cannot_own(id_: str, people: Iterable[Person], *, role: str) -> str | None:
    person = _person(people, id_)
    if person is None:
        return f"the {role} {id_!r} is not among the people of aims.yaml"
    if person.kind != "person":
        return f"the {role} {id_!r} is a {person.kind}: only a person can own a system"
    if not person.active:
        return f"the {role} {id_!r} is no longer active"
    return None if person.name.strip() else f"the {role} {id_!r} has no name"


def _integrity(question: Question, evidence: EvidenceView, now: datetime) -> RequirementStatus:
    def shut(status: Status, reason: str, hint: str) -> RequirementStatus:
        return RequirementStatus("integrity", "builtin", status, reason=reason, hint=hint)

    look = "aims evidence verify names each place; restore the store from its backup"
    changed = [fault.what for fault in evidence.faults if fault.kind != "hole"]
    if changed:
        return shut(Status.UNTRUSTED, f"the evidence was changed: {_some(changed)}", look)
    latest = max([record.captured_at for record in evidence.records] + [evidence.latest or now], default=now)
    if latest > now + CLOCK_SKEW:
        reason = f"evidence was recorded {duration_text(latest - now)} from now: the clock was set back"
        return shut(Status.UNTRUSTED, reason, "set this machine's clock, then ask again")
    if question.subject is None and question.files_changed:
        return shut(Status.MISMATCHED, question.unreadable, "register the model anew, and aims check it")
    if evidence.faults:
        return shut(Status.ERROR, f"the log has a hole: {_some([fault.what for fault in evidence.faults])}", look)
    if question.subject is None:
        return shut(Status.ERROR, question.unreadable, "make the model's files readable, then ask again")
    return RequirementStatus("integrity", "builtin", Status.PASSED, reason=f"{evidence.size} leaves, no hole")


def _some(items: Sequence[str]) -> str:
    return items[0] + (f" (and {len(items) - 1} more)" if len(items) > 1 else "")


def _empty_policy(system: System) -> RequirementStatus:
    return RequirementStatus(
        "policy",
        "builtin",
        Status.MISSING,
        reason=f"the policy of {system.id} requires no check and no record: an empty policy allows nothing",
        hint=f"add a required check to systems.{system.id}.checks in aims.yaml",
    )


def _names_version(record: Record, version: ModelVersion) -> bool:
    header = record.statement.header
    return (header.model, header.version) == (version.name, version.version)


def _newest(records: Sequence[Record], look: _Look, *, id_: str, kind: str, remedy: str) -> Record | RequirementStatus:
    """Return the newest trusted statement bound to this version, or say what there is instead of one."""
    question = look.question
    bound = [record for record in records if record.binds(question.subject)]
    trusted = [record for record in bound if record.signer is not None]
    subject = None if question.subject is None else question.subject.digest
    erased = newest_erased(look.evidence.erased, "check-result" if kind == "check" else kind, subject)
    if trusted and (erased is None or erased.leaf.seq < _last(trusted).seq):
        return _last(trusted)

    def instead(status: Status, reason: str, evidence: Digest | None) -> RequirementStatus:
        return RequirementStatus(id_, kind, status, evidence=evidence, reason=reason, hint=remedy)

    if erased is not None or bound:
        status, reason = Status.UNTRUSTED, "signed by a key that the policy does not trust for it"
        if erased is not None:
            status, reason = Status.MISSING, f"the newest {erased.kind} of these files was {erased.says}"
        return instead(status, reason, _last(bound).payload if erased is None else erased.tombstone.payload)
    near = [record for record in records if _names_version(record, question.version)]
    if near and question.subject is None and not question.files_changed:
        reason = "cannot be compared with the model: its files could not be read"
        return instead(Status.ERROR, reason, _last(near).payload)
    if near:
        other = _last(near).statement
        same_files = question.subject is not None and other.subject == question.subject.digest
        what = "another registration of this name and number" if same_files else "other files"
        reason = f"recorded for {what}: the model is not the one that was looked at"
        return instead(Status.MISMATCHED, reason, _last(near).payload)
    if look.evidence.faults:  # Whether it never was, or was lost or spoiled, can no longer be told.
        changed = any(fault.kind != "hole" for fault in look.evidence.faults)
        reason = f"no record for {question.version.label} is left in a log that is damaged (see integrity)"
        damaged = instead(Status.UNTRUSTED if changed else Status.ERROR, reason, None)
        return replace(damaged, hint=f"restore the store from its backup, then {remedy} if it is still missing")
    return instead(Status.MISSING, f"no record for {question.version.label}", None)


def _last(records: Iterable[Record]) -> Record:
    return max(records, key=lambda record: record.seq)


def _check(spec: CheckSpec, look: _Look) -> RequirementStatus:
    remedy = f"aims check {look.question.version.label}"
    about = [record for record in look.of_kind("check-result") if _part(record, "check", "id") == spec.id]
    newest = _newest(about, look, id_=spec.id, kind="check", remedy=remedy)
    if isinstance(newest, RequirementStatus):
        return replace(newest, required=spec.required)
    objected = _does_not_count(newest, spec, look, remedy=remedy)
    judged = objected or _outcome(newest, remedy=remedy)
    found = _found(spec.id, "check", newest, required=spec.required, judged=judged)
    return found if objected or not found.shut else _waived(found, newest, about, look)


def _waived(found: RequirementStatus, newest: Record, about: Sequence[Record], look: _Look) -> RequirementStatus:
    persons = [who.id for who in look.question.people if who.kind == "person" and who.active]
    results = [record for record in about if record.binds(look.question.subject)]
    erased = newest_erased(look.evidence.erased, "check-result", newest.statement.subject)
    ground = Ground(newest, "", results, persons, look.system.owner, look.now, "" if erased is None else erased.says)
    label, approvable = look.question.version.label, bool(look.policy.trust.get("waiver"))
    return applied(found, look.of_kind("waiver"), ground, label=label, approvable=approvable)


def _does_not_count(record: Record, spec: CheckSpec, look: _Look, *, remedy: str) -> _Judged | None:
    """Say why a trusted result of this very version still does not count; None where it does."""
    header, policy = record.statement.header, look.policy
    if _part(record, "check", "use") != spec.use:
        return Status.MISMATCHED, f"measured by another check than {spec.use}", remedy
    if header.system != policy.system or header.policy_digest != policy.digest:
        return Status.STALE, "measured under another policy than today's", remedy
    for use in header.datasets:
        if problem := spec.objection(use, policy.dataset(use.name)):
            return Status.MISMATCHED, problem, f"{remedy} with the data that aims.yaml names"
    if too_old := _too_old(record, spec.max_age, look.now):
        return *too_old, remedy
    unseen = set(spec.datasets) - {use.name for use in header.datasets}
    if unseen and record.statement.body.get("outcome") != Status.ERROR:
        return Status.MISMATCHED, f"does not say on which {', '.join(sorted(unseen))} data it rests", remedy
    return None


def _outcome(record: Record, *, remedy: str) -> _Judged:
    body = record.statement.body
    status = _OUTCOMES.get(str(body.get("outcome")))
    if status is None:
        return Status.ERROR, "the record has no outcome that is known here", remedy
    return status, str(body.get("reason", "")), str(body.get("hint", ""))


_OUTCOMES = {outcome.value: Status(outcome.value) for outcome in Outcome}


def _too_old(record: Record, max_age: timedelta | None, now: datetime) -> tuple[Status, str] | None:
    measured = record.statement.header.measured_at
    if measured > record.captured_at + CLOCK_SKEW or measured > now + CLOCK_SKEW:
        return Status.UNTRUSTED, "measured at a time that lies after it was recorded"
    age = now - measured
    if max_age is not None and age > max_age:
        return Status.STALE, f"measured {duration_text(age)} ago, the limit is {duration_text(max_age)}"
    return None


def _record(spec: RecordSpec, look: _Look) -> RequirementStatus:
    remedy = f"a {spec.id} record for {look.question.version.label}, signed by {spec.signed_by}"
    named = [record for record in look.of_kind("record") if record.statement.body.get("record") == spec.id]
    people = look.question.people
    about = [record for record in named if _may_sign(record.signer, spec.signed_by, look.system, people)]
    if named and not about:
        reason = f"recorded, but not by anyone who may: {spec.signed_by} has to sign it"
        return RequirementStatus(spec.id, "record", Status.MISSING, spec.required, reason=reason, hint=remedy)
    newest = _newest(about, look, id_=spec.id, kind="record", remedy=remedy)
    if isinstance(newest, RequirementStatus):
        return replace(newest, required=spec.required)
    judged: _Judged = (Status.PASSED, "", "")
    if newest.statement.header.system != look.policy.system:
        judged = (Status.MISMATCHED, "recorded for another system", remedy)
    elif too_old := _too_old(newest, spec.max_age, look.now):
        judged = (*too_old, remedy)
    elif newest.statement.body.get("outcome") != "passed":
        judged = (Status.FAILED, "the record does not approve", remedy)
    return _found(spec.id, "record", newest, required=spec.required, judged=judged)


def _may_sign(signer: str | None, rule: str, system: System, people: Iterable[Person]) -> bool:
    if signer is None:
        return True  # It stays among the records, and is named as untrusted.
    person = _person(people, signer)
    if person is None or person.kind != "person" or not person.active:
        return False
    if rule == "not-owner":
        return signer != system.owner
    return rule == "anyone" or signer == (system.owner if rule == "owner" else rule)


def _part(record: Record, *path: str) -> Any:
    value: Any = record.statement.body
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _found(id_: str, kind: str, record: Record, *, required: bool, judged: _Judged) -> RequirementStatus:
    status, reason, hint = judged
    return RequirementStatus(
        id_,
        kind,
        status,
        required,
        evidence=record.payload,
        measured_at=record.statement.header.measured_at,
        signed_by=record.signer,
        reason=reason,
        hint=hint,
    )
