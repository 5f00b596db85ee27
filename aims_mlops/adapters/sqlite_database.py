"""SQLite: a file, its write-ahead log, and the head of the log beside it."""

from __future__ import annotations

import os
import re
import sqlite3
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Connection, Engine, QueuePool, Select, create_engine, event, null
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from aims_mlops.adapters.file_lock import explain_os_error, file_lock
from aims_mlops.adapters.sql_database import BUSY_SECONDS, LOCK_SECONDS, NOT_KEPT, WRITES, ProcessEngine
from aims_mlops.errors import AimsError, StoreError
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Clock


class SqliteDatabase:
    """A database file on a local disk. Its clock is the host's."""

    trusts_first_use = False

    def __init__(self, path: Path, *, clock: Clock, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self._clock = clock
        self._busy_seconds = busy_seconds
        self._process_engine = ProcessEngine(_make_engine(path, busy_seconds))
        weakref.finalize(self, self._process_engine.close)

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def engine(self) -> Engine:
        """The engine of this process."""
        return self._process_engine.get()

    def there(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def reading(self) -> Connection:
        """Return a connection that begins no transaction: each question sees the newest state."""
        return self.engine.connect()

    def prepare(self) -> None:
        """Make the file and set it to write-ahead logging, which it then keeps."""
        with self.lock("create"):
            try:
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
            except OSError as error:
                raise explain_os_error(error, self.path) from error
            # Outside any transaction: SQLite does not change the journal's kind inside one.
            with self.engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                driver.execute("PRAGMA journal_mode=WAL")

    def serialise(self, connection: Connection) -> None:
        """Do nothing more: BEGIN IMMEDIATE has kept the others out already."""

    def first(self, connection: Connection, question: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Ask inside the transaction, which has kept the others out from its BEGIN on."""
        return connection.execute(question, values).one()

    def sending(self, connection: Connection) -> AbstractContextManager[None]:  # noqa: ARG002  # no server, no trips
        """Do nothing more: there is no way to go."""
        return nullcontext()

    def demand(self, connection: Connection, question: Select[Any], values: Mapping[str, Any]) -> None:
        """Ask, before anything is committed."""
        if connection.execute(question, values).scalar() != 1:
            raise StoreError(f"{self.place} {NOT_KEPT[0]}", hint=NOT_KEPT[1])

    @property
    def clock(self) -> ColumnElement[Any]:
        """Nothing: the clock is the host's."""
        return null()

    def moment(self, said: Any) -> datetime:  # noqa: ARG002  # see above
        """Read the host's clock."""
        return self._clock()

    def before_erasing(self, connection: Connection) -> None:
        """Let SQLite write zeros over what is deleted."""
        connection.exec_driver_sql("PRAGMA secure_delete=ON")

    def after_erasing(self) -> None:
        """Empty the write-ahead file, where older pages still lie; a busy reader keeps it until it is done."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Lock a file beside the database."""
        path = self.path.with_name(f"{self.path.name}.{_file_name(name)}.lock")
        return file_lock(path, what=f"{name!r} of {self.place}", seconds=LOCK_SECONDS)

    def head_path(self, registry_id: str) -> Path:  # noqa: ARG002  # one file, one log
        """The file beside the database."""
        return self.path.with_name(self.path.name + ".head")

    def close(self) -> None:
        """Close the pooled connections of this process."""
        self._process_engine.close()

    def explain(self, error: SQLAlchemyError) -> AimsError:
        """Say what SQLite's error code means."""
        original = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(original, "sqlite_errorname", "")
        for prefix, what, hint in _MEANINGS:
            if code.startswith(prefix):
                return StoreError(f"{self.place} {what.format(seconds=self._busy_seconds)}", hint=hint)

        return StoreError(
            f"{self.place} cannot be used: {original}",
            hint="look whether it is an evidence store that was changed by hand; else put a backup back",
        )


def _make_engine(path: Path, busy_seconds: float) -> Engine:
    engine = create_engine(
        "sqlite://", creator=partial(_connect, path, busy_seconds), poolclass=QueuePool, hide_parameters=True
    )
    event.listen(engine, "begin", _begin)
    event.listen(engine, "connect", partial(_note_file, path))
    event.listen(engine, "checkout", partial(_refuse_other_file, path))
    return engine


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    # Never makes the file (mode=rw): reading a store that is not there must not leave an empty one behind.
    connection = _open(path, "mode=rw", busy_seconds)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError as error:
        connection.close()
        # SQLite wants to make two files beside a database that is in write-ahead mode. Where the folder is
        # read-only and nobody is writing (no -wal file) the database file alone is the whole truth.
        if not _folder_is_read_only(error) or path.with_name(path.name + "-wal").exists():
            raise
        connection = _open(path, "mode=ro&immutable=1", busy_seconds)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _open(path: Path, mode: str, busy_seconds: float) -> sqlite3.Connection:
    # isolation_level None: the driver begins no transaction by itself; `_begin` does.
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{mode}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _note_file(path: Path, _driver: object, record: ConnectionPoolEntry) -> None:
    record.info["file"] = _identity(path)


def _refuse_other_file(path: Path, _driver: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    # An open connection would go on writing into a file that somebody has replaced: open the new one instead.
    if not path.exists() or record.info["file"] != _identity(path):
        raise DisconnectionError(f"{path.name} is another file now")


def _begin(connection: Connection) -> None:
    # What only reads begins no transaction: each question sees the newest state, as on a server. The head outside is
    # read before the leaves, and would be ahead of them in a snapshot that is older than it.
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _folder_is_read_only(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorname in ("SQLITE_READONLY_DIRECTORY", "SQLITE_CANTOPEN", "SQLITE_READONLY_CANTINIT")


def _file_name(name: str) -> str:
    """Name a lock's file after the lock; where that needs other characters, two names must not become one."""
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,40}", name):
        return name
    return re.sub(r"[^a-z0-9_-]", "_", name)[:40] + "." + Digest.of(name.encode()).short


_MEANINGS = (
    ("SQLITE_FULL", "cannot grow: the disk is full. Nothing was written", "free some space, then repeat"),
    (
        "SQLITE_IOERR",
        "cannot be read or written (I/O error; a full disk or quota does this too)",
        "look at the disk's space and health, then repeat",
    ),
    (
        "SQLITE_BUSY",
        "is locked: another process has been writing for more than {seconds:g} s",
        "wait until the other run of aims is done, then repeat",
    ),
    (
        "SQLITE_READONLY",
        "is read-only for this user: nothing was written",
        "give this user write access to the file and its folder, or name another store with AIMS_STORE",
    ),
    (
        "SQLITE_CANTOPEN",
        "cannot be opened",
        "see that the file and its folder can be read and written by this user",
    ),
    ("SQLITE_PERM", "cannot be opened", "see that the file and its folder can be read and written by this user"),
    (
        "SQLITE_NOTADB",
        "is not an SQLite database",
        "something wrote over it, or AIMS_STORE names the wrong file: put a backup back, then `aims evidence verify`",
    ),
    (
        "SQLITE_CORRUPT",
        "is damaged: SQLite cannot read it",
        "put a backup back, then `aims evidence verify`",
    ),
)
