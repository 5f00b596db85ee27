"""Waivers at the gate: what opens it for a time, and everything that must not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aims_mlops.errors import ExitCode
from aims_mlops.evidence.statement import Statement
from aims_mlops.gate import decide
from aims_mlops.model.decision import Decision, RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status, Verdict
from aims_mlops.model.policy import Policy
from aims_mlops.model.register import Person
from aims_mlops.model.times import to_text
from tests.builders import (
    CREATED,
    DATA,
    NOW,
    Entry,
    check_spec,
    entry,
    failing,
    found,
    human,
    key,
    log,
    people,
    person,
    policy,
    question,
    record_spec,
    result,
    system,
    trust,
    waiver_answer,
    waiver_request,
)

FAILED = failing()
ASKED = waiver_request(FAILED)
APPROVED = waiver_answer("approve", ASKED)
REVOKED = waiver_answer("revoke", ASKED)
WAIVED = (entry(FAILED), entry(ASKED, "owner"), entry(APPROVED, "officer"))
"""A log that a waiver opens: the owner asked, the officer approved, the pipeline had measured."""


def asked(
    *entries: Entry, policy_: Policy | None = None, people_: Iterable[Person] | None = None, **changes: Any
) -> Decision:
    """Ask the gate over a log; `changes` are of the system."""
    here, made = tuple(people_ or people()), policy_ or policy()
    question_ = replace(question(system(made, **changes)), people=here)
    return decide(question_, log(*entries).view(trust(made, here)), now=NOW)


def parity(answer: Decision) -> RequirementStatus:
    return found(answer, "parity")


def shut(answer: Decision) -> str:
    """Hold an answer to be a plain denial by a failed check without a waiver; return its reason."""
    item = parity(answer)
    assert (answer.verdict, answer.exit_code, item.status, item.waiver) == (
        Verdict.DENIED,
        ExitCode.SHUT,
        Status.FAILED,
        None,
    )
    return item.reason


# What opens


def test_a_waiver_that_somebody_else_approved_opens_the_gate_and_is_not_called_passed() -> None:
    answer = asked(*WAIVED)
    item = parity(answer)

    assert (answer.verdict, answer.exit_code, answer.allowed) == (Verdict.ALLOWED_BY_WAIVER, ExitCode.OK, True)
    assert (item.status, item.waiver) == (Status.WAIVED, Digest.of(ASKED.to_bytes()))
    assert item.evidence == Digest.of(FAILED.to_bytes())
    assert item.reason == (
        "officer allows it until 2026-12-05 20:31 UTC, as owner asked, because the next version mends it; "
        "still failed: parity failed"
    )


def test_an_inconclusive_result_is_waived_as_inconclusive() -> None:
    unsure = failing("inconclusive")
    request = waiver_request(unsure)

    answer = asked(entry(unsure), entry(request, "owner"), entry(waiver_answer("approve", request), "officer"))

    assert parity(answer).status is Status.WAIVED
    assert "still inconclusive" in parity(answer).reason


def test_a_new_result_of_the_same_observation_keeps_the_waiver() -> None:
    """Measured again on the same data with the same outcome: what was accepted is what is observed."""
    answer = asked(*WAIVED, entry(failing(nonce="again")))

    assert answer.verdict is Verdict.ALLOWED_BY_WAIVER
    assert parity(answer).evidence == Digest.of(failing(nonce="again").to_bytes())


def test_the_newest_waiver_that_stands_is_named_and_its_renewals_are_counted() -> None:
    again = waiver_request(FAILED, nonce="asked again", expires_at=NOW + timedelta(days=30))
    third = waiver_request(FAILED, nonce="and again", expires_at=NOW + timedelta(days=40))
    renewed = [entry(again, "owner"), entry(waiver_answer("approve", again, nonce="2"), "officer")]
    twice = [entry(third, "owner"), entry(waiver_answer("approve", third, nonce="3"), "officer")]

    assert "renewal" not in parity(asked(*WAIVED)).reason
    assert "; first renewal; still failed" in parity(asked(*WAIVED, *renewed)).reason
    item = parity(asked(*WAIVED, *renewed, *twice))
    assert item.waiver == Digest.of(third.to_bytes())
    assert "until 2026-12-31 20:31 UTC" in item.reason
    assert "; second renewal; still failed" in item.reason


def test_a_request_that_nobody_approved_is_no_renewal() -> None:
    unheard = entry(waiver_request(FAILED, nonce="unheard"), "owner")

    assert "renewal" not in parity(asked(WAIVED[0], unheard, *WAIVED[1:])).reason


def test_a_waiver_of_another_version_of_the_model_counts_as_the_first_of_two() -> None:
    older = failing(version="2", subject=DATA, nonce="2")
    request = waiver_request(older, version="2", subject=DATA, nonce="for 2")
    earlier = [entry(request, "owner"), entry(waiver_answer("approve", request, version="2"), "officer")]

    answer = asked(*earlier, *WAIVED)

    assert "; first renewal" in parity(answer).reason


def test_a_waiver_of_another_model_is_no_renewal() -> None:
    other = waiver_request(failing(model="churn"), model="churn", nonce="for churn")
    earlier = [entry(other, "owner"), entry(waiver_answer("approve", other, model="churn"), "officer")]

    assert "renewal" not in parity(asked(*earlier, *WAIVED)).reason


# What does not open


@pytest.mark.parametrize(
    ("request_by", "approved_by"),
    [
        pytest.param("officer", "officer", id="who asked approves"),
        pytest.param("owner", "owner", id="somebody who is not trusted for waivers approves"),
        pytest.param("owner", "stranger", id="a stranger approves"),
        pytest.param("stranger", "officer", id="a stranger asked"),
        pytest.param("pipeline", "officer", id="a service asked"),
    ],
)
def test_who_may_not_ask_or_approve_opens_nothing(request_by: str, approved_by: str) -> None:
    shut(asked(entry(FAILED), entry(ASKED, request_by), entry(APPROVED, approved_by)))


def test_one_person_with_two_keys_does_not_approve_what_they_asked_for() -> None:
    keys = (key("officer").public, key("officer-2").public)
    both = (*(someone for someone in people() if someone.id != "officer"), person("officer", keys=keys))
    made = policy(trust={**policy().trust, "waiver": {item.id: "officer" for item in keys}})

    shut(asked(entry(FAILED), entry(ASKED, "officer"), entry(APPROVED, "officer-2"), policy_=made, people_=both))


def test_one_key_of_two_people_does_not_approve_what_it_asked_for() -> None:
    """aims.yaml with such a key is refused already; the gate does not rest on that."""
    shared = (*people(), person("double", keys=(key("officer").public,)))

    shut(asked(entry(FAILED), entry(ASKED, "officer"), entry(APPROVED, "officer"), people_=shared))


def test_a_co_signer_of_the_request_does_not_approve_it() -> None:
    shut(asked(entry(FAILED), entry(ASKED, "owner", "officer"), entry(APPROVED, "officer")))


def test_an_approval_that_the_requester_signed_too_counts_by_the_other_signature() -> None:
    answer = asked(entry(FAILED), entry(ASKED, "colleague"), entry(APPROVED, "colleague", "officer"))

    assert answer.verdict is Verdict.ALLOWED_BY_WAIVER
    assert parity(answer).reason.startswith("officer allows it")


def test_who_signed_a_result_of_the_check_does_not_approve_its_waiver() -> None:
    made = policy(trust={**policy().trust, "check-result": {key(n).public.id: n for n in ("pipeline", "officer")}})
    own = entry(failing(nonce="own"), "officer")

    shut(asked(entry(failing(), "officer"), *WAIVED[1:], policy_=made))
    shut(asked(entry(failing(), "officer", "pipeline"), *WAIVED[1:], policy_=made))
    shut(asked(own, *WAIVED, policy_=made))
    shut(asked(*WAIVED, own, policy_=made))


def test_a_service_does_not_approve() -> None:
    made = policy(trust={**policy().trust, "waiver": {key("robot").public.id: "robot"}})
    robots = (*people(), person("robot", kind="service"))

    shut(asked(*WAIVED[:2], entry(APPROVED, "robot"), policy_=made, people_=robots))


def test_who_left_neither_asks_nor_approves() -> None:
    gone = people(officer=person("officer", active=False))
    without = people(owner=person("owner", keys=()))

    shut(asked(*WAIVED, people_=gone))
    shut(asked(*WAIVED, people_=without))


def test_an_approval_recorded_before_the_request_does_not_count() -> None:
    shut(asked(WAIVED[0], WAIVED[2], WAIVED[1]))


def test_an_approval_alone_and_a_request_alone_open_nothing() -> None:
    shut(asked(WAIVED[0], WAIVED[2]))
    shut(asked(WAIVED[0], WAIVED[1]))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"version": "4"}, id="another version"),
        pytest.param({"model": "churn"}, id="another model"),
        pytest.param({"registry_id": "another"}, id="another registry"),
        pytest.param({"workspace": "team-b"}, id="another workspace"),
        pytest.param({"version_created_at": CREATED + timedelta(milliseconds=1)}, id="another registration"),
        pytest.param({"version": None, "version_created_at": None}, id="no version"),
        pytest.param({"system": "credit"}, id="another system"),
        pytest.param({"policy_digest": DATA}, id="another policy"),
        pytest.param({"policy_digest": None}, id="no policy"),
        pytest.param({"subject": DATA}, id="other files"),
    ],
)
def test_a_request_or_an_approval_of_something_else_does_not_count(changes: dict[str, Any]) -> None:
    request = waiver_request(FAILED, **changes)
    replayed = waiver_answer("approve", ASKED, **changes)

    shut(asked(entry(FAILED), entry(request, "owner"), entry(waiver_answer("approve", request), "officer")))
    both = waiver_answer("approve", request, **changes)
    shut(asked(entry(FAILED), entry(request, "owner"), entry(both, "officer")))
    shut(asked(*WAIVED[:2], entry(replayed, "officer")))


def test_an_approval_of_another_request_does_not_count() -> None:
    other = waiver_request(FAILED, nonce="another", expires_at=NOW + timedelta(days=60))

    shut(asked(entry(FAILED), entry(other, "owner"), entry(APPROVED, "officer")))
    answer = asked(*WAIVED, entry(other, "owner"))
    assert parity(answer).waiver == Digest.of(ASKED.to_bytes())


def test_a_waiver_of_another_requirement_does_not_count() -> None:
    made = policy([check_spec("parity"), check_spec("accuracy")])
    request = waiver_request(failing(id_="accuracy"))
    relabelled = waiver_request(FAILED, requirement="accuracy", nonce="relabelled")
    passed = entry(result(id_="accuracy"))

    for item in (request, relabelled):
        answer = asked(
            passed, entry(FAILED), entry(item, "owner"), entry(waiver_answer("approve", item), "officer"), policy_=made
        )
        shut(answer)


@pytest.mark.parametrize(
    "newer",
    [
        pytest.param(failing(value=0.177, nonce="n"), id="another value"),
        pytest.param(failing(value=0.175, nonce="n"), id="a better value that still fails"),
        pytest.param(failing("inconclusive", nonce="n"), id="inconclusive"),
        pytest.param(failing(datasets=(), nonce="n"), id="on other data"),
        pytest.param(result("failed", nonce="n"), id="without measures"),
        pytest.param(replace(FAILED, body={**FAILED.body, "measures": []}), id="with no measure"),
        pytest.param(replace(FAILED, body={**FAILED.body, "measures": FAILED.body["measures"] * 2}), id="one more"),
        pytest.param(replace(FAILED, body={**FAILED.body, "measures": "all"}), id="measures that are no list"),
        pytest.param(replace(FAILED, body={**FAILED.body, "measures": [1]}), id="a measure that is no object"),
        pytest.param(failing("error", nonce="n"), id="an error"),
        pytest.param(failing(policy_digest=DATA, nonce="n"), id="stale"),
        pytest.param(failing("nonsense", nonce="n"), id="an outcome that is not known"),
    ],
)
def test_a_waiver_does_not_survive_a_newer_result_that_observed_something_else(newer: Statement) -> None:
    answer = asked(*WAIVED, entry(newer))

    assert not answer.allowed
    assert parity(answer).status is not Status.WAIVED
    assert parity(answer).waiver is None


def test_the_reason_says_what_changed() -> None:
    answer = asked(*WAIVED, entry(failing(value=0.31, nonce="n")))

    assert shut(answer) == (
        "parity failed (the last waiver of it is dead: failed: demographic_parity_difference(sex) 0.31 now, "
        "and was failed: demographic_parity_difference(sex) 0.176)"
    )


def test_a_newer_result_whom_nobody_trusts_changes_nothing() -> None:
    answer = asked(*WAIVED, entry(failing(value=0.31, nonce="n"), "stranger"))

    assert answer.verdict is Verdict.ALLOWED_BY_WAIVER


def test_a_change_of_policy_kills_a_waiver_even_where_the_result_is_measured_again() -> None:
    laxer = policy(text=b"another policy of income")
    measured = failing(policy_digest=laxer.digest, nonce="n")

    assert parity(asked(*WAIVED, policy_=laxer)).status is Status.STALE
    assert shut(asked(*WAIVED, entry(measured), policy_=laxer)) == (
        "parity failed (the last waiver of it is dead: the policy is another)"
    )


def test_a_new_owner_does_not_take_a_waiver_over() -> None:
    reason = shut(asked(*WAIVED, owner="colleague"))

    assert "dead: the owner is colleague now, and was owner" in reason


@pytest.mark.parametrize("expires_at", [NOW, NOW - timedelta(milliseconds=1), NOW - timedelta(minutes=10)])
def test_an_ended_waiver_opens_nothing(expires_at: Any) -> None:
    request = waiver_request(FAILED, expires_at=expires_at)
    answer = asked(entry(FAILED), entry(request, "owner"), entry(waiver_answer("approve", request), "officer"))

    assert "(the last waiver of it is expired: " in shut(answer)


def test_a_waiver_that_ends_in_a_moment_still_opens() -> None:
    request = waiver_request(FAILED, expires_at=NOW + timedelta(milliseconds=1))

    assert asked(entry(FAILED), entry(request, "owner"), entry(waiver_answer("approve", request), "officer")).allowed


def test_a_waiver_for_longer_than_ninety_days_opens_nothing() -> None:
    """Counted from when the store recorded it, not from a time that the requester wrote."""
    captured = NOW - timedelta(minutes=30)
    for more, opens in ((timedelta(), True), (timedelta(milliseconds=1), False)):
        request = waiver_request(FAILED, expires_at=captured + timedelta(days=90) + more)
        approval = entry(waiver_answer("approve", request), "officer")
        assert asked(entry(FAILED), entry(request, "owner"), approval).allowed is opens


@pytest.mark.parametrize("revoker", ["officer", "owner", "colleague", "pipeline", "stranger"])
def test_a_revoked_waiver_opens_nothing_whoever_signed_the_revocation(revoker: str) -> None:
    """The commands and the server let only some revoke. It can only shut: a key that is forgotten opens nothing."""
    answer = asked(*WAIVED, entry(REVOKED, revoker))

    assert "(the last waiver of it is revoked: by " in shut(answer)


def test_an_approval_after_the_revocation_brings_nothing_back() -> None:
    later = entry(waiver_answer("approve", ASKED, nonce="later"), "colleague")

    shut(asked(*WAIVED, entry(REVOKED, "owner"), later))


def test_the_same_approval_appended_again_after_a_revocation_spoils_the_log() -> None:
    answer = asked(*WAIVED, entry(REVOKED, "owner"), WAIVED[2])

    assert (answer.verdict, answer.exit_code) == (Verdict.DENIED, ExitCode.SHUT)
    assert found(answer, "integrity").status is Status.UNTRUSTED
    shut(answer)


def test_a_revocation_of_another_request_changes_nothing() -> None:
    other = waiver_request(FAILED, nonce="another")
    elsewhere = waiver_answer("revoke", ASKED, subject=DATA, nonce="elsewhere")

    assert asked(*WAIVED, entry(waiver_answer("revoke", other), "owner")).allowed
    assert asked(*WAIVED, entry(elsewhere, "owner")).allowed


def test_a_clock_that_was_set_back_keeps_a_waived_gate_shut() -> None:
    later = [replace(item, captured_at=to_text(NOW + timedelta(days=1))) for item in WAIVED]
    ended = waiver_request(FAILED, expires_at=NOW + timedelta(hours=1))
    entries = [entry(ended, "owner"), entry(waiver_answer("approve", ended), "officer")]
    recorded = [replace(item, captured_at=to_text(NOW + timedelta(hours=2))) for item in entries]

    for entries_ in (later, [WAIVED[0], *recorded]):
        answer = asked(*entries_)
        assert not answer.allowed
        assert found(answer, "integrity").status is Status.UNTRUSTED


def test_an_approval_recorded_after_the_end_does_not_count_within_the_skew_of_clocks_either() -> None:
    ends = NOW + timedelta(minutes=1)
    request = waiver_request(FAILED, expires_at=ends)
    for recorded, opens in ((ends - timedelta(seconds=1), True), (ends, False)):
        approval = replace(entry(waiver_answer("approve", request), "officer"), captured_at=to_text(recorded))
        assert asked(entry(FAILED), entry(request, "owner"), approval).allowed is opens


def test_only_a_required_check_is_waived() -> None:
    optional = policy([check_spec("parity", required=False), check_spec("accuracy")])

    answer = asked(*WAIVED, entry(result(id_="accuracy")), policy_=optional)

    assert answer.verdict is Verdict.ALLOWED
    assert parity(answer).status is Status.FAILED


def test_a_human_record_is_not_waived() -> None:
    made = policy([check_spec("accuracy")], [record_spec("parity")])
    refused = human("failed", id_="parity")
    answer = asked(entry(result(id_="accuracy")), entry(refused, "colleague"), *WAIVED[1:], policy_=made)

    assert shut(answer) == "the record does not approve"


@pytest.mark.parametrize(
    ("statement", "names", "status"),
    [
        (failing(), ("stranger",), Status.UNTRUSTED),
        (failing(subject=DATA), (), Status.MISMATCHED),
        (failing(policy_digest=DATA), (), Status.STALE),
        (failing("error"), (), Status.ERROR),
        (failing(version="4"), (), Status.MISSING),
    ],
    ids=["untrusted", "mismatched", "stale", "error", "missing"],
)
def test_no_other_status_is_ever_waived(statement: Statement, names: tuple[str, ...], status: Status) -> None:
    answer = asked(entry(statement, *names), *WAIVED[1:])

    assert not answer.allowed
    assert parity(answer).status is status


def test_a_waiver_waives_nothing_else() -> None:
    answer = asked(*WAIVED, policy_=policy([check_spec("parity"), check_spec("accuracy")]))

    assert parity(answer).status is Status.WAIVED
    assert [item.id for item in answer.blocking] == ["accuracy"]
    assert answer.verdict is Verdict.DENIED


ODD: list[Any] = [
    {},
    {"act": None},
    {"act": ["approve"]},
    {"act": "grant"},
    {"act": "request"},
    {"act": "approve"},
    {"act": "approve", "request": None, "reason": ""},
    {"act": "approve", "request": ["sha256:" + "0" * 64], "reason": ""},
    {"act": "approve", "request": "sha256:", "reason": ""},
    {"act": "revoke", "request": str(Digest.of(ASKED.to_bytes())), "reason": ""},
    {"act": "revoke", "request": str(Digest.of(ASKED.to_bytes())), "reason": {"a": 1}},
    {"act": "refused", "tried": "everything", "cause": "", "reason": "", "requirement": None, "request": None},
    {**ASKED.body, "observed": []},
    {**ASKED.body, "observed": {"status": "passed"}},
    {**ASKED.body, "observed": {"status": ["failed"]}},
    {**ASKED.body, "observed": {**ASKED.body["observed"], "status": "error"}},
    {**ASKED.body, "observedDigest": str(DATA)},
    {**ASKED.body, "expiresAt": "2999-01-01"},
    {**ASKED.body, "expiresAt": 5},
    {**ASKED.body, "requirement": ["parity"]},
    {**ASKED.body, "requirement": ""},
    {**ASKED.body, "owner": "owner"},
    {**ASKED.body, "owner": {}},
    {**ASKED.body, "reason": " "},
    {**ASKED.body, "reason": "x" * 2001},
    {**ASKED.body, "result": 7},
]


@pytest.mark.parametrize("body", ODD, ids=lambda body: f"{body.get('act')} {len(str(body))}")
def test_a_body_of_another_form_never_counts_and_never_breaks_the_gate(body: dict[str, Any]) -> None:
    odd = replace(ASKED, body=body)
    approval = waiver_answer("approve", odd)

    shut(asked(entry(FAILED), entry(odd, "owner"), entry(approval, "officer")))
    assert asked(*WAIVED, entry(odd, "officer")).verdict is Verdict.ALLOWED_BY_WAIVER


# What is said where nothing is waived


def test_a_denial_says_how_to_ask_for_a_waiver_beside_the_hint_of_the_check() -> None:
    hinted = replace(FAILED, body={**FAILED.body, "hint": "reweigh the groups"})

    assert parity(asked(entry(FAILED))).hint == "for a time: aims waive request income/3 --requirement parity"
    assert parity(asked(entry(hinted))).hint == (
        "reweigh the groups; or, for a time: aims waive request income/3 --requirement parity"
    )


def test_a_denial_with_a_request_that_waits_says_how_to_approve_it() -> None:
    digest = Digest.of(ASKED.to_bytes())

    assert parity(asked(*WAIVED[:2])).hint == f"approve its waiver: aims waive approve {digest.short}"


def test_no_waiver_is_hinted_at_where_none_could_be_had() -> None:
    nobody = policy(trust={kind: ids for kind, ids in policy().trust.items() if kind != "waiver"})

    assert parity(asked(entry(FAILED), policy_=nobody)).hint == ""
    assert parity(asked(entry(result("failed")))).hint == ""
    assert parity(asked(entry(failing("error")))).hint == ""
    assert parity(asked()).hint == "aims check income/3"
