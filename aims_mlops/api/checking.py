"""`aims check`: measure, sign, record. It never decides."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel

from aims_mlops.api.looking import champion_measure
from aims_mlops.api.services import Said, Services, write
from aims_mlops.errors import AimsError, ExitCode, NothingToDo, SigningError, UsageError, VerificationError
from aims_mlops.evidence import predicates
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.intent import intent
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import CheckSpec, Policy
from aims_mlops.model.report import CheckReport
from aims_mlops.model.subject import ModelRef, ModelVersion, Subject
from aims_mlops.ports import Signer, Snapshot
from aims_mlops.runner import Job, Measured, Runner


def check(
    services: Services,
    ref: ModelRef,
    *,
    only: Sequence[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> CheckReport:
    """Say which checks are about to run over a version, run them, and record each result.

    A log that takes no intent, a signer that cannot sign, and a registry that takes no attachments do not stop the
    measuring: the report says so.
    Raises where there is nothing to measure: unknown model or check, unclaimed model, files that cannot be read.
    """
    version = services.registry.resolve(ref, services.store.registry_id())
    system = services.claimed_by(version.name)
    specs = _chosen(system.policy, only)
    _must_name_datasets(services)
    signer, unrecorded = _signer(services)
    unannounced = ""
    if signer is not None:  # a store that takes nothing is said before the work, not after it
        services.store.put_blob(system.policy.text)
    with tempfile.TemporaryDirectory(prefix="aims-") as folder:
        progress("model")
        snapshot = services.registry.snapshot(version, Path(folder) / "model")
        subject = Subject.of(version, snapshot.digest)
        desk = None if signer is None else _Desk(services, version, subject, system.policy, signer)
        if desk is not None:
            desk, unannounced = desk.announce(specs)
        measured = _measure(services, system.policy, snapshot, specs, progress)
    if desk is not None:
        progress("evidence")
        measured, unrecorded = desk.record_all(snapshot, measured)
    report = CheckReport(
        version,
        snapshot.digest,
        system.id,
        tuple(item.result for item in measured),
        unrecorded="" if unrecorded is None else str(unrecorded),
        unrecorded_hint="" if unrecorded is None else unrecorded.hint,
        unrecorded_code=ExitCode.OK if unrecorded is None else unrecorded.exit_code,
        notices=(*([unannounced] if unannounced else []), *_notices(measured, system.policy)),
    )
    return report if signer is None else _publish(services, report, system.policy, system.owner)


def _must_name_datasets(services: Services) -> None:
    """Refuse an attached frame that no system's policy has a place for: a typing mistake would measure other data."""
    known = {spec.name for system in services.project.systems for spec in system.policy.datasets}
    strange = sorted(set(services.attached) - known)
    if strange:
        raise UsageError(
            f"a frame is attached as {strange[0]!r}, and no system has a dataset of that name",
            hint=f"the datasets are: {', '.join(sorted(known))}; aims.attach({strange[0]}=None) takes it away",
        )


def _chosen(policy: Policy, only: Sequence[str]) -> tuple[CheckSpec, ...]:
    if not policy.checks:
        raise NothingToDo(
            f"system {policy.system} has no check", hint=f"add one to systems.{policy.system}.checks in aims.yaml"
        )
    unknown = [id_ for id_ in only if policy.check(id_) is None]
    if unknown:
        known = ", ".join(spec.id for spec in policy.checks)
        raise UsageError(f"system {policy.system} has no check {unknown[0]!r}", hint=f"it has: {known}")
    return tuple(spec for spec in policy.checks if not only or spec.id in only)


def _signer(services: Services) -> tuple[Signer | None, AimsError | None]:
    """Return a signer that has signed once, so that a passphrase is asked for before the work and not after it."""
    try:
        signer = services.signer()
        signer.sign(b"aims-mlops: can this key sign?")
    except SigningError as error:
        return None, error
    return signer, None


def _measure(
    services: Services,
    policy: Policy,
    snapshot: Snapshot,
    specs: Sequence[CheckSpec],
    progress: Callable[[str], None],
) -> list[Measured]:
    with services.engine() as engine:
        job = Job(
            policy=policy,
            root=services.project.root,
            model=snapshot.digest,
            checks=services.checks,
            engine=engine,
            predictor=lambda positive: services.registry.predictor(snapshot, positive=positive),
            champion=lambda spec, alias, metric: champion_measure(services, policy, spec, alias=alias, metric=metric),
            clock=services.clock,
            attached=services.attached,
        )
        return Runner(job).run(specs, progress=progress)


@dataclass(frozen=True)
class _Desk:
    """Where the results of one run are signed."""

    services: Services
    version: ModelVersion
    subject: Subject
    policy: Policy
    signer: Signer
    intent: Digest | None = None
    """The statement that announced this run; None where the log did not take it."""

    def announce(self, specs: Sequence[CheckSpec]) -> tuple[_Desk, str]:
        """Sign and append which checks are about to run; return the desk of that run, and what kept it from the log.

        In vain it stops nothing: results without intent are results, and that they have none is seen in each of them.
        """
        body = intent(specs, policy=self.policy, attached=self.services.attached)
        said = Said("intent", self.version, self.subject, self.policy, body, measured_at=self.services.clock())
        try:
            return replace(self, intent=write(self.services, said, signer=self.signer)), ""
        except AimsError as error:
            return self, f"not announced: the log took no intent of this run ({error}); its results say so"

    def record_all(self, snapshot: Snapshot, measured: Sequence[Measured]) -> tuple[list[Measured], AimsError | None]:
        """Record results until one cannot be: what was measured is kept, and the error comes back beside it."""
        recorded: list[Measured] = []
        try:
            self.services.store.put_blob(snapshot.manifest)
            recorded.extend(map(self.record, measured))  # keeps those before one that raises
        except AimsError as error:
            return [*recorded, *measured[len(recorded) :]], error
        return recorded, None

    def record(self, item: Measured) -> Measured:
        """Sign and append one result; return it with the digest of its statement."""
        result = item.result
        measured = predicates.check_result(
            result,
            item.spec,
            options=_options(item.spec),
            seed=item.seed,
            isolation=item.isolation,
            policy=self.policy.digest,
        )
        body = {**measured, "intent": self.intent}
        said = Said(
            "check-result",
            self.version,
            self.subject,
            self.policy,
            body,
            measured_at=result.measured_at,
            datasets=result.datasets,
            libraries=result.finding.libraries,
            supersedes=_previous(self.services, self.version, result.id),
        )
        return replace(item, result=replace(result, evidence=write(self.services, said, signer=self.signer)))


def _options(spec: CheckSpec) -> dict[str, object]:
    options = spec.options
    return options.model_dump(mode="json", exclude_none=True) if isinstance(options, BaseModel) else {}


def _previous(services: Services, version: ModelVersion, id_: str) -> Digest | None:
    """Return the newest statement about this version's check, as the store remembers it. Information for people.

    What does not hold is passed over here: the gate and `aims evidence verify` are who says so.
    """
    for payload in reversed(services.store.find(model=version.name, version=version.version)):
        content = services.store.envelope(payload)
        try:
            statement = None if content is None else Statement.from_bytes(Envelope.from_bytes(content).payload)
        except VerificationError:
            continue
        if statement is None or statement.kind != "check-result":
            continue
        header, about = statement.header, statement.body.get("check")
        same = (header.registry_id, header.version_created_at) == (version.registry_id, version.created_at)
        if same and isinstance(about, dict) and about.get("id") == id_:
            return payload
    return None


def _notices(measured: Sequence[Measured], policy: Policy) -> list[str]:
    """Say before the gate does which results it will not take."""
    return [
        f"{item.result.id} was {objection}: the gate will call it mismatched"
        for item in measured
        for use in item.result.datasets
        if item.spec.required and (objection := item.spec.objection(use, policy.dataset(use.name)))
    ]


def _publish(services: Services, report: CheckReport, policy: Policy, owner: str) -> CheckReport:
    """Attach reports and envelopes to the version. The log has them already: failing here loses nothing."""
    files = dict(services.reports(report, policy))
    for result in report.results:
        envelope = None if result.evidence is None else services.store.envelope(result.evidence)
        if result.evidence is not None and envelope is not None:
            files[f"{result.evidence.hex}.dsse.json"] = envelope
    bad = [result.id for result in report.failed if result.required]
    tags = {
        "aims.system": report.system,
        "aims.owner": owner,
        "aims.status": f"checks {report.outcome.value}" + (f": {', '.join(bad)}" if bad else ""),
        "aims.evidence": f"aims/{report.version.name}/{report.version.version}",
    }
    try:
        # A server that enforces the gate keeps these tags to itself, and sets them when it decides.
        services.registry.publish(report.version, files, {} if services.store.enforces else tags)
    except AimsError as error:
        notice = f"recorded, but not attached to {report.version.label} in the registry: {error}"
        return replace(report, notices=(*report.notices, notice))
    return report
