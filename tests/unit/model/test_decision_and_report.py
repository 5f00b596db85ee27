"""What the gate and `aims check` answer, in numbers and in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aims_mlops.errors import ExitCode
from aims_mlops.model.decision import LIFETIME, Decision, RequirementStatus
from aims_mlops.model.finding import CheckResult, Finding
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.report import CheckReport
from tests.builders import CHAMPION, DATA, MODEL_FILES, NOW, people, person, version


def stand(status: Status, *, required: bool = True, hint: str = "") -> RequirementStatus:
    return RequirementStatus(status.value, "check", status, required, reason="because", hint=hint)


def decision(*requirements: RequirementStatus, verdict: Verdict = Verdict.DENIED) -> Decision:
    return Decision(version(), CHAMPION, verdict, requirements, NOW)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([Status.UNTRUSTED, Status.FAILED, Status.ERROR], 1),
        ([Status.ERROR, Status.MISMATCHED], 4),
        ([Status.ERROR, Status.PASSED], 3),
        ([Status.STALE], 1),
        ([Status.WAIVED], 3),
    ],
    ids=["failed before all", "mismatched before error", "an error", "stale", "nothing blocks, yet not allowed"],
)
def test_the_worst_blocking_requirement_gives_the_code(statuses: list[Status], code: int) -> None:
    assert decision(*map(stand, statuses)).exit_code == code


def test_an_allowed_decision_answers_zero_and_an_optional_failure_does_not_count() -> None:
    answer = decision(stand(Status.FAILED, required=False), stand(Status.WAIVED), verdict=Verdict.ALLOWED_BY_WAIVER)

    assert (answer.allowed, answer.exit_code, answer.blocking) == (True, 0, ())


def test_a_decision_ends_after_ten_minutes() -> None:
    assert timedelta(minutes=10) == LIFETIME
    assert decision().expires_at == NOW + LIFETIME


def test_a_denial_explains_itself_with_the_next_step_and_the_owner() -> None:
    answer = replace(
        decision(stand(Status.FAILED, hint="reweigh"), stand(Status.STALE), stand(Status.PASSED)),
        owner=person("owner", email="owner@example.org"),
        digest=DATA,
    )

    assert answer.explain().splitlines() == [
        "income/3 -> champion: denied",
        "  failed is failed: because",
        "    next: reweigh",
        "  stale is stale: because",
        "  owner: Owner <owner@example.org>",
        f"  decision: {DATA}",
    ]


def test_an_unrecorded_answer_about_nobodys_model_is_short() -> None:
    assert decision(verdict=Verdict.ALLOWED_BY_WAIVER).explain() == "income/3 -> champion: allowed by waiver"
    assert replace(decision(), owner=people()[0]).explain().endswith("  owner: Owner")


# Reports


def result(id_: str, outcome: Outcome, *, required: bool = True) -> CheckResult:
    return CheckResult(id_, "fairness", required, Finding(outcome), NOW)


def report(*results: CheckResult, unrecorded: str = "") -> CheckReport:
    return CheckReport(version(), MODEL_FILES, "income", results, unrecorded)


PASSED, FAILED = result("a", Outcome.PASSED), result("b", Outcome.FAILED)
BROKEN, OPTIONAL = result("c", Outcome.ERROR), result("d", Outcome.FAILED, required=False)


@pytest.mark.parametrize(
    ("made", "outcome", "code"),
    [
        (report(PASSED), Outcome.PASSED, ExitCode.OK),
        (report(PASSED, OPTIONAL), Outcome.PASSED, ExitCode.OK),
        (report(PASSED, FAILED, BROKEN), Outcome.FAILED, ExitCode.SHUT),
        (report(PASSED, BROKEN), Outcome.ERROR, ExitCode.UNDECIDED),
        (report(OPTIONAL), Outcome.FAILED, ExitCode.OK),
        (report(), Outcome.ERROR, ExitCode.NOTHING),
        (report(PASSED, unrecorded="no key"), Outcome.PASSED, ExitCode.USAGE),
        (report(FAILED, unrecorded="no key"), Outcome.FAILED, ExitCode.USAGE),
    ],
    ids=[
        "passed",
        "an optional failure does not count",
        "failed before error",
        "an error",
        "only an optional one",
        "nothing to check",
        "passed, but not recorded",
        "failed and not recorded",
    ],
)
def test_a_report_answers_by_its_required_checks(made: CheckReport, outcome: Outcome, code: ExitCode) -> None:
    assert (made.outcome, made.exit_code) == (outcome, code)


def test_results_are_found_by_id_and_failures_are_listed() -> None:
    made = report(PASSED, FAILED, OPTIONAL)

    assert made["b"] is FAILED
    assert list(made) == [PASSED, FAILED, OPTIONAL]
    assert made.failed == (FAILED, OPTIONAL)
    with pytest.raises(KeyError, match="no result 'x'; there are: a, b, d"):
        made["x"]
