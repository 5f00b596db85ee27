from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.homes import Home, postgres_uri


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Home]:
    home = Home("sqlite", f"sqlite:///{tmp_path}/aims.db", tmp_path)
    yield home
    for store in home.opened:
        store.close()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Home]:
    uri, schema = postgres_uri(), f"aims_{uuid.uuid4().hex[:12]}"
    Home("postgres", uri, tmp_path).sql(f"CREATE SCHEMA {schema}")
    home = Home("postgres", f"{uri}?options=-csearch_path%3D{schema}", tmp_path)
    yield home
    for store in home.opened:
        store.close()
    Home("postgres", uri, tmp_path).sql(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest) -> Home:
    made: Home = request.getfixturevalue(request.param)
    return made
