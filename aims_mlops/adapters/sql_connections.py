"""What the parts of the SQL store share: connections, the one writing transaction, and a store that has its tables."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Select, Table, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from aims_mlops.adapters import sql_questions as sql
from aims_mlops.adapters.head_file import BEFORE_FIRST, HeadFile
from aims_mlops.adapters.sql_database import WRITES, Database
from aims_mlops.adapters.sql_tables import META, METADATA, SCHEMA_VERSION
from aims_mlops.errors import StoreError, VerificationError

ASKED = 500
"""How many keys one question names: databases limit the parameters of a statement."""
_LOOK = (
    "`aims evidence verify` tells what is missing or changed; put the newest copy back: nothing is appended until then"
)


class SqlConnections:
    """A database that holds a store, or will. Says what is wrong with it as `StoreError` or `VerificationError`."""

    def __init__(self, database: Database) -> None:
        """Connect to nothing yet: the first write makes the tables, and a reader needs none."""
        self._database = database
        self._tables_seen = False
        self._held = threading.local()
        self._id_seen: str | None = None

    @property
    def place(self) -> str:
        """Where it is, for people; without password."""
        return self._database.place

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let what this thread reads inside the `with` go over one connection, each time in the newest state."""
        with self._reading() as connection:
            outer = getattr(self._held, "connection", None)
            self._held.connection = connection
            try:
                yield
            finally:
                self._held.connection = outer

    def close(self) -> None:
        """Give the connections back. The store can be used again."""
        self._database.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """Give a connection, or None where the store was never made."""
        if (held := getattr(self._held, "connection", None)) is not None:
            yield held
            return
        if not self._database.there():
            yield None
            return
        with self._explained(), self._database.reading() as connection:
            yield connection if self._made(connection) else None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give the one writing transaction, in a store that has its tables."""
        with self._explained():
            if not (self._tables_seen and self._database.there()):
                self._prepare()
            engine = self._database.engine.execution_options(**{WRITES: True})
            with engine.begin() as connection:
                self._database.serialise(connection)
                if not self._made(connection):
                    self._make(connection)
                yield connection

    @contextmanager
    def _first(self, question: Select[Any], values: Mapping[str, Any]) -> Iterator[tuple[Connection, Sequence[Any]]]:
        """Give a writing transaction and the row that answers a question in it. What is not committed is undone."""
        if not (self._tables_seen and self._database.there()):
            with self._writing():
                pass
        with self._explained(), self._database.engine.execution_options(**{WRITES: True}).connect() as connection:
            yield connection, self._database.first(connection, question, values)

    def _prepare(self) -> None:
        self._tables_seen = False
        with self._reading() as connection:
            made = connection is not None
        if not made:
            self._database.prepare()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._database.explain(error) from error

    def _rows(self, query: Select[Any], **values: str | int) -> Sequence[Any]:
        with self._reading() as connection:
            return () if connection is None else connection.execute(query, values).all()

    def _asked(self, query: Select[Any], keys: Sequence[Any]) -> Iterator[Any]:
        with self._reading() as connection:
            for start in range(0, len(keys) if connection is not None else 0, ASKED):
                assert connection is not None
                yield from connection.execute(query, {"asked": keys[start : start + ASKED]}).all()

    def _made(self, connection: Connection) -> bool:
        if self._tables_seen:
            return True
        if not inspect(connection).has_table(META.name):
            return False
        version = connection.execute(select(META.c.value).where(META.c.key == "schema")).scalar()
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{self.place} has tables of version {version}, and this aims-mlops knows version {SCHEMA_VERSION}",
                hint="pip install --upgrade aims-mlops",
            )
        self._tables_seen = True
        return True

    def _make(self, connection: Connection) -> None:
        registry_id = str(uuid.uuid4())
        kept = self._head_file(registry_id).read()
        if kept is not None and kept.seq != BEFORE_FIRST:
            raise self._broken(f"the log is gone, but leaf {kept.seq} of it was seen before")
        METADATA.create_all(connection)
        rows = [{"key": "registry_id", "value": registry_id}, {"key": "schema", "value": SCHEMA_VERSION}]
        connection.execute(insert(META), rows)

    def _registry_id(self, connection: Connection) -> str:
        return self._said_id(connection.execute(sql.REGISTRY_ID).scalar())

    def _said_id(self, value: object) -> str:
        if value is None:
            raise self._broken("the registry's id is gone")
        if self._id_seen is not None and self._id_seen != str(value):
            raise self._broken(f"the registry's id is {value} now, and was {self._id_seen}")
        self._id_seen = str(value)
        return self._id_seen

    def _head_file(self, registry_id: str) -> HeadFile:
        return HeadFile(self._database.head_path(registry_id))

    def _broken(self, what: str) -> VerificationError:
        return VerificationError(f"{self.place}: {what}", hint=_LOOK)

    def _has(self, connection: Connection, table: Table) -> bool:
        """Whether a table is there that came later than the first stores."""
        return inspect(connection).has_table(table.name)
