"""`aims server` as an operator starts it, `aims doctor` as anybody looks at it, and when it does not start at all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bypass.project import PASSPHRASE, Project
from tests.hooks.conftest import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("aims-server"), pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("operated")
    made = Project(folder / "project", f"sqlite:///{folder}/aims.db")
    made.write()
    return made


def options(project: Project, **changes: str) -> list[str]:
    """Return the options of `aims server`; an empty one is left out."""
    base = project.folder.parent
    given = {
        "--backend-store-uri": f"sqlite:///{base}/mlflow.db",
        "--artifacts-destination": str(base / "artifacts"),
        "--store": project.store,
        "--state": str(project.state),
        "--keys": str(project.folder / "keys"),
        "--admin-keys": str(project.folder / "keys" / "risk-officer.pub.pem"),
        "--workers": "1",
    } | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return [word for name, value in given.items() if value for word in (name, value)]


def dry_run(project: Project, *, expect: int = 0, person: str = "server", **changes: str) -> Any:
    return project.aims("--as", person, "server", *options(project, **changes), "--dry-run", expect=(expect,))


@pytest.fixture(scope="module")
def url(project: Project) -> Iterator[str]:
    """A server that `aims server` started."""
    port = free_port()
    command = [sys.executable, "-m", "aims_mlops", "--as", "server", "server", *options(project, port=str(port))]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIMS_", "MLFLOW_"))}
    kept |= {"AIMS_KEY_PASSPHRASE": PASSPHRASE, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true"}
    log = project.folder.parent / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, cwd=project.folder, env=kept, start_new_session=True)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, server, log)
            yield address
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(480):
        assert server.poll() is None, log.read_text()
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(f"{address}/health"):  # noqa: S310
            return
        time.sleep(0.5)
    raise AssertionError(log.read_text())


def test_the_command_is_printed_and_nothing_started(project: Project) -> None:
    said = dry_run(project)
    assert f"-m mlflow server --backend-store-uri sqlite:///{project.folder.parent}/mlflow.db" in said.out
    assert f"--registry-store-uri aims:sqlite:///{project.folder.parent}/mlflow.db" in said.out
    assert f"AIMS_STATE={project.state}" in said.out
    assert PASSPHRASE not in said.out + said.err


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"admin_threshold": "2"}, 2, "AIMS_ADMIN_THRESHOLD is 2, but AIMS_ADMIN_KEYS names 1 key"),
        ({"registry_store_uri": "http://mlflow:5000"}, 2, "the registry http://mlflow:5000 is no database"),
        ({"trusted_proxy": "X-User"}, 2, "does not name a proxy"),
        ({"store": "sqlite:////nowhere/aims.db"}, 3, "nowhere"),
    ],
)
def test_a_server_that_could_not_enforce_does_not_start(
    project: Project, changes: dict[str, str], code: int, says: str
) -> None:
    assert says in dry_run(project, expect=code, **changes).err


def test_a_server_without_a_name_to_sign_with_does_not_start(project: Project) -> None:
    said = project.aims("server", *options(project), "--dry-run", expect=(2,))
    assert "nobody to sign as: a server signs its decisions with a key of its own" in said.err


def test_doctor_sees_that_the_server_enforces_and_what_is_still_missing(project: Project, url: str) -> None:
    said = project.aims("--registry-uri", url, "doctor", MLFLOW_TRACKING_URI=url)
    assert f"{url} enforces the gate" in said.out
    assert "refused the forbidden call, as it must" in said.out
    assert "a second MLflow server on the same database or bucket" in said.out
    project.aims("--as", "risk-officer", "apply", MLFLOW_TRACKING_URI=url)
    wire = project.aims("--registry-uri", url, "doctor", "--format", "json", MLFLOW_TRACKING_URI=url).json
    states = {item["subject"]: item["state"] for item in wire["findings"]}
    assert (wire["schema"], wire["enforces"]) == ("aims.doctor/1", True)
    assert (states["server"], states["configuration"], states["freeze"]) == ("ok", "ok", "ok")


def test_a_server_whose_key_the_applied_policy_does_not_trust_does_not_start_again(project: Project, url: str) -> None:
    said = dry_run(project, expect=2, person="risk-officer")
    assert "does not trust risk-officer for a gate-decision" in said.err


def test_doctor_says_that_a_database_enforces_nothing(project: Project) -> None:
    said = project.aims("--registry-uri", f"sqlite:///{project.folder.parent}/mlflow.db", "doctor", expect=(1,))
    assert "does NOT enforce the gate" in said.out
    assert "start aims server on it" in said.out
