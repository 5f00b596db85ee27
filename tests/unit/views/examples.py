"""Results and decisions as the income project gives them, for the tests of the views."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from aims_mlops.model.decision import Decision, RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import CheckResult, DatasetUse, Finding, Limit, Measure
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.register import Person
from aims_mlops.model.report import CheckReport
from aims_mlops.model.subject import ModelVersion, Subject, Target

NOON = datetime(2026, 11, 21, 20, 31, 34, 123456, UTC)
MODEL = Digest.of(b"model")
POLICY = Digest.of(b"policy")
EVIDENCE = Digest.of(b"statement")
DATA = DatasetUse("evaluation", Digest.of(b"data"), "files", 14652)
REFERENCE = DatasetUse("reference", Digest.of(b"reference"), "files", 24421)
VERSION = ModelVersion("8c1f0a6e-3d53-4b0e-9c51-5f1f8f0c7a11", "default", "income", "1", NOON)
OWNER = Person("income-owner", "Income Model Owner", "income-owner@example.org")
HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e"


def result(id_: str, use: str, *measures: Measure, required: bool = True, **extra: str) -> CheckResult:
    finding = replace(Finding.of(measures, rows=14652, libraries={"fairlearn": "0.15.0"}), **extra)  # type: ignore[arg-type]
    datasets = (REFERENCE, DATA) if use == "drift" else (DATA,)
    return CheckResult(id_, use, required, finding, NOON, datasets, EVIDENCE)


def by_sex() -> CheckResult:
    counts = {"Female": 4890, "Male": 9762}
    parity = Measure(
        "demographic_parity_difference",
        Outcome.FAILED,
        0.1762319900754522,
        "sex",
        (0.16511, 0.18792),
        Limit(max=0.12),
        counts,
        {"Female": {"selection_rate": 0.0764826}, "Male": {"selection_rate": 0.2527147}},
        reason="demographic_parity_difference by sex is 0.176 (0.165 to 0.188), the limit is at most 0.12",
        hint="compare the selection rates of Female (0.0765) and Male (0.253); retrain, or move the threshold",
    )
    odds = Measure(
        "equalized_odds_difference",
        Outcome.PASSED,
        0.0787687,
        "sex",
        (0.0571, 0.1249),
        Limit(max=0.15),
        counts,
        {
            "Female": {"true_positive_rate": 0.578, "false_positive_rate": 0.018},
            "Male": {"true_positive_rate": 0.657, "false_positive_rate": 0.086},
        },
    )
    return result("parity-by-sex", "fairness", parity, odds)


def by_race() -> CheckResult:
    counts = {"White": 12522, "Black": 1399, "Asian-Pac-Islander": 476}
    parity = Measure(
        "demographic_parity_difference",
        Outcome.INCONCLUSIVE,
        0.1299,
        "race",
        (0.0921, 0.2114),
        Limit(max=0.20),
        counts,
        {
            "White": {"selection_rate": 0.20787},
            "Black": {"selection_rate": 0.08434},
            "Asian-Pac-Islander": {"selection_rate": 0.21428},
        },
        {"Amer-Indian-Eskimo": 129, "Other": None},
        reason="demographic_parity_difference by race is 0.13, between 0.0921 and 0.211 at 95 %; the limit is at most "
        "0.2; about 900 more rows would decide it",
        hint="measure on more rows; a model further from the limit needs fewer",
        suppressed=True,
    )
    return result("parity-by-race", "fairness", parity, required=False)


_DRIFT = {
    "hours-per-week": 0.25589760395814065,
    "age": 0.0029209758177374924,
    "education-num": 0.005596605930427864,
    "workclass": 0.0051608162603126555,
    "occupation": 0.0027046001587472126,
    "sex": 0.00029605009315414186,
    "race": 0.00025418512551211777,
}


def _bins(column: str) -> dict[str, dict[str, float | None]]:
    if column == "sex":
        return {"Male": {"reference": 0.669, "current": 0.661}, "Female": {"reference": 0.331, "current": 0.339}}
    edges = ["< 20", "20 to 30", "30 to 40", "40 to 50", "50 to 60", "60 to 70", "70 to 80", ">= 80"]
    labels = ["Craft-repair", "Prof-specialty", "Machine-op-inspct", "(other)"] if column == "occupation" else edges
    weights = [3, 9, 14, 40, 18, 8, 3, 1][: len(labels)]
    moved = [*weights[1:], weights[0]] if column == "hours-per-week" else weights
    one, other = sum(weights), sum(moved)
    pairs = zip(labels, weights, moved, strict=True)
    return {label: {"reference": a / one, "current": b / other} for label, a, b in pairs}


def drift() -> CheckResult:
    limit = Limit(max=0.1)
    columns = [
        Measure(
            "psi",
            Outcome.FAILED if value > 0.1 else Outcome.PASSED,
            value,
            column,
            limit=limit,
            bins=_bins(column),
            reason=f"psi of {column} is 0.256, the limit is at most 0.1" if value > 0.1 else "",
            hint="look at how hours-per-week was collected since the reference" if value > 0.1 else "",
        )
        for column, value in _DRIFT.items()
    ]
    share = Measure("share_of_drifted_columns", Outcome.FAILED, 1 / 7, None, limit=Limit(max=0.0), reason="1 of 7")
    return result("input-drift", "drift", *columns, share)


def quality() -> CheckResult:
    kinds: list[tuple[str, str | None, float | int | str | bool, Outcome]] = [
        ("expect_table_row_count_to_be_between", None, 14652, Outcome.PASSED),
        ("expect_column_values_to_not_be_null", "workclass", 843, Outcome.PASSED),
        ("expect_column_values_to_be_between", "hours-per-week", 12, Outcome.FAILED),
        ("expect_column_mean_to_be_between", "age", 38.61, Outcome.PASSED),
    ]
    measures = [
        Measure(kind, outcome, value, column, reason="12 rows break it" if outcome is Outcome.FAILED else "")
        for kind, column, value, outcome in kinds
    ]
    return result("evaluation-quality", "data-quality", *measures, hint="look at the 12 rows where they come from")


def accuracy() -> CheckResult:
    return result(
        "accuracy",
        "performance",
        Measure("accuracy", Outcome.PASSED, 0.8744881, None, (0.8690, 0.8797), Limit(min=0.82)),
        Measure(
            "roc_auc",
            Outcome.PASSED,
            0.92614,
            None,
            (0.9216, 0.9306),
            Limit(min=0.85, not_below="champion", tolerance=0.05),
        ),
    )


def broken() -> CheckResult:
    finding = Finding(
        Outcome.ERROR,
        reason="the library 'evidently' is not installed",
        hint="pip install 'aims-mlops[drift]'",
    )
    return CheckResult("live-drift", "drift", required=True, finding=finding, measured_at=NOON, detail="ImportError: x")


def report(*results: CheckResult, **extra: object) -> CheckReport:
    return CheckReport(VERSION, MODEL, "income", results, **extra)  # type: ignore[arg-type]


def income() -> CheckReport:
    return report(accuracy(), by_race(), quality(), by_sex())


def decision(*requirements: RequirementStatus, verdict: Verdict = Verdict.DENIED, **extra: object) -> Decision:
    fields = {"system": "income", "subject": Subject.of(VERSION, MODEL), "owner": OWNER, "digest": EVIDENCE, **extra}
    return Decision(VERSION, Target("alias", "champion"), verdict, requirements, NOON, **fields)  # type: ignore[arg-type]


PASSED = RequirementStatus("accuracy", "check", Status.PASSED, True, EVIDENCE, NOON, "pipeline")
FAILED = RequirementStatus(
    "parity-by-sex",
    "check",
    Status.FAILED,
    True,
    EVIDENCE,
    NOON,
    "pipeline",
    reason="demographic_parity_difference by sex is 0.176, the limit is at most 0.12",
    hint="retrain, or ask for a waiver: aims waive request parity-by-sex income/1",
)
WAIVED = replace(FAILED, status=Status.WAIVED, waiver=Digest.of(b"waiver"), hint="", reason="waived until 2026-12-01")
OPTIONAL = RequirementStatus(
    "peer-review", "record", Status.MISSING, False, reason="no record", hint="aims record peer-review income/1"
)
