"""The published JSON of `aims check` and `aims gate`: fields may be added, never changed."""

from __future__ import annotations

from typing import Any

from aims_mlops.evidence import predicates
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import CheckResult
from aims_mlops.model.report import CheckReport
from aims_mlops.model.subject import ModelVersion
from aims_mlops.model.times import to_text


def check_report(report: CheckReport) -> dict[str, Any]:
    """Return a run as `aims.check/1`. Where nothing was recorded, the first of `notices` says why.

    NaN and infinite values are null, so that the whole is strict JSON. `detail` of a result is left out: it may
    quote a library and is for the terminal only.
    """
    unrecorded = [f"not recorded: {report.unrecorded}", report.unrecorded_hint] if report.unrecorded else []
    return {
        "schema": "aims.check/1",
        "model": _model(report.version, report.digest),
        "system": report.system,
        "outcome": report.outcome.value,
        "exit_code": int(report.exit_code),
        "recorded": not report.unrecorded,
        "notices": [notice for notice in (*unrecorded, *report.notices) if notice],
        "results": [_result(result) for result in report.results],
    }


def decision(decided: Decision) -> dict[str, Any]:
    """Return a decision as `aims.gate/1`. `decision` is null until it is recorded; `owner` where there is none."""
    owner = decided.owner
    return {
        "schema": "aims.gate/1",
        "model": _model(decided.version, None if decided.subject is None else decided.subject.digest),
        "to": decided.target.to_wire(),
        "system": decided.system,
        "enforced_by": decided.enforced_by,
        "owner": None if owner is None else {"id": owner.id, "name": owner.name, "email": owner.email},
        "verdict": decided.verdict.value,
        "exit_code": int(decided.exit_code),
        "decision": decided.digest,
        "expires_at": to_text(decided.expires_at),
        "requirements": [predicates.requirement(item) for item in decided.requirements],
    }


def _model(version: ModelVersion, digest: Digest | None) -> dict[str, str | None]:
    return {
        "registry_id": version.registry_id,
        "workspace": version.workspace,
        "name": version.name,
        "version": version.version,
        "digest": digest,
    }


def _result(result: CheckResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "use": result.use,
        "required": result.required,
        "outcome": result.outcome.value,
        "evidence": result.evidence,
        "measured_at": to_text(result.measured_at),
        "rows": result.finding.rows,
        "data": {use.name: use.digest for use in result.datasets},
        "reason": result.reason,
        "hint": result.hint,
        "measures": [predicates.measure(measure) for measure in result.measures],
    }
