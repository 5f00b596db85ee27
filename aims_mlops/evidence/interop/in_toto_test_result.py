"""A check result as in-toto test-result v0.1 (in-toto/attestation, spec/predicates/test-result.md).

1. `result` is made from the outcome alone: passed is PASSED, warned is WARNED, and every other word, `inconclusive`,
   `error` and words of later versions among them, is FAILED.
2. The test lists are made from the measures in the same way.
3. The words themselves stay, as annotations of the descriptor that names our statement.

Counts, values and group names are left out, the suppressed ones with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aims_mlops.evidence.interop.statements import policy, reading, said, statement
from aims_mlops.evidence.record import Record
from aims_mlops.model.finding import DatasetUse
from aims_mlops.model.outcome import Outcome
from aims_mlops.model.times import to_text

PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"

_RESULT = {Outcome.PASSED.value: "PASSED", Outcome.WARNED.value: "WARNED"}
_FIELD = {"PASSED": "passedTests", "WARNED": "warnedTests", "FAILED": "failedTests"}


def as_test_result(of: Record) -> bytes:
    """Return the statement's bytes, to be signed anew; raise `VerificationError` where the result is ill-formed.

    Whether somebody trusted signed `of` is **not** checked here.
    """
    with reading(of):
        body = of.statement.body
        tests: dict[str, list[str]] = {field: [] for field in _FIELD.values()}
        for measure in body["measures"]:
            tests[_FIELD[_RESULT.get(measure["outcome"], "FAILED")]].append(_name(measure))
        header = of.statement.header
        configuration = [policy(header), *(_dataset(use) for use in header.datasets), _ours(of)]
        result = _RESULT.get(body["outcome"], "FAILED")
        return statement(of, PREDICATE_TYPE, {"result": result, "configuration": configuration, **tests})


def _ours(of: Record) -> dict[str, Any]:
    body = of.statement.body
    annotations: dict[str, Any] = {
        "check": body["check"]["id"],
        "use": body["check"]["use"],
        "required": body["check"]["required"],
        "outcome": body["outcome"],
        "measuredAt": to_text(of.statement.header.measured_at),
        "signedBy": of.signer,
    }
    for word in (Outcome.INCONCLUSIVE.value, Outcome.ERROR.value):
        annotations[f"{word}Tests"] = [_name(measure) for measure in body["measures"] if measure["outcome"] == word]
    return said(of.payload, "check-result", annotations, kind="check-result")


def _dataset(use: DatasetUse) -> dict[str, Any]:
    # What the digest is of depends on its kind (docs/predicates/README.md): it is a file's own SHA-256 for none.
    annotations = {"kind": use.kind, "origin": use.origin}
    return {"name": use.name, "digest": {"sha256": use.digest.hex}, "annotations": annotations}


def _name(measure: Mapping[str, Any]) -> str:
    metric, column = measure["metric"], measure["column"]
    return str(metric) if column is None else f"{metric}({column})"
