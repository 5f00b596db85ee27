"""What the log says was done in the registry: promotions, removals and restorations, by the place that they lead to.

Only statements that somebody signed who is trusted for them count. A promotion alone proves nothing: `what_fails` says
whether the decision that it rests on does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.services import Services
from aims_mlops.errors import UsageError
from aims_mlops.evidence.log import Fault
from aims_mlops.evidence.record import Record, Trust
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Verdict
from aims_mlops.model.subject import ModelVersion, Target
from aims_mlops.model.times import from_text

PLACES, REMOVES = ("promote", "restore"), ("remove",)
"""Acts after which a version stands at the target, and after which it does not."""

_KINDS = ("promotion", "gate-decision", "bypass-finding")
_OPEN = tuple(verdict.value for verdict in Verdict if verdict.open)

Place = tuple[str, str, str, str]
"""Workspace, registered model, and the kind and value of a target: where something can stand."""


@dataclass(frozen=True)
class Identity:
    """One version of one registry, whatever its number is used for later."""

    workspace: str
    model: str
    version: str | None
    created_at: datetime | None

    @classmethod
    def of(cls, version: ModelVersion) -> Identity:
        """Return the identity of a version as the registry shows it."""
        return cls(version.workspace, version.name, version.version, version.created_at)

    @property
    def label(self) -> str:
        """How people name it: `income/3`."""
        return self.model if self.version is None else f"{self.model}/{self.version}"


@dataclass(frozen=True)
class Act:
    """One thing that was done to a target. `moved` is the version that stands there after it, or was taken away."""

    kind: str
    target: Target
    moved: Identity
    record: Record

    @property
    def seq(self) -> int:
        """Its place in the log."""
        return self.record.seq

    @property
    def digest(self) -> Digest:
        """The model digest that it is about."""
        return self.record.statement.subject

    @property
    def place(self) -> Place:
        """Where it leads to."""
        return place(self.moved.workspace, self.moved.model, self.target)


def place(workspace: str, model: str, target: Target) -> Place:
    """Return where a version stands. A protected name is one place for all that is promoted into it."""
    if target.kind == "name":
        return workspace, target.value, "name", target.value
    # MLflow writes stages in one way whatever was asked for; aliases are kept as they were written.
    return workspace, model, target.kind, target.value.casefold() if target.kind == "stage" else target.value


@dataclass(frozen=True)
class Acts:
    """All acts that count, or would but for the term of a key, oldest first, and what else was found.

    With the decisions that promotions rest on.
    """

    acts: tuple[Act, ...]
    unsigned: tuple[Act, ...]
    """Promotions that nobody who is trusted for them signed: they count for nothing, and are named."""
    decisions: Mapping[str, Record]
    found: Mapping[str, Digest]
    """Bypass findings that are in the log already: their id, and the statement."""
    faults: tuple[Fault, ...]

    def at(self, where: Place) -> list[Act]:
        """Return what was done at a place, oldest first."""
        return [act for act in self.acts if act.place == where]


def read_acts(services: Services, walked: KnownWalk, trust: Trust, *, servers: Collection[str] = ()) -> Acts:
    """Open every promotion, decision and bypass finding of a walked log.

    Where a server enforces (`servers`), a client's word that something was taken away or put back counts for nothing.
    """
    gone = {fault.seq for fault in walked.faults}
    records: list[Record] = []
    faults = list(walked.faults)
    leaves = [read for kind in _KINDS for read in walked.of_kind(kind) if read.leaf.seq not in gone]
    for read in sorted(leaves, key=lambda read: read.leaf.seq):
        opened = services.log.opened.open(read, trust)
        if isinstance(opened, Fault):
            faults.append(opened)
        else:
            records.append(opened)
    ours = [item for item in records if item.statement.header.registry_id == services.store.registry_id()]
    acts = [act for record in ours if (act := _act(record)) is not None and _is_believed(act, servers)]
    return Acts(
        # What a key did that was revoked since stays done, and proves nothing: what was taken away on purpose, or made
        # place for another version, does not come back by it.
        tuple(act for act in acts if act.record.signer is not None or act.record.doubted),
        tuple(act for act in acts if act.record.signer is None and act.record.statement.kind == "promotion"),
        {str(item.payload): item for item in ours if item.statement.kind == "gate-decision"},
        dict(_findings(ours)),
        tuple(faults),
    )


def _is_believed(act: Act, servers: Collection[str]) -> bool:
    if act.record.statement.kind == "promotion" or not servers:
        return True
    by = act.record.statement.body.get("enforcedBy")
    return by == "watch" or (by == "server" and act.record.signer in servers)


def _findings(records: Iterable[Record]) -> Iterator[tuple[str, Digest]]:
    for record in records:
        if record.statement.kind == "bypass-finding" and record.signer is not None:
            yield str(record.statement.body.get("finding")), record.payload


def _act(record: Record) -> Act | None:
    """Read what a statement says was done; None where nothing was, or where its body has another shape."""
    body, kind = record.statement.body, "promote"
    if record.statement.kind == "gate-decision":
        kind = str(body.get("act"))
        if kind not in ("restore", *REMOVES) or body.get("verdict") not in _OPEN:
            return None
    elif record.statement.kind != "promotion":
        return None
    target = _target(body.get("to"))
    try:
        return None if target is None else Act(kind, target, _moved(record), record)
    except (KeyError, TypeError, ValueError):
        return None


def _target(wire: object) -> Target | None:
    if not isinstance(wire, dict) or len(wire) != 1:
        return None
    ((kind, value),) = wire.items()
    try:
        return Target(str(kind), str(value))
    except UsageError:
        return None


def _moved(record: Record) -> Identity:
    """Return which version was moved: a copy is named under `on`, and the header then names its source."""
    on: Any = record.statement.body.get("on")
    if on is not None:
        return Identity(str(on["workspace"]), str(on["model"]), str(on["version"]), from_text(on["createdAt"]))
    header = record.statement.header
    return Identity(header.workspace, str(header.model), header.version, header.version_created_at)


def what_fails(act: Act, acts: Acts, *, servers: Collection[str]) -> str | None:
    """Say why a promotion proves nothing, in words that follow `the promotion of income/3`; None where it does.

    `servers` are the people whose decisions alone count, where a server enforces; empty means that a client's count
    too. A restoration is worth what the promotion before it is worth. What the gate would say today is not asked.
    """
    if act.record.signer is None:
        return f"does not count: {act.record.why}"
    if act.kind == "restore":
        earlier = [item for item in acts.at(act.place) if item.kind == "promote" and _same(item, act)]
        fails = [what_fails(item, acts, servers=servers) for item in earlier if item.seq < act.seq]
        return None if None in fails else "was restored, and nothing proves an earlier promotion of it"
    named = act.record.statement.body.get("decision")
    decision = acts.decisions.get(str(named))
    if decision is None:
        return "rests on a decision that is not in the log"
    why = _does_not_bear(decision, act) or (_not_the_servers(decision, act, servers) if servers else None)
    return None if why is None else f"rests on decision {decision.payload.short}, which {why}"


def _does_not_bear(decision: Record, act: Act) -> str | None:
    if decision.signer is None:
        return "is not signed by anyone trusted for it"
    if decision.seq > act.seq or not _speaks_of(decision, act):
        return "is about something else"
    verdict = decision.statement.body.get("verdict")
    return None if verdict in _OPEN else f"says {verdict}"


def _not_the_servers(decision: Record, act: Act, servers: Collection[str]) -> str | None:
    if decision.statement.body.get("enforcedBy") != "server":
        return "a client took: here only the server's counts"
    own = {decision.signer, act.record.signer} <= set(servers)
    return None if own else "is not the server's own"


def _same(one: Act, other: Act) -> bool:
    return one.moved == other.moved and one.digest == other.digest


def _speaks_of(decision: Record, act: Act) -> bool:
    """Whether a decision to promote is about exactly the version, bytes and target of a promotion."""
    said, done = decision.statement, act.record.statement
    names = [
        (item.header.workspace, item.header.model, item.header.version, item.header.version_created_at, item.subject)
        for item in (said, done)
    ]
    bodies = [(item.body.get("to"), item.body.get("on")) for item in (said, done)]
    return said.body.get("act") == "promote" and names[0] == names[1] and bodies[0] == bodies[1]


def since_removal(history: Sequence[Act]) -> list[Act]:
    """Return what was placed after the last removal, newest first: what was taken away on purpose stays away."""
    kept: list[Act] = []
    for act in reversed(history):
        if act.kind in REMOVES:
            break
        kept.append(act)
    return kept
