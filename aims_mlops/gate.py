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

from aims_mlops.evidence.newest import Sought, newest_of
from aims_mlops.evidence.record import EvidenceView, Record
from aims_mlops.evidence.tombstone import erased_words
from aims_mlops.evidence.waivers import Ground, applied
from aims_mlops.model.decision import Actor, Decision, RequirementStatus
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.ownership import ownership_problem, person_of
from aims_mlops.model.policy import CheckSpec, Policy, RecordSpec
from aims_mlops.model.register import Person, System
from aims_mlops.model.subject import ModelVersion, Subject, Target
from aims_mlops.model.times import CLOCK_SKEW, duration_text

_Judged = tuple[Status, str, str]
"""A status, the reason for it, and what to do next."""

PROHIBITED = "prohibited"
"""The risk class of what must not be put into service (EU AI Act, Art. 5)."""


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

    def sought(self, id_: str, kind: str, remedy: str) -> Sought:
        question = self.question
        return Sought(id_, kind, question.version, question.subject, remedy, question.files_changed)

    def apart(self, kind: str) -> list[Record]:
        """What was said of this version that the policy keeps apart from a kind of statement."""
        kinds = self.policy.apart(kind)
        records = (record for record in self.evidence.records if record.statement.kind in kinds)
        return [record for record in records if record.binds(self.question.subject)]

    def erased(self, *kinds: str) -> str:
        """How the newest statement of these kinds about the files was erased; empty where none was."""
        subject = self.question.subject
        return erased_words(self.evidence.erased, kinds, None if subject is None else subject.digest)


def decide(question: Question, evidence: EvidenceView, *, now: datetime, enforced_by: str = "client") -> Decision:
    """Answer a question from evidence. The decision is not recorded here, and nothing is acted on."""
    system = question.claimants[0] if len(question.claimants) == 1 else None
    owner = None if system is None else person_of(question.people, system.owner)
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
    found = ownership_problem(system, people)
    if found is not None:
        role, problem = found
        hint = f"name an active person as {role} of systems.{system.id} in aims.yaml"
        return RequirementStatus("owner", "builtin", Status.MISSING, reason=problem, hint=hint)
    return RequirementStatus("owner", "builtin", Status.PASSED, reason=f"{system.owner} owns it")


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


def _check(spec: CheckSpec, look: _Look) -> RequirementStatus:
    remedy = f"aims check {look.question.version.label}"
    about = [record for record in look.of_kind("check-result") if _part(record, "check", "id") == spec.id]
    newest = newest_of(about, look.sought(spec.id, "check", remedy), look.evidence)
    if isinstance(newest, RequirementStatus):
        return replace(newest, required=spec.required)
    objected = _does_not_count(newest, spec, look, remedy=remedy)
    judged = objected or _outcome(newest, remedy=remedy)
    found = _found(spec.id, "check", newest, required=spec.required, judged=judged)
    return found if objected or not found.shut else _waived(found, newest, about, look)


def _waived(found: RequirementStatus, newest: Record, about: Sequence[Record], look: _Look) -> RequirementStatus:
    persons = [who.id for who in look.question.people if who.kind == "person" and who.active]
    results = [record for record in about if record.binds(look.question.subject)]
    erased = look.erased("check-result", *look.policy.apart("waiver"))
    ground = Ground(newest, "", results, persons, look.system.owner, look.now, look.policy, look.apart("waiver"))
    ground = replace(ground, erased=erased)
    label, approvable = look.question.version.label, bool(look.policy.trusted("waiver"))
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
    measured = record.statement.header.measured_at  # that it may lie where it does was judged with the signature
    if measured > now + CLOCK_SKEW:
        return Status.UNTRUSTED, "measured at a time that lies after now"
    age = now - measured
    if max_age is not None and age > max_age:
        return Status.STALE, f"measured {duration_text(age)} ago, the limit is {duration_text(max_age)}"
    return None


def _record(spec: RecordSpec, look: _Look) -> RequirementStatus:
    remedy = f"a {spec.id} record for {look.question.version.label}, signed by {spec.signed_by}"
    named = _last_words(item for item in look.of_kind("record") if item.statement.body.get("record") == spec.id)
    # Who may sign and what is kept apart limits who approves. Whoever objected is heard until somebody approves behind
    # it: else an objection would go as soon as its author may no longer sign.
    objecting = [record for record in named if record.people and record.statement.body.get("outcome") != "passed"]
    may = [record for record in named if not record.people or _who_may(record.people, spec, look)]
    free = [record for record in may if not record.people or _who_may(record.people, spec, look, apart=True)]
    if named and not (may or objecting):
        reason = f"recorded, but not by anyone who may: {spec.signed_by} has to sign it"
        return RequirementStatus(spec.id, "record", Status.MISSING, spec.required, reason=reason, hint=remedy)
    gone = look.erased(*look.policy.apart("record"))
    if may and (gone or not (free or objecting)):
        apart = " and ".join(sorted(look.policy.apart("record")))
        reason = f"signed by {_signer(may[-1])}, who signed the {apart} too: the policy keeps it apart from a record"
        if gone:
            reason = f"the {apart}, which the policy keeps apart from a record, was {gone}: nobody knows who signed it"
        return RequirementStatus(spec.id, "record", Status.UNTRUSTED, spec.required, reason=reason, hint=remedy)
    about = [record for record in named if record in free or record in objecting]
    newest = newest_of(about, look.sought(spec.id, "record", remedy), look.evidence)
    if isinstance(newest, RequirementStatus):
        return replace(newest, required=spec.required)
    judged = _approves(newest, spec, look, remedy) or _several(about, spec, look, remedy)
    return _found(spec.id, "record", newest, required=spec.required, judged=judged or (Status.PASSED, "", ""))


def _last_words(records: Iterable[Record]) -> list[Record]:
    """Return what the same people said last of the same version: they may have thought better of it."""
    last: dict[tuple[object, ...], Record] = {}
    for record in sorted(records, key=lambda record: record.seq):
        header = record.statement.header
        version = header.registry_id, header.workspace, header.model, header.version, header.version_created_at
        last[record.statement.subject, version, record.signer, record.people or record.payload] = record
    return sorted(last.values(), key=lambda record: record.seq)


def _approves(record: Record, spec: RecordSpec, look: _Look, remedy: str) -> _Judged | None:
    """Say why a record does not approve; None where it does."""
    if record.statement.header.system != look.policy.system:
        return Status.MISMATCHED, "recorded for another system", remedy
    if too_old := _too_old(record, spec.max_age, look.now):
        return *too_old, remedy
    if record.statement.body.get("outcome") != "passed":
        return Status.FAILED, "the record does not approve", remedy
    if not _who_may(_counting(record), spec, look, apart=True):
        return Status.UNTRUSTED, record.why or "none of those whose signature counts may sign it", remedy
    return None


def _several(about: Sequence[Record], spec: RecordSpec, look: _Look, remedy: str) -> _Judged | None:
    """Say how many people are missing whose last word approves; None where it is as many as the policy demands."""
    erased = look.sought(spec.id, "record", remedy).erased(look.evidence)
    last: dict[str, Record] = {}
    for record in sorted(about, key=lambda record: record.seq):
        # What was erased may have been anybody's last word, and what is doubted is somebody's.
        if record.binds(look.question.subject) and (erased is None or erased.leaf.seq < record.seq):
            last |= dict.fromkeys(record.people, record)
    approving = {person: record for person, record in last.items() if _approves(record, spec, look, remedy) is None}
    counting = [person for person, record in approving.items() if person in _counting(record)]
    people = _who_may(counting, spec, look, apart=True)
    if look.policy.enough("record", people):
        return None
    reason = f"{len(people)} of {look.policy.demanded('record')} people signed it so far: {', '.join(people)}"
    return Status.MISSING, reason, remedy


def _counting(record: Record) -> list[str]:
    """Who signed it so that it counts."""
    return list(record.keys.values()) or ([] if record.signer is None else [record.signer])


def _who_may(people: Iterable[str], spec: RecordSpec, look: _Look, *, apart: bool = False) -> list[str]:
    """Return those who may sign a record; with `apart`, only who signed nothing that is kept apart from it."""
    barred = {person for record in look.apart("record") for person in record.people} if apart else set()
    everyone, rule = look.question.people, spec.signed_by
    return [one for one in people if one not in barred and _may_sign(one, rule, look.system, everyone)]


def _signer(record: Record) -> str | None:
    return record.signer or next(iter(record.people), None)


def _may_sign(signer: str, rule: str, system: System, people: Iterable[Person]) -> bool:
    person = person_of(people, signer)
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
