"""`aims apply`: shows which champions a configuration would shut out, and signs it as an administrator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from aims_mlops.api.applying import Loader, NotApplied, read_bundle, refuse_faults
from aims_mlops.api.keeping import Gatekeeper
from aims_mlops.api.policy_log import PolicyLog, PolicyReading, Proposal
from aims_mlops.api.promoting import judge
from aims_mlops.api.services import Said, Services, write
from aims_mlops.errors import AimsError, ExitCode, NothingToDo, SigningError
from aims_mlops.evidence.configuration import SUBJECT, Administrators, Bundle, PolicyBody
from aims_mlops.model.decision import Actor, Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project, PublicKey
from aims_mlops.model.subject import ModelVersion, Target, WholeRegistry
from aims_mlops.ports import Signer, Standing

_REPORT = Actor("aims apply", "signature")
"""Who asks about champions for a report. They were promoted by somebody else: who that was is not asked again."""


@dataclass(frozen=True)
class Flip:
    """One thing that stands at a protected target, and what the gate says of it before and after.

    None is no decision: the target was or will be free, or no configuration was in force before.
    """

    version: ModelVersion
    target: Target
    before: Decision | None
    after: Decision | None

    @property
    def flips(self) -> bool:
        """Whether it may stand there today and not afterwards, or the other way round."""
        return _open(self.before) != _open(self.after)

    @property
    def shuts(self) -> bool:
        """Whether it may stand there today and not afterwards."""
        return _open(self.before) and not _open(self.after)


def _open(decision: Decision | None) -> bool:
    return decision is None or decision.allowed


@dataclass(frozen=True)
class ApplyReport:
    """What was signed, or would be. `statement` is None where nothing was."""

    bundle: Bundle
    project: Project
    sequence: int
    previous: Digest | None
    before: Project | None
    """What was in force; None where nothing was, or where it cannot be read."""
    standing: tuple[Flip, ...]
    statement: Digest | None
    signer: str | None
    signatures: int
    threshold: int
    in_force: bool
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """0 where it was signed. Of a dry run: 1 where a champion would be shut out."""
        shut = self.statement is None and any(item.shuts for item in self.standing)
        return ExitCode.SHUT if shut else ExitCode.OK


def apply(
    services: Services,
    bundle: Bundle,
    load: Loader,
    *,
    administrators: Administrators | None = None,
    dry_run: bool = False,
) -> ApplyReport:
    """Judge all that stands at protected targets by the old and the new policy, then sign the configuration.

    `administrators` are the server's, where this machine knows them; otherwise whoever `trust: policy` names, with
    a threshold of one. What the server counts is the server's to say. Raises `NothingToDo` where it is in force or
    signed by this person already, `SigningError` for a signer who is known to be no administrator, `ConfigError` for
    a bundle that does not read, and `NotApplied` where the log's policy statements do not hold.
    """
    project = load(bundle)
    signer = None if dry_run else services.signer()
    warnings = _doubts(project, signer, administrators)
    keys = _keys(services, project, signer) if administrators is None else administrators.keys
    work = _Work(services, bundle, project, PolicyLog(services.store, keys), signer)
    work = replace(work, threshold=1 if administrators is None else administrators.threshold)
    plan = work.plan()
    before, unread = _before(services, plan.current, load)
    standing = tuple(_standing(services, before, project))
    if signer is not None:
        with services.store.lock("policy"):
            plan = work.plan()  # meanwhile another administrator may have signed
            statement, signatures, in_force = work.sign(plan, signer)
    else:
        statement, signatures, in_force = None, len(plan.signed), False
    return ApplyReport(
        bundle=bundle,
        project=project,
        sequence=plan.sequence,
        previous=plan.previous,
        before=before,
        standing=standing,
        statement=statement,
        signer=None if signer is None else signer.person,
        signatures=signatures,
        threshold=work.threshold,
        in_force=in_force,
        warnings=(*warnings, *unread),
    )


@dataclass(frozen=True)
class _Plan:
    """What is to be signed. `signed` are the keys that signed the same already."""

    sequence: int
    previous: Digest | None
    current: Proposal | None
    signed: tuple[Digest, ...] = ()


@dataclass(frozen=True)
class _Work:
    services: Services
    bundle: Bundle
    project: Project
    log: PolicyLog
    signer: Signer | None
    threshold: int = 1

    def plan(self) -> _Plan:
        """Find out under which sequence to sign: that of an unfinished proposal of the same files, else the next."""
        reading = self.log.look()
        refuse_faults(reading)
        newest = reading.newest(self.threshold)
        current = newest[0] if len(newest) == 1 else None
        if current is not None and current.configuration == self.bundle.digest:
            raise NothingToDo(
                f"nothing to apply: number {current.sequence} is in force and has exactly these files",
                hint="change aims.yaml, a key or a suite first",
            )
        number = newest[0].sequence if newest else 0
        proposal = self._unfinished(reading, above=number)
        if proposal is None:
            previous = None if current is None else current.configuration
            return _Plan(max(number, reading.highest) + 1, previous, current)
        if self.signer is not None and self.signer.key_id in proposal.signers:
            raise NothingToDo(
                f"{self.signer.person} signed number {proposal.sequence} already: it has {len(proposal.signers)} of "
                f"{self.threshold} signatures",
                hint="another administrator signs the same files: aims apply --as PERSON",
            )
        return _Plan(proposal.sequence, proposal.previous, current, proposal.signers)

    def _unfinished(self, reading: PolicyReading, *, above: int) -> Proposal | None:
        alike = [item for item in reading.proposals if item.configuration == self.bundle.digest]
        return max((item for item in alike if item.sequence > above), key=lambda item: item.sequence, default=None)

    def sign(self, plan: _Plan, signer: Signer) -> tuple[Digest, int, bool]:
        """Keep the files, append the statement; return its digest, the signatures so far, and whether they suffice."""
        services, store = self.services, self.services.store
        for content in (*self.bundle.files.values(), self.bundle.manifest):
            store.put_blob(content)
        systems = {system.id: system.policy.digest for system in self.project.systems}
        body = PolicyBody(plan.sequence, plan.previous, self.bundle.digest, self.bundle.digests, systems)
        said = Said(
            "policy",
            WholeRegistry(store.registry_id()),
            None,
            None,
            body.to_wire(),
            measured_at=services.clock(),
            about=(SUBJECT, self.bundle.digest),
        )
        statement = write(services, said, signer=signer)
        newest = self.log.look().newest(self.threshold)
        in_force = [item.configuration for item in newest] == [self.bundle.digest]
        return statement, len({*plan.signed, signer.key_id}), in_force


def _keys(services: Services, project: Project, signer: Signer | None) -> tuple[PublicKey, ...]:
    """Return whose word this machine takes for an administrator's where nobody said whose it is."""
    named = {id_ for system in project.systems for id_ in system.policy.trust.get("policy", {}).values()}
    people = (*project.people, *services.project.people)
    keys = {key.id: key for person in people if person.id in named for key in person.keys}
    mine = [key for person in people for key in person.keys if signer is not None and key.id == signer.key_id]
    return tuple((keys | {key.id: key for key in mine}).values())


def _doubts(project: Project, signer: Signer | None, administrators: Administrators | None) -> tuple[str, ...]:
    """Refuse a signer who is no administrator, and say what this machine cannot know."""
    if signer is None:
        return ()
    if administrators is not None and signer.key_id not in {key.id for key in administrators.keys}:
        raise SigningError(
            f"{signer.person} is no administrator: the key is not among those of AIMS_ADMIN_KEYS",
            hint="sign as an administrator: aims apply --as PERSON",
        )
    warnings = []
    if not any(signer.key_id in system.policy.trust.get("policy", {}) for system in project.systems):
        warnings.append(
            f"trust: policy in aims.yaml does not name {signer.person}: aims evidence verify will call the statement "
            "untrusted; whether it counts is for the server's administrators' keys to say"
        )
    if administrators is None:
        warnings.append(
            "AIMS_ADMIN_KEYS is not set here: how many signatures the server wants, and whose, is not known"
        )
    return tuple(warnings)


def _before(services: Services, current: Proposal | None, load: Loader) -> tuple[Project | None, tuple[str, ...]]:
    """Read what is in force; where that is not possible a warning says why, since a new configuration may mend it."""
    if current is None:
        return None, ()
    try:
        return load(read_bundle(services.store, current)), ()
    except (NotApplied, AimsError) as error:
        return None, (f"what is in force cannot be read: {error}",)


def _standing(services: Services, before: Project | None, after: Project) -> Iterator[Flip]:
    """Judge everything that stands where either configuration protects it."""
    projects = [item for item in (before, after) if item is not None]
    for item in services.registry.standing(services.store.registry_id(), names=_protected_names(projects)):
        judged = [None if project is None else _judged(services, project, item) for project in (before, after)]
        if any(decision is not None for decision in judged):
            yield Flip(item.version, item.target, judged[0], judged[1])


def _protected_names(projects: list[Project]) -> Callable[[str], bool]:
    def protected(name: str) -> bool:
        target = Target("name", name)
        return any(_protects(project, name, target) for project in projects)

    return protected


def _judged(services: Services, project: Project, item: Standing) -> Decision | None:
    """Return the gate's decision about what stands somewhere; None where the project leaves that free."""
    if not _protects(project, item.version.name, item.target):
        return None
    try:
        return judge(replace(services, project=project, caller=_REPORT), item.version, item.target)
    except NothingToDo:
        return None


def _protects(project: Project, model: str, target: Target) -> bool:
    """Whether a server with this configuration would guard the target."""

    def never() -> Services:
        raise AssertionError("protects() asks the project alone")

    keeper = Gatekeeper(lambda: project, never, say=lambda _: None, show=lambda _: None, unclaimed="free")
    return keeper.protects(model, target)
