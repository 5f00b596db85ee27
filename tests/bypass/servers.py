"""Real MLflow servers, plain and guarded, one per configuration."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import create_engine, text

from tests.bypass.rest import Rest
from tests.hooks.conftest import free_port

ADMIN = ("admin", "a password for tests")
START = 240
"""Seconds that a server may take: eight workers may start at the same time on two cores."""


@dataclass(frozen=True)
class Corner:
    """One configuration of a server."""

    web: str = "uvicorn"
    database: str = "sqlite"
    auth: bool = False
    workspaces: bool = False
    prefix: str = ""
    workers: int = 1

    def __str__(self) -> str:
        words = [self.web, self.database, "basic-auth" if self.auth else "no-auth"]
        return "-".join(words + ["workspaces"] * self.workspaces + ["prefix"] * bool(self.prefix))


@dataclass(frozen=True)
class Server:
    """A running server, and what somebody with access to its machine has."""

    corner: Corner
    folder: Path
    url: str
    database: str
    artifacts: Path
    process: subprocess.Popen[bytes]
    guarded: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    workspace: str = ""

    @property
    def user(self) -> tuple[str, str] | None:
        """The administrator, where the server asks for a user: the strongest caller there is."""
        return ADMIN if self.corner.auth else None

    @cached_property
    def rest(self) -> Rest:
        return Rest(self.url, self.user, {"X-MLFLOW-WORKSPACE": self.workspace} if self.workspace else {})

    @cached_property
    def experiment(self) -> str:
        """The experiment that all attempts put their runs into."""
        name = f"bypass-{self.workspace}" if self.workspace else "bypass"
        made: str = self.rest.post("experiments/create", name=name).ok().json["experiment_id"]
        return made

    def within(self, workspace: str) -> Server:
        """Return the same server, spoken to in another workspace, which is made."""
        made = self.rest.call("POST", "/api/3.0/mlflow/workspaces", {"name": workspace})
        assert made.status in (200, 201), made.text
        return replace(self, workspace=workspace)

    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.url, self.url)

    def sql(self, statement: str, **values: object) -> list[Any]:
        """Do something to MLflow's database behind its back."""
        engine = create_engine(self.database)
        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement), values)
                return list(result.all()) if result.returns_rows else []
        finally:
            engine.dispose()

    @contextlib.contextmanager
    def credentials(self) -> Iterator[None]:
        """Let MLflow's client in this process be the administrator; nothing else of its environment steers it."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIMS_", "MLFLOW_"))}
        kept |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        kept |= {"MLFLOW_WORKSPACE": self.workspace} if self.workspace else {}
        if self.user is not None:
            kept |= {"MLFLOW_TRACKING_USERNAME": self.user[0], "MLFLOW_TRACKING_PASSWORD": self.user[1]}
        with patch.dict(os.environ, kept, clear=True):
            yield


@contextlib.contextmanager
def serve(
    corner: Corner,
    folder: Path,
    database: str,
    *,
    options: Sequence[str] = (),
    guarded: bool = False,
    **environment: str,
) -> Iterator[Server]:
    """Start `mlflow server`, wait until it answers, and stop it with all its workers at the end.

    A guarded one gets `aims:` before its registry and its artifacts, and `--app-name aims`; `environment` is added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, artifacts = free_port(), folder / "artifacts"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(corner.workers)]
    command += ["--backend-store-uri", database, *options]
    command += ["--artifacts-destination", f"aims:{artifacts}" if guarded else str(artifacts)]
    command += ["--registry-store-uri", f"aims:{database}"] * guarded
    command += ["--gunicorn-opts", "--timeout 120"] * (corner.web == "gunicorn")
    command += ["--enable-workspaces"] * corner.workspaces
    command += ["--static-prefix", corner.prefix] * bool(corner.prefix)
    if guarded or corner.auth:
        command += ["--app-name", "aims" if guarded else "basic-auth"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIMS_", "MLFLOW_"))}
    kept |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    kept |= {"MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}  # a test's webhook points to an address for documentation
    kept |= _auth(folder) if corner.auth else {}
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env=kept | environment, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}{corner.prefix}"
            made = Server(corner, folder, url, database, artifacts, process, guarded, environment)
            wait(made)
            if corner.auth:
                _cheap_password(folder)
            yield made
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)


def _auth(folder: Path) -> dict[str, str]:
    config = folder / "auth.ini"
    config.write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{folder}/auth.db\n"
        f"admin_username = {ADMIN[0]}\nadmin_password = {ADMIN[1]}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    return {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret for tests"}


def _cheap_password(folder: Path) -> None:
    """Keep the administrator's password in a form that costs nothing to compare: each of thousands of calls does."""
    from werkzeug.security import generate_password_hash

    cheap = generate_password_hash(ADMIN[1], method="pbkdf2:sha256:1")
    with closing(sqlite3.connect(folder / "auth.db")) as database:
        changed = database.execute("update users set password_hash = ? where username = ?", (cheap, ADMIN[0]))
        assert changed.rowcount == 1
        database.commit()


def wait(server: Server) -> None:
    """Wait until the server answers; fail with the end of its log where it does not."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if server.rest.call("GET", "/health").status == 200:
                return
        if server.process.poll() is not None:
            break
        time.sleep(0.3)
    log = (server.folder / "server.log").read_text(errors="replace")
    pytest.fail(f"the MLflow server {server.corner} did not start:\n{log[-4000:]}")
