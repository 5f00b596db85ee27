"""`aims evidence replay`: chooses recorded results, has them measured again, and signs whether they came out.

A replay is a record, and no check result: nothing at the gate depends on it, and the newest result stays the newest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

from aims_mlops.api.looking import statements, walk_log
from aims_mlops.api.rerunning import PolicyReader, body_of, rerunning
from aims_mlops.api.services import Said, Services, kept_policy, own_version, trust_of, write
from aims_mlops.errors import (
    AimsError,
    ExitCode,
    NothingToDo,
    SigningError,
    UsageError,
    VerificationError,
    worst_exit_code,
)
from aims_mlops.evidence.record import Record, Trust
from aims_mlops.evidence.replay import Difference, LibraryChange, Sample, check_of, choose, differences, replay_body
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, ModelVersion, Subject
from aims_mlops.ports import Signer
from aims_mlops.runner import Measured

SAMPLE = 5
"""How many results are measured again where nobody says."""

LARGEST_SEED = 2**53 - 1
"""JSON holds whole numbers exactly up to here."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One result, measured again. `came_out` is None where it could not be; `reason` says why."""

    replayed: Record
    came_out: bool | None
    reason: str = ""
    hint: str = ""
    differing: tuple[Difference, ...] = ()
    changed: tuple[LibraryChange, ...] = ()
    measured: Measured | None = None
    evidence: Digest | None = None
    unrecorded: str = ""
    """Why it was not recorded; empty where it was."""

    @property
    def exit_code(self) -> ExitCode:
        """1 where it did not come out, 3 where that could not be told or not be recorded."""
        if self.came_out is False:
            return ExitCode.SHUT
        return ExitCode.UNDECIDED if self.came_out is None or self.unrecorded else ExitCode.OK


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What came of one sample."""

    sample: Sample
    replays: tuple[Replay, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0 only where each came out and was recorded."""
        return worst_exit_code([item.exit_code for item in self.replays])


def replay(
    services: Services,
    ref: ModelRef | None = None,
    *,
    read_policy: PolicyReader,
    size: int = SAMPLE,
    seed: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ReplayReport:
    """Measure a random sample of the recorded results again, of one version where it is named, and sign what came out.

    Only results that somebody trusted signed are chosen, and none that was an error: those measured nothing. Raises
    `NothingToDo` where there is none, `SigningError` where nobody would believe the signer, and `VerificationError`
    where the log does not hold.
    """
    if size < 1 or (seed is not None and not 0 <= seed <= LARGEST_SEED):
        raise UsageError("a sample has one result or more, and a seed from 0 to 2^53 - 1", hint="--sample 5 --seed 1")
    trust = trust_of(services)
    signer = _signer(services, trust)
    walked = walk_log(services)
    if walked.faults:
        raise VerificationError(f"the log does not hold: {walked.faults[0].what}", hint="aims evidence verify")
    if ref is not None and ref.version is None:
        ref = ModelRef(ref.name, version=services.registry.resolve(ref, services.store.registry_id()).version)
    found = [record for record in statements(services, walked, "check-result", trust) if _replayable(record, ref)]
    if not found:
        raise NothingToDo("no trusted result is recorded that could be measured again", hint="aims check MODEL")
    number = secrets.randbelow(LARGEST_SEED + 1) if seed is None else seed
    head = None if walked.head is None else walked.head.digest
    sample = Sample(number, min(size, len(found)), len(found), walked.size, head)
    replays: list[Replay] = []
    for group in _groups(choose(found, size=size, seed=number)):
        again = _again(services, group, read_policy, progress)
        replays += [_recorded(services, item, sample, signer) for item in again]
    return ReplayReport(sample, tuple(sorted(replays, key=lambda item: item.replayed.seq)))


def _signer(services: Services, trust: Trust) -> Signer:
    """Return a signer who is believed and has signed once: a passphrase is asked for before the work."""
    signer, trusted = services.signer(), trust.by_kind.get("record", {})
    if signer.key_id not in trusted:
        names = ", ".join(dict.fromkeys(trusted.values())) or "nobody"
        raise SigningError(
            f"{signer.person} may not sign a record, which a replay is: the policy trusts {names} for it",
            hint=f"sign as one of them (--as, AIMS_SIGNER), or name {signer.person} under trust: record in aims.yaml",
        )
    signer.sign(b"aims-mlops: can this key sign?")
    return signer


def _replayable(record: Record, ref: ModelRef | None) -> bool:
    header, body = record.statement.header, record.statement.body
    about = ref is None or (header.model, header.version) == (ref.name, ref.version)
    named = check_of(record)["id"] and header.model and header.version and header.version_created_at
    return bool(about and named and record.signer is not None and body.get("outcome") != "error")


def _groups(chosen: Sequence[Record]) -> list[list[Record]]:
    """Put together what is about the same version, files and policy."""
    groups: dict[Hashable, list[Record]] = {}
    for record in chosen:
        header = record.statement.header
        about = header.workspace, header.model, header.version, header.version_created_at, header.policy_digest
        groups.setdefault((about, record.statement.subject), []).append(record)
    return list(groups.values())


def _again(
    services: Services, group: Sequence[Record], read_policy: PolicyReader, progress: Callable[[str], None]
) -> list[Replay]:
    done: list[Replay] = []
    try:
        with rerunning(services, group, read_policy) as again:
            for record in group:
                progress(f"{record.statement.header.model}/{record.statement.header.version} {check_of(record)['id']}")
                try:
                    done.append(_held(record, again(record)))
                except AimsError as error:
                    done.append(_in_vain(services, record, error))
    except AimsError as error:
        done += [_in_vain(services, record, error) for record in group[len(done) :]]
    return done


def _in_vain(services: Services, record: Record, error: AimsError) -> Replay:
    above = f"{services.project.root}/"  # what goes into evidence says nothing of this machine
    return Replay(record, None, reason=str(error).replace(above, ""), hint=error.hint.replace(above, ""))


def _held(record: Record, measured: Measured) -> Replay:
    """Hold what was measured now to what was recorded."""
    header = record.statement.header
    policy = header.policy_digest
    assert policy is not None  # it was measured under it just now
    differing = differences(record.statement.body, body_of(measured, policy))
    then = {**header.libraries, "aims-mlops": header.tool.get("version")}
    now = {**measured.result.finding.libraries, "aims-mlops": own_version()}
    names = sorted({*then, *now})
    changed = [LibraryChange(name, then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)]
    reason = f"{len(differing)} of its values came out otherwise" if differing else ""
    return Replay(record, not differing, reason, "", differing, tuple(changed), measured)


def _recorded(services: Services, item: Replay, sample: Sample, signer: Signer) -> Replay:
    """Sign and append one replay. Where that fails, what was measured is shown all the same."""
    statement = item.replayed.statement
    header, result = statement.header, None if item.measured is None else item.measured.result
    assert header.model is not None
    assert header.version is not None
    assert header.version_created_at is not None
    version = ModelVersion(
        header.registry_id, header.workspace, header.model, header.version, header.version_created_at
    )
    body = replay_body(
        item.replayed,
        came_out=item.came_out,
        reason=item.reason,
        differing=item.differing,
        changed=item.changed,
        sample=sample,
    )
    try:
        said = Said(
            "record",
            version,
            Subject.of(version, statement.subject),
            kept_policy(services, header.model),
            body,
            measured_at=services.clock(),
            datasets=() if result is None else result.datasets,
            libraries={} if result is None else result.finding.libraries,
        )
        return replace(item, evidence=write(services, said, signer=signer))
    except AimsError as error:
        return replace(item, unrecorded=str(error))
