"""The gate under a trust policy: terms of keys, anchors, systems, several people, and what is kept apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.evidence.anchors import Anchor
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.evidence.tombstone import Erasure
from aims_mlops.gate import decide
from aims_mlops.model.decision import Decision, RequirementStatus
from aims_mlops.model.outcome import Status
from aims_mlops.model.policy import Policy
from aims_mlops.model.register import Person
from aims_mlops.model.times import to_text
from aims_mlops.model.trust import REASONS, Revocation, Rule, Term
from tests.builders import (
    DATA,
    MODEL_FILES,
    NOW,
    Entry,
    entry,
    failing,
    found,
    human,
    key,
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
    trust,
    view,
    waiver_answer,
    waiver_request,
)

HOUR = timedelta(hours=1)
CAPTURED = NOW - timedelta(minutes=30)
REVIEWED = policy(records=[record_spec("peer-review")])


def everyone(**terms: Term) -> tuple[Person, ...]:
    """Return the usual people, some with a term of their key; the pipeline has a second key that is never revoked."""
    made = []
    for someone in people():
        term = terms.get(someone.id, Term())
        keys = tuple(replace(item, term=term) for item in someone.keys)
        second = (key("pipeline-2").public,) if someone.id == "pipeline" else ()
        made.append(replace(someone, keys=(*keys, *second)))
    return tuple(made)


def asked(*entries: Entry, policy_: Policy = REVIEWED, anchors: tuple[Anchor, ...] = (), **terms: Term) -> Decision:
    second = {**policy_.trust["check-result"], key("pipeline-2").public.id: "pipeline"}
    policy_ = replace(policy_, trust={**policy_.trust, "check-result": second})
    seen_ = log(*entries).view(trust(policy_, everyone(**terms), anchors))
    return decide(question(system(policy_), people=everyone(**terms)), seen_, now=NOW)


def gone(at: datetime, reason: str = "compromised") -> Term:
    return Term(revoked=Revocation(at, reason))


def seen(at: datetime, size: int = 9) -> Anchor:
    return Anchor("cosignature", "w/risk", size, at)


PASSED, REVIEW = entry(result()), entry(human(), "colleague")


def parity(answer: Decision) -> RequirementStatus:
    return found(answer, "parity")


def test_everything_that_was_signed_in_time_opens_the_gate() -> None:
    assert asked(PASSED, REVIEW).allowed
    assert asked(PASSED, REVIEW, pipeline=Term(NOW - timedelta(days=9), NOW)).allowed


@pytest.mark.parametrize("reason", ["lost", "superseded", "left"])
def test_what_was_recorded_before_a_key_was_revoked_stays_good(reason: str) -> None:
    assert asked(PASSED, REVIEW, pipeline=gone(NOW, reason)).allowed
    item = parity(asked(PASSED, REVIEW, pipeline=gone(CAPTURED, reason)))
    assert item.status is Status.UNTRUSTED
    assert item.reason == (
        f"recorded at 2026-11-21T20:01:34.123Z, and the key was revoked at 2026-11-21T20:01:34.123Z ({reason})"
    )


def test_after_a_compromise_only_what_somebody_outside_saw_before_counts() -> None:
    answer = asked(PASSED, REVIEW, pipeline=gone(NOW))
    item = parity(answer)
    assert (item.status, answer.exit_code, item.hint) == (Status.UNTRUSTED, 4, "aims check income/3")
    assert item.reason == (
        "no outside anchor before the key was revoked: the key was revoked at 2026-11-21T20:31:34.123Z (compromised)"
    )

    assert asked(PASSED, REVIEW, pipeline=gone(NOW), anchors=(seen(CAPTURED),)).allowed
    assert not asked(PASSED, REVIEW, pipeline=gone(NOW), anchors=(seen(NOW),)).allowed
    assert not asked(REVIEW, PASSED, pipeline=gone(NOW), anchors=(seen(CAPTURED, size=1),)).allowed


def test_a_key_that_is_not_valid_yet_or_no_longer_signs_nothing() -> None:
    early = parity(asked(PASSED, REVIEW, pipeline=Term(start=NOW)))
    late = parity(asked(PASSED, REVIEW, pipeline=Term(end=NOW - HOUR)))

    assert (early.status, late.status) == (Status.UNTRUSTED, Status.UNTRUSTED)
    assert early.reason == "signed at 2026-11-21T19:31:34.123Z, and the key is valid from 2026-11-21T20:31:34.123Z on"
    assert late.reason == "signed at 2026-11-21T19:31:34.123Z, and the key ended at 2026-11-21T19:31:34.123Z"


def test_a_new_check_with_another_key_opens_the_gate_again() -> None:
    again = entry(result(nonce="again"), "pipeline-2")

    assert asked(PASSED, REVIEW, again, pipeline=gone(NOW)).allowed


def test_a_failure_of_a_revoked_key_is_not_looked_past_to_an_older_pass() -> None:
    older, newer = entry(result(nonce="older"), "pipeline-2"), entry(result("failed", nonce="newer"))
    assert parity(asked(older, newer, REVIEW)).status is Status.FAILED

    assert parity(asked(older, newer, REVIEW, pipeline=gone(NOW))).status is Status.UNTRUSTED


def test_a_time_that_cannot_be_is_said_whatever_the_key() -> None:
    answer = asked(PASSED, REVIEW, anchors=(seen(NOW - 3 * HOUR),))

    assert parity(answer).status is Status.UNTRUSTED
    assert parity(answer).reason.startswith("measured at 2026-11-21T19:31:34.123Z, a time that lies after w/risk saw")
    before = entry(result(signed_at=NOW - 2 * HOUR))
    assert parity(asked(before, REVIEW)).reason == "signed before it was measured"


# Systems, several people, and what is kept apart


def ruled(kind: str, *rules: Rule, **changes: Any) -> Policy:
    return replace(REVIEWED, rules={kind: rules}, **changes)


def test_a_person_is_trusted_for_the_systems_of_the_rule_alone() -> None:
    for_others = ruled("check-result", Rule(("pipeline",), ("credit*",)))

    assert parity(asked(PASSED, REVIEW, policy_=for_others)).status is Status.UNTRUSTED
    assert asked(PASSED, REVIEW, policy_=ruled("check-result", Rule(("pipeline",), ("inc*",)))).allowed
    without = entry(result(system=None))
    assert parity(asked(without, REVIEW, policy_=ruled("check-result", Rule(("pipeline",), ("*",))))).status is (
        Status.UNTRUSTED
    )


TWO = ruled("record", Rule(("owner", "officer", "colleague"), threshold=2))


def test_two_people_have_to_sign_where_two_are_demanded() -> None:
    one = found(asked(PASSED, REVIEW, policy_=TWO), "peer-review")
    assert (one.status, one.reason) == (Status.MISSING, "1 of 2 people signed it so far: colleague")

    assert asked(PASSED, REVIEW, entry(human(nonce="2"), "officer"), policy_=TWO).allowed
    assert asked(PASSED, entry(human(), "colleague", "officer"), policy_=TWO).allowed


def test_one_person_s_records_and_keys_count_once() -> None:
    again = entry(human(nonce="again"), "colleague")
    assert not asked(PASSED, REVIEW, again, policy_=TWO).allowed
    second = {**TWO.trust["record"], key("colleague-2").public.id: "colleague"}
    both = replace(TWO, trust={**TWO.trust, "record": second})
    twice = (*(someone for someone in people() if someone.id != "colleague"), person("colleague"))
    twice = (*twice[:-1], replace(twice[-1], keys=(*twice[-1].keys, key("colleague-2").public)))
    entries = log(PASSED, entry(human(), "colleague", "colleague-2"), entry(human(nonce="2"), "colleague-2"))

    answer = decide(question(system(both), people=twice), entries.view(trust(both, twice)), now=NOW)

    assert found(answer, "peer-review").reason == "1 of 2 people signed it so far: colleague"


def test_who_disagreed_in_the_end_is_not_counted() -> None:
    no = entry(human("failed", nonce="no"), "officer")
    yes = entry(human(nonce="yes"), "officer")

    assert not asked(PASSED, REVIEW, yes, no, entry(human(nonce="2"), "colleague"), policy_=TWO).allowed
    assert asked(PASSED, REVIEW, no, yes, policy_=TWO).allowed


def test_a_disagreement_by_a_revoked_key_is_not_looked_past_to_an_older_approval() -> None:
    early, late = NOW - 9 * HOUR, NOW - HOUR
    yes = entry(human(nonce="yes", measured_at=early, signed_at=early), "officer")
    no = entry(human("failed", nonce="no", measured_at=late, signed_at=late), "officer")
    other = entry(human(nonce="2", measured_at=late, signed_at=late), "colleague")
    yes = replace(yes, captured_at=to_text(early))
    no, other = (replace(one, captured_at=to_text(late)) for one in (no, other))
    told: dict[str, Any] = {
        "policy_": TWO,
        "anchors": (Anchor("cosignature", "w/risk", 1, early + timedelta(minutes=1)),),
    }
    revoked = gone(NOW - 2 * HOUR)

    assert asked(yes, PASSED, other, **told).allowed
    assert asked(yes, PASSED, other, **told, officer=revoked).allowed
    assert not asked(yes, PASSED, no, other, **told).allowed
    assert not asked(yes, PASSED, no, other, **told, officer=revoked).allowed


FAILED = failing()
ASKED = waiver_request(FAILED)
WAIVABLE = policy()


def waived(*approvers: str, policy_: Policy, **terms: Term) -> Decision:
    approvals = [entry(waiver_answer("approve", ASKED, nonce=name), name) for name in approvers]
    review = entry(human(nonce="early"), "colleague")
    return asked(entry(FAILED), entry(ASKED, "owner"), review, *approvals, policy_=policy_, anchors=(), **terms)


def test_two_people_have_to_approve_a_waiver_where_two_are_demanded() -> None:
    two = replace(WAIVABLE, rules={"waiver": (Rule(("officer", "colleague"), threshold=2),)})
    assert waived("officer", policy_=WAIVABLE).allowed

    assert not waived("officer", policy_=two).allowed
    assert not waived("officer", "officer", policy_=two).allowed
    assert not waived("officer", "owner", policy_=two).allowed
    both = parity(waived("officer", "colleague", policy_=two))
    assert both.status is Status.WAIVED
    assert both.reason.startswith("officer and colleague allows it")


def test_who_signed_what_is_kept_apart_from_waivers_does_not_approve() -> None:
    apart = replace(WAIVABLE, separate=(frozenset({"record", "waiver"}),))

    assert waived("colleague", policy_=WAIVABLE).allowed
    assert not waived("colleague", policy_=apart).allowed
    assert waived("officer", policy_=apart).allowed


def test_who_measured_does_not_review_where_the_two_are_kept_apart() -> None:
    trusted = {**REVIEWED.trust["check-result"], key("colleague").public.id: "colleague"}
    both = replace(REVIEWED, trust={**REVIEWED.trust, "check-result": trusted})
    apart = replace(both, separate=(frozenset({"check-result", "record"}),))
    measured = entry(result(nonce="mine"), "colleague")
    assert asked(PASSED, measured, REVIEW, policy_=both).allowed

    item = found(asked(PASSED, measured, REVIEW, policy_=apart), "peer-review")

    assert (item.status, item.reason) == (
        Status.UNTRUSTED,
        "signed by colleague, who signed the check-result too: the policy keeps it apart from a record",
    )
    assert asked(PASSED, measured, REVIEW, entry(human(nonce="2"), "officer"), policy_=apart).allowed


def test_what_was_erased_may_have_been_signed_by_whom_the_policy_keeps_apart() -> None:
    apart = replace(REVIEWED, separate=(frozenset({"check-result", "record"}), frozenset({"record", "waiver"})))
    leaf = Leaf(0, DATA, predicate_type("check-result"), DATA, DATA, MODEL_FILES, to_text(CAPTURED))
    tombstone = record(other("tombstone"), seq=1, signer="officer")

    def judged(gone: Leaf, *records: Record) -> Decision:
        seen = replace(view(*records), erased=(Erasure(gone, tombstone),))
        return decide(question(system(apart)), seen, now=NOW)

    passed, reviewed = record(result(), seq=2), record(human(), seq=3, signer="colleague")
    item = found(judged(leaf, passed, reviewed), "peer-review")
    assert item.status is Status.UNTRUSTED
    assert "which the policy keeps apart from a record, was erased, tombstone #1" in item.reason
    review = replace(leaf, type=predicate_type("record"))
    assert found(judged(review, passed, reviewed), "peer-review").status is Status.PASSED

    waiver = [record(ASKED, seq=4, signer="owner"), record(waiver_answer("approve", ASKED), seq=5, signer="officer")]
    request = waiver[0]
    approval = replace(waiver[1], statement=waiver_answer("approve", ASKED))
    answered = replace(approval.statement, body={**approval.statement.body, "request": request.payload})
    told = (record(FAILED, seq=2), request, replace(approval, statement=answered), reviewed)
    assert found(decide(question(system(apart)), view(*told), now=NOW), "parity").status is Status.WAIVED
    assert found(judged(review, *told), "parity").status is Status.FAILED


def test_a_revoked_approver_s_key_closes_the_waiver_and_a_revoked_measurer_stays_one() -> None:
    assert not waived("officer", policy_=WAIVABLE, officer=gone(NOW)).allowed
    by_officer = {**WAIVABLE.trust["check-result"], key("officer").public.id: "officer"}
    second = {**WAIVABLE.trust["waiver"], key("officer-2").public.id: "officer"}
    both = replace(WAIVABLE, trust={**WAIVABLE.trust, "check-result": by_officer, "waiver": second})
    measured = entry(result(nonce="mine"), "officer")
    approval = entry(waiver_answer("approve", ASKED), "officer-2")
    who = tuple(
        replace(one, keys=(replace(one.keys[0], term=gone(NOW)), key("officer-2").public))
        if one.id == "officer"
        else one
        for one in people()
    )
    entries = log(measured, entry(FAILED), entry(ASKED, "owner"), approval)

    answer = decide(question(system(both), people=who), entries.view(trust(both, who)), now=NOW)

    assert not answer.allowed


# Whoever objected is heard, whatever became of him


BY_OFFICER = policy(records=[record_spec("peer-review", signed_by="officer")])
EARLY, LATE = NOW - 3 * HOUR, NOW - HOUR


def said(outcome: str, at: datetime, *signers: str) -> Entry:
    made = entry(human(outcome, nonce=f"{outcome}-{at}", measured_at=at, signed_at=at), *signers)
    return replace(made, captured_at=to_text(at))


@pytest.mark.parametrize("reason", REASONS)
def test_an_objection_of_two_people_stays_one_when_the_key_of_one_is_revoked(reason: str) -> None:
    items = (PASSED, said("passed", EARLY, "officer"), said("failed", LATE, "officer", "colleague"))

    assert asked(*items[:2], policy_=BY_OFFICER).allowed
    assert not asked(*items, policy_=BY_OFFICER).allowed
    assert not asked(*items, policy_=BY_OFFICER, officer=gone(NOW - 2 * HOUR, reason)).allowed


def test_an_objection_that_somebody_signed_too_who_may_not_is_heard() -> None:
    items = (PASSED, said("passed", EARLY, "officer"), said("failed", LATE, "owner", "officer"))
    assert not asked(*items, policy_=BY_OFFICER).allowed


def test_who_thinks_better_of_an_objection_takes_it_back() -> None:
    items = (PASSED, said("failed", EARLY, "colleague"), said("passed", LATE, "colleague"))
    assert found(asked(*items, policy_=BY_OFFICER), "peer-review").status is Status.MISSING
    assert asked(*items, said("passed", NOW - HOUR / 2, "officer"), policy_=BY_OFFICER).allowed


def test_an_objection_is_heard_though_its_author_measured_or_owns_the_system_since() -> None:
    apart = replace(REVIEWED, separate=(frozenset({"check-result", "record"}),))
    by_colleague = {**apart.trust["check-result"], key("colleague").public.id: "colleague"}
    apart = replace(apart, trust={**apart.trust, "check-result": by_colleague})
    items = [PASSED, said("passed", EARLY, "officer"), said("failed", LATE, "colleague")]

    assert asked(*items[:2], policy_=apart).allowed
    assert not asked(*items, policy_=apart).allowed
    assert not asked(*items, entry(result(nonce="mine"), "colleague"), policy_=apart).allowed
    assert asked(*items, said("passed", NOW - HOUR / 2, "officer"), policy_=apart).allowed


def test_who_may_not_sign_does_not_count_among_the_people_who_have_to() -> None:
    two = ruled("record", Rule(("owner", "officer"), threshold=2), records=(record_spec("peer-review"),))
    two = replace(two, trust={**two.trust, "record": {key(who).public.id: who for who in ("owner", "officer")}})

    both = found(asked(PASSED, entry(human(), "officer", "owner"), policy_=two), "peer-review")
    assert (both.status, both.reason) == (Status.MISSING, "1 of 2 people signed it so far: officer")


# Law 1


moments = st.integers(-72, 2).map(lambda hours: NOW + timedelta(hours=hours))
terms = st.builds(
    Term, st.none() | moments, st.none() | moments, st.none() | st.builds(Revocation, moments, st.sampled_from(REASONS))
)
policies = st.sampled_from(
    (
        policy(records=[record_spec("peer-review", signed_by="anyone")]),
        ruled("record", Rule(("owner", "officer", "colleague"), threshold=2)),
        replace(WAIVABLE, separate=(frozenset({"record", "waiver"}), frozenset({"check-result", "waiver"}))),
        replace(WAIVABLE, rules={"waiver": (Rule(("officer", "colleague"), threshold=2),)}),
    )
)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """A log of passes, failures, reviews and waivers, each recorded one to sixty hours ago and signed just before."""
    made: list[Entry] = []
    for place in range(draw(st.integers(1, 7))):
        captured = NOW - timedelta(hours=draw(st.integers(1, 60)))
        header: dict[str, Any] = {"measured_at": captured, "signed_at": captured, "nonce": str(place)}
        match draw(st.sampled_from(("pass", "pass", "fail", "review", "asked", "approve"))):
            case "pass":
                item = entry(result(**header), draw(st.sampled_from(("pipeline", "pipeline-2"))))
            case "fail":
                item = entry(replace(FAILED, header=replace(FAILED.header, **header)), "pipeline")
            case "review":
                outcome = draw(st.sampled_from(("passed", "passed", "failed")))
                item = entry(human(outcome, **header), draw(st.sampled_from(("colleague", "officer", "owner"))))
            case "asked":
                item = entry(waiver_request(FAILED, **header), "owner")
            case _:
                about = [one.statement for one in made if one.statement.body.get("act") == "request"] or [ASKED]
                approval = waiver_answer("approve", draw(st.sampled_from(about)), **header)
                item = entry(approval, draw(st.sampled_from(("officer", "colleague"))))
        made.append(replace(item, captured_at=to_text(captured)))
    return made


def anchored(items: list[Entry], draw: st.DataObject) -> tuple[Anchor, ...]:
    """Anchors that contradict no time: each was made after all that it covers was recorded."""
    sizes = draw.draw(st.lists(st.integers(1, len(items)), max_size=2))
    captured = [datetime.fromisoformat(item.captured_at) for item in items]
    return tuple(seen(max(captured[:size]) + timedelta(minutes=draw.draw(st.integers(0, 90))), size) for size in sizes)


@settings(max_examples=150, deadline=None)
@given(entries(), policies, st.sampled_from(("pipeline", "colleague", "officer", "owner")), terms, st.data())
def test_a_revocation_added_never_opens_the_gate(
    items: list[Entry], policy_: Policy, who: str, term: Term, data: st.DataObject
) -> None:
    anchors, before = anchored(items, data), replace(term, revoked=None)
    after = replace(before, revoked=Revocation(data.draw(moments), data.draw(st.sampled_from(REASONS))))

    if asked(*items, policy_=policy_, anchors=anchors, **{who: after}).allowed:
        assert asked(*items, policy_=policy_, anchors=anchors, **{who: before}).allowed


@settings(max_examples=150, deadline=None)
@given(entries(), policies, st.sampled_from(("pipeline", "colleague", "officer", "owner")), terms, st.data())
def test_an_anchor_taken_away_never_opens_the_gate(
    items: list[Entry], policy_: Policy, who: str, term: Term, data: st.DataObject
) -> None:
    anchors = anchored(items, data)
    for place in range(len(anchors)):
        less = (*anchors[:place], *anchors[place + 1 :])
        if asked(*items, policy_=policy_, anchors=less, **{who: term}).allowed:
            assert asked(*items, policy_=policy_, anchors=anchors, **{who: term}).allowed


def test_the_logs_drawn_here_are_opened_and_shut_by_revocations() -> None:
    """Else the two properties above would hold for nothing."""
    assert asked(PASSED, policy_=WAIVABLE).allowed
    assert not asked(PASSED, policy_=WAIVABLE, pipeline=gone(NOW)).allowed
    assert asked(PASSED, policy_=WAIVABLE, pipeline=gone(NOW), anchors=(seen(CAPTURED),)).allowed
