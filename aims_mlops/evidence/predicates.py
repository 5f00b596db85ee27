"""The bodies of our predicates: how results, decisions and promotions are written down (docs/predicates)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aims_mlops.errors import ExitCode
from aims_mlops.model.bypass import Bypass
from aims_mlops.model.decision import Actor, Decision, Refusal, RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import CheckResult, Groups, Measure, Value
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.policy import CheckSpec
from aims_mlops.model.subject import ModelVersion, Target
from aims_mlops.model.times import to_text

_TEST_RESULT = {Outcome.PASSED: "PASSED", Outcome.WARNED: "WARNED"}


def _number(value: Value) -> Value:
    """Return a value that JSON has: NaN and the infinities become null, whose outcome says why."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _groups(groups: Groups) -> dict[str, dict[str, Value]]:
    return {name: {key: _number(value) for key, value in values.items()} for name, values in groups.items()}


def measure(item: Measure) -> dict[str, Any]:
    """Return a measure's JSON form: the same in evidence, in `aims check --format json` and in reports."""
    wire: dict[str, Any] = {
        "metric": item.metric,
        "column": item.column,
        "value": _number(item.value),
        "interval": None if item.interval is None else [_number(bound) for bound in item.interval],
        "limit": None if item.limit is None else item.limit.to_wire(),
        "outcome": item.outcome.value,
        "counts": dict(item.counts),
        "groups": _groups(item.groups),
        "too_small": dict(item.too_small),
        "reason": item.reason,
        "hint": item.hint,
        "suppressed": item.suppressed,
    }
    if item.bins:
        wire["bins"] = _groups(item.bins)
    return wire


def check_result(
    result: CheckResult,
    spec: CheckSpec,
    *,
    options: Mapping[str, Any],
    seed: int,
    isolation: str | None,
    policy: Digest,
) -> dict[str, Any]:
    """Return the body of a `check-result`, with an in-toto test-result block (v0.1) inside.

    The test result knows only passed, warned and failed: inconclusive and error are written as FAILED there.
    """
    by_outcome: dict[str, list[str]] = {"PASSED": [], "WARNED": [], "FAILED": []}
    for item in result.measures:
        name = item.metric if item.column is None else f"{item.metric}({item.column})"
        by_outcome[_TEST_RESULT.get(item.outcome, "FAILED")].append(name)
    configuration = [{"name": "policy", "digest": {"sha256": policy.hex}}]
    configuration += [{"name": use.name, "digest": {"sha256": use.digest.hex}} for use in result.datasets]
    return {
        "check": {
            "id": result.id,
            "use": result.use,
            "required": result.required,
            "decideOn": spec.decide_on,
            "controls": list(spec.controls),
            "options": dict(options),
        },
        "outcome": result.outcome.value,
        "reason": result.reason,
        "hint": result.hint,
        "rows": result.finding.rows,
        "measures": [measure(item) for item in result.measures],
        "seed": seed,
        "isolation": isolation,
        "testResult": {
            "result": _TEST_RESULT.get(result.outcome, "FAILED"),
            "configuration": configuration,
            "passedTests": by_outcome["PASSED"],
            "warnedTests": by_outcome["WARNED"],
            "failedTests": by_outcome["FAILED"],
        },
    }


def requirement(item: RequirementStatus) -> dict[str, Any]:
    """Return a requirement's JSON form: the same in evidence and in `aims gate --format json`."""
    return {
        "id": item.id,
        "kind": item.kind,
        "required": item.required,
        "status": item.status.value,
        "evidence": item.evidence,
        "measured_at": None if item.measured_at is None else to_text(item.measured_at),
        "signed_by": item.signed_by,
        "waiver": item.waiver,
        "reason": item.reason,
        "hint": item.hint,
    }


def gate_decision(decision: Decision, *, actor: Actor) -> dict[str, Any]:
    """Return the body of a `gate-decision`. The log's size and head say what it saw: every leaf below that size."""
    owner = decision.owner
    return {
        "act": "promote",
        "to": decision.target.to_wire(),
        "on": None if decision.on is None else _version(decision.on),
        "verdict": decision.verdict.value,
        "exitCode": int(decision.exit_code),
        "enforcedBy": decision.enforced_by,
        **_actor(actor),
        "owner": None if owner is None else {"id": owner.id},
        "expiresAt": to_text(decision.expires_at),
        "requirements": [requirement(item) for item in decision.requirements],
        "log": {"size": decision.log_size, "head": decision.log_head},
        "seen": None if decision.seen is None else decision.seen.to_wire(),
    }


def _actor(actor: Actor) -> dict[str, Any]:
    return {"actor": actor.name, "actorVia": actor.via}


def refusal(refused: Refusal, *, actor: Actor, at: datetime, enforced_by: str) -> dict[str, Any]:
    """Return the body of a `gate-decision` about a call that no evidence could make good: no version was judged."""
    reason = RequirementStatus("target", "builtin", Status.FAILED, reason=refused.reason, hint=refused.hint)
    return {
        "act": refused.act,
        "to": None if refused.target is None else refused.target.to_wire(),
        "verdict": Verdict.DENIED.value,
        "exitCode": int(ExitCode.SHUT),
        "enforcedBy": enforced_by,
        **_actor(actor),
        "owner": None,
        "expiresAt": to_text(at),
        "requirements": [requirement(reason)],
        "log": None,
    }


def removal(target: Target, *, actor: Actor, at: datetime, enforced_by: str) -> dict[str, Any]:
    """Return the body of a `gate-decision` about a version that was taken away from a target. No gate was asked."""
    return {
        "act": "remove",
        "to": target.to_wire(),
        "on": None,
        "verdict": Verdict.ALLOWED.value,
        "exitCode": int(ExitCode.OK),
        "enforcedBy": enforced_by,
        **_actor(actor),
        "owner": None,
        "expiresAt": to_text(at),
        "requirements": [],
        "log": None,
    }


def promotion(
    *,
    target: Target,
    decision: Digest | None,
    asked: Digest | None,
    reason: str,
    actor: Actor,
    on: ModelVersion | None = None,
) -> dict[str, Any]:
    """Return the body of a `promotion`: `decision` was taken under lock; `asked` is the decision that was handed in."""
    wire = {"to": target.to_wire(), "on": None if on is None else _version(on)}
    return {**wire, "decision": decision, "asked": asked, "reason": reason, **_actor(actor)}


def _version(version: ModelVersion) -> dict[str, str]:
    where = {"workspace": version.workspace, "model": version.name, "version": version.version}
    return {**where, "createdAt": to_text(version.created_at)}


def bypass_finding(found: Bypass, *, actor: Actor) -> dict[str, Any]:
    """Return the body of a `bypass-finding`. `finding` is the same for the same thing, whoever looks, however often."""
    return {
        "finding": found.id,
        "word": found.word.value,
        "to": found.target.to_wire(),
        "seen": found.seen,
        "logged": found.logged,
        "hint": found.hint,
        "promotion": found.promotion,
        **_actor(actor),
    }


def enforcement(act: str, found: Bypass, *, actor: Actor, at: datetime) -> dict[str, Any]:
    """Return the body of a `gate-decision` about what the reconciler did: `restore`, or `remove`. No gate was asked."""
    reason = f"{found.word.value}: {found.seen}; {found.logged}"
    cause = RequirementStatus("target", "builtin", Status.FAILED, evidence=found.evidence, reason=reason)
    return {
        "act": act,
        "to": found.target.to_wire(),
        "on": None,
        "verdict": Verdict.ALLOWED.value,
        "exitCode": int(ExitCode.OK),
        "enforcedBy": "watch",
        **_actor(actor),
        "owner": None,
        "expiresAt": to_text(at),
        "requirements": [requirement(cause)],
        "log": None,
    }


def target_text(wire: Mapping[str, str]) -> str:
    """Write a target's JSON form as people type it: `champion`, `stage:Production`, `name:prod.income`."""
    ((kind, value),) = wire.items()
    return str(Target(kind, value))
