"""Rows changed, cut off or taken out with SQL: what the walk reports, and what an append refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.errors import VerificationError
from aims_mlops.evidence.log import Head, StoredLeaf, genesis
from aims_mlops.model.digest import Digest
from tests.adapters.appending import entry
from tests.adapters.homes import Home, audit

HINT = (
    "`aims evidence verify` tells what is missing or changed; put the newest copy back: nothing is appended until then"
)
NOT_THE_ONE = "leaf 4 is not the leaf that was seen there before"
CUT_OFF = " was seen before: its tail is cut off, or this is an old copy"


def filled(home: Home, leaves: int = 5) -> SqlEvidenceStore:
    store = home.open()
    for number in range(leaves):
        store.append(entry(str(number)))
    assert audit(store).faults == ()
    return store


def rewrite(home: Home, seq: int, leaf: bytes) -> None:
    home.sql("UPDATE aims_leaf SET leaf = :leaf WHERE seq = :seq", leaf=leaf, seq=seq)


def read(home: Home, seq: int) -> StoredLeaf:
    return StoredLeaf.from_bytes(bytes(home.sql("SELECT leaf FROM aims_leaf WHERE seq = :seq", seq=seq)[0][0]))


def back_date(home: Home, seq: int) -> None:
    rewrite(home, seq, replace(read(home, seq).leaf, captured_at="2020-01-01T00:00:00.000Z").to_bytes())


def close_the_gap(home: Home) -> None:
    home.sql("DELETE FROM aims_leaf WHERE seq = 2")
    home.sql("UPDATE aims_leaf SET seq = 2 WHERE seq = 3")
    home.sql("UPDATE aims_leaf SET seq = 3 WHERE seq = 4")


def exchange(home: Home) -> None:
    one, other = read(home, 1).leaf.to_bytes(), read(home, 2).leaf.to_bytes()
    rewrite(home, 1, other)
    rewrite(home, 2, one)


def rebuild_without(home: Home, left_out: int) -> None:
    """Take a leaf out and chain the rest anew, as somebody would who knows the format."""
    kept = [read(home, seq).leaf for seq in range(5) if seq != left_out]
    home.sql("DELETE FROM aims_leaf WHERE seq = 4")
    prev = genesis(home.open().registry_id())
    for seq, leaf in enumerate(kept):
        fresh = replace(leaf, seq=seq, prev=prev).to_bytes()
        prev = Digest.of(fresh)
        home.sql("UPDATE aims_leaf SET payload = :p WHERE seq = :seq", p=f"moved {seq}", seq=seq)
        rewrite(home, seq, fresh)
    for seq, leaf in enumerate(kept):
        home.sql("UPDATE aims_leaf SET payload = :p WHERE seq = :seq", p=str(leaf.payload), seq=seq)


def rebuild_with_another_ending(home: Home) -> None:
    rewrite(home, 4, replace(read(home, 4).leaf, payload=Digest.of(b"a better result")).to_bytes())


def delete(home: Home, where: str = "seq >= 0") -> None:
    home.sql(f"DELETE FROM aims_leaf WHERE {where}")


WALKED: list[tuple[str, Callable[[Home], object], list[tuple[str, int]]]] = [
    ("a leaf in the middle is back-dated", lambda home: back_date(home, 2), [("tampered", 3)]),
    ("the last leaf is back-dated", lambda home: back_date(home, 4), [("tampered", 4)]),
    ("the last leaf names another statement", rebuild_with_another_ending, [("tampered", 4)]),
    ("a leaf is no longer JSON", lambda home: rewrite(home, 2, b"\xff"), [("tampered", 2), ("tampered", 3)]),
    ("a leaf is emptied", lambda home: rewrite(home, 2, b""), [("tampered", 2), ("tampered", 3)]),
    ("two leaves change places", exchange, [("hole", 1), ("hole", 3), ("hole", 2)]),
    ("the first leaf is deleted", lambda home: delete(home, "seq = 0"), [("hole", 0)]),
    ("two leaves in the middle are deleted", lambda home: delete(home, "seq IN (1, 2)"), [("hole", 1)]),
    ("a leaf is deleted and the rest renumbered", close_the_gap, [("hole", 2)]),
    ("the tail is cut off", lambda home: delete(home, "seq > 2"), [("hole", 4)]),
    ("every leaf is deleted", delete, [("hole", 4)]),
    ("the log is rebuilt without one leaf", lambda home: rebuild_without(home, 1), [("hole", 4)]),
]


@pytest.mark.parametrize(("tamper", "faults"), [case[1:] for case in WALKED], ids=[case[0] for case in WALKED])
def test_the_walk_reports(home: Home, tamper: Callable[[Home], object], faults: list[tuple[str, int]]) -> None:
    filled(home)
    tamper(home)
    found = [(fault.kind, fault.seq) for fault in audit(home.open()).faults]
    assert sorted(found) == sorted(faults)


REFUSED: list[tuple[str, Callable[[Home], object], str]] = [
    ("the tail is cut off", lambda home: delete(home, "seq > 2"), "the log ends at leaf 2, but leaf 4" + CUT_OFF),
    ("every leaf is deleted", delete, "the log has no leaf, but leaf 4" + CUT_OFF),
    ("the last leaf is back-dated", lambda home: back_date(home, 4), NOT_THE_ONE),
    ("the last leaf is no longer JSON", lambda home: rewrite(home, 4, b"{"), "leaf: not strict JSON (JSONDecodeError)"),
    (
        "the log is rebuilt without one leaf",
        lambda home: rebuild_without(home, 1),
        "the log ends at leaf 3, but leaf 4" + CUT_OFF,
    ),
]


@pytest.mark.parametrize(("tamper", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_nothing_is_appended_where(home: Home, tamper: Callable[[Home], object], message: str) -> None:
    filled(home)
    tamper(home)
    store = home.open()
    before = list(store.leaves())
    with pytest.raises(VerificationError) as caught:
        store.append(entry("new"))
    assert str(caught.value) == f"{store.place}: {message}"
    assert caught.value.hint == HINT
    assert list(store.leaves()) == before
    assert store.envelope(entry("new").payload) is None


def test_a_log_that_grew_on_after_it_was_rebuilt_is_refused_too(home: Home) -> None:
    filled(home)
    rebuild_without(home, 1)
    home.sql(
        "INSERT INTO aims_leaf (seq, leaf, digest, payload, type, subject) VALUES (4, :leaf, 'd', 'p', 't', 's')",
        leaf=replace(read(home, 3).leaf, seq=4, prev=read(home, 3).digest).to_bytes(),
    )
    with pytest.raises(VerificationError, match="leaf 4 is not the leaf that was seen there before"):
        home.open().append(entry("new"))
    faults = {(fault.kind, fault.seq) for fault in audit(home.open()).faults}
    assert faults == {("tampered", 4)}, "it repeats a statement, and is not what was seen there"


def test_an_envelope_that_was_changed_no_longer_has_the_digest_in_its_leaf(home: Home) -> None:
    store = filled(home)
    leaf = read(home, 2).leaf
    home.sql("UPDATE aims_envelope SET envelope = :new WHERE payload = :p", new=b"forged", p=str(leaf.payload))
    assert audit(store).faults == ()
    assert store.envelope(leaf.payload) == b"forged"
    assert Digest.of(b"forged") != leaf.envelope


def test_an_envelope_that_was_deleted_is_none_while_its_leaf_stays(home: Home) -> None:
    store = filled(home)
    home.sql("DELETE FROM aims_envelope WHERE payload = :p", p=str(entry("2").payload))
    assert store.envelope(entry("2").payload) is None
    assert audit(store).faults == ()


def test_an_envelope_that_lies_in_wait_without_a_leaf_is_not_taken_for_ours(home: Home) -> None:
    store = filled(home, 1)
    home.sql("INSERT INTO aims_envelope VALUES (:p, :e)", p=str(entry("new").payload), e=b"forged")
    with pytest.raises(VerificationError) as caught:
        store.append(entry("new"))
    assert str(caught.value) == (
        f"{store.place}: another envelope lies where that of {entry('new').payload} belongs, and no leaf speaks of it"
    )
    assert len(audit(store).leaves) == 1


def test_a_text_that_was_changed_is_not_handed_out(home: Home) -> None:
    store = home.open()
    digest = store.put_blob(b"policy")
    home.sql("UPDATE aims_blob SET content = :new", new=b"weaker policy")
    for use in (lambda: store.blob(digest), lambda: store.put_blob(b"policy")):
        with pytest.raises(VerificationError) as caught:
            use()
        assert str(caught.value) == (
            f"{store.place}: the stored text {digest} was changed: it is now {Digest.of(b'weaker policy')}"
        )


def test_a_leaf_filed_under_another_payload_does_not_pass_for_the_one_asked_for(home: Home) -> None:
    store = filled(home)
    home.sql("UPDATE aims_leaf SET payload = :p WHERE seq = 1", p=str(entry("new").payload))
    with pytest.raises(VerificationError, match="leaf 1 is filed under the payload of another statement"):
        store.append(entry("new"))


def test_a_look_up_column_that_holds_no_digest_is_said_and_does_not_crash(home: Home) -> None:
    store = filled(home)
    home.sql("UPDATE aims_leaf SET payload = 'x' WHERE seq = 1")
    with pytest.raises(VerificationError, match="the column payload of a leaf was changed"):
        store.find(system="income")


def test_text_in_place_of_a_leafs_bytes_is_reported_and_does_not_crash(sqlite: Home) -> None:
    filled(sqlite)
    sqlite.sql("UPDATE aims_leaf SET leaf = 'naïve' WHERE seq = 1")
    sqlite.sql("UPDATE aims_leaf SET leaf = 17 WHERE seq = 3")
    faults = audit(sqlite.open()).faults
    assert {
        (fault.kind, fault.seq) for fault in faults if "not strict JSON" in fault.what or "not a JSON" in fault.what
    } == {
        ("tampered", 1),
        ("tampered", 3),
    }


def test_a_log_whose_head_file_was_deleted_is_a_hole_and_takes_no_append(sqlite: Home, tmp_path: Path) -> None:
    store = filled(sqlite)
    (tmp_path / "aims.db.head").unlink()
    assert [(fault.kind, fault.what) for fault in audit(store).faults] == [
        ("hole", "the log has leaves, but no head of it is kept outside the store")
    ]
    with pytest.raises(VerificationError) as caught:
        store.append(entry("new"))
    assert str(caught.value) == f"{store.place}: the log has leaves, but its head aims.db.head is gone"
    assert audit(store).faults != ()


def test_a_head_file_that_was_written_over_is_said(sqlite: Home, tmp_path: Path) -> None:
    store = filled(sqlite)
    (tmp_path / "aims.db.head").write_text("leaf 4\n")
    for use in (store.head, lambda: store.append(entry("new"))):
        with pytest.raises(VerificationError) as caught:
            use()
        assert str(caught.value) == f"{tmp_path}/aims.db.head: head: not strict JSON (JSONDecodeError)"
        assert caught.value.hint == (
            "the log's head was written over: put the file back from a backup, then `aims evidence verify`"
        )


def copy_database(source: Path, target: Path) -> None:
    """Copy as a backup does that knows nothing of open connections: file by file."""
    target.mkdir(exist_ok=True)
    for path in source.glob("aims.db*"):
        if path.name.endswith((".db", "-wal", "-shm")):
            shutil.copy2(path, target / path.name)


def test_an_older_copy_of_the_database_is_refused_even_by_a_process_that_has_the_newer_one_open(
    sqlite: Home, tmp_path: Path
) -> None:
    store = filled(sqlite, 3)
    copy_database(tmp_path, tmp_path / "backup")
    for number in range(3, 6):
        store.append(entry(str(number)))
    for path in tmp_path.glob("aims.db*"):
        if path.name.endswith((".db", "-wal", "-shm")):
            path.unlink()
    copy_database(tmp_path / "backup", tmp_path)
    for each in (store, sqlite.open()):
        with pytest.raises(VerificationError) as caught:
            each.append(entry("new"))
        assert str(caught.value) == f"{store.place}: the log ends at leaf 2, but leaf 5{CUT_OFF}"
        assert [fault.kind for fault in audit(each).faults] == ["hole"]


def test_a_database_that_was_deleted_is_not_silently_begun_anew(sqlite: Home, tmp_path: Path) -> None:
    store = filled(sqlite)
    for path in tmp_path.glob("aims.db*"):
        if path.name.endswith((".db", "-wal", "-shm")):
            path.unlink()
    for each in (store, sqlite.open()):
        for use in (partial(each.append, entry("new")), each.registry_id):
            with pytest.raises(VerificationError) as caught:
                use()
            assert str(caught.value) == f"{store.place}: the log is gone, but leaf 4 of it was seen before"
            assert caught.value.hint == HINT
        assert isinstance(each.head(), Head)
        assert list(each.leaves()) == []


def test_another_registrys_log_does_not_begin_in_the_place_of_this_one(sqlite: Home, tmp_path: Path) -> None:
    store = filled(sqlite)
    store.pin(Head(-1, genesis("00000000-0000-0000-0000-000000000000")))
    with pytest.raises(VerificationError, match="another registry's log lies in the place of this one"):
        store.append(entry("new"))
