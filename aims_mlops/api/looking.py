"""Reading the log: what the gate is shown, and what the last champion measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.services import Services, trust_of
from aims_mlops.errors import CheckError, VerificationError
from aims_mlops.evidence.log import Fault, StoredLeaf
from aims_mlops.evidence.record import EvidenceView, Record, Trust
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import CheckSpec, Policy
from aims_mlops.model.subject import ModelVersion

_ANEW = "aims check the champion again and promote it anew: then the log says what it measured"
_LOOK = "aims evidence verify names each place; restore the store from its backup"


_NAMED = 200
"""How many statements of other bytes that name a version are looked at."""


def walk_log(services: Services, *, whole: bool = False) -> KnownWalk:
    """Return the log, held to its rules; every envelope must be there, and be the one that was appended.

    What was erased lawfully may be gone (`KnownWalk.erased`). A process that has walked it before reads what is new and
    a part of the rest (ADR 0010); with `whole`, all of it.
    """
    walked = services.log.reverify() if whole else services.log.look()
    return services.log.erasures.held(walked, trust_of(services))


def evidence_for(
    services: Services, version: ModelVersion, digest: Digest | None, trust: Trust, *, named: bool = True
) -> EvidenceView:
    """Open every statement about these bytes that can count, and with `named` the newest that name this version.

    The first are found by the subject in the chained leaves. The second come from the store's look-up columns, which
    anyone with database access could change: they only make a refusal say `mismatched` instead of `missing`.
    """
    with services.store.reading():
        walked = services.log.erasures.held(services.log.look(), trust)
        about = services.log.opened.about(walked, digest, trust)
        records, faults = about.records, about.faults
        if named:
            others = list(_named(services, walked, version, digest, trust))
            records += tuple(item for item in others if isinstance(item, Record))
            faults += tuple(item for item in others if isinstance(item, Fault))
    oldest_first = tuple(sorted(records, key=lambda record: record.seq))
    whole = digest is not None and not walked.faults and not faults
    seen = about.seen if whole else None
    return EvidenceView.of(walked, oldest_first, faults, latest=about.latest, seen=seen, erased=about.erased)


def _named(
    services: Services, walked: KnownWalk, version: ModelVersion, digest: Digest | None, trust: Trust
) -> Iterator[Record | Fault]:
    gone = {fault.seq for fault in walked.faults} | set(walked.erased)
    for payload in services.store.find(model=version.name, version=version.version, newest=_NAMED):
        read = walked.of(payload)
        if read is not None and read.leaf.subject != digest and read.leaf.seq not in gone:
            yield services.log.opened.open(read, trust)


def with_history(services: Services, view: EvidenceView, model: str, trust: Trust) -> EvidenceView:
    """Return a view with every waiver of a registered model, whatever the version and the bytes.

    They only say how often a waiver was renewed: another version's opens nothing. What does not hold of them shuts.
    """
    walked, seen = services.log.look(), {record.seq for record in view.records}
    opened = [services.log.opened.open(read, trust) for read in walked.of_kind("waiver") if read.leaf.seq not in seen]
    others = [item for item in opened if isinstance(item, Record) and item.statement.header.model == model]
    records = tuple(sorted((*view.records, *others), key=lambda record: record.seq))
    return replace(view, records=records, faults=(*view.faults, *(item for item in opened if isinstance(item, Fault))))


def statements(services: Services, walked: KnownWalk, kind: str, trust: Trust) -> Iterator[Record]:
    """Open the statements of one kind, newest first, those that nobody who is trusted signed among them.

    What was erased is left out. Raises `VerificationError` where one of them does not hold.
    """
    for read in walked.of_kind(kind):
        if read.leaf.seq in walked.erased:
            continue
        yield _opened(services, read, trust)


def _opened(services: Services, read: StoredLeaf, trust: Trust) -> Record:
    opened = services.log.opened.open(read, trust)
    if isinstance(opened, Fault):
        raise VerificationError(f"the log does not hold: {opened.what}", hint=_LOOK)
    return opened


def champion_measure(
    services: Services, policy: Policy, spec: CheckSpec, *, alias: str, metric: str, before: int | None = None
) -> tuple[str, float] | None:
    """Return what the last allowed promotion to an alias measured: (`name/version`, value).

    None only where the log never held a promotion of this system to it. Today's alias is not looked at: it can be
    moved by anyone who goes round the gate. The value is that of the very result which the promotion's decision
    rested on, so that no later run can lower it. With `before`, promotions from that leaf on are left out. Raises
    `CheckError` where the log has faults, or where promotion, decision or result are not signed by anyone whom the
    policy trusts today.
    """
    walked, trust = walk_log(services), services.trust(policy)
    if walked.faults:
        raise CheckError(f"the log does not hold: {walked.faults[0].what}", hint=_LOOK)
    promotions = [
        record
        for record in statements(services, walked, "promotion", trust)
        if record.statement.header.system == policy.system
        and _leads_to(record, alias)
        and (before is None or record.seq < before)
    ]
    if not promotions:
        return None
    last = next((record for record in promotions if record.signer is not None), promotions[0])
    label = f"{last.statement.header.model}/{last.statement.header.version}"
    decided = walked.of(str(last.statement.body.get("decision"))) if last.signer else None
    decision = _trusted(services, decided, trust)
    for item in decision.statement.body.get("requirements", []) if decision else []:
        if item.get("id") != spec.id:
            continue
        rested_on = walked.of(str(item.get("evidence")))
        if rested_on is not None and rested_on.leaf.seq in walked.erased:
            gone = walked.erased[rested_on.leaf.seq]
            raise CheckError(f"what {label} measured as {alias} was {gone.says}", hint=_ANEW)
        result = _trusted(services, rested_on, trust)
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


def _trusted(services: Services, read: StoredLeaf | None, trust: Trust) -> Record | None:
    if read is None:
        return None
    record = _opened(services, read, trust)
    return record if record.signer is not None else None
