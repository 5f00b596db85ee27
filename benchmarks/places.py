"""Fresh databases for one run: a folder of SQLite files, or a database of its own on a PostgreSQL server."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url, text


@dataclass(frozen=True)
class Place:
    """Where one run keeps its evidence, its registry and its files."""

    kind: str
    evidence: str
    registry: str
    folder: Path


@contextmanager
def sqlite() -> Iterator[Place]:
    """Give a folder with two SQLite databases, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="aims-bench-") as name:
        yield Place("SQLite", f"sqlite:///{name}/aims.db", f"sqlite:///{name}/mlflow.db", Path(name))


@contextmanager
def postgresql(server: str) -> Iterator[Place]:
    """Make a database on a server, and drop it at the end; the role must be allowed to."""
    name = f"aims_bench_{uuid.uuid4().hex[:8]}"
    _run(server, f"CREATE DATABASE {name}")
    url = make_url(server).set(database=name, drivername="postgresql")
    uri = url.render_as_string(hide_password=False)
    registry = url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    try:
        with tempfile.TemporaryDirectory(prefix="aims-bench-") as folder:
            yield Place("PostgreSQL", uri, registry, Path(folder))
    finally:
        _run(server, f"DROP DATABASE {name} WITH (FORCE)")


def _run(server: str, statement: str) -> None:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
