"""Which evidence store an address means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from aims_mlops.adapters.postgres_database import PostgresDatabase
from aims_mlops.adapters.sql_database import Database
from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.sqlite_database import SqliteDatabase
from aims_mlops.errors import StoreError, UsageError
from aims_mlops.ports import Clock, EvidenceStore

DEFAULT = "sqlite:///aims.db"
"""The store of a project that names none: a file beside aims.yaml."""

_WRITE = "write sqlite:///aims.db, postgresql://USER@HOST/DATABASE or a server's http(s):// in AIMS_STORE or `store:`"


_DATABASE = "write sqlite:///aims.db or postgresql://USER@HOST/DATABASE: a server does not keep its evidence elsewhere"


def utc_now() -> datetime:
    """Return the host's time."""
    return datetime.now(UTC)


def evidence_store(
    address: str, *, root: Path, head_folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> EvidenceStore:
    """Return the store at an address, a database's or a server's; connects to nothing yet.

    Over HTTP the log's head is kept in `head_folder`, by default `root/.aims`, and `environment` (MLflow's variables)
    says who asks. Raises as `open_store` does.
    """
    if not _is_http(address):
        return open_store(address, root=root, head_folder=head_folder)
    from aims_mlops.adapters.http_client import Login
    from aims_mlops.adapters.http_store import HttpEvidenceStore

    login = Login.read(os.environ if environment is None else environment)
    return HttpEvidenceStore(address, head_folder=head_folder or root / ".aims", login=login)


def _is_http(address: str) -> bool:
    return address.partition(":")[0].lower() in ("http", "https")


def open_store(uri: str, *, root: Path, head_folder: Path | None = None, clock: Clock = utc_now) -> SqlEvidenceStore:
    """Return the store in a database; connects to nothing yet. What a server keeps its own evidence in.

    A relative SQLite path starts from `root`. A server's log has its head in `head_folder`, by default
    `root/.aims`; SQLite's lies beside the database. `clock` is used by SQLite only. Raises `UsageError` for an
    address over HTTP or with parameters that have no meaning, `StoreError` for an unknown kind of database, and
    `MissingExtra` where its driver is not installed.
    """
    return SqlEvidenceStore(_database(uri, root=root, head_folder=head_folder or root / ".aims", clock=clock))


def _database(uri: str, *, root: Path, head_folder: Path, clock: Clock) -> Database:
    if _is_http(uri):
        raise UsageError("evidence is kept in a database here: the store's address begins with http", hint=_DATABASE)
    try:
        url = make_url(uri)
    except ArgumentError as error:
        raise StoreError("the store's address is not a database URI", hint=_WRITE) from error
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if url.database in (None, "", ":memory:"):
            raise UsageError("a store in memory would forget its evidence", hint=_WRITE)
        if url.query or url.host:
            raise UsageError("the address of an SQLite store takes a path and nothing else", hint=_WRITE)
        assert url.database is not None
        return SqliteDatabase(root / Path(url.database).expanduser(), clock=clock)
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return PostgresDatabase(url, head_folder=head_folder)
    raise StoreError(f"{url.drivername!r} is not a kind of evidence store that aims knows", hint=_WRITE)
