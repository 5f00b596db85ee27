"""A gate decision as SLSA verification summary v1 (slsa-framework/slsa, docs/spec/v1.1/verification_summary.md).

1. PASSED only where the verdict is `allowed` or `allowed_by_waiver`, the exit code is 0, and each required requirement
   stands open; there is at least one. Everything else is FAILED, whatever the verdict says.
2. `verifiedLevels` has values of our own, never one of SLSA's: `MODEL_GATE_ALLOWED` or `MODEL_GATE_ALLOWED_BY_WAIVER`,
   never both, and who enforced it. Whoever expects the first does not get a waived one for it.
3. `resourceUri` is the place that the decision is about: registry, workspace, model, version and target. A decision
   for one alias, version or copy never serves another.
4. Only a judgement is a summary. What was refused before a version was judged, taken away or put back is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.interop.statements import policy, reading, said, statement, urn
from aims_mlops.evidence.record import Record
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status, Verdict
from aims_mlops.model.subject import Target
from aims_mlops.model.times import to_text

PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
SLSA_VERSION = "1.1"

ALLOWED = "MODEL_GATE_ALLOWED"
BY_WAIVER = "MODEL_GATE_ALLOWED_BY_WAIVER"
_ENFORCED = {"server": "MODEL_GATE_ENFORCED_BY_SERVER", "client": "MODEL_GATE_ENFORCED_BY_CLIENT"}


def is_judgement(of: Record) -> bool:
    """Whether a gate decision judged a version: else nobody verified anything that could be summed up."""
    body = of.statement.body
    return body.get("act") == "promote" and body.get("enforcedBy") in _ENFORCED


def as_verification_summary(of: Record) -> bytes:
    """Return the statement's bytes, to be signed anew; raise `VerificationError` where it is no judgement.

    Whether somebody trusted signed `of` is **not** checked here.
    """
    if not is_judgement(of):
        raise VerificationError(
            f"the gate-decision {of.payload.short} at leaf {of.seq} judged no version: it has no summary"
        )
    with reading(of):
        header, levels = of.statement.header, _levels(of.statement.body)
        tool = {str(header.tool["name"]): str(header.tool["version"])}
        predicate = {
            "verifier": {"id": urn("gate", header.registry_id, of.signer or ""), "version": tool},
            "timeVerified": to_text(header.measured_at),
            "resourceUri": resource_uri(of),
            "policy": policy(header),
            "inputAttestations": [_decision(of), *_evidence(of.statement.body)],
            "verificationResult": "PASSED" if levels else "FAILED",
            "verifiedLevels": levels or ["FAILED"],
            "slsaVersion": SLSA_VERSION,
        }
        return statement(of, PREDICATE_TYPE, predicate)


def resource_uri(of: Record) -> str:
    """Return the place that a decision is about: the copy where a copy is judged by its source."""
    header, body = of.statement.header, of.statement.body
    ((kind, value),) = body["to"].items()
    target = Target(kind, value)
    where = (header.workspace, str(header.model), str(header.version))
    if body["on"] is not None:
        where = (body["on"]["workspace"], body["on"]["model"], body["on"]["version"])
    return urn("target", header.registry_id, *where, target.kind, target.value)


def _levels(body: Mapping[str, Any]) -> list[str]:
    """Return the levels of a decision that let a version through; none where it did not."""
    required = [item["status"] for item in body["requirements"] if item["required"]]
    verdict = body["verdict"]
    if verdict not in (Verdict.ALLOWED.value, Verdict.ALLOWED_BY_WAIVER.value) or body["exitCode"] != 0:
        return []
    if not required or not all(Status(status).open for status in required):
        return []
    waived = verdict == Verdict.ALLOWED_BY_WAIVER.value or Status.WAIVED.value in required
    return [BY_WAIVER if waived else ALLOWED, _ENFORCED[body["enforcedBy"]]]


def _decision(of: Record) -> dict[str, Any]:
    body = of.statement.body
    annotations = {
        "verdict": body["verdict"],
        "exitCode": body["exitCode"],
        "to": body["to"],
        "on": body["on"],
        "enforcedBy": body["enforcedBy"],
        "expiresAt": body["expiresAt"],
        "waived": [item["id"] for item in body["requirements"] if item["status"] == Status.WAIVED.value],
        "signedBy": of.signer,
    }
    return said(of.payload, "gate-decision", annotations, kind="gate-decision")


def _evidence(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every statement that a requirement rests on, and every waiver: each once for its requirement."""
    for item in body["requirements"]:
        annotations = {"requirement": item["kind"], "required": item["required"], "status": item["status"]}
        if item["evidence"] is not None:
            yield said(Digest(item["evidence"]), item["id"], annotations)
        if item["waiver"] is not None:
            yield said(Digest(item["waiver"]), f"waiver of {item['id']}", annotations, kind="waiver")
