"""How this worker of an MLflow server stands: whether the gate is really in it. No secrets, no paths."""

from __future__ import annotations

import os
from importlib.metadata import version as installed_version
from typing import Any

from aims_mlops.errors import AimsError


def health() -> dict[str, Any]:
    """Return what `/aims/api/v1/health` answers: see `openapi.py` for each word. Never raises for what is wrong."""
    from mlflow.server.handlers import _get_artifact_repo_mlflow_artifacts, _get_model_registry_store
    from mlflow.version import VERSION

    from aims_mlops_hooks.mlflow.server.gatekeeper import in_server

    guarded = _is_ours(_get_model_registry_store)
    configuration, problem = _configuration()
    return {
        "version": installed_version("aims-mlops"),
        "mlflow": VERSION,
        "mode": "server" if in_server() and guarded else "client",
        "guarded": guarded,
        "configuration": configuration,
        "authentication": _authentication(),
        "freeze": _is_ours(_get_artifact_repo_mlflow_artifacts),
        "problem": problem,
    }


def _is_ours(get: Any) -> bool:
    """Whether what this worker really uses was made by the plugin; asked of the object, not of the command line."""
    from mlflow.exceptions import MlflowException

    try:
        found = get()
    except (KeyError, MlflowException):  # a server that keeps no artifacts, or whose registry cannot be opened
        return False
    return any(base.__module__.startswith("aims_mlops_hooks.") for base in type(found).__mro__)


def _configuration() -> tuple[str | None, str | None]:
    from aims_mlops_hooks.mlflow.server.gatekeeper import this_servers_gate

    try:
        applied = this_servers_gate().open().configuration.current()
    except AimsError as error:
        return None, type(error).__name__
    return f"{applied.sequence} {applied.configuration}", None


def _authentication() -> str | None:
    """Say who vouches for callers in this process, as the running application has it."""
    import flask

    if getattr(flask.g, "mlflow_authenticated_user", None):
        return "basic-auth"
    return "proxy" if os.environ.get("AIMS_TRUSTED_PROXY") else None
