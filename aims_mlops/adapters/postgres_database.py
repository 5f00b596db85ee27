"""PostgreSQL: one log for a team, with the head of the log kept on each host that writes."""

from __future__ import annotations

import logging
import select
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, Engine, Select, create_engine, event, func, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler

from aims_mlops.adapters.sql_database import BUSY_SECONDS, LOCK_SECONDS, NOT_KEPT, ProcessEngine
from aims_mlops.errors import AimsError, StoreError
from aims_mlops.plugin import require

_log = logging.getLogger(__name__)

_TRUSTED_SECONDS = 1.0
"""A connection that was used so recently is not asked whether it lives."""

# Advisory locks belong to a whole database; the schema's name keeps two stores in one database apart.
_KEY = "hashtextextended(concat_ws('/', 'aims-mlops', current_schema(), CAST(:name AS text)), 0)"
_WRITERS_LOCK = "SELECT pg_advisory_xact_lock({})".format(_KEY.replace(":name", "'append'"))


class PostgresDatabase:
    """A PostgreSQL database through psycopg 3. Its clock is the server's. A role with SELECT and INSERT suffices."""

    trusts_first_use = True

    def __init__(self, url: URL, *, head_folder: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        require("psycopg", extra="postgres")
        self._url = url
        self._head_folder = head_folder
        self._busy_seconds = busy_seconds
        self._process_engine = ProcessEngine(_make_engine(url, busy_seconds))
        self._compiled: dict[Select[Any], SQLCompiler] = {}
        weakref.finalize(self, self._process_engine.close)

    @property
    def place(self) -> str:
        """The address without password and options."""
        return self._url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)

    @property
    def engine(self) -> Engine:
        """The engine of this process."""
        return self._process_engine.get()

    def there(self) -> bool:
        """Whether there is anything to connect to: connecting tells."""
        return True

    def reading(self) -> Connection:
        """Return a connection that begins no transaction: each question sees the newest state."""
        connection = self.engine.connect()
        with _whole(connection):
            return connection.execution_options(isolation_level="AUTOCOMMIT")

    def prepare(self) -> None:
        """Do nothing: databases are made by their administrators."""

    def serialise(self, connection: Connection) -> None:
        """Take the writers' advisory lock, which the end of the transaction gives back."""
        connection.execute(text(_WRITERS_LOCK))

    def first(self, connection: Connection, question: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Take the lock as `serialise` does and ask behind it; BEGIN, lock and question go out together.

        The question sees what the writer before committed: each statement of a transaction has a snapshot of its own,
        and its own is taken when the lock is had.
        """
        compiled = self._compile(question)
        driver = _driver(connection)
        with _whole(connection), driver.pipeline():
            driver.execute(_WRITERS_LOCK)
            row: Sequence[Any] | None = driver.execute(str(compiled), compiled.construct_params(values)).fetchone()
        assert row is not None
        return row

    @contextmanager
    def sending(self, connection: Connection) -> Iterator[None]:
        """Let statements wait for no answer before the next is sent: a pipeline of libpq.

        Where one of them is refused, the connection is given up, and with it the transaction.
        """
        with _whole(connection), _driver(connection).pipeline():
            yield

    def demand(self, connection: Connection, question: Select[Any], values: Mapping[str, Any]) -> None:
        """Send a division by the answer: by zero it fails, and nothing that was sent behind it is done, no COMMIT.

        Row counts come only with the pipeline's end, and a COMMIT that waited for them would cost all writers a round
        trip more; one that did not would have committed a leaf without its envelope before anybody could tell.
        """
        compiled = self._compile(question)
        _driver(connection).execute(f"SELECT 1 / ({compiled})", compiled.construct_params(values))

    def _compile(self, question: Select[Any]) -> SQLCompiler:
        if question not in self._compiled:
            self._compiled[question] = question.compile(dialect=self.engine.dialect)
        return self._compiled[question]

    @property
    def clock(self) -> ColumnElement[Any]:
        """The server's clock, as it is when it is asked and not as the transaction began."""
        return func.clock_timestamp()

    def moment(self, said: Any) -> datetime:
        """Return what the server's clock said."""
        assert isinstance(said, datetime)
        return said

    def before_erasing(self, connection: Connection) -> None:
        """Do nothing: PostgreSQL frees the space of deleted rows by VACUUM, and never writes over it at once."""

    def after_erasing(self) -> None:
        """Do nothing: see above, and docs/how-to/erase-personal-data.md."""

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold an advisory lock on a connection of its own; the server frees it when this process dies."""
        with self.engine.connect() as connection:
            key = {"name": f"lock/{name}"}
            try:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                # In this order: the columns of a row are computed one after the other.
                connection.execute(text(f"SELECT {_waiting(LOCK_SECONDS)}, pg_advisory_lock({_KEY})"), key)
            except SQLAlchemyError as error:
                connection.invalidate()
                raise self._explain_lock(error, name) from error
            try:
                yield
            finally:
                self._release(connection, key)

    def head_path(self, registry_id: str) -> Path:
        """The file of this registry in the folder for heads."""
        return self._head_folder / f"{registry_id}.head"

    def close(self) -> None:
        """Close the pooled connections of this process."""
        self._process_engine.close()

    def explain(self, error: SQLAlchemyError) -> AimsError:
        """Say what the server's error code means."""
        original = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(original, "sqlstate", None) or ""
        for prefix, what, hint in _MEANINGS:
            if state.startswith(prefix):
                return StoreError(f"{self.place} {what.format(seconds=self._busy_seconds)}", hint=hint)
        first_line = str(original).strip().partition("\n")[0]
        if not state or state.startswith(("08", "57P")):
            return StoreError(
                f"{self.place} does not answer: {first_line}",
                hint="see that the PostgreSQL server runs and that the address in AIMS_STORE or `store:` is right",
            )
        return StoreError(f"{self.place} refuses: {first_line} ({state})", hint="ask the database's administrator")

    def _explain_lock(self, error: SQLAlchemyError, name: str) -> AimsError:
        original = error.orig if isinstance(error, DBAPIError) else error
        if getattr(original, "sqlstate", None) != "55P03":
            return self.explain(error)
        return StoreError(
            f"{name!r} of {self.place} is locked: another process has held it for more than {LOCK_SECONDS:g} s",
            hint="wait until the other run of aims is done, then repeat",
        )

    def _release(self, connection: Connection, key: dict[str, str]) -> None:
        # A connection that is perhaps still locked, or waits longer than others, must not go back to the pool.
        try:
            given_back = connection.execute(
                text(f"SELECT pg_advisory_unlock({_KEY}), {_waiting(self._busy_seconds)}"), key
            )
            if given_back.one()[0] is True:
                return
        except SQLAlchemyError as error:
            _log.warning("the lock %r was lost with its connection: %s", key["name"], self.explain(error))
        connection.invalidate()


def _driver(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver


@contextmanager
def _whole(connection: Connection) -> Iterator[None]:
    """Give a connection up where the block does not end well, and let the driver's errors be SQLAlchemy's.

    In a pipeline SQLAlchemy counts a COMMIT as done that was only sent: what it takes for a fresh connection is one in
    a failed transaction, and whoever got it from the pool next would fail with it.
    """
    ended = False
    try:
        yield
        ended = True
    except _driver_error() as error:
        raise DBAPIError(None, None, error) from error
    finally:
        if not ended:
            connection.invalidate()


def _make_engine(url: URL, busy_seconds: float) -> Engine:
    # READ COMMITTED whatever the server's default is: after the writers' lock, a statement must see what the
    # writer before it committed.
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args={} if "connect_timeout" in url.query else {"connect_timeout": int(BUSY_SECONDS)},
    )
    event.listen(engine, "connect", partial(_limit_waiting, busy_seconds))
    event.listen(engine, "checkin", _note_time)
    event.listen(engine, "checkout", _refuse_dead)
    return engine


def _note_time(_driver: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _refuse_dead(driver: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Let the pool open another connection where the server has given this one up.

    A server that ends a connection says so on it, which is seen without asking. One that went away in silence is found
    by asking, where the connection has lain for more than a moment: a question costs a round trip each time.
    """
    idle = time.monotonic() - record.info.get("used", 0.0)
    try:
        if driver.closed or select.select([driver.fileno()], [], [], 0)[0]:
            raise DisconnectionError("the server has ended this connection")
        if idle > _TRUSTED_SECONDS and "used" in record.info:
            driver.execute("SELECT 1")
            driver.rollback()
    except (OSError, ValueError, _driver_error()) as error:
        raise DisconnectionError("the server no longer answers on this connection") from error


def _driver_error() -> type[Exception]:
    from psycopg import Error

    return Error


def _waiting(seconds: float) -> str:
    return f"set_config('lock_timeout', '{int(seconds * 1000)}', false)"


def _limit_waiting(busy_seconds: float, driver: Any, _record: object) -> None:
    with driver.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {int(busy_seconds * 1000)}")
    driver.commit()


_MEANINGS = (
    ("22012", *NOT_KEPT),  # of `demand`: nothing else here divides
    ("53100", "cannot grow: its disk is full. Nothing was written", "free space on the database server, then repeat"),
    (
        "55P03",
        "is locked: another process has been writing for more than {seconds:g} s",
        "wait until the other run of aims is done, then repeat",
    ),
    (
        "25006",
        "is read-only: nothing was written",
        "this is a standby or a read-only role: name the primary server in AIMS_STORE or `store:`",
    ),
    (
        "42501",
        "is read-only for this role, or closed to it: permission denied",
        "grant the role SELECT and INSERT on the aims_ tables (and CREATE on the schema for the first use)",
    ),
    ("28", "refuses the user or the password", "see the user and password in AIMS_STORE or `store:`"),
    ("3D000", "does not exist on its server", "make the database, or see its name in AIMS_STORE or `store:`"),
    ("53", "has no room for more (connections or memory)", "wait, or raise the server's limits, then repeat"),
)
