"""A promotion through a server that enforces the gate: the client asks, the server decides, and its decision is read.

Nothing is decided or signed here. What the server answered is read back from the log, where its signature is held
against the policy's trust like any other's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aims_mlops.api.looking import statements, walk_log
from aims_mlops.api.services import Services, trust_of
from aims_mlops.errors import CannotDecide, Denied
from aims_mlops.evidence.record import Record
from aims_mlops.model.decision import Decision, RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status, Verdict
from aims_mlops.model.subject import ModelRef, ModelVersion, Subject, Target
from aims_mlops.model.times import from_text


def promote_there(services: Services, ref: ModelRef, target: Target) -> Decision:
    """Let the server promote, and return its decision.

    Raises `Denied` with the server's words where it refuses, `CannotDecide` where it acted and its decision is not in
    the log: then nothing shows that it enforces the gate.
    """
    version = services.registry.resolve(ref, services.store.registry_id())
    seen = walk_log(services).size
    try:
        services.registry.act(version, target)
    except Denied as refused:
        decision = _answer(services, version, target, seen)
        if decision is None:
            raise
        raise Denied(decision.explain(), code=decision.exit_code, decision=decision) from refused
    decision = _answer(services, version, target, seen)
    if decision is None or not decision.allowed:
        raise CannotDecide(
            f"{version.label} is {target} now, and the server recorded no decision of its own about it",
            hint="aims doctor says whether that server enforces the gate; aims watch --once shows what stands there",
        )
    return decision


def _answer(services: Services, version: ModelVersion, target: Target, seen: int) -> Decision | None:
    """Return the newest decision of a server about this, among what was recorded meanwhile and can be trusted."""
    walked = walk_log(services)
    for record in statements(services, walked, "gate-decision", trust_of(services)):
        if record.seq < seen:
            return None
        body = record.statement.body
        ours = body.get("enforcedBy") == "server" and body.get("to") == target.to_wire() and record.signer is not None
        if ours and _moved(record) == (version.workspace, version.name, version.version):
            return _read(services, record, version, target)
    return None


def _moved(record: Record) -> tuple[str, str | None, str | None]:
    header, on = record.statement.header, record.statement.body.get("on")
    if isinstance(on, dict):
        return str(on.get("workspace")), str(on.get("model")), str(on.get("version"))
    return header.workspace, header.model, header.version


def _read(services: Services, record: Record, version: ModelVersion, target: Target) -> Decision:
    statement = record.statement
    header, body = statement.header, statement.body
    named = body.get("owner")
    owner = services.project.person(str(named["id"])) if isinstance(named, dict) else None
    claimants = services.project.claimants(str(header.model))
    found = _requirements(body)
    return Decision(
        version=version,
        target=target,
        verdict=Verdict(body["verdict"]),
        requirements=found,
        decided_at=header.measured_at,
        system=header.system,
        subject=Subject.of(version, statement.subject) if claimants else None,
        owner=owner,
        policy_digest=header.policy_digest,
        enforced_by="server",
        digest=record.payload,
    )


def _requirements(body: Mapping[str, Any]) -> tuple[RequirementStatus, ...]:
    return tuple(
        RequirementStatus(
            item["id"],
            item["kind"],
            Status(item["status"]),
            item["required"],
            evidence=None if item["evidence"] is None else Digest(item["evidence"]),
            measured_at=None if item["measured_at"] is None else from_text(item["measured_at"]),
            signed_by=item["signed_by"],
            waiver=None if item["waiver"] is None else Digest(item["waiver"]),
            reason=item["reason"],
            hint=item["hint"],
        )
        for item in body["requirements"]
    )
