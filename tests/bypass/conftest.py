"""Guarded servers in all their configurations, each started once for the tests that need it."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.adapters.homes import postgres_uri
from tests.bypass.project import Project, RealEvidence
from tests.bypass.scene import Scene
from tests.bypass.servers import Corner, Server, serve

CORNERS = tuple(
    Corner(web, database, auth)
    for web, database, auth in product(("uvicorn", "gunicorn"), ("sqlite", "postgresql"), (False, True))
)
USUAL = (Corner("uvicorn", "sqlite", auth=False), Corner("gunicorn", "postgresql", auth=True))
"""What `make test` runs; AIMS_BYPASS=all runs every corner."""


def corners() -> list[object]:
    """Return the corners of this run as parameters, each in a group of its own."""
    chosen = CORNERS if os.environ.get("AIMS_BYPASS") == "all" else USUAL
    return [pytest.param(one, id=str(one), marks=pytest.mark.xdist_group(f"bypass-{one}")) for one in chosen]


@dataclass(frozen=True)
class Guarded:
    """A server that enforces, and the project whose policy it enforces."""

    server: Server
    project: Project
    evidence: RealEvidence

    def scene(self, token: str) -> Scene:
        return Scene(self.server, token, self.evidence)


@contextlib.contextmanager
def databases(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Give a database for MLflow and one for the evidence; those in PostgreSQL are dropped afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/mlflow.db", f"sqlite:///{folder}/aims.db"
        return
    place = make_url(postgres_uri())
    names = [f"aims_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    engine = create_engine(place.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"create database {name}"))
    try:
        mlflow, aims = (place.set(database=name).render_as_string(hide_password=False) for name in names)
        yield mlflow.replace("postgresql:", "postgresql+psycopg:"), aims
    finally:
        with engine.connect() as connection:
            for name in names:
                connection.execute(text(f"drop database if exists {name} with (force)"))
        engine.dispose()


@contextlib.contextmanager
def guarded_server(corner: Corner, folder: Path, *, options: tuple[str, ...] = ()) -> Iterator[Guarded]:
    """Start an enforcing server with an applied configuration."""
    with databases(corner.database, folder) as (mlflow, aims):
        project = Project(folder / "project", aims)
        project.write()
        environment = project.server_environment() | ({"AIMS_AUTH": "basic-auth"} if corner.auth else {})
        with serve(corner, folder / "server", mlflow, options=options, guarded=True, **environment) as server:
            evidence = RealEvidence(project, server, f"{server.url}")
            with server.credentials():
                project.aims("--as", "risk-officer", "apply", AIMS_STORE=aims, MLFLOW_TRACKING_URI=server.url)
            yield Guarded(server, project, evidence)


@pytest.fixture(scope="session")
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One guarded server of the corner that the test names."""
    folder = tmp_path_factory.mktemp("guarded")
    with guarded_server(request.param, folder) as made:
        yield made
