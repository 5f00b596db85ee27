"""Several writers at once. Writers that are killed: `test_log_crashes.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
