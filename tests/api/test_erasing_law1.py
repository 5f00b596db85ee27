"""Law 1 for erasure, on whole logs: whatever is erased, with or without its text being gone, the gate never opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.api.known_log import KnownLog
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.record import EvidenceView, Trust
from aims_mlops.evidence.statement import Statement
from aims_mlops.evidence.tombstone import ERASABLE, SUBJECT_NAME, can_be_erased, tombstone
from aims_mlops.gate import decide
from aims_mlops.model.decision import Decision
from aims_mlops.model.outcome import Status, Verdict
from aims_mlops.model.trust import REASONS as REVOKED
from aims_mlops.model.trust import Revocation, Term
from tests.api.memory_store import MemoryStore
from tests.builders import (
    MODEL_FILES,
    NOW,
    Entry,
    Log,
    entry,
    failing,
    found,
    header,
    human,
    key,
    log,
    question,
    result,
    system,
    trust,
    waiver_answer,
    waiver_request,
)
from tests.unit.test_gate_law1 import POLICY, logs, waived, whole

TRUST = trust(replace(POLICY, trust={**POLICY.trust, "tombstone": {key("officer").public.id: "officer"}}))


def decided(kept: KnownLog, trusted: Trust = TRUST) -> Decision:
    walked = kept.erasures.held(kept.look(), trusted)
    about = kept.opened.about(walked, MODEL_FILES, trusted)
    view = EvidenceView.of(walked, about.records, about.faults, latest=about.latest, erased=about.erased)
    return decide(question(system(POLICY)), view, now=NOW)


def anew(stored: Log, trusted: Trust = TRUST) -> Decision:
    return decided(KnownLog(MemoryStore.of(stored)), trusted)


def erasing(erased: Leaf, name: str = "officer", **changes: object) -> Entry:
    """The tombstone of a leaf; `changes` are of its body."""
    body = {**tombstone(erased, reason="retention-ended", asked_by="controller", basis="GDPR Art. 5(1)(e)"), **changes}
    said = header(datasets=(), nonce=f"erasing {erased.seq} {changes}")
    return entry(Statement("tombstone", erased.payload, said, body, subject_name=SUBJECT_NAME), name)


def leaf(stored: Log, place: int) -> Leaf:
    return Leaf.from_bytes(stored.rows[place])


def told(answer: Decision) -> list[tuple[str, Status, str]]:
    return [(item.id, item.status, item.reason) for item in answer.requirements if item.id != "integrity"]


@settings(max_examples=60, deadline=None)
@given(entries=logs(), data=st.data())
def test_erasing_any_statement_never_opens_and_says_the_same_before_and_after_its_text_is_gone(
    entries: list[Entry], data: st.DataObject
) -> None:
    before = log(*entries)
    places = [place for place in range(len(entries)) if can_be_erased(leaf(before, place))]
    if not places:
        return
    chosen = data.draw(st.sampled_from(places))
    kept = KnownLog(MemoryStore.of(before))
    first = decided(kept)
    said = log(*entries, erasing(leaf(before, chosen)))

    gone = said.without_envelope(chosen)
    with_text, without = anew(said), anew(gone)
    store = kept.store
    assert isinstance(store, MemoryStore)
    store.become(said)  # the tombstone first, then the text
    between = decided(kept)
    store.become(gone)
    after = decided(kept)

    assert told(with_text) == told(without) == told(between) == told(after)
    for answer in (with_text, without, between, after):
        assert first.allowed or not answer.allowed
        assert found(answer, "integrity").status is Status.PASSED


@settings(max_examples=40, deadline=None)
@given(entries=logs(), data=st.data())
def test_a_tombstone_that_does_not_hold_explains_nothing(entries: list[Entry], data: st.DataObject) -> None:
    stored = log(*entries)
    chosen = data.draw(st.integers(0, len(entries) - 1))
    about = leaf(stored, chosen)
    bad = data.draw(
        st.sampled_from(
            (
                erasing(about, "stranger"),
                erasing(about, "pipeline"),
                erasing(about, leaf=chosen + 1),
                erasing(about, leaf=True),
                erasing(about, kind="note"),
                erasing(about, erases=MODEL_FILES),
                erasing(about, "stranger", reason=[]),
            )
        )
    )
    said = log(*entries, bad)

    assert told(anew(said)) == told(anew(stored))
    assert anew(said.without_envelope(chosen)).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("place", range(len(waived())))
def test_what_cannot_be_erased_stays_a_hole(place: int) -> None:
    stored = log(*waived())
    kind = waived()[place].statement.kind
    gone = log(*waived(), erasing(leaf(stored, place))).without_envelope(place)

    assert (anew(gone).verdict is Verdict.UNDECIDED) == (kind not in ERASABLE)
    assert not anew(gone).allowed


def test_a_failure_that_is_erased_does_not_let_the_older_pass_count() -> None:
    entries = [*whole(), entry(result("failed", id_="parity", nonce="later"))]
    failed = log(*entries)
    assert anew(failed).verdict is Verdict.DENIED

    answer = anew(log(*entries, erasing(leaf(failed, 6))).without_envelope(6))

    assert answer.verdict is Verdict.DENIED
    assert [(item.id, item.status) for item in answer.blocking] == [
        ("parity", Status.MISSING),
        ("accuracy", Status.MISSING),  # nobody can tell which of the checks it was about
    ]
    assert found(answer, "parity").reason == (
        "the newest check-result of these files was erased, tombstone #7 (retention-ended, by officer)"
    )


def test_a_check_that_is_measured_again_after_an_erasure_counts() -> None:
    entries = whole()
    said = erasing(leaf(log(*entries), 1))
    again = [entry(result(id_="parity", nonce="anew")), entry(result(id_="accuracy", nonce="anew"))]

    assert not anew(log(*entries, said).without_envelope(1)).allowed
    assert anew(log(*entries, said, *again).without_envelope(1)).allowed


def test_an_older_result_that_is_erased_changes_nothing() -> None:
    entries = whole()
    gone = log(*entries, erasing(leaf(log(*entries), 1))).without_envelope(1)
    assert found(anew(gone), "accuracy").status is Status.WARNED  # measured behind what was erased
    assert found(anew(gone), "parity").status is Status.MISSING


def test_a_record_that_objects_is_not_erased_into_an_older_approval() -> None:
    entries = [*whole(), entry(human("failed", nonce="objection"), "officer")]
    gone = log(*entries, erasing(leaf(log(*entries), 6))).without_envelope(6)
    assert found(anew(gone), "peer-review").status is Status.MISSING
    assert not anew(gone).allowed


def revoked(reason: str) -> Trust:
    officer = key("officer").public
    term = Term(revoked=Revocation(NOW - timedelta(hours=2), reason))
    return replace(TRUST, keys={**TRUST.keys, officer.id: replace(officer, term=term)})


@pytest.mark.parametrize("reason", REVOKED)
def test_revoking_the_key_of_a_tombstone_does_not_bring_back_what_was_erased(reason: str) -> None:
    entries = whole()
    said = log(*entries, erasing(leaf(log(*entries), 3)))
    kept = KnownLog(MemoryStore.of(said))
    for trusted in (TRUST, revoked(reason)):
        for answer in (decided(kept, trusted), anew(said, trusted)):
            assert not answer.allowed
            assert {found(answer, id_).status for id_ in ("parity", "accuracy")} == {Status.MISSING}
    assert "by a key that counts no more" in found(anew(said, revoked(reason)), "accuracy").reason
    assert anew(said.without_envelope(3), revoked(reason)).verdict is Verdict.UNDECIDED  # nobody explains it


def test_a_second_tombstone_by_somebody_who_counts_explains_what_a_revoked_key_does_not() -> None:
    owner = key("owner").public.id
    trusted = revoked("left")
    by_kind = {**trusted.by_kind, "tombstone": {**trusted.by_kind["tombstone"], owner: "owner"}}
    entries = whole()
    both = [erasing(leaf(log(*entries), 3)), erasing(leaf(log(*entries), 3), "owner", reason="retention-ended")]
    gone = log(*entries, *both).without_envelope(3)

    answer = anew(gone, replace(trusted, by_kind=by_kind))

    assert answer.verdict is Verdict.DENIED
    assert "by owner" in " ".join(item.reason for item in answer.blocking)


@pytest.mark.parametrize("names", [("officer",), ("officer", "pipeline")])
def test_who_measured_cannot_approve_a_waiver_once_his_result_is_erased(names: tuple[str, ...]) -> None:
    """An approver may not have signed a result of the check: erasing that result must not lift it."""
    own = entry(failing(id_="accuracy", nonce="own"), *names)
    limping = failing(id_="accuracy", nonce="limping")
    request = waiver_request(limping)
    waiver = [entry(request, "owner"), entry(waiver_answer("approve", request), "officer")]
    entries = [own, *whole()[:2], entry(limping), *waiver, whole()[4]]
    both = replace(
        TRUST,
        by_kind={**TRUST.by_kind, "check-result": {key(name).public.id: name for name in ("pipeline", "officer")}},
    )
    assert not anew(log(*entries), both).allowed
    assert anew(log(*entries[1:]), both).allowed  # had he never measured

    gone = log(*entries, erasing(leaf(log(*entries), 0))).without_envelope(0)

    assert not anew(gone, both).allowed
    assert "nothing is waived for them" in found(anew(gone, both), "accuracy").reason
