"""Several writers at once, and writers that are killed at any point."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.adapters.appending import entry
from tests.adapters.homes import Home, audit

WRITER = Path(__file__).with_name("appending.py")


def start(home: Home, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WRITER), home.uri, str(home.root), name, str(count)], stdout=subprocess.PIPE, text=True
    )


def acknowledged(output: str) -> dict[int, str]:
    """Return what a writer was told: place to payload. A line cut short by a kill was not read by anybody."""
    lines = [line.split() for line in output.splitlines(keepends=True) if line.endswith("\n")]
    return {int(line[0]): line[1] for line in lines if len(line) == 2 and len(line[1]) == 71}


def test_four_processes_that_begin_a_store_at_once_append_one_dense_log(home: Home) -> None:
    writers = [start(home, f"writer {number}", 100) for number in range(4)]
    told = [acknowledged(writer.communicate(timeout=120)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    store = home.open()
    walked = audit(store)
    assert walked.faults == ()
    assert len(walked.leaves) == 400
    assert {seq: payload for part in told for seq, payload in part.items()} == {
        stored.leaf.seq: stored.leaf.payload for stored in walked.leaves
    }
    assert store.head() == walked.head


@pytest.mark.slow
def test_writers_killed_at_any_point_lose_nothing_that_was_acknowledged(home: Home) -> None:
    chance = random.Random(20261121)
    told: dict[int, str] = {}
    for attempt in range(20):
        writers = [start(home, f"round {attempt} writer {number}", 0) for number in range(2)]
        first = [writer.stdout.readline() for writer in writers if writer.stdout]
        time.sleep(chance.uniform(0, 0.15))
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer, line in zip(writers, first, strict=True):
            told |= acknowledged(line + writer.communicate(timeout=30)[0])
        store = home.open()
        walked = audit(store)
        assert walked.faults == ()
        kept = {stored.leaf.seq: str(stored.leaf.payload) for stored in walked.leaves}
        assert told.items() <= kept.items()
        head = store.head()
        assert head is not None
        assert head.seq >= max(told)
        assert all(store.envelope(stored.leaf.payload) for stored in walked.leaves[-4:])
    assert home.open().append(entry("after it all")).leaf.seq == len(kept)
    assert audit(home.open()).faults == ()
