"""Reading the log: what the gate is shown, and what the last champion measured."""

from __future__ import annotations

from collections.abc import Iterator

from aims_mlops.api.services import Services
from aims_mlops.errors import CheckError, VerificationError
from aims_mlops.evidence.log import Fault, Leaf, Walk, walk
from aims_mlops.evidence.record import EvidenceView, Record, Trust, open_leaf
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import CheckSpec, Policy
from aims_mlops.model.subject import ModelVersion

_LOOK = "aims evidence verify names each place; restore the store from its backup"


def walk_log(services: Services) -> Walk:
    """Read the whole log and hold it to its rules; every envelope must be there, and be the one that was appended."""
    store = services.store
    head = store.head()  # before the leaves: meanwhile the log may grow, but never shrink
    walked = walk(store.leaves(), registry_id=store.registry_id(), head=head)
    there = store.envelope_digests()
    faults = [fault for read in walked.leaves if (fault := _envelope_fault(read.leaf, there.get(read.leaf.payload)))]
    return Walk(walked.leaves, (*walked.faults, *faults))


def _envelope_fault(leaf: Leaf, found: Digest | None) -> Fault | None:
    if found is None:
        return Fault("hole", leaf.seq, f"the statement of leaf {leaf.seq} is gone")
    if found != leaf.envelope:
        return Fault("tampered", leaf.seq, f"leaf {leaf.seq}: the envelope is not the one that was appended")
    return None


def evidence_for(services: Services, version: ModelVersion, digest: Digest | None, trust: Trust) -> EvidenceView:
    """Open every statement about these bytes, and every one that names this version.

    The first are found by the subject in the chained leaves. The second come from the store's look-up columns, which
    anyone with database access could change: they only make a refusal say `mismatched` instead of `missing`.
    """
    walked = walk_log(services)
    named = set(services.store.find(model=version.name, version=version.version))
    wanted = [read.leaf for read in walked.leaves if read.leaf.subject == digest or read.leaf.payload in named]
    gone = {fault.seq for fault in walked.faults}
    opened = [open_leaf(leaf, services.store.envelope(leaf.payload), trust) for leaf in wanted if leaf.seq not in gone]
    records = tuple(item for item in opened if isinstance(item, Record))
    return EvidenceView.of(walked, records, tuple(item for item in opened if isinstance(item, Fault)))


def statements(services: Services, walked: Walk, kind: str, trust: Trust) -> Iterator[Record]:
    """Open the statements of one kind, newest first, those that nobody who is trusted signed among them.

    Raises `VerificationError` where one of them does not hold.
    """
    for read in reversed(walked.leaves):
        if read.leaf.type == predicate_type(kind):
            yield _opened(services, read.leaf, trust)


def _opened(services: Services, leaf: Leaf, trust: Trust) -> Record:
    opened = open_leaf(leaf, services.store.envelope(leaf.payload), trust)
    if isinstance(opened, Fault):
        raise VerificationError(f"the log does not hold: {opened.what}", hint=_LOOK)
    return opened


def champion_measure(
    services: Services, policy: Policy, spec: CheckSpec, *, alias: str, metric: str
) -> tuple[str, float] | None:
    """Return what the last allowed promotion to an alias measured: (`name/version`, value).

    None only where the log never held a promotion of this system to it. Today's alias is not looked at: it can be
    moved by anyone who goes round the gate. The value is that of the very result which the promotion's decision
    rested on, so that no later run can lower it. Raises `CheckError` where the log has faults, or where promotion,
    decision or result are not signed by anyone whom the policy trusts today.
    """
    walked, trust = walk_log(services), services.trust(policy)
    if walked.faults:
        raise CheckError(f"the log does not hold: {walked.faults[0].what}", hint=_LOOK)
    promotions = [
        record
        for record in statements(services, walked, "promotion", trust)
        if record.statement.header.system == policy.system and _leads_to(record, alias)
    ]
    if not promotions:
        return None
    last = next((record for record in promotions if record.signer is not None), promotions[0])
    label = f"{last.statement.header.model}/{last.statement.header.version}"
    leaves: dict[object, Leaf] = {read.leaf.payload: read.leaf for read in walked.leaves}
    decision = _trusted(services, leaves.get(str(last.statement.body.get("decision"))), trust) if last.signer else None
    for item in decision.statement.body.get("requirements", []) if decision else []:
        if item.get("id") != spec.id:
            continue
        result = _trusted(services, leaves.get(str(item.get("evidence"))), trust)
        for measure in result.statement.body.get("measures", []) if result else []:
            if measure.get("metric") == metric and isinstance(measure.get("value"), int | float):
                return label, float(measure["value"])
    raise CheckError(
        f"the last promotion to {alias} was {label}, but no result that is trusted today says its {metric}",
        hint=f"promote a version whose {spec.id} was measured and signed by someone whom the policy trusts",
    )


def _leads_to(record: Record, alias: str) -> bool:
    target = record.statement.body.get("to")
    return isinstance(target, dict) and str(target.get("alias", "")).casefold() == alias.casefold()


def _trusted(services: Services, leaf: Leaf | None, trust: Trust) -> Record | None:
    if leaf is None:
        return None
    record = _opened(services, leaf, trust)
    return record if record.signer is not None else None
