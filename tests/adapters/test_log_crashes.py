"""Four writers killed with signal 9 at random points of 500 appends: the log is dense, the tree whole, nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.evidence import merkle
from aims_mlops.evidence.log import StoredLeaf, genesis
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.tiles import HEIGHT, WIDTH, TiledTree, full_tiles
from aims_mlops.model.digest import Digest
from tests.adapters.appending import entry
from tests.adapters.homes import Home, audit

KILLED = Path(__file__).with_name("killed_appender.py")
APPENDS, SEED, LEAST = 500, 20261128, 20
SQL_STATE = "SELECT count(*) FROM pg_stat_activity WHERE application_name = :name"


def killed(home: Home, uri: str) -> list[dict[str, Any]]:
    """Let the writers live and die; return each life with what it was told."""
    warm = home.root / "warm"
    warm.mkdir()
    done = subprocess.run(
        [sys.executable, str(KILLED), uri, str(home.root), str(warm), str(SEED), str(APPENDS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def wait_for_sessions(home: Home, name: str) -> None:
    """Wait until the server has ended what the killed had open: it may still commit what it was sent before."""
    for _ in range(300):
        if home.sql(SQL_STATE, name=name) == [(0,)]:
            return
        time.sleep(0.1)
    raise AssertionError("sessions of killed writers are still open after 30 s")


def has_every_tile(store: SqlEvidenceStore, tree: Tree) -> None:
    """Hold each full tile that the leaves make, and its root, to the one that is kept; there is none besides."""
    wanted = {(level, number) for level in range(3) for number in range(full_tiles(level, tree.size))}
    assert set(store.tile_places()) == wanted
    hashes, roots = store.tiles(wanted), store.tile_roots(wanted)
    for level, number in wanted:
        below = [(level * HEIGHT, number * WIDTH + step) for step in range(WIDTH)]
        assert hashes[level, number] == b"".join(tree.subtrees(below).values())
        assert roots[level, number] == tree.subtrees([((level + 1) * HEIGHT, number)])[(level + 1) * HEIGHT, number]
    assert merkle.root(TiledTree(store), tree.size) == merkle.root(tree, tree.size)


@pytest.mark.slow
def test_writers_killed_at_any_point_of_500_appends_lose_nothing_that_was_acknowledged(home: Home) -> None:
    name = f"killed {home.root.name}"[:60]
    postgres = home.kind == "postgres"
    lives = killed(home, f"{home.uri}&application_name={name.replace(' ', '%20')}" if postgres else home.uri)
    if postgres:
        wait_for_sessions(home, name)
    told = [digest for life in lives for digest in life["acknowledged"]]
    assert len(told) == len(set(told)) >= APPENDS
    assert len([life for life in lives if life["killed"] == 9]) == len(lives) >= LEAST

    store = home.open()
    stored = [StoredLeaf.from_bytes(content) for content in store.leaves()]
    assert [one.leaf.seq for one in stored] == list(range(len(stored)))
    before = [genesis(store.registry_id()), *(one.digest for one in stored)]
    assert [one.leaf.prev for one in stored] == before[:-1]
    assert audit(store).faults == ()

    places = {str(one.leaf.envelope): one.leaf.seq for one in stored}
    assert [digest for digest in told if digest not in places] == []
    head = store.head()
    assert head is not None
    assert head.seq >= max(places[digest] for digest in told)
    assert store.envelope_digests() == {str(one.leaf.payload): one.leaf.envelope for one in stored}
    has_every_tile(store, Tree(store.leaves()))
    goes_on(home, [Digest(digest) for digest in told], stored)


def goes_on(home: Home, told: list[Digest], before: list[StoredLeaf]) -> None:
    """Append after it all: what has a leaf that nobody was told of gets that one, and what is new comes last."""
    store = home.open()
    untold = [one for one in before if one.leaf.envelope not in set(told)]
    for one in untold[:3]:
        envelope = store.envelope(one.leaf.payload)
        assert envelope is not None
        again = entry(json.loads(envelope)["payload"])
        assert (again.envelope, store.append(again)) == (envelope, one)
    assert store.append(entry("after it all")).leaf.seq == len(before)
    walked = audit(home.open())
    assert (walked.faults, walked.size) == ((), len(before) + 1)
    assert store.head() == walked.head
