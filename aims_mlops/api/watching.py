"""`aims watch`: hold the registry against the log, record what went round the gate, and put it back where told to.

A look takes no lock. Where it finds something, it looks again while no promotion of the models concerned is under way,
since an alias is set a moment before its promotion is recorded; only what is still there then is a finding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from aims_mlops.api.acts import Acts, Identity, read_acts
from aims_mlops.api.locking import promotion_lock
from aims_mlops.api.looking import evidence_for, walk_log
from aims_mlops.api.reconciling import Files, Reconciler, models_of
from aims_mlops.api.restoring import Restorer
from aims_mlops.api.services import Said, Services, kept_policy, trust_of, trusted_signer, write
from aims_mlops.errors import (
    AimsError,
    CannotDecide,
    ExitCode,
    FilesGone,
    StoreError,
    UsageError,
    VerificationError,
    worst_exit_code,
)
from aims_mlops.evidence import predicates
from aims_mlops.evidence.log import Fault
from aims_mlops.gate import Question, decide
from aims_mlops.model.bypass import Bypass, Word
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelVersion, Subject
from aims_mlops.ports import Standing


@dataclass(frozen=True)
class WatchReport:
    """What one look found."""

    at: datetime
    looked: int
    """Protected aliases, stages and names that versions stand at, and acts of the log that were looked at."""
    findings: tuple[Bypass, ...]
    faults: tuple[Fault, ...]
    """What does not hold in the log itself."""
    notes: tuple[str, ...] = ()
    """What is no bypass: evidence of what stands that the gate would not take today."""
    notices: tuple[str, ...] = ()
    """What the look itself could not do, such as record a finding."""

    @property
    def fresh(self) -> tuple[Bypass, ...]:
        """The findings that were not known before this look."""
        return tuple(found for found in self.findings if found.fresh)

    @property
    def exit_code(self) -> ExitCode:
        """0 only where something was looked at and everything holds."""
        codes = [found.word.exit_code for found in self.findings]
        codes += [ExitCode.UNDECIDED if item.kind == "hole" else ExitCode.UNVERIFIED for item in self.faults]
        return worst_exit_code(codes) if codes else ExitCode.OK if self.looked else ExitCode.NOTHING


def watch(
    services: Services, *, enforce: bool = False, servers: Collection[str] = (), unclaimed: str | None = None
) -> WatchReport:
    """Look once, and record each finding that the log does not know yet.

    `servers` names the people (services of aims.yaml) whose decisions alone count, where a server enforces. `unclaimed`
    is what holds for a model of no system where aims.yaml does not say it: `refuse`, or `free` beside a server.
    `enforce` puts back what was proved before, or takes away what was not; it raises `SigningError` where the signer's
    decisions count for nobody. Raises `RegistryError` and `StoreError` where it could not look.
    """
    if enforce:
        if services.store.enforces:
            raise UsageError(
                "a watcher that puts things back writes to the evidence database itself, and this one goes over HTTP",
                hint="name the database in AIMS_STORE, or watch without --enforce",
            )
        trusted_signer(services, "gate-decision")
    default = unclaimed or ("free" if servers else "refuse")
    looker = _Looker(services, servers, services.project.unclaimed or default)
    seen = looker.look()
    notices: list[str] = []
    if seen.findings:
        with _standing_still(services, models_of(seen.findings), notices):
            seen = looker.look(models_of(seen.findings))
            desk = _Desk(services, seen.acts, notices)
            sure = not notices
            findings = [desk.record(found) if sure else replace(found, fresh=True) for found in seen.findings]
            if enforce:
                findings = _put_back(services, seen, findings, sure=sure and not notices)
            seen = replace(seen, findings=tuple(findings))
    return WatchReport(
        services.clock(),
        seen.looked,
        seen.findings,
        seen.acts.faults,
        tuple(looker.notes(seen)),
        tuple(dict.fromkeys(notices)),
    )


@dataclass(frozen=True)
class _Seen:
    """One look at the registry and the log."""

    acts: Acts
    reconciler: Reconciler
    standing: tuple[Standing, ...]
    findings: tuple[Bypass, ...]

    @property
    def protected(self) -> list[Standing]:
        return [item for item in self.standing if self.reconciler.protects(item.version.name, item.target)]

    @property
    def looked(self) -> int:
        return len(self.protected) + len({act.place for act in self.acts.acts}) + len(self.findings)


class _Looker:
    """Looks at registry and log; each version's files are digested once for all looks."""

    def __init__(self, services: Services, servers: Collection[str], unclaimed: str) -> None:
        self._services, self._servers, self._unclaimed = services, servers, unclaimed
        self._files: dict[Identity, Files] = {}

    def look(self, models: Collection[str] = ()) -> _Seen:
        """Look at everything; every version of `models` is listed besides."""
        services = self._services
        registry_id = services.store.registry_id()
        # The registry first: what is promoted in between is then in the log, and not yet among what stands.
        empty = Reconciler(services.project, Acts((), (), {}, {}, ()), self.files, registry_id)
        listed = services.registry.standing(registry_id, names=lambda name: name in models or empty.concerns(name))
        standing = tuple(listed)
        acts = read_acts(services, walk_log(services), trust_of(services), servers=self._servers)
        reconciler = replace(empty, acts=acts, servers=self._servers, unclaimed=self._unclaimed)
        return _Seen(acts, reconciler, standing, tuple(reconciler.findings(standing)))

    def files(self, version: ModelVersion) -> Files:
        """Digest a version's files where they are now."""
        key = Identity.of(version)
        if key not in self._files:
            self._files[key] = self._digest(version)
        return self._files[key]

    def _digest(self, version: ModelVersion) -> Files:
        try:
            return Files(Digest.of(self._services.registry.manifest(version)))
        except FilesGone as error:
            return Files(None, Word.GONE, str(error))
        except CannotDecide as error:
            return Files(None, Word.UNREADABLE, str(error))
        except VerificationError as error:
            return Files(None, Word.CHANGED, str(error))

    def notes(self, seen: _Seen) -> Iterator[str]:
        """Say of what stands rightly that the gate would not let it there today. No finding: it was let there."""
        wrong = {(Identity.of(f.version), f.target) for f in seen.findings if isinstance(f.version, ModelVersion)}
        for item in seen.protected:
            version, target = item.version, item.target
            claimants = self._services.project.claimants(version.name)
            digest = self.files(version).digest
            if (Identity.of(version), target) in wrong or len(claimants) != 1 or digest is None:
                continue
            subject = Subject.of(version, digest)
            question = Question(version, target, claimants, self._services.project.people, subject)
            trust = self._services.trust(claimants[0].policy)
            view = evidence_for(self._services, version, digest, trust)
            said = decide(question, view, now=self._services.clock())
            shut = [f"{req.id} is {req.status.value}" for req in said.blocking if req.id not in ("actor", "integrity")]
            if shut:
                gone = "".join(f"; the {item.kind} of leaf {item.leaf.seq} was {item.says}" for item in view.erased)
                told = f"today the gate would say no: {', '.join(shut)}{gone}"
                yield f"{version.label} holds {target} by its promotion; {told}"


@contextmanager
def _standing_still(services: Services, models: Collection[str], notices: list[str]) -> Iterator[None]:
    """Hold the locks of the models' promotions. Without them a finding may be a promotion under way: it is said."""
    with ExitStack() as held:
        try:
            for name in sorted(models):
                held.enter_context(promotion_lock(services.store, name))
        except StoreError as error:
            notices.append(f"a promotion may be under way, so that nothing is recorded or put back: {error}")
        yield


class _Desk:
    """Records findings, each once."""

    def __init__(self, services: Services, acts: Acts, notices: list[str]) -> None:
        self._services, self._acts, self._notices = services, acts, notices

    def record(self, found: Bypass) -> Bypass:
        """Return the finding with the statement that records it, if there is one or one can be written."""
        if found.word is Word.UNREADABLE:  # nobody is accused because a disk was away
            return found
        known = self._acts.found.get(str(found.id))
        if known is not None:
            return replace(found, evidence=known)
        try:
            return replace(found, evidence=self._write(found), fresh=True)
        except AimsError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._notices.append(f"not recorded: {error}{hint}")
            return replace(found, fresh=True)

    def _write(self, found: Bypass) -> Digest:
        services, version = self._services, found.version
        trusted_signer(services, "bypass-finding")
        policy = kept_policy(services, version.name)
        subject = None
        if isinstance(version, ModelVersion) and found.digest is not None:
            subject = Subject.of(version, found.digest)
        body = predicates.bypass_finding(found, actor=services.actor())
        said = Said("bypass-finding", version, subject, policy, body, measured_at=services.clock())
        return write(services, said, signer=services.signer())


def _put_back(services: Services, seen: _Seen, findings: Sequence[Bypass], *, sure: bool) -> list[Bypass]:
    """Act on each finding, or say why not. Nothing is acted on from a log that does not hold."""
    if seen.acts.faults:
        return [replace(found, done="nothing: the log does not hold") for found in findings]
    if not sure:
        return [
            replace(found, done="nothing: a promotion may be under way, or it was not recorded") for found in findings
        ]
    restorer = Restorer(services, seen.reconciler, seen.standing)
    return [replace(found, done=restorer.put_back(found)) for found in findings]
