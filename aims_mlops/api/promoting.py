"""`aims gate` decides and signs; `aims promote` decides again under lock, acts, and signs what it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from aims_mlops.api.asking import promote_there
from aims_mlops.api.locking import promotion_lock
from aims_mlops.api.looking import evidence_for, statements, walk_log, with_history
from aims_mlops.api.services import Said, Services, kept_policy, refuse_unless, write
from aims_mlops.errors import AimsError, Denied, NothingToDo, RegistryError, StoreError, VerificationError
from aims_mlops.evidence import predicates
from aims_mlops.evidence.record import EvidenceView, Trust
from aims_mlops.gate import Question, decide
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Verdict
from aims_mlops.model.subject import ModelRef, ModelVersion, Subject, Target

_LONGEST_CHAIN = 8
"""How many copies of copies are followed to the version that a system claims."""


def gate(services: Services, ref: ModelRef, target: Target) -> Decision:
    """Decide whether a version may go to a target, sign the decision and record it. Nothing is acted on.

    Raises `NothingToDo` where the target is not protected for the model's system, and `SigningError` where the policy
    does not trust the signer for decisions: an answer that counts for nobody is none.
    """
    decision = _recorded(services, ref, target)
    _show_status(services, decision)
    return decision


def _recorded(services: Services, ref: ModelRef, target: Target) -> Decision:
    asked_for = services.registry.resolve(ref, services.store.registry_id())
    version = judged_version(services, asked_for)
    shared_with = _must_be_protected(services, version, target)
    _must_be_trusted(services, version, "gate-decision")
    copy = None if version is asked_for else asked_for
    return _record(services, _decide(services, _Judged(version, copy, target, shared_with)))


def judge(services: Services, standing: ModelVersion, target: Target) -> Decision:
    """Decide about a version where it stands, for a report: nothing is signed, recorded or acted on.

    Raises `NothingToDo` where the target is not protected for the model's system.
    """
    version = judged_version(services, standing)
    shared_with = _must_be_protected(services, version, target)
    copy = None if version is standing else standing
    return _decide(services, _Judged(version, copy, target, shared_with))


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is judged: a version, the copy of it that is to be promoted (if it is one), and where to."""

    version: ModelVersion
    copy: ModelVersion | None
    target: Target
    shared_with: str | None


def judged_version(services: Services, version: ModelVersion) -> ModelVersion:
    """Return the version by which this one is judged: a copy that nobody claims is judged by its source (law 3)."""
    source = version
    for _ in range(_LONGEST_CHAIN):
        origin = source.copied_from
        if services.project.claimants(source.name) or origin is None:
            return source if services.project.claimants(source.name) else version
        try:
            source = services.registry.resolve(origin, version.registry_id)
        except RegistryError:
            return version  # Its source is gone: nothing but the copy itself is left to judge.
    return version


def promote(
    services: Services, ref: ModelRef, target: Target, *, reason: str, asked: Decision | None = None
) -> Decision:
    """Decide, carry the promotion out in the registry, and record it; return the decision that it rests on.

    `asked` is an earlier decision of `gate`: it must not have expired or been used, and it is never believed, only
    decided again. Raises `Denied` with the new decision's words where the gate is shut, and as `promotion` does.
    Where the store is that of a server which enforces the gate, the server decides, acts and records.
    """
    if services.store.enforces:
        if asked is not None:
            _must_be_usable(services, asked, [ref], target)
        return promote_there(services, ref, target)
    with promotion(services, [ref], target, reason=reason, asked=asked) as (decision,):
        services.registry.act(decision.moves, target)
    return decision


@contextmanager
def promotion(
    services: Services, refs: Sequence[ModelRef], target: Target, *, reason: str, asked: Decision | None = None
) -> Iterator[tuple[Decision, ...]]:
    """Hold the lock, decide about each version, let the caller act inside the `with`, and record what was promoted.

    Raises `Denied` where the gate is shut for one of them; then nothing inside the `with` runs. Raises `StoreError`
    where the promotion was carried out and could not be recorded.
    """
    with promotion_lock(services.store, refs[0].name):
        if asked is not None:
            _must_be_usable(services, asked, refs, target)
        decisions = tuple(_recorded(services, ref, target) for ref in refs)
        for decision in decisions:
            if not decision.allowed:
                _show_status(services, decision)
                raise Denied(decision.explain(), code=decision.exit_code, decision=decision)
            _must_be_trusted(services, decision.version, "promotion")
        yield decisions
        for decision in decisions:
            _record_promotion(services, decision, reason=reason, asked=asked)
        for decision in decisions:
            _show_status(services, decision)


def _record_promotion(services: Services, decision: Decision, *, reason: str, asked: Decision | None) -> None:
    signer = services.signer()
    body = predicates.promotion(
        target=decision.target,
        decision=decision.digest,
        asked=None if asked is None else asked.digest,
        reason=reason,
        actor=services.actor(),
        on=decision.on,
    )
    policy = services.claimed_by(decision.version.name).policy
    said = Said("promotion", decision.version, decision.subject, policy, body, measured_at=services.clock())
    try:
        write(services, said, signer=signer)
    except AimsError as error:
        raise StoreError(
            f"{decision.moves.label} is {decision.target} now, but that could not be recorded: {error}",
            hint=f"mend the store, then aims promote {decision.moves.label} --to {decision.target} records it",
        ) from error


def _must_be_protected(services: Services, version: ModelVersion, target: Target) -> str | None:
    """Refuse a target that nobody protects; return the other system that protects it beside this model's own.

    An unclaimed model is for the gate to refuse.
    """
    claimants = services.project.claimants(version.name)
    if not claimants:
        return None
    system = claimants[0]
    others = [
        other.id
        for other in services.project.systems
        if other is not system and target.kind == "name" and other.policy.promotion.protects(target)
    ]
    if others:
        return others[0]
    promotion = system.policy.promotion
    if not promotion.protects(target):
        protected = [*promotion.aliases, *(f"stage:{stage}" for stage in promotion.stages)]
        protected += [f"name:{glob}" for glob in promotion.registered_models]
        raise NothingToDo(
            f"{target} is not protected for {version.name}: there is nothing to decide",
            hint=f"system {system.id} protects {', '.join(protected)}",
        )
    return None


def _must_be_trusted(services: Services, version: ModelVersion, kind: str) -> None:
    """Refuse a signer whose statements of this kind the policy does not take. An unclaimed model has no policy."""
    claimants = services.project.claimants(version.name)
    if len(claimants) != 1:
        return
    says = f" for {claimants[0].id}: the policy"
    refuse_unless(services.signer(), kind, claimants[0].policy.trusted(kind), says=says)


def _decide(services: Services, judged: _Judged) -> Decision:
    version = judged.version
    claimants = services.project.claimants(version.name)
    digest, unreadable, files_changed = None, "", False
    view, trust = EvidenceView((), (), 0, None), Trust({}, {})
    if len(claimants) == 1:
        try:
            manifest = services.registry.manifest(judged.copy or version)
            digest = Digest.of(manifest)
        except (RegistryError, VerificationError) as error:
            unreadable, files_changed = str(error), isinstance(error, VerificationError)
        trust = services.trust(claimants[0].policy)
        view = evidence_for(services, version, digest, trust, named=False)
    question = Question(
        version=version,
        target=judged.target,
        claimants=claimants,
        people=services.project.people,
        subject=None if digest is None else Subject.of(version, digest),
        unreadable=unreadable,
        files_changed=files_changed,
        shared_with=judged.shared_with,
        caller=services.actor(),
        on=judged.copy,
    )
    decision = decide(question, view, now=services.clock(), enforced_by=services.enforced_by)
    if decision.verdict is Verdict.ALLOWED_BY_WAIVER:
        # Open it stays, unless something of them does not hold: earlier waivers make the words say which renewal it is.
        view = with_history(services, view, version.name, trust)
        return decide(question, view, now=services.clock(), enforced_by=services.enforced_by)
    if decision.allowed or len(claimants) != 1:
        return decision
    # Shut it stays: what else names this version only makes the words say `mismatched` instead of `missing`.
    view = evidence_for(services, version, digest, trust)
    return decide(question, view, now=services.clock(), enforced_by=services.enforced_by)


def _record(services: Services, decision: Decision) -> Decision:
    """Sign and append a decision. A refusal that a damaged log cannot take stands without a record: still shut."""
    try:
        return replace(decision, digest=_write(services, decision))
    except VerificationError:
        if decision.allowed:
            raise
        return decision


def _write(services: Services, decision: Decision) -> Digest:
    signer = services.signer()
    said = Said(
        "gate-decision",
        decision.version,
        decision.subject,
        kept_policy(services, decision.version.name),
        predicates.gate_decision(decision, actor=services.actor()),
        measured_at=decision.decided_at,
    )
    return write(services, said, signer=signer)


def _show_status(services: Services, decision: Decision) -> None:
    """Point to the decision in the registry. Nothing decides from it, so failing here is not an error."""
    shut = ", ".join(item.id for item in decision.blocking)
    status = f"{decision.verdict.value} for {decision.target}" + (f": {shut}" if shut else "")
    tags = {"aims.status": status[:250]}
    if services.enforced_by == "server":
        tags["aims.evidence"] = f"aims/{decision.version.name}/{decision.version.version}"
        tags |= {"aims.system": decision.system} if decision.system is not None else {}
        tags |= {"aims.owner": decision.owner.id} if decision.owner is not None else {}
    try:
        services.registry.publish(decision.moves, {}, tags)
    except AimsError:
        return


def _must_be_usable(services: Services, asked: Decision, refs: Sequence[ModelRef], target: Target) -> None:
    if (ModelRef(asked.moves.name, asked.moves.version),) != tuple(refs) or asked.target != target:
        raise Denied(
            f"the decision is about {asked.version.label} and {asked.target}, not about this promotion",
            hint="ask the gate about what you promote",
        )
    if asked.digest is None or services.clock() > asked.expires_at:
        raise Denied(
            f"the decision about {asked.version.label} has expired or was never recorded", hint="ask the gate again"
        )
    claimants = services.project.claimants(asked.version.name)
    trust: Trust = services.trust(claimants[0].policy) if len(claimants) == 1 else Trust({}, {})
    if _used(services, asked.digest, trust):
        raise Denied(
            f"the decision about {asked.version.label} was used already: a decision is single-use",
            hint="ask the gate again",
        )


def _used(services: Services, asked: Digest, trust: Trust) -> bool:
    walked = walk_log(services)
    decided = None if walked.faults else walked.of(asked)
    for record in statements(services, walked, "promotion", trust):
        if decided is not None and record.seq < decided.leaf.seq:
            return False  # No promotion rests on a decision that came after it.
        if (record.signer is not None or record.doubted) and record.statement.body.get("asked") == asked:
            return True
    return False
