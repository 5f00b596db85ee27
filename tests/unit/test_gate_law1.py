"""Law 1 on whole logs: taking away, replacing, cutting or editing never opens the gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.evidence.log import Head, Leaf
from aims_mlops.evidence.statement import Statement
from aims_mlops.gate import decide
from aims_mlops.model.decision import Decision
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.model.policy import Policy
from tests.builders import (
    CREATED,
    DATA,
    NOW,
    Entry,
    Log,
    check_spec,
    dataset,
    entry,
    failing,
    human,
    log,
    other,
    people,
    policy,
    question,
    record_spec,
    result,
    sign_bytes,
    system,
    trust,
    waiver_answer,
    waiver_request,
)

POLICY = policy(
    [check_spec("parity"), check_spec("accuracy"), check_spec("extra", required=False)],
    [record_spec("peer-review")],
)
TRUST = trust(POLICY)
BEST_FIRST = ("passed", "warned", "inconclusive", "failed", "error")


def asked(stored: Log, policy_: Policy = POLICY) -> Decision:
    return decide(question(system(policy_)), stored.view(TRUST), now=NOW)


def whole() -> list[Entry]:
    """A log that opens the gate, with statements of other kinds between the needed ones."""
    return [
        entry(other("register-entry", nonce="a"), "officer"),
        entry(result(id_="parity", nonce="b")),
        entry(result("failed", id_="accuracy", nonce="c")),
        entry(result("warned", id_="accuracy", nonce="d")),
        entry(human(nonce="e"), "colleague"),
        entry(other("gate-decision", nonce="f")),
    ]


LIMPING = failing(id_="accuracy", nonce="g")
ASKED = waiver_request(LIMPING)


def waived() -> list[Entry]:
    """A log that a waiver opens: accuracy fails in the end, the owner asked, the officer approved."""
    waiver = [entry(ASKED, "owner"), entry(waiver_answer("approve", ASKED), "officer")]
    return [*whole()[:4], entry(LIMPING), *waiver, *whole()[4:]]


@st.composite
def waiver_statements(draw: st.DrawFn, nonce: str) -> Entry:
    """One statement about waivers: of this result or another, for this version or not, by whom it may be or not."""
    about = draw(st.sampled_from((LIMPING, failing(id_="accuracy", value=0.5), failing(id_="parity"))))
    lasts = draw(st.sampled_from((timedelta(days=14), timedelta(days=14), timedelta(0), timedelta(days=400))))
    changes: dict[str, Any] = draw(st.sampled_from(({}, {}, {"version": "2"}, {"policy_digest": DATA})))
    request = waiver_request(about, nonce=nonce, expires_at=NOW + lasts, **changes)
    name = draw(st.sampled_from(("owner", "officer", "colleague", "pipeline", "stranger")))
    act = draw(st.sampled_from(("request", "approve", "revoke")))
    return entry(
        request if act == "request" else waiver_answer(act, draw(st.sampled_from((ASKED, request))), nonce=nonce), name
    )


@st.composite
def statements(draw: st.DrawFn) -> Entry:
    """One statement of any kind: for this version or not, under this policy or not, trusted or not."""
    nonce = str(draw(st.integers(0, 10**9)))
    changes: dict[str, Any] = draw(
        st.sampled_from(
            [{}, {}, {}, {}, {"version": "2"}, {"policy_digest": DATA}, {"datasets": (dataset(origin="attached"),)}]
        )
    )
    outcome = draw(st.sampled_from(("passed", "passed", *BEST_FIRST)))
    match draw(st.sampled_from(("check", "check", "check", "record", "waiver", "other"))):
        case "check":
            id_ = draw(st.sampled_from(("parity", "accuracy", "extra")))
            name = draw(st.sampled_from(("pipeline", "pipeline", "pipeline", "owner")))
            return entry(result(outcome, id_=id_, nonce=nonce, **changes), name)
        case "record":
            name = draw(st.sampled_from(("colleague", "officer", "owner", "stranger")))
            changes.pop("datasets", None)
            return entry(human(outcome, nonce=nonce, **changes), name)
        case "waiver":
            return draw(waiver_statements(nonce))
    return entry(other(draw(st.sampled_from(("incident", "gate-decision", "register-entry"))), nonce=nonce))


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """A log: by chance, or an opening one with statements put in anywhere."""
    drawn = draw(st.lists(statements(), min_size=0 if draw(st.booleans()) else 1, max_size=4))
    base = draw(st.sampled_from((whole, waived)))() if draw(st.booleans()) or not drawn else []
    for item in drawn:
        # A store keeps a payload once, and two signatures of one payload differ.
        if item.envelope.payload_digest not in {kept.envelope.payload_digest for kept in base}:
            base.insert(draw(st.integers(0, len(base))), item)
    return base


def test_the_whole_log_opens_the_gate() -> None:
    answer = asked(log(*whole()))

    assert answer.verdict is Verdict.ALLOWED
    assert answer.log_size == 6
    assert answer.log_head == log(*whole()).head.digest  # type: ignore[union-attr]  # it has leaves


@settings(max_examples=100, deadline=None)
@given(entries=logs(), data=st.data())
def test_taking_a_statement_away_is_undecided_and_never_open(entries: list[Entry], data: st.DataObject) -> None:
    stored = log(*entries)
    place = data.draw(st.integers(0, len(entries) - 1))

    for less in (stored.without(place), stored.without_envelope(place)):
        answer = asked(less)
        assert answer.verdict is Verdict.UNDECIDED
        assert not answer.allowed
        assert answer.exit_code != 0


@settings(max_examples=100, deadline=None)
@given(entries=logs(), data=st.data())
def test_taking_several_statements_away_is_undecided(entries: list[Entry], data: st.DataObject) -> None:
    stored = log(*entries)
    places = data.draw(st.sets(st.integers(0, len(entries) - 1), min_size=1))
    for place in sorted(places, reverse=True):
        stored = stored.without(place)

    assert asked(stored).verdict is Verdict.UNDECIDED


@settings(max_examples=100, deadline=None)
@given(entries=logs())
def test_a_pass_that_was_never_recorded_opens_nothing(entries: list[Entry]) -> None:
    """The log without a statement that counts, its chain made whole again and its head moved."""
    before = asked(log(*entries))
    counted = {item.evidence for item in before.requirements if item.status.open}
    places = [index for index, item in enumerate(entries) if item.envelope.payload_digest in counted]
    for place in places:
        after = asked(log(*entries[:place], *entries[place + 1 :]))
        assert before.allowed or not after.allowed


def test_a_log_with_a_waiver_opens_the_gate_by_it() -> None:
    assert asked(log(*waived())).verdict is Verdict.ALLOWED_BY_WAIVER


@settings(max_examples=100, deadline=None)
@given(entries=logs())
def test_a_waiver_that_was_never_asked_for_or_approved_opens_nothing(entries: list[Entry]) -> None:
    """The log without one request or approval, its chain made whole again and its head moved."""
    before = asked(log(*entries))
    for place, item in enumerate(entries):
        if item.statement.kind == "waiver" and item.statement.body["act"] != "revoke":
            after = asked(log(*entries[:place], *entries[place + 1 :]))
            assert before.allowed or not after.allowed


@settings(max_examples=100, deadline=None)
@given(entries=logs(), data=st.data())
def test_a_revocation_anywhere_after_its_request_never_opens(entries: list[Entry], data: st.DataObject) -> None:
    requests = [place for place, item in enumerate(entries) if item.statement.body.get("act") == "request"]
    if not requests:
        return
    place = data.draw(st.sampled_from(requests))
    revoked = entry(waiver_answer("revoke", entries[place].statement, nonce="now"), "owner")
    at = data.draw(st.integers(place + 1, len(entries)))

    before, after = asked(log(*entries)), asked(log(*entries[:at], revoked, *entries[at:]))

    assert before.allowed or not after.allowed
    assert entries[place].envelope.payload_digest not in {item.waiver for item in after.requirements}


@pytest.mark.parametrize("place", range(len(waived())))
def test_taking_any_statement_from_a_waived_log_is_undecided(place: int) -> None:
    revoked = entry(waiver_answer("revoke", ASKED), "owner")
    for entries in (waived(), [*waived(), revoked]):
        stored = log(*entries)
        assert asked(stored.without(place)).verdict is Verdict.UNDECIDED
        assert asked(stored.without_envelope(place)).verdict is Verdict.UNDECIDED


def test_a_revocation_taken_away_leaves_a_hole_and_not_an_open_gate() -> None:
    stored = log(*waived(), entry(waiver_answer("revoke", ASKED), "owner"), entry(other("incident"), "stranger"))
    last = len(stored.rows) - 1
    assert asked(stored).verdict is Verdict.DENIED

    for less in (stored.without(last - 1), stored.without_envelope(last - 1), stored.cut(last - 1)):
        assert asked(less).verdict is Verdict.UNDECIDED


def worse(item: Entry, outcome: str) -> Entry:
    said = replace(item.statement, body={**item.statement.body, "outcome": outcome})
    name = "colleague" if said.kind == "record" else "pipeline"
    return entry(said, name)


@settings(max_examples=100, deadline=None)
@given(entries=logs(), data=st.data())
def test_replacing_an_outcome_by_a_worse_one_never_opens(entries: list[Entry], data: st.DataObject) -> None:
    """The worse statement is signed anew by a trusted key, and the whole chain and its head are rebuilt."""
    places = [index for index, item in enumerate(entries) if "outcome" in item.statement.body]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    rank = BEST_FIRST.index(str(entries[place].statement.body["outcome"]))
    outcome = data.draw(st.sampled_from(BEST_FIRST[max(rank, 2) :]))
    # Only the outcome is made worse: who signed, and for what, stays.
    names = trusted_names(entries[place])
    said = replace(entries[place].statement, body={**entries[place].statement.body, "outcome": outcome})
    before = asked(log(*entries))

    after = asked(log(*entries[:place], entry(said, *names), *entries[place + 1 :]))

    assert before.allowed or not after.allowed


def trusted_names(item: Entry) -> tuple[str, ...]:
    everyone = ("pipeline", "owner", "officer", "colleague", "stranger")
    made = [name for name in everyone if sign_bytes(item.envelope.payload, (name,)) == item.envelope]
    assert made
    return tuple(made)


@pytest.mark.parametrize("outcome", ["inconclusive", "failed", "error", "skipped", ""])
@pytest.mark.parametrize("place", [1, 3, 4], ids=["a check", "a warned check", "a human record"])
def test_each_counting_statement_made_worse_shuts_the_gate(place: int, outcome: str) -> None:
    entries = whole()
    entries[place] = worse(entries[place], outcome)

    assert not asked(log(*entries)).allowed


@pytest.mark.parametrize("length", range(6))
def test_a_tail_cut_off_is_found_by_the_outside_head(length: int) -> None:
    answer = asked(log(*whole()).cut(length))

    assert answer.verdict is Verdict.UNDECIDED
    integrity = next(item for item in answer.requirements if item.id == "integrity")
    assert integrity.status is Status.ERROR
    assert f"the log ends at leaf {length - 1}, but leaf 5 was seen: its tail is cut off" in integrity.reason


def test_a_tail_cut_off_with_an_older_head_put_back_is_not_seen_by_this_log_alone() -> None:
    """What the outside head is for: who can write it too can cut the tail, unless a checkpoint was kept."""
    shorter = log(*whole()[:5])

    assert asked(shorter).allowed


def test_a_log_whose_outside_head_is_gone_is_undecided() -> None:
    assert asked(replace(log(*whole()), head=None)).verdict is Verdict.UNDECIDED


def test_another_log_in_the_place_of_the_one_seen_is_untrusted() -> None:
    entries = whole()
    entries[2] = entry(result("passed", id_="accuracy", nonce="forged"))
    swapped = replace(log(*entries), head=log(*whole()).head)

    answer = asked(swapped)

    assert not answer.allowed
    assert answer.exit_code == 4


def test_a_log_of_another_registry_is_untrusted() -> None:
    stored = log(*whole())

    answer = decide(question(system(POLICY)), stored.view(TRUST, registry_id="another"), now=NOW)

    assert not answer.allowed
    assert answer.exit_code == 4


def test_two_leaves_that_change_places_shut_the_gate() -> None:
    stored = log(*whole())
    swapped = replace(stored, rows=(stored.rows[1], stored.rows[0], *stored.rows[2:]))

    assert not asked(swapped).allowed


def test_a_leaf_that_comes_twice_shuts_the_gate() -> None:
    stored = log(*whole())

    assert not asked(replace(stored, rows=(*stored.rows, stored.rows[-1]))).allowed


def test_an_envelope_in_the_place_of_another_shuts_the_gate() -> None:
    stored = log(*whole())
    passed = stored.envelopes[Leaf.from_bytes(stored.rows[1]).payload]

    answer = asked(stored.with_envelope(2, passed))

    assert not answer.allowed
    assert answer.exit_code == 4


SMALL_POLICY = policy()
SMALL = log(entry(result()), entry(other("incident"), "stranger"))


def test_flipping_a_bit_of_any_stored_byte_shuts_the_gate() -> None:
    assert asked(SMALL, SMALL_POLICY).allowed
    for place, row in enumerate(SMALL.rows):
        envelope = SMALL.envelopes[Leaf.from_bytes(row).payload]
        for at in range(len(row)):
            assert not asked(SMALL.with_row(place, flipped(row, at)), SMALL_POLICY).allowed
        for at in range(len(envelope)):
            assert not asked(SMALL.with_envelope(place, flipped(envelope, at)), SMALL_POLICY).allowed


def flipped(content: bytes, at: int) -> bytes:
    """Flip the lowest bit, or at every second place the one between small and capital letters."""
    return content[:at] + bytes([content[at] ^ (0x20 if at % 2 else 0x01)]) + content[at + 1 :]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_edit_of_stored_bytes_shuts_the_gate_and_never_raises(data: st.DataObject) -> None:
    stored = log(*whole())
    place = data.draw(st.integers(0, len(stored.rows) - 1))
    in_row = data.draw(st.booleans())
    held = stored.rows[place] if in_row else stored.envelopes[Leaf.from_bytes(stored.rows[place]).payload]
    start = data.draw(st.integers(0, len(held)))
    end = data.draw(st.integers(start, min(len(held), start + 40)))
    edited = held[:start] + data.draw(st.binary(max_size=40)) + held[end:]
    if edited == held:
        return

    answer = asked(stored.with_row(place, edited) if in_row else stored.with_envelope(place, edited))

    assert not answer.allowed
    assert answer.exit_code in (1, 3, 4)  # 1 where an older result now is the newest, and a failed one


@pytest.mark.parametrize(
    ("damaged", "verdict", "code", "status"),
    [
        (SMALL.without_envelope(0), Verdict.UNDECIDED, 3, Status.ERROR),
        (SMALL.without(0), Verdict.UNDECIDED, 3, Status.ERROR),
        (SMALL.cut(0), Verdict.UNDECIDED, 3, Status.ERROR),
        (SMALL.with_row(0, b"{}"), Verdict.DENIED, 4, Status.UNTRUSTED),
        (SMALL.with_envelope(0, b"{}"), Verdict.DENIED, 4, Status.UNTRUSTED),
    ],
    ids=[
        "its envelope is gone",
        "its leaf is gone",
        "the log is empty",
        "its leaf is edited",
        "its envelope is edited",
    ],
)
def test_a_result_lost_by_damage_is_not_called_missing(
    damaged: Log, verdict: Verdict, code: int, status: Status
) -> None:
    answer = asked(damaged, SMALL_POLICY)
    lost = next(item for item in answer.requirements if item.id == "parity")

    assert (answer.verdict, answer.exit_code, lost.status) == (verdict, code, status)
    assert lost.reason == "no record for income/3 is left in a log that is damaged (see integrity)"


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.binary(max_size=200), max_size=4), seq=st.integers(-1, 5))
def test_rows_that_are_no_leaves_never_raise_and_never_open(rows: list[bytes], seq: int) -> None:
    stored = Log(tuple(rows), {}, Head(seq, DATA))

    assert not asked(stored).allowed


FORGED: list[tuple[str, Statement, tuple[str, ...], Status]] = [
    ("signed by a stranger", result(), ("stranger",), Status.UNTRUSTED),
    ("signed by a person trusted for records only", result(), ("owner",), Status.UNTRUSTED),
    ("for another version", result(version="4"), (), Status.MISSING),
    ("for another model", result(model="outcome"), (), Status.MISSING),
    ("about no model", result(model=None, version=None, version_created_at=None), (), Status.MISSING),
    ("of another registry", result(registry_id="another"), (), Status.MISMATCHED),
    ("of another workspace", result(workspace="team-b"), (), Status.MISMATCHED),
    ("for a version made anew", result(version_created_at=CREATED + timedelta(milliseconds=1)), (), Status.MISMATCHED),
    ("for a version of no known time", result(version_created_at=None), (), Status.MISMATCHED),
    ("for other bytes", result(subject=DATA), (), Status.MISMATCHED),
    ("under another policy", result(policy_digest=DATA), (), Status.STALE),
    ("under no policy", result(policy_digest=None), (), Status.STALE),
    ("for another system", result(system="credit"), (), Status.STALE),
    ("for no system", result(system=None), (), Status.STALE),
    ("by another check of the same id", result(use="performance"), (), Status.MISMATCHED),
    ("for another requirement", result(id_="accuracy"), (), Status.MISSING),
    ("as a statement of another kind", replace(result(), kind="incident"), (), Status.MISSING),
    ("on data that the author attached", result(datasets=(dataset(origin="attached"),)), (), Status.MISMATCHED),
    ("on stored predictions", result(datasets=(dataset(origin="stored-predictions"),)), (), Status.MISMATCHED),
    ("on data of unknown origin", result(datasets=(dataset(origin="found"),)), (), Status.MISMATCHED),
    ("on a dataset that the policy does not know", result(datasets=(dataset("mine"),)), (), Status.MISMATCHED),
    ("on a dataset of another check", result(datasets=(dataset("reference"),)), (), Status.MISMATCHED),
    ("on one dataset more", result(datasets=(dataset(), dataset("reference"))), (), Status.MISMATCHED),
    ("on no dataset at all", result(datasets=()), (), Status.MISMATCHED),
    ("from the future", result(measured_at=NOW + timedelta(days=1)), (), Status.UNTRUSTED),
    ("too old", result(measured_at=NOW - timedelta(days=31)), (), Status.STALE),
]


@pytest.mark.parametrize(
    ("statement", "names", "status"), [case[1:] for case in FORGED], ids=[case[0] for case in FORGED]
)
def test_a_pass_that_is_not_for_this_never_opens(statement: Statement, names: tuple[str, ...], status: Status) -> None:
    answer = asked(log(entry(statement, *names)), SMALL_POLICY)

    assert answer.verdict is Verdict.DENIED
    assert [item.status for item in answer.requirements if item.id == "parity"] == [status]
    assert answer.exit_code == status.exit_code != 0


@pytest.mark.parametrize(
    ("statement", "names", "status"), [case[1:] for case in FORGED], ids=[case[0] for case in FORGED]
)
def test_a_statement_that_is_not_for_this_does_not_hide_a_failure(
    statement: Statement, names: tuple[str, ...], status: Status
) -> None:
    stored = log(entry(result("failed", nonce="earlier")), entry(statement, *names))

    assert not asked(stored, SMALL_POLICY).allowed


def test_someone_untrusted_cannot_shut_the_gate_again() -> None:
    """A newer statement that nobody trusts is looked past: else anyone who can append could block a release."""
    stored = log(entry(result()), entry(result("failed", nonce="later"), "stranger"))

    assert asked(stored, SMALL_POLICY).allowed


def test_the_key_of_a_person_who_is_not_among_the_people_is_not_trusted() -> None:
    stored = log(entry(result()))
    without = tuple(someone for someone in people() if someone.id != "pipeline")

    answer = decide(question(), stored.view(trust(people_=without)), now=NOW)

    assert [item.status for item in answer.blocking] == [Status.UNTRUSTED]


def test_the_words_for_outcomes_here_are_all_there_are() -> None:
    assert set(BEST_FIRST) == {outcome.value for outcome in Outcome}


@settings(max_examples=100, deadline=None)
@given(entries=logs(), data=st.data())
def test_a_leaf_that_is_appended_again_in_its_chain_never_opens(entries: list[Entry], data: st.DataObject) -> None:
    """Whoever can write to the database needs no key to make an old pass the newest result."""
    again = entries[data.draw(st.integers(0, len(entries) - 1))]
    entries = [*entries]
    entries.insert(data.draw(st.integers(0, len(entries))), again)

    answer = asked(log(*entries))

    assert not answer.allowed
    integrity = next(item for item in answer.requirements if item.id == "integrity")
    assert integrity.status is Status.UNTRUSTED
    assert "a statement is appended once" in integrity.reason


def test_an_old_pass_appended_again_after_a_failure_is_untrusted() -> None:
    passed, failed = entry(result(nonce="old")), entry(result("failed", nonce="new"))
    assert asked(log(passed, failed), SMALL_POLICY).exit_code == 1

    answer = asked(log(passed, failed, passed), SMALL_POLICY)

    assert answer.exit_code == 4
    assert answer.verdict is Verdict.DENIED
