"""What the evidence store needs of a database besides SQL."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, Select
from sqlalchemy.exc import SQLAlchemyError

from aims_mlops.errors import AimsError

BUSY_SECONDS = 10
"""How long a statement waits for another process's transaction."""

LOCK_SECONDS = 30.0
"""How long a named lock is waited for."""

WRITES = "aims_writes"
"""Execution option of an engine whose transactions write."""

NOT_KEPT = (
    "took a leaf and its envelope without an error, and does not hold both as they were written: nothing was committed",
    "look for a trigger or a rule on the aims_ tables that drops or changes rows, take it away, then repeat",
)
"""What `Database.demand` says of an append, and what to do about it."""


class Database(Protocol):
    """One kind of database."""

    trusts_first_use: bool
    """Whether a host that has never seen the log takes its present head for true (and says so)."""

    @property
    def place(self) -> str:
        """Where it is, for people; without password."""
        ...

    @property
    def engine(self) -> Engine:
        """The engine of this process."""
        ...

    def there(self) -> bool:
        """Whether there is anything that could be connected to."""
        ...

    def reading(self) -> Connection:
        """Return a connection that begins no transaction: each question sees the newest state."""
        ...

    def prepare(self) -> None:
        """Make the place where tables can be created."""
        ...

    def serialise(self, connection: Connection) -> None:
        """Keep every other writer out until the transaction ends."""
        ...

    def first(self, connection: Connection, question: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Do as `serialise`, and return the one row that answers a question as things stand then.

        In one round trip where the server allows: it is the time that all other writers wait.
        """
        ...

    def sending(self, connection: Connection) -> AbstractContextManager[None]:
        """Let what is written inside the `with` go to the server together, where it allows that.

        Nothing inside may read, and what the server refuses is raised at the end.
        """
        ...

    def demand(self, connection: Connection, question: Select[Any], values: Mapping[str, Any]) -> None:
        """Let the transaction fail unless a question is answered with 1, and not with 0.

        Raises what `explain` makes a `StoreError` of, or that itself: here, or at the end of `sending`.
        """
        ...

    @property
    def clock(self) -> ColumnElement[Any]:
        """What reads the store's clock as a part of a question."""
        ...

    def moment(self, said: Any) -> datetime:
        """Return the time that `clock` said."""
        ...

    def before_erasing(self, connection: Connection) -> None:
        """Let what is deleted in this transaction be written over too, where the database can do that."""
        ...

    def after_erasing(self) -> None:
        """Let no journal keep what was deleted, where the database can do that."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a named lock; raise `StoreError` when it cannot be had in time."""
        ...

    def head_path(self, registry_id: str) -> Path:
        """Where the head of this log is kept on this host."""
        ...

    def close(self) -> None:
        """Close the pooled connections of this process."""
        ...

    def explain(self, error: SQLAlchemyError) -> AimsError:
        """Say what a driver's error means, with the next step. No statement, parameter or password is quoted."""
        ...


class ProcessEngine:
    """An engine that a forked child never shares with its parent: both would talk on one connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._process = os.getpid()

    def get(self) -> Engine:
        """Return the engine; in a child process its pool starts empty."""
        if os.getpid() != self._process:
            self._engine.dispose(close=False)
            self._process = os.getpid()
        return self._engine

    def close(self) -> None:
        """Close the pooled connections of this process."""
        self._engine.dispose(close=os.getpid() == self._process)
