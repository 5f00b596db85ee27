"""A gate client in CI installs the core and nothing else: how large that is, and that it decides."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import BIN, ROOT, Income
from tests.hooks.conftest import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("income")]

LARGEST = 120_000_000
"""Bytes that the core and all that it needs may take when installed."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the project's MLflow database, and its artifacts through the server."""
    port = free_port()
    command: list[str | Path] = [BIN / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "kept")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
        try:
            deadline = time.monotonic() + 120
            while not _healthy(port):
                assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
                assert time.monotonic() < deadline, "the MLflow server did not start"
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:  # our own
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the client's lock and our wheel."""
    uv = BIN / "uv"
    if not uv.exists():
        pytest.skip("no uv beside this Python: `make dev` installs it")
    folder = tmp_path_factory.mktemp("core")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    sync: list[str | Path] = [
        uv,
        "pip",
        "sync",
        "--quiet",
        "--python",
        python,
        "--require-hashes",
        ROOT / "requirements-client.lock",
    ]
    synced = subprocess.run(sync, capture_output=True, text=True, check=False)
    if synced.returncode != 0 and not os.environ.get("AIMS_REQUIRE_SERVERS"):
        pytest.skip(f"the client's lock cannot be installed here: {synced.stderr.strip()[-200:]}")
    assert synced.returncode == 0, synced.stderr
    build: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel], check=True)
    return folder / "env"


def test_the_core_is_small(core: Path) -> None:
    size = sum(path.stat().st_size for path in (core / "lib").rglob("*") if path.is_file() and not path.is_symlink())
    assert size <= LARGEST, f"{size / 1e6:.0f} MB installed"
    assert size > LARGEST / 4, "something is missing"


def test_the_gate_works_against_a_server_with_the_core_alone(core: Path, income: Income, tmp_path: Path) -> None:
    project = income.copy(tmp_path / "project")
    with served(project.folder) as address:
        over_http = Income(project.folder, project.environment | {"MLFLOW_TRACKING_URI": address})
        for kind in ("unfair", "fair"):
            assert over_http.python("train.py", kind).returncode == 0
        for version, verdict, code in (("1", "denied", 1), ("2", "allowed", 0)):
            done = subprocess.run(
                [core / "bin" / "aims", "gate", f"income/{version}", "--to", "champion", "--format", "json"],
                cwd=project.folder,
                env=over_http.environment | {"PYTHONPATH": ""},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == code, done.stderr
            decision = json.loads(done.stdout)
            assert decision["verdict"] == verdict
            shut = [r["id"] for r in decision["requirements"] if r["required"] and r["status"] != "passed"]
            assert shut == ([] if code == 0 else ["parity-by-sex"])
