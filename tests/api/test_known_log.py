"""The log that a process keeps: it finds what is done behind it, and slows down with nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.api.known_log import REREAD, KnownLog, keep_verifying
from aims_mlops.errors import StoreError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Fault, Head, Leaf
from aims_mlops.evidence.record import EvidenceView, Trust
from aims_mlops.gate import decide
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Verdict
from tests.api.memory_store import MemoryStore
from tests.builders import MODEL_FILES, NOW, Entry, Log, entry, log, other, policy, question, result, system, trust
from tests.unit.test_gate_law1 import POLICY, TRUST, flipped, logs, whole

NEEDED = (1, 3, 4)
"""The places of `whole()` that its decision rests on."""
UNRELATED = (0, 2, 5)


def asked(kept: KnownLog, trusted: Trust = TRUST) -> Decision:
    walked = kept.look()
    about = kept.opened.about(walked, MODEL_FILES, trusted)
    view = EvidenceView.of(walked, about.records, about.faults, latest=about.latest)
    return decide(question(system(POLICY)), view, now=NOW)


def running(stored: Log) -> tuple[MemoryStore, KnownLog]:
    """A store, and a reader of it that has decided once."""
    store = MemoryStore.of(stored)
    kept = KnownLog(store)
    asked(kept)
    return store, kept


@settings(max_examples=100, deadline=None)
@given(entries=logs(), data=st.data())
def test_a_kept_log_decides_as_one_that_is_walked_anew(entries: list[Entry], data: st.DataObject) -> None:
    """However it grew between two looks, and although only the newest of each are kept."""
    store = MemoryStore()
    kept = KnownLog(store, reread=data.draw(st.integers(1, 5)))
    for length in sorted({*data.draw(st.lists(st.integers(0, len(entries)), max_size=3)), len(entries)}):
        stored = log(*entries[:length])
        store.become(stored)

        assert asked(kept) == decide(question(system(POLICY)), stored.view(TRUST), now=NOW)


TAMPERINGS: list[Callable[[Log, int], Log]] = [
    lambda stored, place: stored.without_envelope(place),
    lambda stored, place: stored.with_envelope(place, b"{}"),
    lambda stored, place: stored.with_envelope(place, flipped(stored.envelopes[payload(stored, place)], 9)),
    lambda stored, place: stored.with_row(place, b"{}"),
    lambda stored, place: stored.with_row(place, flipped(stored.rows[place], 30)),
]
WORDS = ["envelope gone", "envelope emptied", "envelope edited", "leaf emptied", "leaf edited"]


def payload(stored: Log, place: int) -> Digest:
    return Leaf.from_bytes(stored.rows[place]).payload


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=WORDS)
@pytest.mark.parametrize("place", NEEDED)
def test_what_a_decision_needs_is_missed_at_once(place: int, tamper: Callable[[Log, int], Log]) -> None:
    store, kept = running(log(*whole()))
    kept._reread = 0  # the turn comes to nothing: what is needed is read all the same
    assert asked(kept).allowed
    store.become(tamper(log(*whole()), place))

    assert not asked(kept).allowed


@pytest.mark.parametrize("place", NEEDED)
def test_a_needed_statement_that_was_deleted_is_a_hole_at_once(place: int) -> None:
    store, kept = running(log(*whole()))
    kept._reread = 0
    del store.rows[place]
    del store.envelopes[payload(log(*whole()), place)]

    answer = asked(kept)

    assert answer.verdict is Verdict.UNDECIDED
    assert asked(kept).verdict is Verdict.UNDECIDED, "it stays"


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=WORDS)
@pytest.mark.parametrize("place", UNRELATED)
def test_anything_else_is_missed_within_one_turn(place: int, tamper: Callable[[Log, int], Log]) -> None:
    store = MemoryStore.of(log(*whole()))
    kept = KnownLog(store, reread=1)
    assert asked(kept).allowed
    store.become(tamper(log(*whole()), place))

    answers = [asked(kept) for _ in range(len(whole()))]

    assert not answers[-1].allowed
    assert [answer.allowed for answer in answers] == sorted((answer.allowed for answer in answers), reverse=True)


def test_a_row_that_is_gone_from_a_long_log_is_found_within_the_turn() -> None:
    store = MemoryStore()
    store.grow(1000)
    kept = KnownLog(store)
    kept.look()
    del store.rows[517]
    looks = -(-1000 // REREAD)

    faults = [kept.look().faults for _ in range(looks)][-1]

    assert faults == (Fault("hole", 517, "leaf 517 is gone"),)


def test_what_was_broken_stays_broken_until_a_whole_walk_is_clean() -> None:
    store, kept = running(log(*whole()))
    store.become(log(*whole()).without_envelope(1))
    assert not asked(kept).allowed
    assert kept.reverify().faults != ()
    store.become(log(*whole()))

    assert not asked(kept).allowed, "put back, but not yet looked at as a whole"
    assert kept.reverify().faults == ()
    assert asked(kept).allowed


def test_a_statement_of_the_log_that_does_not_open_is_kept_in_mind() -> None:
    """Its envelope has the digest that its leaf names, and holds no statement: only opening it shows that."""
    entries = whole()
    store, kept = running(log(*entries))
    garbage = replace(entries[1], envelope=Envelope(b"{}", entries[1].envelope.signatures))
    store.become(log(*entries, garbage))

    assert not asked(kept).allowed
    assert [fault.seq for fault in kept.look().faults] == [6]


def longer(*extra: Entry) -> Log:
    return log(*whole(), *extra)


def test_a_cut_tail_is_found_at_once_even_where_the_head_outside_is_behind() -> None:
    full = longer(entry(result("failed", id_="parity", nonce="z")))
    store = MemoryStore.of(full)
    store.outside = log(*whole()).head  # as if the writer of the failed result had died before it moved the head
    kept = KnownLog(store)
    assert not asked(kept).allowed

    store.become(log(*whole()))

    assert decide(question(system(POLICY)), log(*whole()).view(TRUST), now=NOW).allowed, "nobody else can see it"
    assert asked(kept).verdict is Verdict.UNDECIDED
    assert [fault.kind for fault in kept.reverify().faults] == ["hole"]
    assert asked(kept).verdict is Verdict.UNDECIDED


def test_an_older_log_is_taken_where_an_operator_pinned_its_head() -> None:
    store, kept = running(longer(entry(other("incident", nonce="z"))))
    store.become(log(*whole()))
    store.outside = log(*whole()[:5]).head

    assert not asked(kept).allowed
    assert kept.reverify().faults == ()
    assert asked(kept).allowed


def test_a_replay_behind_a_running_reader_is_found_at_once() -> None:
    store, kept = running(longer(entry(result("failed", id_="parity", nonce="z"))))
    assert not asked(kept).allowed
    last, old = Leaf.from_bytes(store.rows[6]), Leaf.from_bytes(store.rows[1])
    assert last.seq == 6
    store.rows[7] = replace(old, seq=7, prev=Digest.of(store.rows[6]), captured_at=last.captured_at).to_bytes()

    faults = kept.look().faults

    assert [fault.what for fault in faults] == ["leaf 7 repeats the statement of leaf 1: a statement is appended once"]
    assert not asked(kept).allowed


def test_a_new_leaf_that_does_not_follow_is_found_at_once() -> None:
    store, kept = running(log(*whole()))
    store.become(longer(entry(other("incident", nonce="z"))))
    store.rows[6] = replace(Leaf.from_bytes(store.rows[6]), prev=Digest.of(b"x")).to_bytes()
    store.outside = Head(6, Digest.of(store.rows[6]))

    assert [fault.what for fault in kept.look().faults] == ["leaf 6 does not follow from the one before it"]


def test_a_new_leaf_whose_envelope_is_another_is_found_at_once() -> None:
    grown = longer(entry(other("incident", nonce="z")))
    store, kept = running(log(*whole()))
    store.become(grown.with_envelope(6, b"{}"))

    assert [fault.what for fault in kept.look().faults] == ["leaf 6: the envelope is not the one that was appended"]


@pytest.mark.parametrize(
    "head",
    [None, Head(9, Digest.of(b"x")), Head(5, Digest.of(b"x"))],
    ids=["gone", "ahead of the log", "of another log"],
)
def test_the_head_outside_is_held_against_the_log_at_each_look(head: Head | None) -> None:
    store, kept = running(log(*whole()))
    store.outside = head

    assert not asked(kept).allowed


def test_a_rebuilt_log_is_found_at_once() -> None:
    """All but the unwanted leaf, chained anew; only what was read before tells it, and the head outside."""
    store, kept = running(longer(entry(result("failed", id_="parity", nonce="z"))))
    entries = whole()
    store.become(log(entries[0], *entries[2:], entry(result(nonce="y")), entries[1]))

    assert not asked(kept).allowed


def test_another_registrys_id_is_found() -> None:
    store, kept = running(log(*whole()))
    store.registry = "another"

    assert [fault.what for fault in kept.look().faults] == ["the store has another registry's id than before"]


def test_a_store_that_fails_in_between_is_read_on_from_there() -> None:
    store, kept = running(log(*whole()))
    store.become(longer(entry(other("incident", nonce="z"))).without_envelope(6))
    store.away = True
    with pytest.raises(StoreError):
        kept.look()
    store.away = False

    assert [fault.what for fault in kept.look().faults] == ["the statement of leaf 6 is gone"]


def test_a_fault_that_is_found_during_a_whole_walk_waits_for_the_next_one() -> None:
    store, kept = running(log(*whole()))
    kept.distrust(Fault("hole", 0, "found before"))
    walked = store.envelope_digests

    def meanwhile(*args: object) -> object:
        kept.distrust(Fault("hole", 1, "found meanwhile"))
        return walked(*args)  # type: ignore[arg-type]

    store.envelope_digests = meanwhile  # type: ignore[method-assign, assignment]
    assert Fault("hole", 1, "found meanwhile") in kept.reverify().faults
    store.envelope_digests = walked  # type: ignore[method-assign]

    assert kept.reverify().faults == ()


def test_who_is_trusted_no_longer_is_not_remembered_as_trusted() -> None:
    _, kept = running(log(*whole()))
    nobody = trust(replace(policy(), trust={}))

    assert asked(kept).allowed
    assert not asked(kept, nobody).allowed
    assert asked(kept).allowed


def test_a_signature_is_verified_once_and_the_bytes_are_compared_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    store, kept = running(log(*whole()))

    def verify(*_: object, **__: object) -> tuple[str, ...]:
        raise AssertionError("verified again")

    monkeypatch.setattr(Trust, "signed", verify)

    before = store.read
    assert asked(kept).allowed
    assert store.read - before >= 2 * len(NEEDED)


def test_what_was_taken_of_a_log_does_not_change_when_it_grows() -> None:
    store, kept = running(log(*whole()))
    before = kept.look()
    store.become(longer(entry(other("incident", nonce="z"))))
    after = kept.look()

    assert (before.size, len(before.leaves), before.head) == (6, 6, log(*whole()).head)
    assert (after.size, len(after.about(MODEL_FILES))) == (7, 7)
    assert len(before.about(MODEL_FILES)) == 6
    assert [read.leaf.seq for read in after.of_kind("check-result")] == [3, 2, 1]
    assert before.of(after.leaves[6].leaf.payload) is None
    assert after.of(after.leaves[6].leaf.payload) == after.leaves[6]


def cost_of_looking(size: int) -> int:
    """Rows that one look reads after one new statement, in a log of that size."""
    store = MemoryStore()
    store.grow(size)
    kept = KnownLog(store)
    assert kept.look().faults == ()
    kept._next = 100
    before = store.read
    store.grow(1)
    assert kept.look().size == size + 1
    return store.read - before


def test_a_look_reads_as_much_of_a_long_log_as_of_a_short_one() -> None:
    assert cost_of_looking(20_000) == cost_of_looking(1000) == 2 * REREAD + 3


def test_a_decision_reads_as_much_after_a_long_history_of_the_version_as_after_a_short_one() -> None:
    def cost(history: int) -> int:
        entries = whole() + [entry(other("gate-decision", nonce=str(n))) for n in range(history)]
        store, kept = running(log(*entries))
        kept._next = 0
        before = store.read
        assert asked(kept).allowed
        return store.read - before

    assert cost(REREAD * 2) == cost(REREAD * 8)


def test_a_server_verifies_again_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    store, kept = running(log(*whole()))
    kept._reread = 0
    store.away = True
    stop = keep_verifying(kept, every=0.001)
    until(lambda: "could not be verified again: the store does not answer" in caplog.text)
    store.become(log(*whole()).without_envelope(0))
    store.away = False
    until(lambda: "the evidence log does not hold: the statement of leaf 0 is gone" in caplog.text)
    assert not asked(kept).allowed
    store.become(log(*whole()))
    until(lambda: asked(kept).allowed)
    stop.set()


def test_a_server_goes_on_verifying_after_an_error_that_nobody_foresaw(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, kept = running(log(*whole()))
    kept._reread = 0
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: died.append(args.exc_value))
    with monkeypatch.context() as patched:
        patched.setattr(store, "envelope_digests", lambda _payloads=None: 1 / 0)
        stop = keep_verifying(kept, every=0.001)
        until(lambda: len(died) > 1)
    assert "verifying the evidence log again ended in an error; it goes on in 0.001 s" in caplog.text
    assert isinstance(died[0], ZeroDivisionError)
    store.become(log(*whole()).without_envelope(0))
    until(lambda: "the evidence log does not hold: the statement of leaf 0 is gone" in caplog.text)
    stop.set()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_readers_and_a_whole_walk_at_the_same_time_see_a_log_without_faults() -> None:
    store = MemoryStore()
    store.grow(50)
    kept = KnownLog(store, reread=5)
    wrong: list[object] = []
    done = threading.Event()

    def look() -> None:
        size = 0
        while not done.is_set():
            walked = kept.look()
            if walked.faults or walked.size < size:
                wrong.append(walked.faults or "shrunk")
            size = walked.size

    def walk() -> None:
        while not done.is_set():
            if kept.reverify().faults:
                wrong.append("reverify")

    threads = [threading.Thread(target=work) for work in (look, look, walk)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        store.grow(5)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert kept.look().size == 250
