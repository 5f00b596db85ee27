"""The attempts against plain MLflow: each must get through there, or its failing elsewhere would say nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bypass.attempts.every import ATTEMPTS
from tests.bypass.legitimate import LEGITIMATE
from tests.bypass.scene import NoEvidence, Scene
from tests.bypass.servers import Corner, Server, serve
from tests.bypass.suite import broken, tried

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bypass-plain")]


ALL = pytest.mark.skipif(
    os.environ.get("AIMS_BYPASS") != "all",
    reason="AIMS_BYPASS=all asks for it: what plain MLflow does changes with MLflow alone",
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("plain")
    with serve(Corner(), folder, f"sqlite:///{folder}/mlflow.db") as server:
        yield server


@ALL
def test_plain_mlflow_lets_each_attempt_through(plain: Server) -> None:
    outcomes = tried(
        lambda token: Scene(plain, token, NoEvidence(plain)), [one for one in ATTEMPTS.values() if not one.workspaces]
    )
    held = [str(outcome) for outcome in outcomes if not outcome.promoted]
    assert not held, f"{len(held)} of {len(outcomes)} attempts do nothing:\n" + "\n".join(held)


@ALL
def test_plain_mlflow_with_workspaces_lets_each_attempt_through(tmp_path: Path) -> None:
    with serve(Corner(workspaces=True, prefix="/mlflow"), tmp_path, f"sqlite:///{tmp_path}/mlflow.db") as server:
        outcomes = tried(
            lambda token: Scene(server, token, NoEvidence(server)), [one for one in ATTEMPTS.values() if one.workspaces]
        )
    held = [str(outcome) for outcome in outcomes if not outcome.promoted]
    assert not held, "\n".join(held)


@ALL
def test_plain_mlflow_carries_out_each_legitimate_operation(plain: Server) -> None:
    failed = broken(lambda token: Scene(plain, token, NoEvidence(plain)), LEGITIMATE.values())
    assert not failed, f"{len(failed)} of {len(LEGITIMATE)} operations do not work:\n" + "\n".join(failed)
