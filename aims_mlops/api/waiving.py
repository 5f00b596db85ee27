"""`aims waive`: ask for a time-limited exception to a failed check, approve it, revoke it.

Who may do what is decided by the gate each time that it looks. Here an attempt that could not count is refused before
it is made, and the refusal is kept in the log, signed by who tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from aims_mlops.api.looking import walk_log
from aims_mlops.api.services import Said, Services, kept_policy, trust_of, write
from aims_mlops.api.waiver_cases import LOOK, case, persons
from aims_mlops.errors import AimsError, ExitCode, NothingToDo, UsageError, VerificationError
from aims_mlops.evidence.log import Fault
from aims_mlops.evidence.record import ANYBODY, Record
from aims_mlops.evidence.waiver_body import (
    LONGEST_REASON,
    Answer,
    Refused,
    Request,
    WaiverBody,
    observation,
    read_or_none,
)
from aims_mlops.evidence.waivers import LONGEST, State, Waiver, objection
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import System
from aims_mlops.model.subject import ModelRef, ModelVersion, Subject, WholeRegistry
from aims_mlops.model.times import duration_text, to_text

_SHORTEST = 8
"""Digits of a digest that are enough to look one up."""


class WaiverRefused(AimsError):
    """What was tried about a waiver would not count. The refusal is in the log; the gate stays as it was."""

    exit_code = ExitCode.SHUT


@dataclass(frozen=True)
class _About:
    """The version that something is said of; None of all where it is not known which."""

    version: ModelVersion | None = None
    subject: Subject | None = None


def request_waiver(services: Services, ref: ModelRef, requirement: str, *, reason: str, expires_at: datetime) -> Waiver:
    """Ask that what a required check found for a version be accepted until a time; return how the request stands.

    Raises `WaiverRefused` where it could never count, and `UsageError` where it makes no sense.
    """
    _must_be_said(reason)
    seen = case(services, services.registry.resolve(ref, services.store.registry_id()))
    policy, now = seen.system.policy, services.clock()
    if policy.check(requirement) is None:
        known = ", ".join(spec.id for spec in policy.checks) or "none"
        raise UsageError(
            f"system {seen.system.id} has no check {requirement!r}: only what a check found can be waived",
            hint=f"it has: {known}",
        )
    if expires_at <= now:
        raise UsageError(f"{to_text(expires_at)} is over already", hint="name a time to come, e.g. --expires 14d")
    desk = _Desk(services, _About(seen.version, seen.subject))
    ground = seen.ground(requirement)
    observed = None if ground.newest is None else observation(ground.newest.statement)
    refused = _not_to_be_asked(services, seen.system, requirement, expires_at - now)
    if refused is not None:
        desk.refuse("request", *refused, requirement=requirement)
    if ground.newest is None or observed is None:
        stands = ground.stands or "says no measure that is not good"
        why = f"{requirement} {stands}: only a required check that is failed or inconclusive can be waived"
        desk.refuse("request", "not-waivable", why, requirement=requirement)
    body = Request(requirement, ground.newest.payload, observed, reason, expires_at, seen.system.owner)
    digest = desk.say(body)
    return case(services, seen.version).waiver(digest, requirement)


def _not_to_be_asked(services: Services, system: System, requirement: str, lasts: timedelta) -> tuple[str, str] | None:
    who = services.signer().person
    if who not in persons(services.project):
        return "not-a-person", f"{who} is no active person of aims.yaml: a person has to ask for a waiver"
    if lasts > LONGEST:
        return "too-long", f"asked for {duration_text(lasts)}, and a waiver lasts at most {duration_text(LONGEST)}"
    if not system.policy.trust.get("waiver"):
        return "no-approver", f"the policy of {system.id} trusts nobody to approve a waiver of {requirement}"
    return None


def approve_waiver(services: Services, text: str, *, reason: str = "") -> Waiver:
    """Approve a request, named by the beginning of its digest; return how it stands then.

    Raises `WaiverRefused` where the approval would not count, and `NothingToDo` where the waiver is in force already.
    """
    _must_be_said(reason, needed=False)
    asked, signer = _found(services, text, "approve"), services.signer()
    ref = ModelRef(asked.version.name, version=asked.version.version)
    seen = case(services, services.registry.resolve(ref, services.store.registry_id()))
    desk, digest = _Desk(services, _About(seen.version, seen.subject), asked), asked.record.payload
    waiver, ground = seen.waiver(digest, asked.requirement), seen.ground(asked.requirement)
    if waiver.state is State.IN_FORCE:
        raise NothingToDo(
            f"{waiver.approved_by} approved the waiver {digest.short} already",
            hint="aims waive list shows it; ask for another before it ends",
        )
    if waiver.state is not State.WAITING:
        desk.refuse("approve", waiver.state.value, f"the request is {waiver.state.value}: {waiver.why}")
    trusted = signer.key_id in seen.system.policy.trust.get("waiver", {})
    refused = objection(signer.person, [signer.key_id], asked.record, ground, trusted=trusted)
    if refused is not None:
        desk.refuse("approve", *refused)
    desk.say(Answer("approve", digest, reason))
    return case(services, seen.version).waiver(digest, asked.requirement)


def revoke_waiver(services: Services, text: str, *, reason: str) -> Waiver:
    """Revoke a request or a waiver, named by the beginning of the request's digest; nothing brings it back.

    Who is trusted for waivers may, the system's owner and deputy, and who asked for it; anybody else gets
    `WaiverRefused`. The files and the registry need not be at hand.
    """
    _must_be_said(reason)
    asked, who = _found(services, text, "revoke"), services.signer().person
    record, version = asked.record, asked.version
    desk = _Desk(services, _About(version, Subject.of(version, record.statement.subject)), asked)
    if _is_revoked(services, record.payload):
        raise NothingToDo(f"the waiver {record.payload.short} is revoked already", hint="aims waive list")
    system = next((item for item in services.project.systems if item.id == record.statement.header.system), None)
    if who not in may_revoke(system, record):
        why = f"{who} neither asked for it, nor owns the system, nor is trusted for waivers"
        desk.refuse("revoke", "not-trusted", why)
    desk.say(Answer("revoke", record.payload, reason))
    return Waiver(record, asked.request, State.REVOKED, f"by {who}: {reason}", asked_by=record.signer)


def may_revoke(system: System | None, request: Record) -> set[str]:
    """Return who may revoke a waiver: who is trusted for waivers, the system's owner and deputy, and who asked."""
    asked = {*request.keys.values(), *([] if request.signer is None else [request.signer])}
    if system is None:
        return asked
    return asked | {*system.policy.trust.get("waiver", {}).values(), system.owner} | {system.deputy or system.owner}


@dataclass(frozen=True)
class _Asked:
    """A well-formed request of the log, and the version that it names."""

    record: Record
    request: Request
    version: ModelVersion

    @property
    def requirement(self) -> str:
        """The check that it is about."""
        return self.request.requirement


@dataclass(frozen=True)
class _Desk:
    """Where something is said of a waiver of one version."""

    services: Services
    about: _About
    asked: _Asked | None = None

    def say(self, body: WaiverBody) -> Digest:
        """Sign and append; return the statement's digest."""
        services, version = self.services, self.about.version
        now, registry_id = services.clock(), services.store.registry_id()
        policy = None if version is None else kept_policy(services, version.name)
        place = version or WholeRegistry(registry_id)
        said = Said("waiver", place, self.about.subject, policy, body.to_wire(), measured_at=now)
        return write(services, said, signer=services.signer())

    def refuse(self, tried: str, cause: str, why: str, *, requirement: str | None = None) -> NoReturn:
        """Record that an attempt was refused, and raise `WaiverRefused`. It is refused whether recorded or not."""
        kept, signer = "the attempt is recorded", self.services.signer()
        request = None if self.asked is None else self.asked.record.payload
        requirement = requirement if self.asked is None else self.asked.requirement
        try:
            if signer.key_id in trust_of(self.services).by_kind.get(ANYBODY, {}):
                self.say(Refused(tried, cause, why, requirement, request))
            else:
                kept = f"not recorded: the key of {signer.person} is not enrolled in aims.yaml"
        except AimsError as error:
            kept = f"and that could not be recorded: {error}"
        raise WaiverRefused(f"refused to {tried} a waiver: {why}", hint=f"{NEXT[cause]} ({kept})")


NEXT = {
    "not-a-person": "sign as a person: aims --as PERSON waive …",
    "too-long": f"ask for {duration_text(LONGEST)} or less, and again when they are over",
    "no-approver": "name somebody under trust: waiver in aims.yaml; it is a change of policy",
    "not-waivable": "aims gate says how each requirement stands and what to do about it",
    "not-trusted": "have somebody do it whom aims.yaml names under trust: waiver",
    "self-approval": "have somebody else approve it: aims --as PERSON waive approve DIGEST",
    "own-result": "have somebody approve it who did not measure",
    "unknown": "aims waive list shows the requests and their digests",
    "expired": "ask again: aims waive request",
    "revoked": "ask again: aims waive request",
    "dead": "look at what changed, then ask again: aims waive request",
    "refused": "ask again: aims waive request",
}
"""What to do next, by the cause of a refusal. Causes are published: none is changed or reused."""


def requests_and_answers(services: Services) -> list[Record]:
    """Open every statement of the kind `waiver`, oldest first; raise `VerificationError` where one does not hold."""
    walked, trust = walk_log(services), trust_of(services)
    found = [services.log.opened.open(read, trust) for read in walked.of_kind("waiver")]
    faults = [*walked.faults, *(item for item in found if isinstance(item, Fault))]
    if faults:
        raise VerificationError(f"the log does not hold: {faults[0].what}", hint=LOOK)
    return [item for item in reversed(found) if isinstance(item, Record)]


def _found(services: Services, text: str, tried: str) -> _Asked:
    """Find a well-formed request by the beginning of its digest."""
    wanted = text.removeprefix("sha256:")
    if len(wanted) < _SHORTEST:
        raise UsageError(f"{text!r} is too short to name a request", hint=f"give {_SHORTEST} digits or more")
    named = [record for record in requests_and_answers(services) if record.payload.hex.startswith(wanted)]
    found = [asked for record in named if (asked := _asked(record)) is not None]
    if not found:
        _Desk(services, _About()).refuse(tried, "unknown", f"the log has no request {wanted[:64]}")
    if len(found) > 1:
        raise UsageError(f"{len(found)} requests have a digest that begins with {wanted}", hint="give more digits")
    return found[0]


def _asked(record: Record) -> _Asked | None:
    body, header = read_or_none(record.statement.body), record.statement.header
    if not isinstance(body, Request) or header.model is None or header.version is None:
        return None
    if header.version_created_at is None:
        return None
    place = header.registry_id, header.workspace, header.model, header.version, header.version_created_at
    return _Asked(record, body, ModelVersion(*place))


def _is_revoked(services: Services, request: Digest) -> bool:
    bodies = [read_or_none(record.statement.body) for record in requests_and_answers(services)]
    return any(isinstance(body, Answer) and (body.act, body.request) == ("revoke", request) for body in bodies)


def _must_be_said(reason: str, *, needed: bool = True) -> None:
    if (needed and not reason.strip()) or len(reason) > LONGEST_REASON:
        raise UsageError(
            f"a reason has 1 to {LONGEST_REASON} characters, this one has {len(reason.strip())}",
            hint='say why in a sentence: --reason "…"; it goes into the log for good, so name nobody in it',
        )
