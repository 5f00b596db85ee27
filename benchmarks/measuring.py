"""What the benchmarks share: where they run, how a time is taken, and what is appended."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from places import Place, postgresql, sqlite

from aims_mlops.model.digest import Digest
from aims_mlops.ports import Entry, EvidenceStore


def places() -> Iterator[Callable[[], AbstractContextManager[Place]]]:
    """Yield what makes a fresh place on each database; PostgreSQL where AIMS_TEST_POSTGRES names a server."""
    yield sqlite
    server = os.environ.get("AIMS_TEST_POSTGRES")
    if server:
        yield lambda: postgresql(server)
    else:
        say("PostgreSQL is left out: AIMS_TEST_POSTGRES names no server")


def once(work: Callable[[], object]) -> float:
    """Return how many milliseconds one call takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def median(work: Callable[[], object], calls: int) -> float:
    """Return the median of so many calls, in milliseconds."""
    return statistics.median(once(work) for _ in range(calls))


def appender(store: EvidenceStore) -> Callable[[], object]:
    """Return what appends 2 000 bytes that were never there, with each call."""
    numbers = iter(range(10**9))

    def append() -> object:
        content = f"benchmark {time.time_ns()} {next(numbers)}".encode().ljust(2000)
        digest = Digest.of(content)
        return store.append(Entry(content, digest, "urn:aims-mlops:incident:v1", digest))

    return append


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
