"""The `aims:` scheme of MLflow's registry URIs: any other registry URI with the guard in front of it.

`MLFLOW_REGISTRY_URI=aims:http://mlflow:5000` or `aims:sqlite:///mlflow.db`. MLflow loads this module in every process
that uses a model registry, so importing it does nothing that can fail.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from aims_mlops_hooks.mlflow.guard import Gatekeeper, Guard, around, join_transactions, unguarded

PREFIX = "aims:"
"""What stands before the registry URI that is guarded."""


def build(store_uri: str, tracking_uri: str | None = None) -> Any:  # noqa: ARG001  # MLflow passes both, by these names
    """Return MLflow's own store for the URI behind `aims:`, its promoting methods guarded.

    HTTP and SQLAlchemy URIs are understood; for any other one raises MlflowException INVALID_PARAMETER_VALUE. In a
    client the configuration is not read before the first guarded call. In a worker of MLflow's server the gate is
    the server's own, and a setting that is missing or wrong shuts it.
    """
    from aims_mlops_hooks.mlflow.server.gatekeeper import Gate, in_server

    if not in_server():
        return guarded_store(store_uri, Guard(project_gatekeeper))
    from aims_mlops_hooks.mlflow.freeze_server import stored_inside

    gate = Gate(inside=stored_inside)
    store = guarded_store(store_uri, gate.guard())
    gate.serves(store)
    return store


def guarded_store(store_uri: str, guard: Guard) -> Any:
    """Return the store behind `aims:` with this guard in front; what a server needs to bring its own gatekeeper."""
    inner = plain_uri(store_uri)
    base, arguments = _base(inner)
    return join_transactions(guarded_class(base, guard)(*arguments))


def plain_uri(store_uri: str) -> str:
    """Return the URI without `aims:`, which may stand there once."""
    return store_uri.removeprefix(PREFIX)


def project_gatekeeper(registry: str | None) -> Gatekeeper:
    """Return the gatekeeper of the project that aims.yaml describes, for one registry."""
    from aims_mlops import wiring

    return wiring.gatekeeper(registry)


def guarded_class(base: type, guard: Guard) -> type:
    """Derive a store class whose promoting methods are guarded and keep the exact signatures of `base`."""
    name = f"Aims{base.__name__}"
    derived = type(name, (base,), {"__doc__": f"{base.__name__} behind the gate.", "__module__": __name__})
    setattr(derived, "unguarded", staticmethod(unguarded))  # noqa: B010  # how a server writes its own pointer tags
    for method, handler in guard.handlers.items():
        setattr(derived, method, around(_inherited(derived, base, method), handler, guard))
    return derived


def _inherited(derived: type, base: type, method: str) -> Callable[..., Any]:
    """Return a function that finds the base's method when called, with that method's signature."""

    @functools.wraps(getattr(base, method))
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(super(derived, self), method)(*args, **kwargs)

    return call


def _base(inner: str) -> tuple[type, tuple[Any, ...]]:
    from mlflow.exceptions import MlflowException
    from mlflow.store.db.db_types import DATABASE_ENGINES
    from mlflow.utils.uri import get_uri_scheme

    scheme = get_uri_scheme(inner)  # type: ignore[no-untyped-call]  # MLflow's own
    if scheme in ("http", "https"):
        from mlflow.store.model_registry.rest_store import RestStore
        from mlflow.utils.credentials import get_default_host_creds

        return RestStore, (functools.partial(get_default_host_creds, inner),)
    if scheme in DATABASE_ENGINES:
        # A read replica that the server has is left out: one that lags behind shows what was there before, and the
        # gate would judge that in place of what is acted on.
        return _sql_class(), (inner,)
    raise MlflowException.invalid_parameter_value(
        f"[aims] the registry URI behind 'aims:' has the scheme {scheme!r}, which cannot be guarded.\n"
        "Next: write aims:http://HOST:PORT, aims:https://…, or aims: before a SQLAlchemy URI such as sqlite:///mlflow.db"
    )


def _sql_class() -> type:
    """Choose between MLflow's SQL stores as MLflow does."""
    from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
    from mlflow.store.model_registry.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore

    several = MLFLOW_ENABLE_WORKSPACES.get()  # type: ignore[no-untyped-call]  # MLflow's own
    return WorkspaceAwareSqlAlchemyStore if several else SqlAlchemyStore
