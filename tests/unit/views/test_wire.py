"""The published JSON: exact keys, strict values."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from aims_mlops.model.finding import Measure
from aims_mlops.model.outcome import Outcome, Verdict
from aims_mlops.views import wire
from tests.unit.views.examples import (
    DATA,
    EVIDENCE,
    FAILED,
    MODEL,
    OPTIONAL,
    PASSED,
    REFERENCE,
    VERSION,
    WAIVED,
    broken,
    by_race,
    by_sex,
    decision,
    drift,
    income,
    report,
    result,
)


def strict(value: dict[str, Any]) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


def test_a_check_report_has_exactly_the_published_keys() -> None:
    got = strict(wire.check_report(income()))
    assert list(got) == ["schema", "model", "system", "outcome", "exit_code", "recorded", "notices", "results"]
    assert got["schema"] == "aims.check/1"
    assert got["model"] == {
        "registry_id": VERSION.registry_id,
        "workspace": "default",
        "name": "income",
        "version": "1",
        "digest": str(MODEL),
    }
    assert (got["system"], got["outcome"], got["exit_code"], got["recorded"]) == ("income", "failed", 1, True)


def test_a_result_has_exactly_the_published_keys_and_values() -> None:
    [got] = strict(wire.check_report(report(by_sex())))["results"]
    measures = got.pop("measures")
    reason = "demographic_parity_difference by sex is 0.176 (0.165 to 0.188), the limit is at most 0.12"
    assert got == {
        "id": "parity-by-sex",
        "use": "fairness",
        "required": True,
        "outcome": "failed",
        "evidence": str(EVIDENCE),
        "measured_at": "2026-11-21T20:31:34.123Z",
        "rows": 14652,
        "data": {"evaluation": str(DATA.digest)},
        "reason": reason,
        "hint": "compare the selection rates of Female (0.0765) and Male (0.253); retrain, or move the threshold",
    }
    published = {"metric", "column", "value", "interval", "limit", "outcome", "counts", "groups", "too_small"}
    assert all(published <= set(measure) for measure in measures)
    assert measures[0]["interval"] == [0.16511, 0.18792]
    assert measures[0]["limit"] == {"max": 0.12}


def test_data_names_each_dataset_with_its_digest() -> None:
    [got] = strict(wire.check_report(report(drift())))["results"]
    assert got["data"] == {"reference": str(REFERENCE.digest), "evaluation": str(DATA.digest)}


def test_results_keep_the_order_of_the_policy() -> None:
    got = [item["id"] for item in wire.check_report(income())["results"]]
    assert got == ["accuracy", "parity-by-race", "evaluation-quality", "parity-by-sex"]


def test_nan_and_infinity_become_null() -> None:
    measure = Measure("psi", Outcome.ERROR, math.nan, "age", (-math.inf, 1.0))
    [got] = strict(wire.check_report(report(result("drift", "drift", measure))))["results"]
    assert got["measures"][0]["value"] is None
    assert got["measures"][0]["interval"] == [None, 1.0]


def test_a_run_that_was_not_recorded_says_why_first() -> None:
    unrecorded = report(by_race(), unrecorded="no key", unrecorded_hint="aims keys new pipeline", notices=("other",))
    got = strict(wire.check_report(unrecorded))
    assert got["recorded"] is False
    assert got["exit_code"] == 2
    assert got["notices"] == ["not recorded: no key", "aims keys new pipeline", "other"]


def test_what_a_library_said_stays_at_the_terminal() -> None:
    assert "ImportError" not in json.dumps(wire.check_report(report(broken())))


def test_a_decision_has_exactly_the_published_keys_and_values() -> None:
    got = strict(wire.decision(decision(PASSED, FAILED, OPTIONAL)))
    requirements = got.pop("requirements")
    assert got.pop("model") == wire.check_report(income())["model"]
    assert got == {
        "schema": "aims.gate/1",
        "to": {"alias": "champion"},
        "system": "income",
        "enforced_by": "client",
        "owner": {"id": "income-owner", "name": "Income Model Owner", "email": "income-owner@example.org"},
        "verdict": "denied",
        "exit_code": 1,
        "decision": str(EVIDENCE),
        "expires_at": "2026-11-21T20:41:34.123Z",
    }
    assert [item["id"] for item in requirements] == ["accuracy", "parity-by-sex", "peer-review"]
    assert list(requirements[1]) == [
        "id",
        "kind",
        "required",
        "status",
        "evidence",
        "measured_at",
        "signed_by",
        "waiver",
        "reason",
        "hint",
    ]


@pytest.mark.parametrize("field", ["owner", "decision", "system"])
def test_what_a_decision_does_not_have_is_null(field: str) -> None:
    got = strict(wire.decision(decision(FAILED, owner=None, digest=None, system=None, subject=None)))
    assert got[field] is None
    assert got["model"]["digest"] is None


def test_a_waived_requirement_is_never_written_as_passed() -> None:
    got = strict(wire.decision(decision(PASSED, WAIVED, verdict=Verdict.ALLOWED_BY_WAIVER)))
    assert [item["status"] for item in got["requirements"]] == ["passed", "waived"]
    assert got["requirements"][1]["waiver"] == str(WAIVED.waiver)
    assert (got["verdict"], got["exit_code"]) == ("allowed_by_waiver", 0)
