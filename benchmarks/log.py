"""What the log costs: `python benchmarks/log.py`, or `make bench`. See README.md beside this file.

For each database and each size of the log: appends a second, and the milliseconds in which a proof is made that one
leaf is among all. PostgreSQL is used where AIMS_TEST_POSTGRES names a server that lets databases be made.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from measuring import appender, median, once, places, say
from places import Place
from sqlalchemy import insert

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.sql_tables import LEAF
from aims_mlops.adapters.stores import open_store
from aims_mlops.evidence import merkle
from aims_mlops.evidence.log import Head, Leaf, genesis
from aims_mlops.evidence.tiles import TiledTree
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import to_text

APPENDS_A_SECOND = 200
"""What one writer reaches on either database."""
PROOF_MS = 5.0
"""Within how many milliseconds, in the median, a proof is made in a log of a million leaves."""

_BATCH = 4096
_ZERO = Digest.of(b"a digest to be replaced")


@dataclass(frozen=True)
class Line:
    """What was measured on one database at one size: milliseconds, but for the count of hashes in a proof."""

    database: str
    size: int
    append: float
    append_cpu: float
    """What an append takes of this process's processor: on a busy machine it says more than the clock."""
    proof: float
    proof_cpu: float
    slowest: float
    hashes: int

    @property
    def kept(self) -> bool:
        """Whether the goals are kept."""
        return 1000 / self.append >= APPENDS_A_SECOND and self.proof < PROOF_MS


def main() -> int:
    """Run all, print it, and return 1 where a goal was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500, help="calls of each kind (default: 500)")
    sizes = "1000,10000,100000,1000000"
    parser.add_argument("--sizes", default=sizes, help=f"leaves in the log, ascending (default: {sizes})")
    asked = parser.parse_args()
    lines: list[Line] = []
    for open_place in places():
        for line in _run(open_place, [int(size) for size in asked.sizes.split(",")], asked.calls):
            say(
                f"{line.database:10} {line.size:9} leaves   {1000 / line.append:7.0f} appends/s "
                f"({line.append_cpu:.2f} ms of the processor each)   inclusion proof {line.proof:6.2f} ms "
                f"({line.proof_cpu:.2f} of the processor), 99 % within {line.slowest:.2f} ms, {line.hashes} hashes"
            )
            lines.append(line)
    over = [line for line in lines if not line.kept]
    say(f"goals: {APPENDS_A_SECOND} appends/s, {PROOF_MS:g} ms a proof: {'NOT kept' if over else 'kept'}")
    return 1 if over else 0


def _run(open_place: Callable[[], AbstractContextManager[Place]], sizes: list[int], calls: int) -> Iterator[Line]:
    chance = random.Random(20261128)  # noqa: S311  # places to look at, no secret
    with open_place() as place:
        say(f"{place.kind}: one write to the disk and its fsync take {median(lambda: _sync(place.folder), 50):.2f} ms")
        store = open_store(place.evidence, root=place.folder)
        for size in sizes:
            _fill(store, size)
            indexes = [chance.randrange(size) for _ in range(calls)]
            proofs, proof_cpu = _timed([partial(_prove, store, index, size) for index in indexes])
            append = appender(store)
            appends, append_cpu = _timed([append] * calls)
            hashes = max(len(_prove(store, index, size)) for index in indexes[:20])
            slowest = sorted(proofs)[len(proofs) * 99 // 100]
            mean, proof = statistics.fmean(appends), statistics.median(proofs)
            yield Line(place.kind, size, mean, append_cpu, proof, proof_cpu, slowest, hashes)
        store.close()


def _timed(calls: Sequence[Callable[[], object]]) -> tuple[list[float], float]:
    """Return the milliseconds of each call, and the mean of what the processor had to do for one."""
    before = time.process_time()
    taken = [once(call) for call in calls]
    return taken, (time.process_time() - before) * 1000 / len(taken)


def _sync(folder: Path) -> None:
    with (folder / "sync").open("wb") as file:
        file.write(b"x" * 100)
        file.flush()
        os.fsync(file.fileno())


def _prove(store: SqlEvidenceStore, index: int, size: int) -> list[bytes]:
    with store.reading():
        return merkle.prove_inclusion(TiledTree(store), index, size)


def _fill(store: SqlEvidenceStore, size: int) -> None:
    """Put leaves in until there are `size`, chained, with their tiles; the envelopes are left out."""
    rows = list(store.leaves())
    prev = Digest.of(rows[-1]) if rows else genesis(store.registry_id())
    made = Leaf(0, _ZERO, "urn:aims-mlops:incident:v1", _ZERO, _ZERO, _ZERO, to_text(datetime.now(UTC))).to_bytes()
    parts = made.replace(b'"seq":0,', b'"seq":%d,').replace(str(_ZERO).encode(), b"%b")
    for first in range(len(rows), size, _BATCH):
        batch: list[dict[str, Any]] = []
        for seq in range(first, min(first + _BATCH, size)):
            own = f"sha256:{sha256(b'%d' % seq).hexdigest()}"
            said = own.encode()
            leaf = parts % (said, said, str(prev).encode(), seq, said)
            prev = Digest.of(leaf)
            batch.append({"seq": seq, "leaf": leaf, "digest": str(prev), "payload": own, "type": "t", "subject": own})
        assert Leaf.from_bytes(leaf).to_bytes() == leaf
        with store._writing() as connection:  # noqa: SLF001  # past `append`, for speed
            connection.execute(insert(LEAF), batch)
    if len(rows) < size:
        store.pin(Head(size - 1, prev))
        with store._writing() as connection:  # noqa: SLF001
            # As the leaf does that fills a tile: every one that is full and not kept.
            store._keep_tiles(connection, size=size // 256 * 256)  # noqa: SLF001


if __name__ == "__main__":
    sys.exit(main())
