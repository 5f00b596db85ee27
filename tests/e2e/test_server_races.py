"""Many at once, and killed at any point: nothing is lost, and nothing is promoted without decision and evidence."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.stores import open_store
from aims_mlops.evidence.log import walk
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.digest import Digest
from tests.bypass.conftest import Guarded, databases, guarded_server
from tests.bypass.project import PASSPHRASE, Project, RealEvidence
from tests.bypass.scene import Scene
from tests.bypass.servers import Corner, Server, serve
from tests.e2e.conftest import ROOT
from tests.e2e.racer import NAME

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("races")]

PROCESSES = 10
ROUNDS, WITH_HTTP = (194, 6) if os.environ.get("AIMS_BYPASS") == "all" else (20, 2)
"""Rounds of killing, two hundred where everything is asked for; a few with the whole server, which starts slowly."""


@dataclass(frozen=True)
class Said:
    """One statement of the log, opened: what it says, and at which leaf."""

    place: int
    payload: str
    kind: str
    model: str | None
    version: str | None
    body: Mapping[str, Any]


@dataclass
class Log:
    """The log of a project: walked and verified as a whole at each look, its new statements opened."""

    project: Project
    opened: list[Said] = field(default_factory=list)

    def look(self) -> list[Said]:
        store = open_store(self.project.store, root=self.project.folder, head_folder=self.project.state)
        try:
            leaves = list(store.leaves())
            walked = walk(leaves, registry_id=store.registry_id(), head=store.head())
            assert not walked.faults, walked.faults
            known = len(self.opened)
            self.opened += [_opened(store, place, leaf) for place, leaf in enumerate(leaves[known:], start=known)]
        finally:
            store.close()
        return self.opened


def _opened(store: SqlEvidenceStore, place: int, leaf: bytes) -> Said:
    payload = Digest(json.loads(leaf)["payload"])
    envelope = store.envelope(payload)
    assert envelope is not None, f"leaf {place} has no envelope"
    statement = Statement.from_bytes(base64.b64decode(json.loads(envelope)["payload"]))
    header = statement.header
    return Said(place, payload, statement.kind, header.model, header.version, statement.body)


def hold(log: list[Said], name: str, standing: str | None) -> None:
    """Hold the log to: each decision rests on evidence before it, each promotion on a decision, what stands too."""
    results = {said.payload: said for said in log if said.kind == "check-result"}
    latest: dict[str | None, Said] = {}
    for said in (one for one in log if one.model == name):
        if said.kind == "gate-decision" and said.body["act"] == "remove":
            latest.clear()
        elif said.kind == "gate-decision" and said.body["verdict"] == "allowed":
            for requirement in said.body["requirements"]:
                if requirement["kind"] == "check":
                    assert results[requirement["evidence"]].place < said.place
            latest[said.version] = said
        elif said.kind == "promotion":
            assert said.version in latest, f"leaf {said.place} promotes {name}/{said.version} without a decision"
    assert standing is None or standing in latest, f"{name}/{standing} is champion, and no decision allows it"


def _standing(server_sql: Any, name: str) -> str | None:
    found = server_sql("select version from registered_model_aliases where name = :name", name=name)
    return str(found[0][0]) if found else None


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    corner = Corner("uvicorn", "postgresql", workers=2)
    with guarded_server(corner, tmp_path_factory.mktemp("races")) as made:
        yield made


def test_ten_processes_that_register_and_promote_lose_nothing(postgres: Guarded) -> None:
    server, project = postgres.server, postgres.project
    scene = postgres.scene("race")
    assert server.experiment
    scene.rest.post("registered-models/create", name=NAME).ok()
    environment = {**os.environ, "AIMS_KEY_PASSPHRASE": PASSPHRASE, "AIMS_STORE": server.url, "PYTHONPATH": str(ROOT)}
    environment |= {"MLFLOW_TRACKING_URI": server.url, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.e2e.racer", server.url, "2"]
    running = [
        subprocess.Popen(
            command, cwd=project.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    answers = []
    for process in running:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err[-3000:]
        answers.append(json.loads(out))
    registered = [version for one in answers for version in one["registered"]]
    assert len(set(registered)) == len(registered) == PROCESSES * 4
    for version in registered:
        assert scene.rest.get("model-versions/get", name=NAME, version=version).status == 200, version
    denied = [item for one in answers for item in one["denied"]]
    assert {status for _, status, _ in denied} == {403}, denied
    promoted = [item for one in answers for item in one["promoted"]]
    assert {status for _, status, _ in promoted} == {200}, [item for item in promoted if item[1] != 200]

    log = Log(project).look()
    payloads = {said.payload for said in log}
    evidence = {digest for one in answers for digest in one["evidence"]}
    assert len(evidence) == PROCESSES * 2
    assert evidence <= payloads
    acted = [said.version for said in log if said.kind == "promotion" and said.model == NAME]
    assert sorted(map(str, acted)) == sorted(version for version, *_ in promoted)
    hold(log, NAME, _standing(server.sql, NAME))


def test_a_store_that_is_killed_at_any_point_promotes_nothing_without_decision(tmp_path: Path) -> None:
    with guarded_server(Corner(), tmp_path) as guarded:
        scene = guarded.scene("killed")
        good = [scene.checked().number, scene.checked().number]
        scene.model()
        server, project = guarded.server, guarded.project
    database = server.database
    environment = {**os.environ, **project.server_environment(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-m", "tests.e2e.killed_worker", database, "3", str(ROUNDS)]
    environment |= {"_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"aims:{server.artifacts}"}
    environment |= {"_MLFLOW_SERVER_SERVE_ARTIFACTS": "true"}
    log, left = Log(project), list[str | None]()
    with subprocess.Popen(
        [*command, scene.name, *good],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        for number in range(ROUNDS):
            line = worker.stdout.readline()
            assert line == "killed\n", f"round {number}: {line!r}"
            left.append(_standing(server.sql, scene.name))
            hold(log.look(), scene.name, left[-1])
            worker.stdin.write("go on\n")
            worker.stdin.flush()
    assert worker.returncode == 0
    assert len(left) == ROUNDS
    assert {None, good[0]} <= set(left), "the rounds ended at one point only"
    assert [said for said in log.opened if said.kind == "promotion"]


def test_a_server_that_is_killed_at_any_point_promotes_nothing_without_decision(tmp_path: Path) -> None:
    chance = random.Random(7)
    with databases("sqlite", tmp_path) as (mlflow, aims):
        project = Project(tmp_path / "project", aims)
        project.write()
        log, names = Log(project), None
        for _ in range(WITH_HTTP):
            with serve(Corner(), tmp_path / "server", mlflow, guarded=True, **project.server_environment()) as server:
                if names is None:
                    names = _prepared(project, server)
                _promote_until_killed(server, *names, after=chance.uniform(0.2, 3))
            hold(log.look(), names[0], _standing(server.sql, names[0]))


def _prepared(project: Project, server: Server) -> tuple[str, list[str]]:
    with server.credentials():
        place = {"AIMS_STORE": project.store, "MLFLOW_TRACKING_URI": server.url}
        project.aims("--as", "risk-officer", "apply", **place)
    scene = Scene(server, "stopped", RealEvidence(project, server, server.url))
    good = [scene.checked().number, scene.checked().number]
    return scene.name, [*good, scene.model().number]


def _promote_until_killed(server: Server, name: str, versions: list[str], *, after: float) -> None:
    """Promote from four threads, two good versions and a bad one, until the server is killed with all its workers."""
    stop = threading.Event()

    def ask(number: int) -> None:
        while not stop.is_set():
            with suppress(OSError, Exception):
                server.rest.post("registered-models/alias", name=name, alias="champion", version=versions[number % 3])
                if number == 3:
                    server.rest.delete("registered-models/alias", name=name, alias="champion")

    callers = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    time.sleep(after)
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(30)
    stop.set()
    for caller in callers:
        caller.join(30)
