"""The gate of this server process: one for each registry store that MLflow builds here."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from aims_mlops import server_wiring
from aims_mlops.api import Server, Services
from aims_mlops.errors import RegistryError
from aims_mlops_hooks.mlflow.guard import Guard
from aims_mlops_hooks.mlflow.server.actor import caller, trusted_proxy
from aims_mlops_hooks.mlflow.server.registry import ServerRegistry

_logger = logging.getLogger("aims")

_WORKER = ("_MLFLOW_SERVER_FILE_STORE", "_MLFLOW_SERVER_REGISTRY_STORE")
"""What MLflow sets in the environment of its server's workers."""

ATTRIBUTE = "aims_server"
"""Where a guarded store of a server keeps its `Gate`."""


def in_server() -> bool:
    """Whether this process serves a registry: a worker of MLflow's server."""
    return any(os.environ.get(name) for name in _WORKER)


class Gate:
    """What one guarded store of this process decides with; built when it is first asked, or by `open`."""

    def __init__(self, *, inside: Callable[[str], bool] = lambda _uri: True) -> None:
        self._inside = inside
        self._store: Any = None
        self._lock = threading.Lock()
        self._made: Server | None = None

    def serves(self, store: Any) -> None:
        """Take the store that is guarded."""
        self._store = store
        setattr(store, ATTRIBUTE, self)

    def guard(self) -> Guard:
        """Return the guard that asks this gate."""
        return Guard(lambda _registry: self.open().gatekeeper(say=_logger.warning), server=True)

    def open(self) -> Server:
        """Return what decides; raises an `AimsError` for each setting that is missing or wrong."""
        with self._lock:
            if self._made is None:
                proxy = trusted_proxy()
                registry = ServerRegistry(self._store, inside=self._inside)
                self._made = server_wiring.server(registry, caller=lambda: caller(proxy))
            return self._made

    def services(self) -> Services:
        """Return the use cases' services under the configuration in force, for the present caller."""
        return self.open().now()


def this_servers_gate() -> Gate:
    """Return the gate of the registry store that this server process uses; `RegistryError` where none is guarded."""
    from mlflow.server.handlers import _get_model_registry_store

    gate = getattr(_get_model_registry_store(), ATTRIBUTE, None)
    if not isinstance(gate, Gate):
        raise RegistryError(
            "this MLflow server does not guard its registry",
            hint="start it with aims server, or with --registry-store-uri aims:…",
        )
    return gate


def server_services() -> Services:
    """Return the services of this server process, for the present caller."""
    return this_servers_gate().services()
