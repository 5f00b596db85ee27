"""`aims coverage` and `aims evidence replay` on a real project: recorded numbers come out again, or it says why not."""

from __future__ import annotations

import pytest

from tests.cli.loans import Loans, applicants

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

TRUST = "  promotion: [pipeline]\n"


def believe_the_officer(loans: Loans) -> None:
    """Trust an auditor for records: another policy than the one that the template's results were measured under."""
    loans.edit(TRUST, f"{TRUST}  record: [risk-officer]\n")


def test_every_check_comes_out_again_under_the_policy_that_was_recorded(loans: Loans) -> None:
    believe_the_officer(loans)
    loans.edit("{demographic_parity_difference: {max: 0.2}}", "{demographic_parity_difference: {max: 0.0}}")
    before = loans.payloads()
    said = loans.aims("--as", "risk-officer", "evidence", "replay", "--sample", "9", "--format", "json", expect=0).json
    assert {(item["id"], item["came_out"]) for item in said["replays"]} == {
        ("parity", True),
        ("drift", True),
        ("quality", True),
        ("accuracy", True),
    }
    assert all(item["differences"] == item["versions"] == [] for item in said["replays"])
    assert (said["sample"]["size"], said["sample"]["of"]) == (4, 4)
    loans.log_holds(more=4, before=before)
    loans.aims("evidence", "list", "loan/1", expect=0).says("replay of drift: came out", "risk-officer")


def test_data_that_changed_cannot_be_replayed_and_the_sample_can_be_chosen_again(loans: Loans) -> None:
    believe_the_officer(loans)
    loans.change_data(applicants(3))
    told = loans.aims("--as", "risk-officer", "evidence", "replay", "loan/1", "--sample", "1", "--seed", "7", expect=3)
    told.says("could not be replayed", "the data are others: evaluation was", "1 of 4 results below leaf 6, seed 7")
    told.says("1 result measured again: 0 came out, 1 could not be replayed")


def test_who_is_not_trusted_for_records_replays_nothing(loans: Loans) -> None:
    before = loans.payloads()
    said = loans.aims("evidence", "replay", expect=2)
    said.says("pipeline may not sign a record, which a replay is: the policy trusts nobody for it", "trust: record")
    believe_the_officer(loans)
    loans.aims("--as", "risk-officer", "evidence", "replay", "loan/9", expect=5).says("no trusted result is recorded")
    loans.log_holds(more=0, before=before)


def test_a_version_that_nobody_measured_is_told_and_shuts_nothing_until_it_is_in_use(loans: Loans) -> None:
    label = loans.create("loan", str(loans.model))
    loans.aims("coverage", expect=0).says("loan/1", "1 run: 1 passed", label, "never ran", "none of them in use")
    loans.sql(
        "insert into registered_model_aliases (name, alias, version) values ('loan', 'champion', 2)",
        database="mlflow.db",
    )
    told = loans.aims("coverage", "loans", "--format", "json", expect=1).json
    (first, second) = told["systems"][0]["versions"]
    assert (first["never_ran"], first["holds"]) == ([], [])
    assert (second["never_ran"], second["holds"]) == (["parity", "drift", "quality", "accuracy"], ["champion"])
    loans.aims("coverage", "nobody", expect=2).says("no system 'nobody'", "there are: loans")
