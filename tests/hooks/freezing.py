"""Real MLflow servers whose artifacts are frozen, and an evidence store that both they and the test write to."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.adapters.key_files import new_key
from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.stores import open_store
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Entry
from tests.bypass.rest import Rest
from tests.hooks.conftest import free_port


@dataclass
class Freezing:
    """A running server; `artifacts` is what it was given as its destination, without `aims:`."""

    folder: Path
    url: str
    artifacts: str
    workspace: str = ""
    prefix: str = ""
    written: list[str] = field(default_factory=list)

    @property
    def rest(self) -> Rest:
        return Rest(self.url + self.prefix, None, {"X-MLFLOW-WORKSPACE": self.workspace} if self.workspace else {})

    @property
    def store(self) -> SqlEvidenceStore:
        return open_store(f"sqlite:///{self.folder}/aims.db", root=self.folder, head_folder=self.folder / "state")

    def say(self, model: str, version: str = "1") -> None:
        """Append a statement about a version; its bytes are of no interest to the freeze."""
        said = f"{model}/{version} {len(self.written)}"
        self.written.append(said)
        payload = Digest.of(said.encode())
        self.store.append(
            Entry(said.encode(), payload, "urn:aims-mlops:check-result:v1", payload, model=model, version=version)
        )

    def log_text(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@contextlib.contextmanager
def freezing_server(
    folder: Path,
    destination: str,
    *,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    guarded: bool = True,
) -> Iterator[Freezing]:
    """Start `mlflow server` with a frozen destination, and stop it with all its workers."""
    port, database = free_port(), f"sqlite:///{folder}/mlflow.db"
    new_key(folder / "keys", "administrator", passphrase=b"of a test")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    command += ["--backend-store-uri", database, "--artifacts-destination", f"aims:{destination}"]
    command += ["--registry-store-uri", f"aims:{database}"] * guarded
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIMS_", "MLFLOW_"))}
    kept |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    kept |= {"AIMS_ADMIN_KEYS": str(folder / "keys" / "administrator.pub.pem"), "AIMS_KEYS": str(folder / "keys")}
    kept |= {"AIMS_STORE": f"sqlite:///{folder}/aims.db", "AIMS_STATE": str(folder / "state")}
    (folder / "state").mkdir()
    prefix = options[options.index("--static-prefix") + 1] if "--static-prefix" in options else ""
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, *options],
            stdout=log,
            stderr=log,
            env={**kept, **(environment or {})},
            cwd=folder,
            start_new_session=True,
        )
        try:
            made = Freezing(folder, f"http://127.0.0.1:{port}", destination, prefix=prefix)
            _wait(made, server)
            yield made
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _wait(made: Freezing, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if made.rest.call("GET", "/health").status == 200:
                return
        if server.poll() is not None:
            break
        time.sleep(0.3)
    pytest.fail(f"the MLflow server did not start:\n{made.log_text()[-4000:]}")


@dataclass(frozen=True)
class Made:
    """A registered version, and where its files lie in the destination."""

    name: str
    run: str
    experiment: str
    folder: str
    """The model's folder, relative to the destination."""

    @property
    def run_folder(self) -> str:
        return f"{self.experiment}/{self.run}/artifacts"


def register(server: Freezing, name: str, *, experiment: str = "0") -> Made:
    """Log a model of two files through the proxy, as a logged model, by raw calls, and enter it in the registry."""
    rest = server.rest
    run = rest.post("runs/create", experiment_id=experiment, start_time=1).ok().json["run"]["info"]["run_id"]
    logged = rest.post("logged-models", experiment_id=experiment, name="model", source_run_id=run).ok().json
    info = logged["model"]["info"]
    folder = proxied(info["artifact_uri"])
    put(server, f"{folder}/MLmodel", b"flavors: {}").ok()
    put(server, f"{folder}/data/weights.bin", b"as checked").ok()
    enter(server, name, info["artifact_uri"])
    return Made(name, run, experiment, folder)


def enter(server: Freezing, name: str, location: str, *, workspace: str = "") -> None:
    """Write a first version into MLflow's tables: no configuration is in force here, so the guard lets none in."""
    place = workspace or server.workspace or "default"
    with contextlib.closing(sqlite3.connect(server.folder / "mlflow.db", timeout=30)) as database, database:
        database.execute(
            "INSERT INTO registered_models (workspace, name, creation_time) VALUES (?, ?, 1)", (place, name)
        )
        database.execute(
            "INSERT INTO model_versions (workspace, name, version, creation_time, current_stage, source, "
            "storage_location, status) VALUES (?, ?, 1, 1, 'None', ?, ?, 'READY')",
            (place, name, location, location),
        )


def proxied(uri: str) -> str:
    """Return the path below the destination of a `mlflow-artifacts:/` URI."""
    return uri.removeprefix("mlflow-artifacts:/").lstrip("/")


def put(server: Freezing, path: str, content: bytes, *, api: str = "api") -> Any:
    return server.rest.call("PUT", f"/{api}/2.0/mlflow-artifacts/artifacts/{path}", content)


def delete(server: Freezing, path: str, *, api: str = "api") -> Any:
    return server.rest.call("DELETE", f"/{api}/2.0/mlflow-artifacts/artifacts/{path}")


def get(server: Freezing, path: str) -> Any:
    return server.rest.call("GET", f"/api/2.0/mlflow-artifacts/artifacts/{path}")
