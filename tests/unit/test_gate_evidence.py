"""Which check result and which human record counts, and what is said where none does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aims_mlops.evidence.record import Record
from aims_mlops.gate import Question, decide
from aims_mlops.model.decision import RequirementStatus
from aims_mlops.model.outcome import Status, Verdict
from aims_mlops.model.policy import DatasetSpec, Policy, RecordSpec
from aims_mlops.model.times import to_text
from tests.builders import (
    CREATED,
    DATA,
    MODEL_FILES,
    NOW,
    ask,
    check_spec,
    dataset,
    entry,
    found,
    human,
    log,
    other,
    people,
    person,
    policy,
    question,
    record,
    record_spec,
    result,
    system,
    view,
)

PASS = record(result())
MILLISECOND = timedelta(milliseconds=1)


# Checks


def test_a_check_that_never_ran_says_how_to_run_it() -> None:
    item = found(ask(), "parity")

    assert (item.status, item.reason, item.hint) == (Status.MISSING, "no record for income/3", "aims check income/3")


def test_the_newest_trusted_result_decides() -> None:
    assert not ask(record(result(), seq=0), record(result("failed", nonce="1"), seq=1)).allowed
    assert ask(record(result("failed"), seq=0), record(result(nonce="1"), seq=1)).allowed


def test_the_reason_and_hint_of_a_result_are_handed_on() -> None:
    failed = result("failed")
    failed = replace(failed, body={**failed.body, "reason": "0.2 is above 0.1", "hint": "reweigh"})

    item = found(ask(record(failed)), "parity")

    assert (item.status, item.reason, item.hint) == (Status.FAILED, "0.2 is above 0.1", "reweigh")


@pytest.mark.parametrize("outcome", ["waived", "allowed", "PASSED", "", None, ["passed"], True])
def test_an_outcome_that_is_no_word_of_ours_is_an_error(outcome: object) -> None:
    odd = replace(result(), body={**result().body, "outcome": outcome})

    item = found(ask(record(odd)), "parity")

    assert (item.status, item.reason) == (Status.ERROR, "the record has no outcome that is known here")


@pytest.mark.parametrize("check", [None, "parity", ["parity"], {}, {"id": None}], ids=repr)
def test_a_result_that_does_not_say_of_which_check_is_nobodys(check: object) -> None:
    odd = replace(result(), body={**result().body, "check": check})

    assert found(ask(record(odd)), "parity").status is Status.MISSING


@pytest.mark.parametrize(
    ("past", "status"),
    [
        (timedelta(days=30) - MILLISECOND, Status.PASSED),
        (timedelta(days=30), Status.PASSED),
        (timedelta(days=30) + MILLISECOND, Status.STALE),
    ],
    ids=["a moment before the limit", "at the limit", "a moment after the limit"],
)
def test_a_result_is_stale_only_past_its_max_age(past: timedelta, status: Status) -> None:
    assert found(ask(record(result(measured_at=NOW - past))), "parity").status is status


def test_a_stale_result_says_its_age_and_the_limit() -> None:
    item = found(ask(record(result(measured_at=NOW - timedelta(days=41)))), "parity")

    assert item.reason == "measured 41 days ago, the limit is 30 days"
    assert item.hint == "aims check income/3"


def test_without_max_age_a_result_does_not_age() -> None:
    old = record(result(measured_at=NOW - timedelta(days=4000)))

    assert ask(old, policy_=policy([check_spec(max_age=None)])).allowed


@pytest.mark.parametrize(
    ("measured", "captured", "status"),
    [
        (timedelta(minutes=5), timedelta(minutes=5), Status.PASSED),
        (timedelta(minutes=5) + MILLISECOND, timedelta(minutes=4), Status.UNTRUSTED),
        (timedelta(0), timedelta(minutes=-5), Status.PASSED),
        (timedelta(0), timedelta(minutes=-5) - MILLISECOND, Status.UNTRUSTED),
    ],
    ids=[
        "within the skew of clocks",
        "after now",
        "recorded within the skew before it was measured",
        "recorded before it was measured",
    ],
)
def test_a_measurement_from_the_future_is_untrusted(measured: timedelta, captured: timedelta, status: Status) -> None:
    said = result(measured_at=NOW + measured, signed_at=NOW + measured)
    stored = log(replace(entry(said), captured_at=to_text(NOW + captured)))

    item = found(decide(question(), stored.view(), now=NOW), "parity")

    assert item.status is status


PINNED = policy(datasets=(DatasetSpec("evaluation", "evaluation.parquet", digest=DATA),))


@pytest.mark.parametrize(
    ("policy_", "changes", "status", "reason"),
    [
        (policy(), {"origin": "attached"}, Status.MISMATCHED, "measured on evaluation data that the author attached"),
        (policy([check_spec(allow_attached=True)]), {"origin": "attached"}, Status.PASSED, ""),
        (
            policy([check_spec(allow_stored_predictions=True)]),
            {"origin": "attached"},
            Status.MISMATCHED,
            "measured on evaluation data that the author attached; the policy does not allow that for parity",
        ),
        (
            policy(),
            {"origin": "stored-predictions"},
            Status.MISMATCHED,
            "measured on predictions stored in evaluation; the policy does not allow that for parity",
        ),
        (policy([check_spec(allow_stored_predictions=True)]), {"origin": "stored-predictions"}, Status.PASSED, ""),
        (
            policy([check_spec(allow_attached=True)]),
            {"origin": "stored-predictions"},
            Status.MISMATCHED,
            "measured on predictions stored in evaluation",
        ),
        (PINNED, {}, Status.PASSED, ""),
        (PINNED, {"origin": "attached"}, Status.PASSED, ""),
        (PINNED, {"origin": "stored-predictions"}, Status.PASSED, ""),
        (PINNED, {"digest": MODEL_FILES}, Status.MISMATCHED, "measured on other data than the pinned evaluation"),
        (PINNED, {"origin": "found"}, Status.MISMATCHED, "measured on evaluation data of unknown origin"),
        (policy(), {"origin": ""}, Status.MISMATCHED, "measured on evaluation data of unknown origin"),
        (policy(), {"name": "mine"}, Status.MISMATCHED, "measured on a dataset 'mine' that the policy does not name"),
    ],
    ids=[
        "attached",
        "attached and permitted",
        "attached where only predictions are permitted",
        "stored predictions",
        "stored predictions and permitted",
        "stored predictions where only attached data are permitted",
        "the pinned data",
        "attached, but the pinned data",
        "stored predictions in the pinned data",
        "other data than the pinned",
        "the pinned data of unknown origin",
        "data of no origin",
        "a dataset of the author's own",
    ],
)
def test_a_result_counts_only_on_the_data_of_the_policy(
    policy_: Policy, changes: dict[str, Any], status: Status, reason: str
) -> None:
    item = found(ask(record(result(datasets=(dataset(**changes),))), policy_=policy_), "parity")

    assert item.status is status
    assert reason in item.reason
    if status is Status.MISMATCHED:
        assert item.hint == "aims check income/3 with the data that aims.yaml names"


def test_a_passed_result_that_names_no_data_is_mismatched() -> None:
    two = policy([check_spec(datasets=("reference", "evaluation"))])

    item = found(ask(record(result(datasets=()))), "parity")
    assert (item.status, item.reason) == (Status.MISMATCHED, "does not say on which evaluation data it rests")
    item = found(ask(record(result(datasets=(dataset(),))), policy_=two), "parity")
    assert item.reason == "does not say on which reference data it rests"


def test_an_error_before_the_data_were_opened_stays_an_error() -> None:
    answer = ask(record(result("error", datasets=())))

    assert (answer.verdict, answer.exit_code) == (Verdict.UNDECIDED, 3)


def test_a_check_without_data_needs_none() -> None:
    assert ask(record(result(datasets=())), policy_=policy([check_spec(datasets=())])).allowed


def test_a_failed_optional_check_is_shown_and_does_not_count() -> None:
    both = policy([check_spec(), check_spec("extra", required=False)])
    answer = ask(PASS, record(result("failed", id_="extra"), seq=1), policy_=both)

    assert answer.allowed
    assert (found(answer, "extra").status, found(answer, "extra").required) == (Status.FAILED, False)


def test_a_missing_optional_check_is_shown_as_optional() -> None:
    answer = ask(PASS, policy_=policy([check_spec(), check_spec("extra", required=False)]))

    assert answer.allowed
    assert (found(answer, "extra").status, found(answer, "extra").required) == (Status.MISSING, False)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (result(subject=DATA), "recorded for other files: the model is not the one that was looked at"),
        (
            result(version_created_at=CREATED + MILLISECOND),
            "recorded for another registration of this name and number: the model is not the one that was looked at",
        ),
    ],
    ids=["other files", "registered anew"],
)
def test_a_mismatch_says_what_differs(statement: Any, words: str) -> None:
    assert found(ask(record(statement)), "parity").reason == words


def test_an_untrusted_result_points_to_its_evidence() -> None:
    unsigned = record(result(), signer=None)
    item = found(ask(unsigned), "parity")

    assert item.status is Status.UNTRUSTED
    assert item.reason == "signed by a key that the policy does not trust for it"
    assert item.evidence == unsigned.payload


def test_statements_of_other_kinds_fulfil_nothing() -> None:
    promoted = replace(other("promotion"), body=result().body)

    assert found(ask(record(promoted)), "parity").status is Status.MISSING


# Human records


def ask_review(
    *records: Record, signed_by: str = "not-owner", asked: Question | None = None, **changes: Any
) -> RequirementStatus:
    spec: RecordSpec = record_spec(signed_by=signed_by, **changes)
    given = asked or question(system(policy([], [spec])))
    return found(decide(given, view(*records), now=NOW), "peer-review")


@pytest.mark.parametrize(
    ("rule", "signer", "status"),
    [
        ("not-owner", "colleague", Status.PASSED),
        ("not-owner", "owner", Status.MISSING),
        ("not-owner", "pipeline", Status.MISSING),
        ("not-owner", "nobody", Status.MISSING),
        ("not-owner", "left", Status.MISSING),
        ("not-owner", None, Status.UNTRUSTED),
        ("owner", "owner", Status.PASSED),
        ("owner", "colleague", Status.MISSING),
        ("anyone", "owner", Status.PASSED),
        ("anyone", "colleague", Status.PASSED),
        ("anyone", "pipeline", Status.MISSING),
        ("officer", "officer", Status.PASSED),
        ("officer", "owner", Status.MISSING),
        ("pipeline", "pipeline", Status.MISSING),
    ],
)
def test_a_record_counts_only_from_an_active_person_whom_the_rule_names(
    rule: str, signer: str | None, status: Status
) -> None:
    asked = question(system(policy([], [record_spec(signed_by=rule)])))
    asked = replace(asked, people=(*people(), person("left", active=False)))

    assert ask_review(record(human(), signer=signer), asked=asked).status is status


def test_a_missing_record_says_who_should_sign_it() -> None:
    item = ask_review()

    assert item.hint == "a peer-review record for income/3, signed by not-owner"


@pytest.mark.parametrize(
    ("statement", "status", "reason"),
    [
        (human("failed"), Status.FAILED, "the record does not approve"),
        (human("warned"), Status.FAILED, "the record does not approve"),
        (human(id_="appeal"), Status.MISSING, "no record for income/3"),
        (human(system="credit"), Status.MISMATCHED, "recorded for another system"),
        (human(subject=DATA), Status.MISMATCHED, "recorded for other files"),
        (human(version="2"), Status.MISSING, "no record for income/3"),
        (human(measured_at=NOW + timedelta(hours=1)), Status.UNTRUSTED, "measured at a time that lies after"),
    ],
    ids=["refuses", "half-hearted", "another kind", "another system", "other files", "another version", "the future"],
)
def test_a_record_that_does_not_approve_this_version_keeps_the_gate_shut(
    statement: Any, status: Status, reason: str
) -> None:
    item = ask_review(record(statement, signer="colleague"))

    assert item.status is status
    assert item.reason.startswith(reason)


def test_a_record_ages_like_a_check() -> None:
    old = record(human(measured_at=NOW - timedelta(days=8)), signer="colleague")

    assert ask_review(old, max_age=timedelta(days=7)).status is Status.STALE
    assert ask_review(old, max_age=timedelta(days=8)).status is Status.PASSED


def test_a_later_refusal_by_another_person_outweighs_an_approval() -> None:
    yes = record(human(), seq=0, signer="colleague")
    no = record(human("failed", nonce="1"), seq=1, signer="officer")

    assert ask_review(yes, no).status is Status.FAILED


def test_an_optional_record_is_shown_and_does_not_count() -> None:
    both = policy([check_spec()], [record_spec(required=False)])

    assert ask(PASS, policy_=both).allowed
    assert not found(ask(PASS, policy_=both), "peer-review").required
