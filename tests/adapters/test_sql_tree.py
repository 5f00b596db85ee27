"""Tiles and checkpoints beside the log: kept with the leaf, made anew for old stores, and never in anybody's way."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.errors import StoreError, UsageError, VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.log import Leaf, StoredLeaf, genesis
from aims_mlops.evidence.merkle import Place, Tree
from aims_mlops.evidence.tiles import WIDTH, TiledTree, full_tiles
from aims_mlops.model.digest import Digest
from tests.adapters.appending import entry
from tests.adapters.homes import Home, Served, audit

NOTE = b"origin\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xe2\x80\x94 origin AAAAAAAA\n"


def fill(home: Home, store: SqlEvidenceStore, count: int) -> None:
    """Put leaves in as an aims-mlops did that knew no tiles: the table is not there, or lags behind."""
    store.append(entry("first"))
    ((last,),) = home.sql("SELECT max(seq) FROM aims_leaf")
    prev = StoredLeaf.from_bytes(next(store.leaves(last))).digest
    rows = []
    for seq in range(last + 1, count):
        envelope = f"{{{seq}}}".encode()
        payload = Digest.of(b"payload %d" % seq)
        leaf = Leaf(seq, prev, "urn:aims-mlops:record:v1", payload, Digest.of(envelope), prev, "now").to_bytes()
        prev = Digest.of(leaf)
        rows.append({"seq": seq, "leaf": leaf, "digest": str(prev), "payload": str(payload), "type": "t"})
        rows[-1] |= {"subject": "s", "model": None, "version": None, "system": None}
    with store._writing() as connection:
        from aims_mlops.adapters import sql_questions as sql

        connection.execute(sql.NEW_LEAF, rows)


def count(home: Home) -> dict[int, int]:
    return dict(tuple(row) for row in home.sql("SELECT level, count(*) FROM aims_tile GROUP BY level"))


def holds(store: SqlEvidenceStore) -> Tree:
    """Hold tiles, roots and proofs to a tree that is made from the leaves."""
    tree = Tree(store.leaves())
    tiled = TiledTree(store)
    for size in {1, 2, tree.size // 2, tree.size - 1, tree.size} - {0}:
        assert merkle.root(tiled, size) == merkle.root(tree, size)
        proof = merkle.prove_consistency(tiled, size, tree.size)
        assert proof == merkle.prove_consistency(tree, size, tree.size)
        index = size * 2 // 3
        assert merkle.prove_inclusion(tiled, index, size) == merkle.prove_inclusion(tree, index, size)
    return tree


def test_a_tile_is_kept_with_the_leaf_that_fills_it(home: Home) -> None:
    store = home.open()
    fill(home, store, WIDTH - 1)
    assert list(store.tile_places()) == []
    store.append(entry("last"))
    assert list(store.tile_places()) == [(0, 0)]
    store.append(entry("one more"))
    (hashes,) = store.tiles([(0, 0), (0, 1), (1, 0)]).values()
    leaves = list(store.leaves())
    assert hashes == b"".join(map(merkle.leaf_hash, leaves[:WIDTH]))
    assert store.tile_roots([(0, 0)]) == {(0, 0): merkle.root(Tree(leaves), WIDTH)}
    holds(store)


def test_an_append_that_is_refused_leaves_no_tile(sqlite: Home) -> None:
    store = sqlite.open()
    fill(sqlite, store, WIDTH - 1)
    sqlite.sql("UPDATE aims_leaf SET leaf = :leaf WHERE seq = 254", leaf=b"{}")
    with pytest.raises(VerificationError):
        store.append(entry("last"))
    assert list(store.tile_places()) == []


def test_a_store_from_before_tiles_is_read_and_filled_up_in_one_append(home: Home) -> None:
    store = home.open()
    fill(home, store, 3 * WIDTH - 1)
    home.sql("DROP TABLE aims_tile")
    home.sql("DROP TABLE aims_checkpoint")
    old = home.open()
    assert list(old.tile_places()) == []
    assert old.checkpoints() == ()
    holds(old)
    assert audit(old).size == 3 * WIDTH - 1
    old.append(entry("last"))
    assert sorted(old.tile_places()) == [(0, 0), (0, 1), (0, 2)]
    old.keep_checkpoint(NOTE, size=0)
    assert old.checkpoints() == [NOTE]
    assert holds(home.open()).size == 3 * WIDTH


def test_tiles_that_were_lost_come_back_and_proofs_need_none(sqlite: Home) -> None:
    store = sqlite.open()
    fill(sqlite, store, 3 * WIDTH - 1)
    store.append(entry("last"))
    sqlite.sql("DELETE FROM aims_tile WHERE number = 1")
    holds(store)
    fill(sqlite, store, 4 * WIDTH - 1)
    store.append(entry("the last again"))
    assert count(sqlite) == {0: 4}
    holds(store)


def test_a_tile_of_tiles_is_made_of_their_roots(sqlite: Home) -> None:
    store = sqlite.open()
    size = WIDTH * WIDTH + 3 * WIDTH
    fill(sqlite, store, size - 1)
    store.append(entry("last"))
    assert count(sqlite) == {0: full_tiles(0, size), 1: 1}
    holds(store)

    asked = Counting(store)
    merkle.prove_inclusion(TiledTree(asked), 1234, size)
    assert (asked.tiles_read, asked.leaves_read) == (2, 0)
    sqlite.sql("DELETE FROM aims_tile WHERE level = 1 OR number = 7")
    holds(store)


class Counting:
    """Counts what a proof reads."""

    def __init__(self, store: SqlEvidenceStore) -> None:
        self.store, self.tiles_read, self.leaves_read = store, 0, 0

    def tiles(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        found = self.store.tiles(places)
        self.tiles_read += len(found)
        return found

    def tile_roots(self, places: Collection[Place]) -> Mapping[Place, bytes]:
        return self.store.tile_roots(places)

    def leaves_at(self, places: Collection[int]) -> Mapping[int, bytes]:
        self.leaves_read += len(places)
        return self.store.leaves_at(places)


def test_no_tile_hides_a_hole(sqlite: Home) -> None:
    store = sqlite.open()
    fill(sqlite, store, WIDTH - 1)
    sqlite.sql("DELETE FROM aims_leaf WHERE seq = 17")
    store.append(entry("last"))
    assert list(store.tile_places()) == []
    with pytest.raises(VerificationError, match="leaf 17 is gone"):
        merkle.root(TiledTree(store), WIDTH)


def test_a_tile_that_was_cut_is_said(sqlite: Home) -> None:
    store = sqlite.open()
    fill(sqlite, store, WIDTH - 1)
    store.append(entry("last"))
    sqlite.sql("UPDATE aims_tile SET hashes = :cut", cut=b"x" * 31)
    with pytest.raises(VerificationError, match="the tile 0 of level 0 has another length"):
        merkle.prove_inclusion(TiledTree(store), 3, WIDTH)


def test_a_role_that_may_not_make_tables_goes_on_appending(postgres: Home, caplog: pytest.LogCaptureFixture) -> None:
    store = postgres.open()
    fill(postgres, store, WIDTH - 1)
    postgres.sql("DROP TABLE aims_tile")
    (schema,) = postgres.sql("SELECT current_schema()")[0]
    role = f"writer_{schema[-8:]}"
    postgres.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'only-for-this-test'")
    try:
        postgres.sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        postgres.sql(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}")
        scheme, _, rest = postgres.uri.partition("://")
        narrow = Home("postgres", f"{scheme}://{role}:only-for-this-test@{rest.rpartition('@')[2]}", postgres.root)
        writer = narrow.open()
        with caplog.at_level(logging.WARNING):
            assert writer.append(entry("last")).leaf.seq == WIDTH - 1
        assert "the table aims_tile cannot be made" in caplog.text
        assert "permission denied" in caplog.text
        holds(writer)
        writer.keep_checkpoint(NOTE, size=0)
        assert writer.checkpoints() == [NOTE]
        writer.close()
        store.append(entry("by the owner"))
    finally:
        postgres.sql(f"DROP OWNED BY {role}")
        postgres.sql(f"DROP ROLE {role}")


def test_checkpoints_are_kept_once_each_and_smallest_first(home: Home) -> None:
    store = home.open()
    assert store.checkpoints() == ()
    for name, size in (("b", 20), ("a", 3), ("b", 20), ("c", 20)):
        store.keep_checkpoint(NOTE.replace(b"origin", name.encode()), size=size)
    assert len(store.checkpoints()) == 3
    assert store.checkpoints()[0].startswith(b"a\n")


def test_time_stamps_are_kept_once_each(home: Home) -> None:
    store = home.open()
    assert store.timestamps() == ()
    for stamp in (b"one", b"two", b"one"):
        store.keep_timestamp(stamp, checkpoint=Digest.of(NOTE))
    assert sorted(home.open().timestamps()) == [(str(Digest.of(NOTE)), b"one"), (str(Digest.of(NOTE)), b"two")]


def erased(store: SqlEvidenceStore) -> tuple[Digest, Digest]:
    """Append a statement and a tombstone for it; return the digests of both."""
    about = entry("about a person")
    store.append(about)
    said = replace(entry("tombstone"), type="urn:aims-mlops:tombstone:v1", subject=about.payload)
    store.append(said)
    return about.payload, said.payload


def test_an_envelope_is_deleted_for_its_tombstone_alone_and_its_leaf_stays(home: Home) -> None:
    store = home.open()
    payload, tombstone = erased(store)
    text = store.put_blob(b"words about a person")
    with pytest.raises(VerificationError, match="no tombstone"):
        store.erase(tombstone, tombstone=tombstone)
    assert store.erase(payload, tombstone=tombstone, blobs=[text])
    assert not store.erase(payload, tombstone=tombstone, blobs=[text])
    assert (store.envelope(payload), store.blob(text)) == (None, None)
    assert (audit(store).size, audit(store).faults) == (2, ())
    assert store.append(entry("more")).leaf.seq == 2


def test_a_role_that_only_appends_erases_nothing(postgres: Home) -> None:
    payload, tombstone = erased(postgres.open())
    (schema,) = postgres.sql("SELECT current_schema()")[0]
    role = f"eraser_{schema[-8:]}"
    postgres.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'only-for-this-test'")
    try:
        postgres.sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        postgres.sql(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}")
        scheme, _, rest = postgres.uri.partition("://")
        narrow = Home("postgres", f"{scheme}://{role}:only-for-this-test@{rest.rpartition('@')[2]}", postgres.root)
        writer = narrow.open()
        with pytest.raises(StoreError, match="permission denied"):
            writer.erase(payload, tombstone=tombstone)
        assert writer.envelope(payload) is not None
        writer.close()
    finally:
        postgres.sql(f"DROP OWNED BY {role}")
        postgres.sql(f"DROP ROLE {role}")


def test_the_last_checkpoint_lies_outside(place: Home | Served) -> None:
    store = place.open()
    assert store.last_checkpoint() is None
    store.pin_checkpoint(NOTE)
    assert place.open().last_checkpoint() == NOTE
    (file,) = place.root.rglob("*.checkpoint")
    file.write_bytes(b"something else")
    with pytest.raises(VerificationError, match="an empty line and signatures") as raised:
        store.last_checkpoint()
    assert "put the file back from a backup" in raised.value.hint


def test_a_client_reads_leaves_instead_of_tiles_and_signs_nothing(served: Served) -> None:
    store = served.open()
    for number in range(3):
        store.append(served.entry(str(number)))
    tree = Tree(store.leaves())
    assert merkle.root(TiledTree(store), 3) == merkle.root(tree, 3)
    assert (store.checkpoints(), store.tile_places()) == ((), ())
    with pytest.raises(UsageError, match="whoever keeps it signs its checkpoints"):
        store.keep_checkpoint(NOTE, size=3)
    with pytest.raises(UsageError, match="whoever keeps it has it time-stamped"):
        store.keep_timestamp(b"stamp", checkpoint=Digest.of(NOTE))
    assert store.timestamps() == ()
    with pytest.raises(UsageError, match="erases nothing for a client: erase at the store itself"):
        store.erase(Digest.of(NOTE), tombstone=Digest.of(NOTE))


def test_the_genesis_is_untouched_by_tiles(sqlite: Home) -> None:
    store = sqlite.open()
    first = store.append(entry("first"))
    assert first.leaf.prev == genesis(store.registry_id())
