"""One transaction of MLflow's SQL store for a last look at what was judged, and the act itself.

Each method of the store opens a session of its own. Inside `transaction` they all take part in one, which holds the
registered model: nobody adds a version to it, deletes one, or moves an alias until it ends. Not for methods that roll
back by themselves and try again: creating, and so copying.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from aims_mlops.model.times import from_millis

_JOINS = "aims_joins_transactions"
_begun: ContextVar[tuple[Any, Any] | None] = ContextVar("aims_transaction", default=None)


def join_transactions(store: Any) -> Any:
    """Let the methods of a SQL store take part in a `transaction`, and return it; any other store stays as it is."""
    make = getattr(store, "ManagedSessionMaker", None)
    if make is None:
        return store

    @contextmanager
    def session(*args: Any, **kwargs: Any) -> Iterator[Any]:
        begun = _begun.get()
        if begun is None or begun[0] is not store:
            with make(*args, **kwargs) as own:
                yield own
        else:
            yield begun[1]
            begun[1].flush()  # what MLflow's own session does on leaving, so that an error is met in its place

    store.ManagedSessionMaker = session
    setattr(store, _JOINS, True)
    return store


def joins_transactions(store: Any) -> bool:
    """Whether `transaction` can be had on this store."""
    return bool(getattr(store, _JOINS, False))


@contextmanager
def transaction(store: Any, name: str) -> Iterator[Any]:
    """Hold a registered model in one transaction; give its session. All is undone where the body raises."""
    with one_session(store) as session:
        _hold(session, name)
        yield session


@contextmanager
def one_session(store: Any) -> Iterator[Any]:
    """Let several calls of the store's methods share one transaction. Nothing is held that they do not hold."""
    with store.ManagedSessionMaker(**to_primary(store)) as session:
        token = _begun.set((store, session))
        try:
            yield session
        finally:
            _begun.reset(token)


def to_primary(store: Any) -> Mapping[str, bool]:
    """Return what makes a session of the store one that may write, in versions of MLflow that tell the two apart.

    A replica that lags behind would show the version that was there before.
    """
    return {"read_only": False} if hasattr(store, "read_engine") else {}


def created(store: Any, session: Any, name: str) -> dict[str, datetime]:
    """Return the numbers of a registered model's versions with the times at which they were made."""
    from mlflow.entities.model_registry.model_version_stages import STAGE_DELETED_INTERNAL
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
    from sqlalchemy import select

    query: Any = select(SqlModelVersion.version, SqlModelVersion.creation_time).where(
        SqlModelVersion.name == name, SqlModelVersion.current_stage != STAGE_DELETED_INTERNAL, *_within(store)
    )
    return {str(number): from_millis(made) for number, made in session.execute(query)}


def _within(store: Any) -> tuple[Any, ...]:
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion

    clauses = getattr(store, "_get_workspace_clauses", None)  # MLflow before 3.10 has no workspaces
    return () if clauses is None else tuple(clauses(SqlModelVersion))


def _hold(session: Any, name: str) -> None:
    """Let nobody else change the model or what refers to it. In every workspace: a name is rarely in two."""
    from mlflow.store.model_registry.dbmodels.models import SqlRegisteredModel
    from sqlalchemy import select, update

    mine: Any = SqlRegisteredModel.name == name
    if session.get_bind().dialect.name == "sqlite":  # it has no row locks: whoever writes first has the database
        same = {"last_updated_time": SqlRegisteredModel.last_updated_time}
        session.execute(
            update(SqlRegisteredModel).where(mine).values(same).execution_options(synchronize_session=False)
        )
    else:
        session.execute(select(SqlRegisteredModel.name).where(mine).with_for_update())
