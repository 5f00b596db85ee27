from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.homes import Home, Served, postgres_uri
from tests.api.world import World
from tests.builders import system
from tests.serving import application, listening


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


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "server").mkdir()
    (tmp_path / "client").mkdir()
    world = World(tmp_path / "server", systems=(system(models=("income", "churn")),))
    world.registry.add("income", "4")
    world.registry.add("churn", "3")
    with listening(application(world)) as uri:
        home = Served(uri, tmp_path / "client", world)
        yield home
        for store in home.opened:
            store.close()
    world.close()


@pytest.fixture(params=["sqlite", "postgres", "http"])
def place(request: pytest.FixtureRequest) -> Home | Served:
    """Anywhere that evidence can be kept."""
    made: Home | Served = request.getfixturevalue("served" if request.param == "http" else request.param)
    return made
