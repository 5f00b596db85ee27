"""Which of a version's statements decides about a requirement: the newest that counts, or what there is instead. Pure.

The newest trusted statement bound to exactly this version and these bytes decides (ADR 0004). Two things behind it keep
it from deciding, since nobody can tell what they would have said:

1. one that was erased (ADR 0025): the requirement is then `missing` until it is measured again;
2. one that would count but for the term of a key (ADR 0023): then it is `untrusted`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aims_mlops.evidence.record import EvidenceView, Record
from aims_mlops.evidence.tombstone import Erasure, newest_erased
from aims_mlops.model.decision import RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status
from aims_mlops.model.subject import ModelVersion, Subject


@dataclass(frozen=True, slots=True)
class Sought:
    """For which requirement of which version a statement is sought. `kind` is the requirement's: check or record."""

    id: str
    kind: str
    version: ModelVersion
    subject: Subject | None
    """The version's files; None where they could not be digested."""
    remedy: str
    files_changed: bool = False
    """The files themselves are refused, rather than out of reach."""

    def erased(self, evidence: EvidenceView) -> Erasure | None:
        """Return the newest statement about these files that was erased and could have been about this."""
        kind = "check-result" if self.kind == "check" else self.kind
        return newest_erased(evidence.erased, kind, None if self.subject is None else self.subject.digest)


def newest_of(records: Sequence[Record], sought: Sought, evidence: EvidenceView) -> Record | RequirementStatus:
    """Return the newest trusted statement bound to the version, or say what there is instead of one."""
    bound = [record for record in records if record.binds(sought.subject)]
    heard = [record for record in bound if record.signer is not None or record.doubted]
    newest, erased = last_of(heard) if heard else None, sought.erased(evidence)
    if erased is not None and (newest is None or newest.seq < erased.leaf.seq):
        reason = f"the newest {erased.kind} of these files was {erased.says}"
        return _instead(sought, Status.MISSING, reason, erased.tombstone.payload)
    if newest is not None and not newest.doubted:
        return newest
    if bound:
        last = newest or last_of(bound)
        reason = last.why or "signed by a key that the policy does not trust for it"
        return _instead(sought, Status.UNTRUSTED, reason, last.payload)
    return _unbound([record for record in records if _names(record, sought.version)], sought, evidence)


def last_of(records: Iterable[Record]) -> Record:
    """Return the newest, whoever signed it."""
    return max(records, key=lambda record: record.seq)


def _unbound(near: Sequence[Record], sought: Sought, evidence: EvidenceView) -> RequirementStatus:
    """Say what there is where nothing is bound to the version; `near` only has its name and number."""
    label = sought.version.label
    if near and sought.subject is None and not sought.files_changed:
        reason = "cannot be compared with the model: its files could not be read"
        return _instead(sought, Status.ERROR, reason, last_of(near).payload)
    if near:
        other = last_of(near).statement
        same_files = sought.subject is not None and other.subject == sought.subject.digest
        what = "another registration of this name and number" if same_files else "other files"
        reason = f"recorded for {what}: the model is not the one that was looked at"
        return _instead(sought, Status.MISMATCHED, reason, last_of(near).payload)
    if evidence.faults:  # Whether it never was, or was lost or spoiled, can no longer be told.
        changed = any(fault.kind != "hole" for fault in evidence.faults)
        reason = f"no record for {label} is left in a log that is damaged (see integrity)"
        damaged = _instead(sought, Status.UNTRUSTED if changed else Status.ERROR, reason, None)
        hint = f"restore the store from its backup, then {sought.remedy} if it is still missing"
        return replace(damaged, hint=hint)
    return _instead(sought, Status.MISSING, f"no record for {label}", None)


def _instead(sought: Sought, status: Status, reason: str, evidence: Digest | None) -> RequirementStatus:
    return RequirementStatus(sought.id, sought.kind, status, evidence=evidence, reason=reason, hint=sought.remedy)


def _names(record: Record, version: ModelVersion) -> bool:
    header = record.statement.header
    return (header.model, header.version) == (version.name, version.version)
