"""`aims apply` at the command line: what it shows, signs and exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]


@pytest.fixture
def live(loans: Loans) -> Loans:
    """loan/1 is champion; the risk officer may sign policies; nothing is applied yet."""
    loans.edit("  promotion: [pipeline]\n", "  promotion: [pipeline]\n  policy: [risk-officer]\n")
    loans.keep_drift_alone()
    loans.aims("check", "loan/1", expect=0)
    loans.aims("promote", "loan/1", "--to", "champion", expect=0)
    return loans


def keys(loans: Loans, *people: str, threshold: int = 1) -> dict[str, str]:
    paths = ":".join(f"{loans.folder}/keys/{person}.pub.pem" for person in people)
    return {"AIMS_ADMIN_KEYS": paths, "AIMS_ADMIN_THRESHOLD": str(threshold)}


def test_a_configuration_is_shown_applied_and_then_nothing_is_left_to_do(live: Loans) -> None:
    known, before = keys(live, "risk-officer"), live.payloads()
    shown = live.aims("apply", "--dry-run", expect=0, **known)
    shown.says("number 1, the first here", "loan/1 at champion unapplied → allowed", "dry run, nothing signed")
    assert live.payloads() == before
    signed = live.aims("--as", "risk-officer", "apply", expect=0, **known)
    signed.says("in force: number 1, signed by risk-officer, 1 of 1 signature; none of 1 protected place")
    assert "warning" not in signed.err
    live.log_holds(more=1, before=before)
    live.aims("--as", "risk-officer", "apply", expect=5, **known).says("nothing to apply: number 1 is in force")
    live.aims("evidence", "list", expect=0).says("policy", "number 1", "risk-officer", "verified")


def test_a_dry_run_that_would_shut_a_champion_out_exits_with_one_and_says_why(live: Loans) -> None:
    known = keys(live, "risk-officer")
    live.aims("--as", "risk-officer", "apply", expect=0, **known)
    live.edit("max_per_column: 0.2", "max_per_column: 0.1")
    shown = live.aims("apply", "--dry-run", expect=1, **known)
    shown.says("✗ loan/1 at champion allowed → denied", "drift is stale: measured under another policy than today's")
    shown.says("1 of 1 protected place would be refused")
    wire = live.aims("apply", "--dry-run", "--format", "json", expect=1, **known).json
    assert (wire["schema"], wire["dry_run"], wire["sequence"], wire["in_force"]) == ("aims.apply/1", True, 2, False)
    (system,) = wire["systems"]
    assert system["id"] == "loans"
    assert system["before"] != system["after"]
    assert [(it["before"], it["after"], it["flips"]) for it in wire["standing"]] == [("allowed", "denied", True)]
    assert {item["name"] for item in wire["files"]} >= {"aims.yaml", "keys/risk-officer.pub.pem"}


def test_two_administrators_apply_one_after_the_other(live: Loans) -> None:
    known = keys(live, "risk-officer", "loan-owner", threshold=2)
    live.aims("--as", "risk-officer", "apply", expect=0, **known).says("NOT IN FORCE YET", "1 of 2 signatures")
    live.aims("--as", "risk-officer", "apply", expect=5, **known).says("risk-officer signed number 1 already")
    second = live.aims("--as", "loan-owner", "apply", "--format", "json", expect=0, **known)
    assert (second.json["sequence"], second.json["signatures"], second.json["in_force"]) == (1, 2, True)
    second.says("warning: trust: policy in aims.yaml does not name loan-owner")


def test_whoever_is_no_administrator_signs_nothing(live: Loans) -> None:
    before = live.payloads()
    refused = live.aims("apply", expect=2, **keys(live, "risk-officer"))
    refused.says("pipeline is no administrator: the key is not among those of AIMS_ADMIN_KEYS", "--as PERSON")
    assert live.payloads() == before


def test_without_the_servers_keys_it_says_what_it_cannot_know(live: Loans) -> None:
    live.aims("--as", "risk-officer", "apply", expect=0).says("warning: AIMS_ADMIN_KEYS is not set here")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("owner: loan-owner", "owner: nobody", "there is no person 'nobody'"),
        ("signer: pipeline", "signer: pipeline\nunclaimed: maybe", "aims.yaml:10:12"),
    ],
)
def test_a_configuration_with_mistakes_is_not_applied(live: Loans, old: str, new: str, said: str) -> None:
    before = live.payloads()
    live.edit(old, new)
    live.aims("--as", "risk-officer", "apply", expect=2, **keys(live, "risk-officer")).says(said)
    assert live.payloads() == before


def test_administrators_that_make_no_sense_are_told_before_anything_else(live: Loans) -> None:
    live.aims("apply", "--dry-run", expect=2, AIMS_ADMIN_KEYS=f"{live.folder}/keys/pipeline.pem").says("PRIVATE key")
    known = keys(live, "risk-officer", threshold=2)
    live.aims("apply", "--dry-run", expect=2, **known).says(
        "AIMS_ADMIN_THRESHOLD is 2, but AIMS_ADMIN_KEYS names 1 key"
    )


def test_a_registry_that_is_away_applies_nothing(live: Loans) -> None:
    before = live.payloads()
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", **keys(live, "risk-officer")}
    live.aims("--as", "risk-officer", "apply", expect=3, **away).says("does not answer")
    assert live.payloads() == before


def test_the_answer_goes_into_a_file_too(live: Loans, tmp_path: Path) -> None:
    place = tmp_path / "answer.json"
    live.aims("apply", "--dry-run", "--output-file", f"json={place}", expect=0, **keys(live, "risk-officer"))
    assert json.loads(place.read_text())["schema"] == "aims.apply/1"
