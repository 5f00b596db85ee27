"""A real MLflow server, a SQLite registry, and a gatekeeper that remembers what it was asked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aims_mlops.api import Gatekeeper, Services
from aims_mlops.errors import Denied
from aims_mlops.model.decision import Refusal
from aims_mlops.model.policy import Promotion
from aims_mlops.model.subject import ModelVersion, Target
from tests.builders import policy, project, system


@dataclass
class FakeGatekeeper:
    """Protects champion, Production and prod.*; allows what the test adds to `allowed`."""

    policy: Promotion = field(default_factory=lambda: Promotion(("champion",), ("Production",), ("prod.*",)))
    allowed: set[tuple[str, str, str]] = field(default_factory=set)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    recorded: list[tuple[str, str, str]] = field(default_factory=list)
    removed: list[tuple[str, str, str]] = field(default_factory=list)
    checked: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    may_remove: bool = True
    unreadable: Exception | None = None
    while_judging: Callable[[], None] = lambda: None
    described: Callable[[str, str], ModelVersion] | None = None
    """How the registry shows a version to whoever judges; None where a server behind this one judges."""
    broken: Exception | None = None

    def protects(self, name: str, target: Target) -> bool:
        if isinstance(self.broken, LookupError):
            raise self.broken
        self._read()
        return self.policy.protects(target)

    def _read(self) -> None:
        if self.unreadable is not None:
            raise self.unreadable

    def claims(self, name: str) -> bool:
        self._read()
        return name in self.claimed

    @contextmanager
    def promotion(self, name: str, versions: Sequence[str], target: Target) -> Iterator[Sequence[ModelVersion]]:
        for version in versions:
            self.asked.append((name, version, str(target)))
            if self.broken is not None:
                raise self.broken
            if (name, version, str(target)) not in self.allowed:
                raise Denied(
                    f"{name}/{version} to {target}: denied, parity-by-sex failed; owner: Income Model Owner",
                    hint=f"aims check {name}/{version}",
                    decision=object(),
                )
        judged = [] if self.described is None else [self.described(name, version) for version in versions]
        self.while_judging()
        yield judged
        self.recorded += [(name, version, str(target)) for version in versions]

    def resembles(self, name: str, target: Target | None) -> str | None:
        self._read()
        made = system(policy(promotion=self.policy), models=tuple(self.claimed))
        keeper = Gatekeeper(lambda: project(made), self._no_services, say=print, show=print)
        return keeper.resembles(name, target)

    @staticmethod
    def _no_services() -> Services:
        raise AssertionError("names are compared without services")

    @contextmanager
    def removal(self, name: str, versions: Sequence[str], target: Target, workspace: str = "") -> Iterator[None]:
        if not self.may_remove:
            raise Denied("removal refused: nobody vouches for the caller", hint="sign in")
        yield
        self.removed += [(name, version, str(target)) for version in versions]

    def refused(self, refusal: Refusal) -> str:
        self.refusals.append(refusal)
        return "decision: sha256:0"

    def registered(self, name: str, version: str) -> None:
        if self.broken is not None:
            raise self.broken
        self.checked.append((name, version))


@pytest.fixture
def gatekeeper() -> FakeGatekeeper:
    return FakeGatekeeper()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True)
        try:
            _wait_for_health(f"http://127.0.0.1:{port}", server, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _wait_for_health(uri: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:  # noqa: S310  # our own, http
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.3)
    pytest.fail(f"the MLflow server did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables, made once: MLflow needs seconds for that."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_registered_models()
    return path


@pytest.fixture
def sqlite_registry(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)  # MLflow puts a new experiment's artifacts below the working folder
    path = tmp_path / "mlflow.db"
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def use_mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Point MLflow's fluent functions at a tracking and a registry URI, and back."""
    import mlflow
    from mlflow.tracking._tracking_service import utils

    # MLflow has no way of unsetting it: setting the default again would make this folder's default everybody's.
    monkeypatch.setattr(utils, "_tracking_uri", utils._tracking_uri)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")

    def use(tracking: str, registry: str) -> None:
        monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
        monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(registry)

    yield use
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_registry_uri("")
    os.environ.pop("MLFLOW_REGISTRY_URI", None)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
