"""The coverage ledger of one version: each requirement with every run that the log knows of it. Pure.

What counts is whether something was measured, and how often; whether it lets a version through is the gate's to say.
Only statements that somebody trusted signed count; of the others their number is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aims_mlops.evidence.completeness import check_id
from aims_mlops.evidence.intent import intended
from aims_mlops.evidence.record import Record
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Outcome, Status
from aims_mlops.model.policy import CheckSpec, Policy, RecordSpec


class Standing(StrEnum):
    """How a requirement stands by its newest trusted result."""

    PASSED = "passed"
    WARNED = "warned"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    ERROR = "error"
    WAIVED = "waived"
    """The newest decision about the version waived it, and nothing newer was measured."""
    ERASED = "erased"
    """A statement that may have been the newest result was erased: nobody can tell what was measured."""
    UNFINISHED = "unfinished"
    """Announced by an intent, and no result is there."""
    NEVER = "never"
    """Never measured, and never announced; for a record: nobody made one."""


_NOT_RUN = (Standing.UNFINISHED, Standing.NEVER, Standing.ERASED)


@dataclass(frozen=True, slots=True)
class Covered:
    """One requirement of one version, and every run of it."""

    id: str
    kind: str
    """`check` or `record`."""
    use: str | None
    required: bool
    in_policy: bool
    """False where today's policy no longer has it: what was measured does not disappear with the requirement."""
    standing: Standing
    runs: Mapping[str, int]
    """How often which outcome was recorded."""
    unfinished: int = 0
    """Runs that were announced and have no result."""
    unannounced: int = 0
    """Results that name no intent: of earlier versions, or of a run whose intent the log did not take."""
    untrusted: int = 0
    evidence: Digest | None = None
    measured_at: datetime | None = None
    stale: bool = False
    """The newest was measured under another policy than today's."""

    @property
    def open(self) -> bool:
        """Whether it is required today and was never measured, as far as can still be told."""
        return self.required and self.in_policy and self.standing in _NOT_RUN


def cover(policy: Policy, records: Iterable[Record], *, erased: Mapping[str, int] | None = None) -> tuple[Covered, ...]:
    """Return how each requirement stands by the statements about one version, which must be of this version alone.

    `erased` has the place of the newest statement of each kind about it that was erased.

    Today's requirements come first, in the policy's order; then what the log knows besides.
    """
    ledger = _Ledger(policy, sorted(records, key=lambda record: record.seq), erased or {})
    checks = [ledger.check(spec.id, spec) for spec in policy.checks]
    known = {spec.id for spec in policy.checks}
    other = [ledger.check(id_, None) for id_ in ledger.check_ids() if id_ not in known]
    return (*checks, *(ledger.record(spec) for spec in policy.records), *other)


class _Ledger:
    """The statements about one version, oldest first, apart by what they say."""

    def __init__(self, policy: Policy, records: Sequence[Record], erased: Mapping[str, int]) -> None:
        self._policy, self._erased = policy, erased
        self._results = [record for record in records if record.statement.kind == "check-result"]
        self._records = [record for record in records if record.statement.kind == "record"]
        trusted = [record for record in records if record.signer is not None]
        self._intents = [record for record in trusted if record.statement.kind == "intent"]
        decisions = [record for record in trusted if _judges(record)]
        self._waived = _waived(decisions[-1]) if decisions else frozenset()
        self._decided = decisions[-1].seq if decisions else -1
        self._done = {
            (str(record.statement.body.get("intent")), check_id(record))
            for record in self._results
            if record.signer is not None
        }

    def check_ids(self) -> list[str]:
        announced = [id_ for record in self._intents for id_ in intended(record.statement.body)]
        measured = [check_id(record) for record in self._results if record.signer is not None]
        return list(dict.fromkeys([*announced, *(id_ for id_ in measured if id_ is not None)]))

    def check(self, id_: str, spec: CheckSpec | None) -> Covered:
        about = [record for record in self._results if check_id(record) == id_]
        results = [record for record in about if record.signer is not None]
        open_ = [run for run in self._intents if id_ in intended(run.statement.body)]
        unfinished = sum((str(run.payload), id_) not in self._done for run in open_)
        newest = results[-1] if results else None
        return Covered(
            id=id_,
            kind="check",
            use=spec.use if spec is not None else _use(newest),
            required=spec is not None and spec.required,
            in_policy=spec is not None,
            standing=self._standing(id_, newest, "check-result", announced=bool(unfinished)),
            runs=dict(Counter(_outcome(record).value for record in results)),
            unfinished=unfinished,
            unannounced=sum(record.statement.body.get("intent") is None for record in results),
            untrusted=len(about) - len(results),
            evidence=None if newest is None else newest.payload,
            measured_at=None if newest is None else newest.statement.header.measured_at,
            stale=newest is not None and newest.statement.header.policy_digest != self._policy.digest,
        )

    def record(self, spec: RecordSpec) -> Covered:
        about = [record for record in self._records if record.statement.body.get("record") == spec.id]
        made = [record for record in about if record.signer is not None]
        newest = made[-1] if made else None
        words = [Outcome.PASSED if r.statement.body.get("outcome") == "passed" else Outcome.FAILED for r in made]
        return Covered(
            id=spec.id,
            kind="record",
            use=None,
            required=spec.required,
            in_policy=True,
            standing=self._standing(spec.id, newest, "record", announced=False, outcome=words[-1] if words else None),
            runs=dict(Counter(word.value for word in words)),
            untrusted=len(about) - len(made),
            evidence=None if newest is None else newest.payload,
            measured_at=None if newest is None else newest.statement.header.measured_at,
        )

    def _standing(
        self, id_: str, newest: Record | None, kind: str, *, announced: bool, outcome: Outcome | None = None
    ) -> Standing:
        if self._erased.get(kind, -1) > (-1 if newest is None else newest.seq):
            return Standing.ERASED
        said = outcome or (None if newest is None else _outcome(newest))
        if said is not None and said.good:
            return Standing(said.value)
        if id_ in self._waived and (newest is None or newest.seq < self._decided):
            return Standing.WAIVED
        if said is not None:
            return Standing(said.value)
        return Standing.UNFINISHED if announced else Standing.NEVER


def _judges(record: Record) -> bool:
    return record.statement.kind == "gate-decision" and record.statement.body.get("act", "promote") == "promote"


def _waived(decision: Record) -> frozenset[str]:
    listed = decision.statement.body.get("requirements")
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return frozenset(str(item.get("id")) for item in items if item.get("status") == Status.WAIVED.value)


def _outcome(record: Record) -> Outcome:
    """Return what a result says; of one that says nothing known, an error."""
    said = record.statement.body.get("outcome")
    return Outcome(said) if isinstance(said, str) and said in set(Outcome) else Outcome.ERROR


def _use(record: Record | None) -> str | None:
    check = None if record is None else record.statement.body.get("check")
    named = check.get("use") if isinstance(check, dict) else None
    return named if isinstance(named, str) else None
