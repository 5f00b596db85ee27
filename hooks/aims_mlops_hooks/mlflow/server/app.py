"""The application that `mlflow server --app-name aims` runs: MLflow's own with the evidence routes in it.

Found by the entry point `mlflow.app`, in each worker of uvicorn, gunicorn or waitress. Importing this module imports
neither MLflow nor Flask. Nothing is enforced here: the gate is in the registry store, which every application uses.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aims_mlops.errors import ConfigError, RegistryError, UsageError

if TYPE_CHECKING:
    from flask import Flask

    from aims_mlops.api import Intake

AUTH = "AIMS_AUTH"
"""The environment variable that names MLflow's authentication: `basic-auth`, or nothing."""

BASIC_AUTH = "basic-auth"


def create_app() -> Any:
    """Return what a worker serves: ASGI under uvicorn, else WSGI. Raises `ConfigError` for an unknown AIMS_AUTH.

    With `AIMS_AUTH=basic-auth` MLflow's authentication stands before everything: any authenticated user may read and
    hand in evidence, and nobody else.
    """
    auth = os.environ.get(AUTH, "")
    if auth not in ("", BASIC_AUTH):
        raise ConfigError(f"{AUTH} is {auth!r}", hint=f"write {AUTH}={BASIC_AUTH}, or leave it out")
    from mlflow.server import app

    attach(app)
    if auth:
        from mlflow.server.auth import create_app as with_basic_auth

        made = with_basic_auth(app)
        _let_users_in()
        return made
    from mlflow.environment_variables import _MLFLOW_SGI_NAME

    if _MLFLOW_SGI_NAME.get() == "uvicorn":  # type: ignore[no-untyped-call]  # MLflow's own
        from mlflow.server.fastapi_app import create_fastapi_app

        return create_fastapi_app(app)
    return app


def wrap(app: Any) -> Any:
    """Put the evidence routes into an application that another plugin made, and return it.

    Takes a Flask application, or an ASGI one (FastAPI, Starlette) that has MLflow's Flask application mounted. Who may
    call is for that application to say: its own authentication has to cover `/aims/api`. Raises `UsageError` where no
    Flask application is found in it.
    """
    attach(_flask_in(app))
    return app


def attach(app: Flask, *, intake: Callable[[], Intake] | None = None) -> None:
    """Register the routes with a Flask application, once; `intake` is this server's own unless another is given."""
    from aims_mlops_hooks.mlflow.server.evidence_api import blueprint
    from aims_mlops_hooks.mlflow.server.health import health

    if "aims" not in app.blueprints:
        app.register_blueprint(blueprint(intake or _this_servers, health, prefix=static_prefix()))


def static_prefix() -> str:
    """Return MLflow's static prefix, without a slash at its end."""
    return os.environ.get("_MLFLOW_STATIC_PREFIX", "").rstrip("/")


def _this_servers() -> Intake:
    from aims_mlops.api import Intake
    from aims_mlops_hooks.mlflow.server.gatekeeper import this_servers_gate

    server = this_servers_gate().open()
    return Intake(
        store=server.store,
        services=server.now,
        clock=lambda: datetime.now(UTC),
        administrators=server.configuration.administrators.keys,
        within=_within,
    )


@contextmanager
def _within(workspace: str) -> Iterator[None]:
    """Let the registry be read in a workspace; the statement says which, and the request may have another."""
    from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
    from mlflow.exceptions import MlflowException
    from mlflow.utils.workspace_context import get_request_workspace, set_server_request_workspace

    if not MLFLOW_ENABLE_WORKSPACES.get():  # type: ignore[no-untyped-call]  # MLflow's own
        yield
        return
    with ExitStack() as entered:
        try:
            before = get_request_workspace()
            set_server_request_workspace(workspace)
            entered.callback(set_server_request_workspace, before)
        except MlflowException as error:
            raise RegistryError(f"the workspace {workspace!r}: {error.message}", hint="see its name") from error
        yield


def _flask_in(app: Any) -> Flask:
    from flask import Flask

    seen: list[Any] = [app]
    for found in seen:
        if isinstance(found, Flask):
            return found
        within = [getattr(found, "app", None), *(getattr(route, "app", None) for route in getattr(found, "routes", ()))]
        seen += [inner for inner in within if inner is not None and not any(inner is one for one in seen)]
    raise UsageError(
        f"no Flask application of MLflow's is in a {type(app).__name__}",
        hint="wrap the application that your plugin makes from mlflow.server.app, before it serves",
    )


def _let_users_in() -> None:
    """Tell MLflow's basic-auth that any authenticated user may call the routes; else it lets in administrators only."""
    from mlflow.server import auth

    from aims_mlops_hooks.mlflow.server.openapi import PREFIX, ROUTES

    validators: dict[tuple[str, str], Callable[[], bool]] = auth.BEFORE_REQUEST_VALIDATORS
    validators.update(_allowed(ROUTES, static_prefix() + PREFIX))


def _allowed(routes: Mapping[str, Mapping[str, str]], root: str) -> dict[tuple[str, str], Callable[[], bool]]:
    return {(root + path, method): lambda: True for path, methods in routes.items() for method in methods}
