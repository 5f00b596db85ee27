"""A log that is kept in memory over each database, and what is done with SQL behind it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.api.known_log import KnownLog
from aims_mlops.errors import StoreError
from aims_mlops.evidence.log import Head
from aims_mlops.model.digest import Digest
from tests.adapters.appending import entry
from tests.adapters.homes import Home
from tests.adapters.test_store_tampering import WALKED, filled


@pytest.mark.parametrize("tamper", [case[1] for case in WALKED], ids=[case[0] for case in WALKED])
def test_a_running_reader_finds(home: Home, tamper: Callable[[Home], object]) -> None:
    kept = KnownLog(filled(home))
    assert kept.look().faults == ()
    tamper(home)

    assert kept.look().faults != ()
    assert kept.reverify().faults != (), "and a whole walk finds it too"


def delete_envelope(home: Home) -> None:
    home.sql("DELETE FROM aims_envelope WHERE payload = :p", p=str(entry("2").payload))


def edit_envelope(home: Home) -> None:
    home.sql("UPDATE aims_envelope SET envelope = :e WHERE payload = :p", e=b"forged", p=str(entry("2").payload))


def file_envelope_elsewhere(home: Home) -> None:
    home.sql("UPDATE aims_envelope SET payload = 'x' WHERE payload = :p", p=str(entry("2").payload))


GONE = "the statement of leaf 2 is gone"
OTHER = "leaf 2: the envelope is not the one that was appended"


@pytest.mark.parametrize(
    ("tamper", "said"), [(delete_envelope, GONE), (edit_envelope, OTHER), (file_envelope_elsewhere, GONE)]
)
@pytest.mark.parametrize("again", [KnownLog.look, KnownLog.reverify])
def test_a_running_reader_finds_envelopes(
    home: Home, tamper: Callable[[Home], object], said: str, again: Callable[[KnownLog], object]
) -> None:
    kept = KnownLog(filled(home))
    kept.look()
    tamper(home)

    again(kept)

    assert [fault.what for fault in kept.look().faults] == [said]


def test_a_row_of_a_longer_log_is_missed_within_the_turn(home: Home) -> None:
    kept = KnownLog(filled(home, 40), reread=10)
    kept.look()
    home.sql("DELETE FROM aims_leaf WHERE seq = 17")

    faults = [kept.look().faults for _ in range(5)][-1]

    assert [(fault.kind, fault.what) for fault in faults] == [("hole", "leaf 17 is gone")]


def test_a_running_reader_goes_on_with_what_another_process_appends(home: Home) -> None:
    kept = KnownLog(home.open())
    assert kept.look().size == 0
    other = home.open()
    for number in range(3):
        stored = other.append(entry(str(number)))
        walked = kept.look()
        assert (walked.size, walked.faults, walked.head) == (number + 1, (), Head(number, stored.digest))
        assert walked.of(stored.leaf.payload) == stored


def test_readers_beside_writers_never_see_a_fault(home: Home) -> None:
    """The head outside, the leaves and the envelopes are read one after the other while all of them move."""
    writer = filled(home, 3)
    kept = [KnownLog(home.open(), reread=3) for _ in range(2)]
    wrong: list[object] = []
    done = threading.Event()

    def read(known: KnownLog, again: Callable[[KnownLog], object]) -> None:
        while not done.is_set():
            again(known)
            wrong.extend(known.look().faults)

    readers = [
        threading.Thread(target=read, args=work)
        for work in ((kept[0], KnownLog.look), (kept[0], KnownLog.reverify), (kept[1], KnownLog.look))
    ]
    for reader in readers:
        reader.start()
    writers = [threading.Thread(target=append, args=(home.open(), name)) for name in ("a", "b")]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert [known.look().size for known in kept] == [63, 63]
    writer.close()


def append(store: SqlEvidenceStore, name: str) -> None:
    for number in range(30):
        store.append(entry(f"{name} {number}"))


def test_places_and_envelopes_are_read_as_they_are_asked_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sql_connections", "sql_store"):
        monkeypatch.setattr(f"aims_mlops.adapters.{module}.ASKED", 2)
    store = filled(home)
    rows = list(store.leaves())
    payloads = [entry(str(number)).payload for number in range(5)]

    assert store.leaves_at([4, 0, 2, 9]) == {0: rows[0], 2: rows[2], 4: rows[4]}
    assert store.leaves_at([]) == {}
    assert store.held([4, 0, 2, 9], payloads) == (store.leaves_at([0, 2, 4]), store.envelope_digests())
    assert store.held([], payloads[:1]) == ({}, store.envelope_digests(payloads[:1]))
    assert store.held([], []) == ({}, {})
    some = [*payloads[:3], Digest.of(b"never")]
    assert store.envelope_digests(some) == {p: Digest.of(entry(str(n)).envelope) for n, p in enumerate(payloads[:3])}
    assert store.envelope_digests() == store.envelope_digests(payloads)
    assert store.find(model="income", newest=2) == tuple(payloads[3:])


def test_a_store_that_was_never_made_has_no_places(home: Home) -> None:
    store = home.open()
    with store.reading():
        assert store.leaves_at([0]) == {}
        assert store.held([0], [entry("0").payload]) == ({}, {})
        assert store.envelope_digests([entry("0").payload]) == {}


def test_all_that_is_read_inside_goes_over_one_connection_and_sees_the_newest(home: Home) -> None:
    store, writer = filled(home, 1), home.open()
    connected: list[object] = []
    event.listen(store._database.engine, "checkout", lambda *_: connected.append(1))

    with store.reading(), store.reading():
        assert len(list(store.leaves())) == 1
        writer.append(entry("1"))
        assert len(list(store.leaves())) == 2
        assert store.head() is not None

    assert len(connected) == 1
    list(store.leaves())
    assert len(connected) == 2


def test_a_text_that_is_there_takes_nobodys_turn_to_write(sqlite: Home, tmp_path: Path) -> None:
    store = filled(sqlite)
    digest = store.put_blob(b"policy")
    other = sqlite3.connect(tmp_path / "aims.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert store.put_blob(b"policy") == digest

    other.execute("ROLLBACK")
    other.close()


def test_a_lock_gives_its_connection_back_unlocked_and_with_the_usual_patience(postgres: Home) -> None:
    store = postgres.open()
    store.registry_id()
    connected: list[object] = []
    event.listen(store._database.engine, "connect", lambda *_: connected.append(1))

    for _ in range(3):
        with store.lock("one"):
            pass
        with postgres.open().lock("one"):
            pass

    with store._database.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "10s"
    assert connected == [], "the one connection of the store served them all"


def test_a_lock_whose_connection_dies_is_not_given_on(postgres: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = postgres.open(), postgres.open()
    store.registry_id()
    with store.lock("one"):
        (process,) = postgres.sql(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND (classid::bigint << 32 | objid::bigint) = "
            "hashtextextended(concat_ws('/', 'aims-mlops', current_schema(), 'lock/one'), 0)"
        )[0]
        assert postgres.sql("SELECT pg_terminate_backend(:process)", process=process)[0][0]
    monkeypatch.setattr("aims_mlops.adapters.postgres_database.LOCK_SECONDS", 0.2)
    with other.lock("one"), pytest.raises(StoreError), store.lock("one"):
        pass
