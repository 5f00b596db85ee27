"""`aims coverage`: of every version of a system's models, what was measured, how often, and what never was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.looking import walk_log
from aims_mlops.api.promoting import judged_version
from aims_mlops.api.services import Services, trust_of
from aims_mlops.errors import ExitCode, RegistryError, UsageError, worst_exit_code
from aims_mlops.evidence.coverage import Covered, cover
from aims_mlops.evidence.log import Fault
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import System
from aims_mlops.model.subject import ModelVersion, Target

_ASKED = frozenset(map(predicate_type, ("intent", "check-result", "record", "gate-decision")))


@dataclass(frozen=True, slots=True)
class VersionId:
    """What tells a version from every other: a number that is used again is another version."""

    workspace: str
    model: str
    version: str
    created_at: datetime

    @property
    def label(self) -> str:
        """How people name it: `income/3`."""
        return f"{self.model}/{self.version}"

    @property
    def order(self) -> tuple[str, str, int, str, datetime]:
        """By model, then by number."""
        number = int(self.version) if self.version.isdecimal() else 0
        return self.workspace, self.model, number, self.version, self.created_at


@dataclass(frozen=True, slots=True)
class VersionCoverage:
    """One version: whether the registry has it (None where it did not answer), what it holds, and its requirements."""

    version: VersionId
    registered: bool | None
    holds: tuple[str, ...]
    """The protected aliases, stages and names at which it stands, itself or by a copy."""
    requirements: tuple[Covered, ...]

    @property
    def never_ran(self) -> tuple[str, ...]:
        """The requirements of today's policy that were never measured on it."""
        return tuple(item.id for item in self.requirements if item.open)


@dataclass(frozen=True, slots=True)
class SystemCoverage:
    """All versions of the models that a system claims."""

    system: str
    policy_digest: Digest
    versions: tuple[VersionCoverage, ...]


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """The ledger. `faults` are what does not hold in the log: where there are any, `never` may be a loss."""

    systems: tuple[SystemCoverage, ...]
    faults: tuple[Fault, ...] = ()
    registry: str = ""
    """Why the registry did not answer; empty where it did."""

    @property
    def uncovered(self) -> tuple[VersionCoverage, ...]:
        """The versions that stand at something protected while a requirement was never measured on them."""
        return tuple(row for system in self.systems for row in system.versions if row.holds and row.never_ran)

    @property
    def exit_code(self) -> ExitCode:
        """0 only where nothing required is missing of what is in use, and it could be told."""
        codes = [ExitCode.UNDECIDED if fault.kind == "hole" else ExitCode.UNVERIFIED for fault in self.faults]
        codes += [ExitCode.UNDECIDED] if self.registry else []
        codes += [ExitCode.SHUT] if self.uncovered else []
        codes += [] if any(system.versions for system in self.systems) else [ExitCode.NOTHING]
        return worst_exit_code(codes)


def coverage(services: Services, system: str | None = None) -> CoverageReport:
    """Return the ledger of one system, or of all, by the log and by what the registry holds now.

    A registry that does not answer leaves the versions that the log knows. Raises `UsageError` for an unknown system,
    and what the store raises where it cannot be read.
    """
    chosen = _chosen(services, system)
    walked = walk_log(services)
    told, faults = _told(services, walked)
    erased = _erased(walked)
    registered, holds, problem = _registered(services, chosen)
    ledger = []
    for one in chosen:
        versions = {version for version in (*told, *erased, *registered) if _claims(services, one, version.model)}
        rows = [
            VersionCoverage(
                version,
                None if problem else version in registered,
                tuple(holds.get((one.id, version), ())),
                cover(one.policy, told.get(version, ()), erased=erased.get(version)),
            )
            for version in sorted(versions, key=lambda version: version.order)
        ]
        ledger.append(SystemCoverage(one.id, one.policy.digest, tuple(rows)))
    return CoverageReport(tuple(ledger), faults, problem)


def _chosen(services: Services, id_: str | None) -> tuple[System, ...]:
    systems = services.project.systems
    chosen = tuple(system for system in systems if id_ in (None, system.id))
    if not chosen and id_ is not None:
        known = ", ".join(system.id for system in systems) or "none"
        raise UsageError(f"no system {id_!r} in {services.project.path.name}", hint=f"there are: {known}")
    return chosen


def _claims(services: Services, system: System, model: str) -> bool:
    return system in services.project.claimants(model)


def _told(services: Services, walked: KnownWalk) -> tuple[Mapping[VersionId, Sequence[Record]], tuple[Fault, ...]]:
    """Open what says something about a version, by the version that it is about."""
    trust, registry_id = trust_of(services), services.store.registry_id()
    gone = {fault.seq for fault in walked.faults} | set(walked.erased)
    told: dict[VersionId, list[Record]] = {}
    faults = list(walked.faults)
    for read in walked.leaves:
        if read.leaf.type not in _ASKED or read.leaf.seq in gone:
            continue
        opened = services.log.opened.open(read, trust)
        if isinstance(opened, Fault):
            faults.append(opened)
            continue
        named = _version_of(opened)
        if named is not None and opened.statement.header.registry_id == registry_id:
            told.setdefault(named, []).append(opened)
    return told, tuple(faults)


def _version_of(record: Record) -> VersionId | None:
    """Return the version that a statement is about, by its header; None where it is about none."""
    header = record.statement.header
    if header.model is None or header.version is None or header.version_created_at is None:
        return None
    return VersionId(header.workspace, header.model, header.version, header.version_created_at)


def _erased(walked: KnownWalk) -> Mapping[VersionId, Mapping[str, int]]:
    """Return where the newest erased statement of each kind about each version stands, as the tombstones say."""
    found: dict[VersionId, dict[str, int]] = {}
    for seq, item in walked.erased.items():
        version = _version_of(item.tombstone)
        if version is not None:
            kinds = found.setdefault(version, {})
            kinds[item.kind] = max(seq, kinds.get(item.kind, -1))
    return found


_Holds = dict[tuple[str, VersionId], list[str]]


def _registered(services: Services, systems: Iterable[System]) -> tuple[frozenset[VersionId], _Holds, str]:
    """Return the versions that the registry has, what they hold of each system, and why it did not answer."""
    chosen = tuple(systems)
    registered, holds = set(), _Holds()

    def of_interest(name: str) -> bool:
        return any(system.claims(name) or _protects_name(system, name) for system in chosen)

    try:
        for standing in services.registry.standing(services.store.registry_id(), names=of_interest):
            version = judged_version(services, standing.version)
            registered |= {_id(standing.version), _id(version)}
            for system in chosen:
                if system.claims(version.name) and system.policy.promotion.protects(standing.target):
                    held = holds.setdefault((system.id, _id(version)), [])
                    held.extend([] if str(standing.target) in held else [str(standing.target)])
    except RegistryError as error:
        return frozenset(), {}, str(error)
    return frozenset(registered), holds, ""


def _protects_name(system: System, name: str) -> bool:
    return system.policy.promotion.protects(Target("name", name))


def _id(version: ModelVersion) -> VersionId:
    return VersionId(version.workspace, version.name, version.version, version.created_at)
