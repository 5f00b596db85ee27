"""`aims systems status`: what stands today, and what the gate would say of it on another day with nothing done.

The gate is asked twice about each version that holds a protected target: now, and for the day, each time with the
evidence as it is today. What is stale, ended or expired by then is what somebody has to see to before. A key is one
row for each person and kind of statement: whether the person can sign then at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from aims_mlops.api.looking import evidence_for
from aims_mlops.api.promoting import judged_version
from aims_mlops.api.services import Services
from aims_mlops.errors import AimsError, ExitCode, UsageError, worst_exit_code
from aims_mlops.evidence.record import EvidenceView
from aims_mlops.evidence.waiver_body import Request, read_or_none
from aims_mlops.gate import Question, decide
from aims_mlops.model.decision import RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status
from aims_mlops.model.register import System
from aims_mlops.model.subject import Subject, Target
from aims_mlops.model.times import to_text
from aims_mlops.ports import Standing

_SKIPPED = ("actor",)
"""Requirements of the one who promotes: nobody promotes here."""


@dataclass(frozen=True)
class StandingRow:
    """One requirement of a version that holds a target: how it stands today, and on the day.

    `until` is when its evidence or its waiver ends; None where it does not end by itself, or is shut today already.
    """

    system: str
    model: str
    target: str
    requirement: str
    kind: str
    required: bool
    today: Status
    then: Status
    until: datetime | None
    reason: str

    @property
    def open(self) -> bool:
        """Whether it will do on the day."""
        return not self.required or self.then.open


@dataclass(frozen=True)
class KeyRow:
    """What a person can sign: `today` and `then` say why they can not; empty where they can."""

    kind: str
    person: str
    today: str
    then: str

    @property
    def open(self) -> bool:
        """Whether the person can sign on the day."""
        return not self.then


@dataclass(frozen=True)
class StatusReport:
    """The forecast. `unread` are versions whose files could not be digested, and why."""

    now: datetime
    on: datetime
    rows: tuple[StandingRow, ...]
    keys: tuple[KeyRow, ...]
    unread: tuple[str, ...] = ()

    @property
    def shut(self) -> tuple[StandingRow | KeyRow, ...]:
        """What somebody has to see to before the day."""
        rows: tuple[StandingRow | KeyRow, ...] = (*self.rows, *self.keys)
        return tuple(row for row in rows if not row.open)

    @property
    def exit_code(self) -> ExitCode:
        """0 where nothing will be shut, 1 where anything will, 3 where that could not be told, 5 for nothing at all."""
        codes = [ExitCode.SHUT] if self.shut else []
        codes += [ExitCode.UNDECIDED] if self.unread else []
        return worst_exit_code(codes) if codes else ExitCode.OK if self.rows else ExitCode.NOTHING


def status_on(services: Services, on: datetime | None = None) -> StatusReport:
    """Judge everything that holds a protected target, and every key that is trusted, for a moment to come.

    Raises `UsageError` for a moment that is past, and what registry and store raise where they do not answer.
    """
    now = services.clock()
    moment = on or now
    if moment < now:
        raise UsageError(f"{to_text(moment)} is past: a forecast is for a day to come", hint="leave --on out for today")
    rows: list[StandingRow] = []
    unread: list[str] = []
    for system, standing in _protected(services):
        try:
            rows += _rows(services, system, standing, now=now, on=moment)
        except AimsError as error:
            unread.append(f"{standing.version.label} at {standing.target}: {error}")
    return StatusReport(now, moment, tuple(rows), tuple(_keys(services, now, moment)), tuple(unread))


def _protected(services: Services) -> Iterator[tuple[System, Standing]]:
    systems = services.project.systems

    def of_interest(name: str) -> bool:
        return any(system.claims(name) or system.policy.promotion.protects(Target("name", name)) for system in systems)

    for standing in services.registry.standing(services.store.registry_id(), names=of_interest):
        claimants = services.project.claimants(judged_version(services, standing.version).name)
        if len(claimants) == 1 and claimants[0].policy.promotion.protects(standing.target):
            yield claimants[0], standing


def _rows(
    services: Services, system: System, standing: Standing, *, now: datetime, on: datetime
) -> Iterator[StandingRow]:
    version = judged_version(services, standing.version)
    digest = Digest.of(services.registry.manifest(standing.version))
    question = Question(
        version,
        standing.target,
        (system,),
        services.project.people,
        Subject.of(version, digest),
        caller=services.caller,
    )
    view = evidence_for(services, version, digest, services.trust(system.policy))
    today, then = (decide(question, view, now=moment).requirements for moment in (now, on))
    for before, after in zip(today, then, strict=True):
        if after.id not in _SKIPPED:
            yield StandingRow(
                system.id,
                version.label,
                str(standing.target),
                after.id,
                after.kind,
                after.required,
                before.status,
                after.status,
                _until(system, before, view) if before.status.open else None,
                after.reason,
            )


def _until(system: System, item: RequirementStatus, view: EvidenceView) -> datetime | None:
    """Return when evidence that counts today ends by itself."""
    if item.waiver is not None:
        waiver = next((record for record in view.records if record.payload == item.waiver), None)
        request = None if waiver is None else read_or_none(waiver.statement.body)
        return request.expires_at if isinstance(request, Request) else None
    ages = {spec.id: spec.max_age for spec in system.policy.checks}
    ages |= {spec.id: spec.max_age for spec in system.policy.records}
    age = ages.get(item.id)
    return None if age is None or item.measured_at is None else item.measured_at + age


def _keys(services: Services, now: datetime, on: datetime) -> Iterator[KeyRow]:
    systems = services.project.systems
    trust = systems[0].policy.trust if systems else {}
    for kind, keys in trust.items():
        for person in dict.fromkeys(keys.values()):
            found = services.project.person(person)
            terms = [key.term for key in (() if found is None else found.keys)]
            today, then = (_closed([term.closed(moment) for term in terms]) for moment in (now, on))
            yield KeyRow(kind, person, today, then)


def _closed(whys: list[str]) -> str:
    """Say why none of a person's keys signs; empty where one of them does."""
    return "" if not all(whys) else f"the key {whys[-1]}"
