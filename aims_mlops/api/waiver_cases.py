"""What waivers are judged by: one version as the gate sees it today, and what was said of waivers of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aims_mlops.api.looking import evidence_for, with_history
from aims_mlops.api.promoting import judged_version
from aims_mlops.api.services import Services
from aims_mlops.errors import VerificationError
from aims_mlops.evidence.record import EvidenceView, Record
from aims_mlops.evidence.tombstone import newest_erased
from aims_mlops.evidence.waivers import Ground, Waiver, waivers
from aims_mlops.gate import Question, decide
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status
from aims_mlops.model.register import Project, System
from aims_mlops.model.subject import ModelVersion, Subject, Target

LOOK = "aims evidence verify names each place; restore the store from its backup"

_SHUT_BY_RESULT = (Status.FAILED, Status.INCONCLUSIVE, Status.WAIVED)


@dataclass(frozen=True)
class Case:
    """One version under its policy: the gate's answer, and the evidence that it rests on."""

    version: ModelVersion
    subject: Subject
    system: System
    project: Project
    view: EvidenceView
    decision: Decision

    @property
    def said(self) -> list[Record]:
        """Everything that was said of waivers of the registered model, oldest first."""
        return [record for record in self.view.records if record.statement.kind == "waiver"]

    def ground(self, requirement: str) -> Ground:
        """Return what a waiver of a requirement is held to."""
        found = next((item for item in self.decision.requirements if item.id == requirement), None)
        about = [record for record in self.view.records if _is_result(record, requirement)]
        newest = None
        if found is None or not found.required:
            stands = "is not required now"
        elif found.kind == "check" and found.status in _SHUT_BY_RESULT:
            newest, stands = next(record for record in about if record.payload == found.evidence), ""
        else:
            stands = f"is {found.status.value} now"
        erased = newest_erased(self.view.erased, "check-result", self.subject.digest)
        return Ground(
            newest=newest,
            stands=stands,
            results=[record for record in about if record.binds(self.subject)],
            persons=persons(self.project),
            owner=self.system.owner,
            now=self.decision.decided_at,
            erased="" if erased is None else erased.says,
        )

    def waiver(self, request: Digest, requirement: str) -> Waiver:
        """Return how one request stands."""
        return next(item for item in waivers(self.said, self.ground(requirement)) if item.record.payload == request)


def case(services: Services, standing: ModelVersion) -> Case:
    """Look at the version by which one is judged.

    Raises where nobody or several claim it, where its files or the registry are away, and `VerificationError` where
    the log does not hold: what it hides may be a revocation.
    """
    version = judged_version(services, standing)
    system = services.claimed_by(version.name)
    trust = services.trust(system.policy)
    subject = Subject.of(version, Digest.of(services.registry.manifest(version)))
    view = evidence_for(services, version, subject.digest, trust, named=False)
    view = with_history(services, view, version.name, trust)
    must_hold(view)
    # How a check stands does not depend on where the version is to go.
    question = Question(version, Target("name", version.name), (system,), services.project.people, subject)
    decision = decide(question, view, now=services.clock())
    return Case(version, subject, system, services.project, view, decision)


def must_hold(view: EvidenceView) -> None:
    """Raise `VerificationError` where something of a log does not hold."""
    if view.faults:
        raise VerificationError(f"the log does not hold: {view.faults[0].what}", hint=LOOK)


def persons(project: Project) -> Sequence[str]:
    """Return the active people of the register who are persons."""
    return [someone.id for someone in project.people if someone.kind == "person" and someone.active]


def _is_result(record: Record, requirement: str) -> bool:
    check = record.statement.body.get("check")
    return record.statement.kind == "check-result" and isinstance(check, dict) and check.get("id") == requirement
