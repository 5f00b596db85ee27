"""What every evidence store does, held against each database."""

from __future__ import annotations

import logging
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aims_mlops.errors import StoreError, VerificationError
from aims_mlops.evidence.log import Head, StoredLeaf, genesis
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import from_text
from tests.adapters.appending import entry
from tests.adapters.homes import Home, Served, audit


def test_leaves_form_a_dense_chain_that_begins_with_the_registry(place: Home | Served) -> None:
    store = place.open()
    stored = [store.append(place.entry(f"statement {number}")) for number in range(5)]
    assert [item.leaf.seq for item in stored] == [0, 1, 2, 3, 4]
    assert stored[0].leaf.prev == genesis(store.registry_id())
    assert [item.leaf.prev for item in stored[1:]] == [item.digest for item in stored[:-1]]
    assert audit(store).faults == ()
    assert audit(store).leaves == tuple(stored)


def test_a_leaf_says_what_was_handed_in(place: Home | Served) -> None:
    given = place.entry("one")
    leaf = place.open().append(given).leaf
    assert (leaf.type, leaf.payload, leaf.subject) == (given.type, given.payload, given.subject)
    assert leaf.envelope == Digest.of(given.envelope)


def test_a_payload_that_has_a_leaf_gets_no_second_one(place: Home | Served) -> None:
    store = place.open()
    first = store.append(place.entry("one"))
    store.append(place.entry("two"))
    assert store.append(place.entry("one")) == first
    assert len(audit(store).leaves) == 2
    assert store.head() == Head(1, StoredLeaf.from_bytes(list(store.leaves())[1]).digest)


def test_another_object_reads_what_was_written(place: Home | Served) -> None:
    written = place.open().append(place.entry("one"))
    store = place.open()
    assert store.envelope(written.leaf.payload) == place.entry("one").envelope
    assert store.envelope(Digest.of(b"never")) is None
    assert [StoredLeaf.from_bytes(content) for content in store.leaves()] == [written]
    assert store.registry_id() == place.open().registry_id()


def test_leaves_can_be_read_from_a_place_on_and_in_batches(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aims_mlops.adapters.sql_store._BATCH", 3)
    store = home.open()
    digests = [store.append(entry(str(number))).digest for number in range(7)]
    assert [Digest.of(content) for content in store.leaves()] == digests
    assert [Digest.of(content) for content in store.leaves(5)] == digests[5:]
    assert list(store.leaves(7)) == []


def test_statements_are_found_by_model_version_and_system_oldest_first(place: Home | Served) -> None:
    store = place.open()
    named = {}
    for name, model, version in (("a", "income", "3"), ("b", "income", "4"), ("c", "churn", "3"), ("d", "income", "3")):
        named[name] = store.append(place.entry(name, model=model, version=version)).leaf.payload
    assert store.find(model="income", version="3") == (named["a"], named["d"])
    assert store.find(model="income") == (named["a"], named["b"], named["d"])
    assert store.find(system="income") == tuple(named.values())
    assert store.find(system="income", newest=2) == (named["c"], named["d"])
    assert store.find(model="unknown") == ()


def test_a_text_is_kept_by_its_digest_once(place: Home | Served) -> None:
    store = place.open()
    assert store.put_blob(b"manifest") == store.put_blob(b"manifest") == Digest.of(b"manifest")
    assert store.blob(Digest.of(b"manifest")) == b"manifest"
    assert store.blob(Digest.of(b"other")) is None
    assert place.sql("SELECT count(*) FROM aims_blob")[0][0] == 1


def test_some_leaves_and_envelopes_can_be_asked_for_at_once(place: Home | Served) -> None:
    store = place.open()
    stored = [store.append(place.entry(str(number))) for number in range(4)]
    with store.reading():
        assert {seq: Digest.of(leaf) for seq, leaf in store.leaves_at([3, 1, 9]).items()} == {
            1: stored[1].digest,
            3: stored[3].digest,
        }
        asked = [stored[0].leaf.payload, Digest.of(b"never")]
        assert store.envelope_digests(asked) == {stored[0].leaf.payload: stored[0].leaf.envelope}
        assert store.envelope_digests() == {item.leaf.payload: item.leaf.envelope for item in stored}


def test_reading_makes_nothing(place: Home | Served) -> None:
    store = place.open()
    assert list(store.leaves()) == []
    assert store.head() is None
    assert store.find(model="income") == ()
    assert store.envelope(Digest.of(b"x")) is None
    assert store.blob(Digest.of(b"x")) is None
    assert list(place.root.iterdir()) == []
    if isinstance(place, Served):
        assert list(place.world.folder.iterdir()) == []
    if place.kind == "postgres":
        assert place.sql("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")[0][0] == 0


def test_the_head_of_an_empty_store_is_none(place: Home | Served) -> None:
    store = place.open()
    store.registry_id()
    assert store.head() is None
    assert audit(store).faults == ()


def test_the_head_outside_follows_each_append(place: Home | Served) -> None:
    store = place.open()
    for number in range(3):
        stored = store.append(place.entry(str(number)))
        assert store.head() == Head(number, stored.digest)


def test_a_head_never_moves_back_by_appending(place: Home | Served) -> None:
    store = place.open()
    for number in range(3):
        stored = store.append(place.entry(str(number)))
    store.append(place.entry("0"))
    assert store.head() == Head(2, stored.digest)


def test_an_operator_can_pin_the_head_anew(place: Home | Served) -> None:
    store = place.open()
    first = store.append(place.entry("one"))
    store.append(place.entry("two"))
    store.pin(Head(0, first.digest))
    assert store.head() == Head(0, first.digest)


def test_a_leaf_that_was_committed_before_its_writer_died_is_taken_up_by_the_next_append(place: Home | Served) -> None:
    store = place.open()
    first = store.append(place.entry("one"))
    second = store.append(place.entry("two"))
    store.pin(Head(0, first.digest))  # as if the writer of the second had died before it moved the head
    assert audit(store).faults == ()
    assert store.append(place.entry("two")) == second
    assert store.head() == Head(1, second.digest)


def test_a_writer_that_died_after_its_very_first_commit_leaves_a_log_that_goes_on(place: Home | Served) -> None:
    store = place.open()
    store.append(place.entry("one"))
    store.pin(Head(-1, genesis(store.registry_id())))
    assert [fault.kind for fault in audit(store).faults] == ["hole"]
    store.append(place.entry("two"))
    assert audit(store).faults == ()


def test_a_lock_keeps_another_holder_out_and_says_which_and_how_long(
    place: Home | Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = {"sqlite": "sqlite_database", "postgres": "postgres_database", "http": "http_store"}[place.kind]
    monkeypatch.setattr(f"aims_mlops.adapters.{module}.LOCK_SECONDS", 0.3)
    mine, other = place.open(), place.open()
    mine.registry_id()
    with mine.lock("promote/income"):
        with other.lock("promote/churn"):
            pass
        with pytest.raises(StoreError) as caught, other.lock("promote/income"):
            pytest.fail("two processes held one lock")
    assert str(caught.value) == (
        f"'promote/income' of {mine.place} is locked: another process has held it for more than 0.3 s"
    )
    assert caught.value.hint == "wait until the other run of aims is done, then repeat"
    with other.lock("promote/income"):
        pass


def test_a_store_that_waited_for_a_lock_still_appends(place: Home | Served) -> None:
    store = place.open()
    with store.lock("income"):
        store.append(place.entry("one"))
    store.append(place.entry("two"))
    assert audit(store).faults == ()


def test_threads_append_one_after_the_other(place: Home | Served) -> None:
    store = place.open()
    store.registry_id()
    threads = [
        threading.Thread(target=lambda name=name: [store.append(place.entry(f"{name} {n}")) for n in range(10)])
        for name in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit(store).faults == ()
    assert len(audit(store).leaves) == 40


def test_a_forked_child_uses_connections_of_its_own(home: Home) -> None:
    store = home.open()
    store.append(entry("parent 1"))
    child = os.fork()
    if child == 0:
        try:
            store.append(entry("child"))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    store.append(entry("parent 2"))
    assert audit(store).faults == ()
    assert store.find(system="income") == tuple(Digest.of(name) for name in (b"parent 1", b"child", b"parent 2"))


def test_the_captured_time_is_the_hosts_on_sqlite(sqlite: Home) -> None:
    moment = datetime(2026, 11, 21, 20, 31, 34, 123456, UTC)
    leaf = sqlite.open(clock=lambda: moment).append(entry("one")).leaf
    assert leaf.captured_at == "2026-11-21T20:31:34.123Z"


def test_the_captured_time_is_the_servers_on_postgresql(postgres: Home) -> None:
    leaf = postgres.open(clock=lambda: datetime(1999, 1, 1, tzinfo=UTC)).append(entry("one")).leaf
    server = postgres.sql("SELECT clock_timestamp()")[0][0]
    assert timedelta(0) <= server - from_text(leaf.captured_at) < timedelta(minutes=1)


def test_a_host_that_never_saw_a_servers_log_pins_it_and_says_so(
    postgres: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = postgres.open()
    stored = first.append(entry("one"))
    assert not first.head_was_pinned_now
    second = postgres.open(head_folder=tmp_path / "another host")
    with caplog.at_level(logging.WARNING):
        assert second.head() == Head(0, stored.digest)
    assert second.head_was_pinned_now
    assert "this host sees the log for the first time and takes leaf 0 for its true end" in caplog.text
    assert audit(second).faults == ()
    third = postgres.open(head_folder=tmp_path / "another host")
    assert third.head() == Head(0, stored.digest)
    assert not third.head_was_pinned_now


def test_a_new_host_that_appends_first_says_so_too(
    postgres: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    postgres.open().append(entry("one"))
    second = postgres.open(head_folder=tmp_path / "another host")
    with caplog.at_level(logging.WARNING):
        second.append(entry("two"))
    assert second.head_was_pinned_now
    assert "for the first time" in caplog.text


def test_a_role_that_may_only_select_and_insert_can_append(postgres: Home) -> None:
    postgres.open().registry_id()
    role = "aims_writer_" + postgres.uri[-12:]
    schema = postgres.uri.partition("%3D")[2]
    postgres.sql(f"CREATE ROLE {role} LOGIN")
    try:
        postgres.sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        postgres.sql(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}")
        modest = Home("postgres", postgres.uri.replace("//postgres@", f"//{role}@"), postgres.root)
        store = modest.open()
        store.append(entry("one"))
        store.put_blob(b"text")
        assert audit(store).faults == ()
        store.close()
    finally:
        postgres.sql(f"DROP OWNED BY {role}")
        postgres.sql(f"DROP ROLE {role}")


def test_tables_of_a_later_version_are_not_touched(home: Home) -> None:
    home.open().append(entry("one"))
    home.sql("UPDATE aims_meta SET value = '2' WHERE key = 'schema'")
    store = home.open()
    for use in (lambda: store.append(entry("two")), lambda: list(store.leaves()), store.head):
        with pytest.raises(StoreError) as caught:
            use()
        assert str(caught.value) == (f"{store.place} has tables of version 2, and this aims-mlops knows version 1")
        assert caught.value.hint == "pip install --upgrade aims-mlops"


def test_a_store_without_its_registry_id_answers_nothing(home: Home) -> None:
    home.open().append(entry("one"))
    home.sql("DELETE FROM aims_meta WHERE key = 'registry_id'")
    with pytest.raises(VerificationError, match="the registry's id is gone"):
        home.open().registry_id()
