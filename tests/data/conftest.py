from __future__ import annotations

from collections.abc import Iterator

import pytest

from aims_mlops.data.duckdb_engine import DuckEngine


@pytest.fixture
def engine() -> Iterator[DuckEngine]:
    with DuckEngine() as engine:
        yield engine


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[DuckEngine]:
    """For property tests, whose examples cannot each have an engine of their own."""
    with DuckEngine() as engine:
        yield engine
