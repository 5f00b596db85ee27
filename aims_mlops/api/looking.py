"""Reading the log: what the gate is shown, and what the last champion measured."""

from __future__ import annotations

from collections.abc import Iterator

from aims_mlops.api.services import Services
from aims_mlops.errors import CheckError
from aims_mlops.evidence.log import Fault, Walk, walk
from aims_mlops.evidence.record import EvidenceView, Record, Trust, open_leaf
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import CheckSpec, Policy
from aims_mlops.model.subject import ModelVersion


def walk_log(services: Services) -> Walk:
    """Read the whole log and hold it to its rules, lost envelopes included."""
    store = services.store
    head = store.head()  # before the leaves: meanwhile the log may grow, but never shrink
    walked = walk(store.leaves(), registry_id=store.registry_id(), head=head)
    there = store.payloads()
    lost = [read.leaf.seq for read in walked.leaves if read.leaf.payload not in there]
    holes = tuple(Fault("hole", seq, f"the statement of leaf {seq} is gone") for seq in lost)
    return Walk(walked.leaves, (*walked.faults, *holes))


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
    """Open the statements of one kind, newest first; those that nobody who is trusted signed are left out."""
    for read in reversed(walked.leaves):
        if read.leaf.type != predicate_type(kind):
            continue
        opened = open_leaf(read.leaf, services.store.envelope(read.leaf.payload), trust)
        if isinstance(opened, Fault):
            raise CheckError(f"the log does not hold: {opened.what}", hint="aims evidence verify names each place")
        if opened.signer is not None:
            yield opened


def champion_measure(
    services: Services, policy: Policy, spec: CheckSpec, *, alias: str, metric: str
) -> tuple[str, float] | None:
    """Return what the last allowed promotion to an alias measured: (`name/version`, value).

    None where the log never held such a promotion. Today's alias is not looked at: it can be moved by anyone who goes
    round the gate. Raises `CheckError` where the log has faults, or where the champion's own measure is not in it.
    """
    walked, trust = walk_log(services), services.trust(policy)
    if walked.faults:
        raise CheckError(
            f"the log does not hold: {walked.faults[0].what}", hint="aims evidence verify names each place"
        )
    last = next(
        (
            record
            for record in statements(services, walked, "promotion", trust)
            if record.statement.header.system == policy.system and record.statement.body.get("to") == {"alias": alias}
        ),
        None,
    )
    if last is None:
        return None
    label = f"{last.statement.header.model}/{last.statement.header.version}"
    for record in statements(services, walked, "check-result", trust):
        body = record.statement.body
        if record.statement.subject != last.statement.subject or body["check"]["id"] != spec.id:
            continue
        for measure in body["measures"]:
            if measure["metric"] == metric and isinstance(measure["value"], int | float):
                return label, float(measure["value"])
    raise CheckError(
        f"the last promotion was {label}, but no trusted result in the log says its {metric}",
        hint=f"aims check {label} measures it",
    )
