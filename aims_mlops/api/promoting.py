"""`aims gate` decides and signs; `aims promote` decides again under lock, acts, and signs what it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from aims_mlops.api.looking import evidence_for, statements, walk_log
from aims_mlops.api.services import Said, Services, write
from aims_mlops.errors import AimsError, Denied, NothingToDo, RegistryError, SigningError, StoreError, VerificationError
from aims_mlops.evidence import predicates
from aims_mlops.evidence.record import EvidenceView, Trust
from aims_mlops.gate import Question, decide
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, ModelVersion, Subject, Target


def gate(services: Services, ref: ModelRef, target: Target) -> Decision:
    """Decide whether a version may go to a target, sign the decision and record it. Nothing is acted on.

    Raises `NothingToDo` where the target is not protected for the model's system, and `SigningError` where the policy
    does not trust the signer for decisions: an answer that counts for nobody is none.
    """
    version = services.registry.resolve(ref, services.store.registry_id())
    shared_with = _must_be_protected(services, version, target)
    _must_be_trusted(services, version, "gate-decision")
    return _record(services, _decide(services, version, target, shared_with))


def promote(
    services: Services, ref: ModelRef, target: Target, *, reason: str, asked: Decision | None = None
) -> Decision:
    """Decide, carry the promotion out in the registry, and record it; return the decision that it rests on.

    `asked` is an earlier decision of `gate`: it must not have expired or been used, and it is never believed, only
    decided again. Raises `Denied` with the new decision's words where the gate is shut, and as `promotion` does.
    """
    with promotion(services, [ref], target, reason=reason, asked=asked) as (decision,):
        services.registry.act(decision.version, target)
    return decision


@contextmanager
def promotion(
    services: Services, refs: Sequence[ModelRef], target: Target, *, reason: str, asked: Decision | None = None
) -> Iterator[tuple[Decision, ...]]:
    """Hold the lock, decide about each version, let the caller act inside the `with`, and record what was promoted.

    Raises `Denied` where the gate is shut for one of them; then nothing inside the `with` runs. Raises `StoreError`
    where the promotion was carried out and could not be recorded.
    """
    # One lock for each model: a large one that is digested again keeps nobody else waiting.
    with services.store.lock(f"promotion-{Digest.of(refs[0].name.encode()).short}"):
        if asked is not None:
            _must_be_usable(services, asked, refs, target)
        decisions = tuple(gate(services, ref, target) for ref in refs)
        for decision in decisions:
            if not decision.allowed:
                raise Denied(decision.explain(), code=decision.exit_code, decision=decision)
            _must_be_trusted(services, decision.version, "promotion")
        yield decisions
        for decision in decisions:
            _record_promotion(services, decision, reason=reason, asked=asked)


def _record_promotion(services: Services, decision: Decision, *, reason: str, asked: Decision | None) -> None:
    signer = services.signer()
    body = predicates.promotion(
        target=decision.target,
        decision=decision.digest,
        asked=None if asked is None else asked.digest,
        reason=reason,
        actor=services.actor(),
    )
    policy = services.claimed_by(decision.version.name).policy
    said = Said("promotion", decision.version, decision.subject, policy, body, measured_at=services.clock())
    try:
        write(services, said, signer=signer)
    except AimsError as error:
        raise StoreError(
            f"{decision.version.label} is {decision.target} now, but that could not be recorded: {error}",
            hint=f"mend the store, then aims promote {decision.version.label} --to {decision.target} records it",
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
    signer, trusted = services.signer(), claimants[0].policy.trust.get(kind, {})
    if signer.key_id not in trusted:
        names = ", ".join(dict.fromkeys(trusted.values())) or "nobody"
        raise SigningError(
            f"{signer.person} may not sign a {kind} for {claimants[0].id}: the policy trusts {names} for it",
            hint=f"sign as one of them (--as, AIMS_SIGNER), or name {signer.person} under trust: {kind} in aims.yaml",
        )


def _decide(services: Services, version: ModelVersion, target: Target, shared_with: str | None) -> Decision:
    claimants = services.project.claimants(version.name)
    digest, unreadable, files_changed = None, "", False
    view = EvidenceView((), (), 0, None)
    if len(claimants) == 1:
        try:
            manifest = services.registry.manifest(version)
            digest = Digest.of(manifest)
        except (RegistryError, VerificationError) as error:
            unreadable, files_changed = str(error), isinstance(error, VerificationError)
        view = evidence_for(services, version, digest, services.trust(claimants[0].policy))
    question = Question(
        version=version,
        target=target,
        claimants=claimants,
        people=services.project.people,
        subject=None if digest is None else Subject.of(version, digest),
        unreadable=unreadable,
        files_changed=files_changed,
        shared_with=shared_with,
    )
    return decide(question, view, now=services.clock(), enforced_by=services.enforced_by)


def _record(services: Services, decision: Decision) -> Decision:
    """Sign and append a decision. A refusal that a damaged log cannot take stands without a record: still shut."""
    try:
        decision = replace(decision, digest=_write(services, decision))
    except VerificationError:
        if decision.allowed:
            raise
        return decision
    _show_status(services, decision)
    return decision


def _write(services: Services, decision: Decision) -> Digest:
    signer = services.signer()
    claimants = services.project.claimants(decision.version.name)
    policy = claimants[0].policy if len(claimants) == 1 else None
    if policy is not None:
        services.store.put_blob(policy.text)
    said = Said(
        "gate-decision",
        decision.version,
        decision.subject,
        policy,
        predicates.gate_decision(decision, actor=services.actor()),
        measured_at=decision.decided_at,
    )
    return write(services, said, signer=signer)


def _show_status(services: Services, decision: Decision) -> None:
    """Point to the decision in the registry. Nothing decides from it, so failing here is not an error."""
    shut = ", ".join(item.id for item in decision.blocking)
    status = f"{decision.verdict.value} for {decision.target}" + (f": {shut}" if shut else "")
    try:
        services.registry.publish(decision.version, {}, {"aims.status": status[:250]})
    except AimsError:
        return


def _must_be_usable(services: Services, asked: Decision, refs: Sequence[ModelRef], target: Target) -> None:
    if (ModelRef(asked.version.name, asked.version.version),) != tuple(refs) or asked.target != target:
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
    if asked.digest in _used(services, trust):
        raise Denied(
            f"the decision about {asked.version.label} was used already: a decision is single-use",
            hint="ask the gate again",
        )


def _used(services: Services, trust: Trust) -> set[str]:
    promotions = statements(services, walk_log(services), "promotion", trust)
    return {str(record.statement.body.get("asked")) for record in promotions if record.signer is not None}
