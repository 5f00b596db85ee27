"""The freeze inside one server process: what is frozen there, the repository of the destination, and who is guarded.

Armed by the mere import of `artifact_store` in a process that `mlflow server --artifacts-destination aims:…` started,
since MLflow loads that before it serves anything: a worker that never touched its own destination is guarded too.
"""

from __future__ import annotations

import functools
import inspect
import posixpath
from typing import Any
from urllib.parse import urlparse

from aims_mlops_hooks.mlflow.freeze import FrozenVersions, Judge
from aims_mlops_hooks.mlflow.freeze_locations import listen
from aims_mlops_hooks.mlflow.freeze_places import Place, destination, proxied_path
from aims_mlops_hooks.mlflow.freeze_repository import frozen_class, guard_plain_class
from aims_mlops_hooks.mlflow.freeze_sources import LogEvidence, RegisteredVersions

_NO_STORAGE = ("runs", "models", "http", "https", "mlflow-artifacts", "aims", "dbfs")
"""Schemes that lead to another repository, or for which MLflow has no class to derive from."""


def arm() -> None:
    """Guard MLflow's plain repositories and its tables of locations in this process, if its server freezes anything."""
    root = destination()
    if root is None:
        return
    for scheme in ("file", _scheme(root)):
        base = _registered().get(scheme)
        if inspect.isclass(base):
            guard_plain_class(base, judge)
    listen(lambda: Place.of(root))


@functools.cache
def judge() -> Judge | None:
    """Return the judge of this process; None where it freezes nothing. Reads nothing before it is asked."""
    root = destination()
    if root is None:
        return None
    place = Place.of(root)
    return Judge(place, FrozenVersions(LogEvidence(), RegisteredVersions(place)))


def repository(below: str, tracking_uri: str | None, registry_uri: str | None) -> Any:
    """Return the repository of the destination, or of a folder below: MLflow's own class, its changes judged first.

    Raises MlflowException INVALID_PARAMETER_VALUE for a scheme that names no storage of its own.
    """
    root = destination() or ""
    scheme = _scheme(root)
    base = _registered().get(scheme)
    if not root or scheme in _NO_STORAGE or not inspect.isclass(base):
        from mlflow.exceptions import MlflowException

        raise MlflowException.invalid_parameter_value(
            f"[aims] an artifact destination of the scheme {scheme!r} cannot be frozen\n"
            "Next: write aims:/a/folder or aims:s3://bucket/prefix"
        )
    derived = _derived(_registered()[scheme], whole=not below)
    uri = posixpath.join(root, below) if below else root
    return derived(uri, tracking_uri=tracking_uri, registry_uri=registry_uri)


def stored_inside(location: str) -> bool:
    """Whether the files at a version's location are frozen here, or nothing is frozen in this process at all.

    `location` is what the registry has as the version's storage location, `runs:` and `models:` resolved. A proxied
    one that names a host is outside: clients read from that host, whichever it is.
    """
    root = destination()
    if root is None:
        return True
    ours = proxied_path(location) is not None and not urlparse(location).netloc
    return ours or Place.of(location).within(Place.of(root))


@functools.cache
def _derived(base: Any, *, whole: bool) -> Any:
    found = judge()
    assert found is not None
    return frozen_class(base, found, whole=whole)


def _registered() -> dict[str, Any]:
    # By the object and not by its function: while MLflow loads this module, the function is not defined yet.
    from mlflow.store.artifact import artifact_repository_registry

    registry = artifact_repository_registry._artifact_repository_registry  # noqa: SLF001
    return dict(registry._registry)  # noqa: SLF001


def _scheme(uri: str) -> str:
    from mlflow.utils.uri import get_uri_scheme

    return str(get_uri_scheme(uri)) or "file"  # type: ignore[no-untyped-call]  # MLflow's own
