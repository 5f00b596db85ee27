"""Guards MLflow's registry stores in this process, for code that names its registry itself.

The classes' own methods are replaced, not MLflow's fluent functions: those are several, and one call of a store stands
behind all of them. MLflow's `safe_patch` is no help here, since it logs what a patch raises and goes on.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

from aims_mlops_hooks.mlflow.guard import HANDLERS, Gatekeeper, Guard, around

_STORES = (
    ("mlflow.store.model_registry.rest_store", "RestStore"),
    ("mlflow.store.model_registry.sqlalchemy_store", "SqlAlchemyStore"),
    ("mlflow.store.model_registry.file_store", "FileStore"),
)
_MANAGED = ("databricks", "uc")

_replaced: list[tuple[type, str, Any]] = []
"""What stood in the classes before: class, method, and its own attribute or None where it was inherited."""


def autolog(gatekeeper: Callable[[str | None], Gatekeeper], *, disable: bool = False) -> None:
    """Guard every registry store that MLflow has here; `disable` restores what was there. Calling again is harmless.

    `gatekeeper` makes the one for a registry's URI; that of the last call counts. Warns where the current registry is
    a managed one, which has a store of its own and cannot be guarded from a client.
    """
    _restore()
    if disable:
        return
    guard = Guard(gatekeeper)
    for module, name in _STORES:
        try:
            store = getattr(importlib.import_module(module), name)
        except ImportError:  # a small MLflow has no SQL stores: nobody can use what is not there
            continue
        _guard(store, guard)
    _warn_of_managed_registry()


def _guard(store: type, guard: Guard) -> None:
    for method, handler in HANDLERS.items():
        _replaced.append((store, method, vars(store).get(method)))
        setattr(store, method, around(getattr(store, method), handler, guard))


def _restore() -> None:
    while _replaced:
        store, method, own = _replaced.pop()
        if own is None:
            delattr(store, method)
        else:
            setattr(store, method, own)


def _warn_of_managed_registry() -> None:
    import mlflow

    uri = str(mlflow.get_registry_uri() or "")
    if uri.partition(":")[0].partition("-")[0] in _MANAGED:
        warnings.warn(
            f"aims cannot guard the managed registry {uri.partition('://')[0]!r} from a client: registrations "
            "there are not checked, and promotions are not refused. Run aims gate in the release pipeline.",
            stacklevel=3,
        )
