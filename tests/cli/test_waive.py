"""`aims waive` as people and scripts meet it: each text, each exit code, and the gate beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.model.times import from_text
from tests.cli.loans import Answer, Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("waive")]

REQUEST = ("waive", "request", "loan/1", "--requirement", "drift", "--reason", "hours drifted after the campaign")


@pytest.fixture(scope="module")
def drifted(template: Loans, tmp_path_factory: pytest.TempPathFactory) -> Loans:
    """loan/1 with a limit that its drift breaks, checked; the risk officer may approve waivers."""
    made = template.copy(tmp_path_factory.mktemp("drifted") / "project")
    made.keep_drift_alone()
    made.edit("  promotion: [pipeline]\n", "  promotion: [pipeline]\n  waiver: [risk-officer]\n")
    made.edit("max_per_column: 0.2", "max_per_column: 0.000001")
    made.aims("check", "loan/1", expect=1)
    return made


@pytest.fixture
def project(drifted: Loans, tmp_path: Path) -> Loans:
    return drifted.copy(tmp_path / "project")


def asked(project: Loans, *more: str) -> Any:
    """Ask for a waiver as the owner; return its JSON."""
    until = more or ("--expires", "14d")
    answer = project.aims("--as", "loan-owner", *REQUEST, *until, "--format", "json", expect=0)
    assert set(answer.json) == {"schema", "exit_code", "waivers"}
    assert (answer.json["schema"], answer.json["exit_code"]) == ("aims.waivers/1", 0)
    (waiver,) = answer.json["waivers"]
    return waiver


def approved(project: Loans) -> Any:
    waiver = asked(project)
    project.aims("--as", "risk-officer", "waive", "approve", waiver["waiver"], expect=0)
    return waiver


def gate(project: Loans, *, expect: int) -> Answer:
    return project.aims("gate", "loan/1", "--to", "champion", expect=expect)


def test_a_waiver_from_the_denial_to_the_promotion(project: Loans) -> None:
    gate(project, expect=1).says("or, for a time: aims waive request loan/1 --requirement drift")

    answer = project.aims("--as", "loan-owner", *REQUEST, "--expires", "14d", expect=0)
    short = answer.out.split()[answer.out.split().index("waiver", 2) + 1].removesuffix(":")
    answer.says(
        "asked by loan-owner",
        "because hours drifted after the campaign",
        "why nobody approved it yet",
        f"next aims --as PERSON waive approve {short}",
        f"waiver {short} of drift for loan/1: waiting",
    )
    gate(project, expect=1).says(f"approve its waiver: aims waive approve {short}")

    project.aims("--as", "risk-officer", "waive", "approve", short, expect=0).says(
        "approved risk-officer", f"waiver {short} of drift for loan/1: in force"
    )
    answer = gate(project, expect=0)
    answer.says(
        "~ waived",
        f"waiver {short}",
        "risk-officer allows it until",
        "as loan-owner asked, because hours drifted after the campaign; still failed:",
        "loan/1: allowed by waiver for champion: drift is waived",
    )
    assert "drift passed" not in answer.text
    project.aims("promote", "loan/1", "--to", "champion", expect=0)
    assert project.aliases() == {"champion": "1"}
    project.aims("evidence", "verify", "loan@champion", expect=0)


def test_the_gate_says_which_waiver_in_json(project: Loans) -> None:
    waiver = approved(project)
    answer = project.aims("gate", "loan/1", "--to", "champion", "--format", "json", expect=0).json
    assert (answer["verdict"], answer["exit_code"]) == ("allowed_by_waiver", 0)
    (drift,) = [item for item in answer["requirements"] if item["id"] == "drift"]
    assert (drift["status"], drift["waiver"], drift["evidence"]) == ("waived", waiver["waiver"], waiver["result"])
    assert "passed" not in drift["reason"]


def test_the_list_shows_states_people_and_renewals(project: Loans) -> None:
    project.aims("waive", "list", expect=0).says("no waiver was asked for")
    first, second = approved(project), asked(project)
    project.aims("--as", "loan-owner", "waive", "revoke", first["waiver"], "--reason", "mended", expect=0).says(
        f"waiver {first['waiver'][7:19]} of drift for loan/1: revoked"
    )
    project.aims("--as", "loan-owner", "waive", "approve", second["waiver"], expect=1)
    answer = project.aims("waive", "list", "--format", "json", expect=0).json
    assert [(item["state"], item["renewals"], item["why"]) for item in answer["waivers"]] == [
        ("revoked", 0, "by loan-owner: mended"),
        ("waiting", 1, "nobody approved it yet"),
        ("refused", 0, "the policy does not trust loan-owner for waivers"),
    ]
    refused = answer["waivers"][2]
    assert (refused["tried"], refused["cause"], refused["request"]) == ("approve", "not-trusted", second["waiver"])
    assert (refused["requirement"], refused["asked_by"], refused["expires_at"]) == ("drift", "loan-owner", None)
    shown = project.aims("waive", "list", "loan/1", expect=0)
    shown.says("revoked", "waiting", "refused", "first renewal", "approve: the policy does not trust loan-owner")
    project.aims("waive", "list", "loan/2", expect=0).says("no waiver was asked for")
    project.aims("--quiet", "evidence", "verify", expect=0)


def test_a_waiver_says_what_it_accepts(project: Loans) -> None:
    waiver = asked(project)
    assert (waiver["state"], waiver["requirement"], waiver["system"]) == ("waiting", "drift", "loans")
    assert (waiver["asked_by"], waiver["approved_by"], waiver["approval"]) == ("loan-owner", None, None)
    assert (waiver["model"]["name"], waiver["model"]["version"]) == ("loan", "1")
    assert waiver["observed"]["status"] == "failed"
    assert {item["outcome"] for item in waiver["observed"]["measures"]} == {"failed"}
    assert set(waiver["observed"]["data"]) == {"reference", "evaluation"}
    lasts = from_text(waiver["expires_at"]) - from_text(waiver["asked_at"])
    assert timedelta(days=13, hours=23) < lasts <= timedelta(days=14)


def test_the_last_day_is_a_whole_one(project: Loans) -> None:
    last = (datetime.now(UTC) + timedelta(days=10)).date()
    waiver = asked(project, "--until", last.isoformat())
    assert waiver["expires_at"] == f"{last + timedelta(days=1)}T00:00:00.000Z"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say until when: either --expires or --until"),
        (("--expires", "14d", "--until", "2999-01-01"), "say until when: either --expires or --until"),
        (("--expires", "soon"), "--expires soon is no end of a waiver"),
        (("--expires", "999999999w"), "--expires 999999999w is no end of a waiver"),
        (("--until", "31.12.2026"), "--until 31.12.2026 is no end of a waiver"),
        (("--until", "9999-12-31"), "--until 9999-12-31 is no end of a waiver"),
        (("--until", "2026-01-01"), "2026-01-02T00:00:00.000Z is over already"),
    ],
)
def test_an_end_that_makes_no_sense_is_usage(arguments: tuple[str, ...], says: str, project: Loans) -> None:
    before = project.payloads()
    project.aims("--as", "loan-owner", *REQUEST, *arguments, expect=2).says(says, "hint: ")
    assert project.payloads() == before


def test_attempts_are_refused_with_what_to_do_and_kept(project: Loans) -> None:
    before = project.payloads()
    project.aims(*REQUEST, "--expires", "14d", expect=1).says(
        "error: refused to request a waiver: pipeline is no active person of aims.yaml",
        "hint: sign as a person: aims --as PERSON waive … (the attempt is recorded)",
    )
    project.aims("--as", "loan-owner", *REQUEST, "--expires", "26w", expect=1).says(
        "and a waiver lasts at most 90 days", "hint: ask for 90 days or less"
    )
    mine = project.aims("--as", "risk-officer", *REQUEST, "--expires", "1d", "--format", "json", expect=0).json
    digest = mine["waivers"][0]["waiver"]
    project.aims("--as", "risk-officer", "waive", "approve", digest, expect=1).says(
        "error: refused to approve a waiver: risk-officer asked for it: somebody else has to approve",
        "hint: have somebody else approve it: aims --as PERSON waive approve DIGEST (the attempt is recorded)",
    )
    project.aims("waive", "approve", "0123456789ab", expect=1).says("the log has no request 0123456789ab")
    gate(project, expect=1)
    project.log_holds(more=6, before=before)


def test_a_waiver_dies_with_a_new_policy_and_the_gate_says_so(project: Loans) -> None:
    waiver = approved(project)
    project.edit("max_per_column: 0.000001", "max_per_column: 0.000002")
    gate(project, expect=1).says("measured under another policy than today's")
    project.aims("check", "loan/1", expect=1)
    gate(project, expect=1).says("(the last waiver of it is dead: the policy is another)")
    project.aims("--as", "risk-officer", "waive", "approve", waiver["waiver"], expect=1).says(
        "the request is dead: the policy is another", "look at what changed, then ask again"
    )


def test_a_waiver_is_not_honoured_in_a_log_that_lost_its_revocation(project: Loans) -> None:
    waiver = approved(project)
    project.aims("--as", "risk-officer", "waive", "revoke", waiver["waiver"], "--reason", "worse", expect=0)
    gate(project, expect=1).says("(the last waiver of it is revoked: by risk-officer: worse)")
    last = "(select payload from aims_leaf where type like '%waiver%' order by seq desc limit 1)"
    project.sql("delete from aims_envelope where payload = " + last)
    gate(project, expect=3).says("undecided")
    project.aims("waive", "list", expect=4).says("the log does not hold")


def test_a_file_gets_the_answer_too(project: Loans, tmp_path: Path) -> None:
    asked(project)
    project.aims("waive", "list", "--output-file", f"json={tmp_path / 'waivers.json'}", expect=0).says("waiting")
    assert '"schema": "aims.waivers/1"' in (tmp_path / "waivers.json").read_text()
