"""MLflow's workspaces, which newer servers can have: which there are, and calls that are meant for one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")

_INFO = "/api/3.0/mlflow/server-info"
"""Where a server says whether it has workspaces; one from before there were any does not know the address."""


def present() -> str:
    """Return the workspace that calls are meant for unless told otherwise."""
    try:
        from mlflow.utils.workspace_context import get_request_workspace
    except ImportError:  # an MLflow from before there were any
        return "default"
    return get_request_workspace() or "default"


def inside(workspace: str) -> AbstractContextManager[object]:
    """Return a `with` in which this process's calls are meant for a workspace."""
    if workspace == present():
        return nullcontext()
    from mlflow.utils.workspace_context import WorkspaceContext

    return WorkspaceContext(workspace)


def every(registry_uri: str) -> Iterator[str]:
    """Yield the names of the workspaces at a registry's URI that this user may see; the present one alone without any.

    A database that is opened directly has several only where MLFLOW_ENABLE_WORKSPACES says so here too, as MLflow
    itself has it. Raises what MLflow raises where the registry does not answer.
    """
    found = _listed(registry_uri)
    yield from sorted(found) if found else [present()]


def _listed(registry_uri: str) -> list[str]:
    try:
        from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
        from mlflow.tracking._workspace.client import WorkspaceProviderClient
        from mlflow.utils.uri import get_uri_scheme
    except ImportError:
        return []
    scheme = get_uri_scheme(registry_uri)  # type: ignore[no-untyped-call]  # MLflow's own
    if scheme in ("http", "https"):
        several = _server_has_them(registry_uri)
    else:
        several = scheme in _DATABASES and MLFLOW_ENABLE_WORKSPACES.get()  # type: ignore[no-untyped-call]
    return [str(space.name) for space in WorkspaceProviderClient(registry_uri).list_workspaces()] if several else []


def _server_has_them(uri: str) -> bool:
    """Ask a server. Listing them at one that has none answers 503, which MLflow's client takes for a server away."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request, verify_rest_response

    credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]  # MLflow's own
    answer = http_request(credentials, _INFO, "GET", raise_on_status=False)  # type: ignore[no-untyped-call]
    if answer.status_code in (404, 405, 501):
        return False
    verify_rest_response(answer, _INFO)
    try:
        return bool(answer.json().get("workspaces_enabled"))
    except (ValueError, AttributeError):  # a page for people, from something that answers every address
        return False
