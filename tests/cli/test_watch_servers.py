"""Real MLflow servers without our plugin: what goes round the gate there is found by one `aims watch --once`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, make_url, text

from tests.adapters.homes import postgres_uri
from tests.cli.loans import Answer, Loans
from tests.cli.test_watch import SECRET, watching
from tests.hooks.conftest import _wait_for_health, free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("watch-server"), pytest.mark.filterwarnings("default")]

_WEBHOOKS = {
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_CACHE_TTL": "1",
}


@dataclass
class Team(Loans):
    """A project whose registry is a server: the same commands, over HTTP."""

    server: str = ""
    database: str = ""
    artifacts: Path = Path()

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**{"MLFLOW_TRACKING_URI": self.server, **more})

    def db(self, statement: str, **values: object) -> None:
        """Change the registry's database behind the server's back."""
        engine = create_engine(self.database.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            assert connection.execute(text(statement), values).rowcount == 1
        engine.dispose()

    def client(self) -> Any:
        """A client as anybody has it, without our hooks."""
        from mlflow import MlflowClient

        return MlflowClient(self.server, self.server)

    def upload(self, name: str, files: Path, **environment: str) -> tuple[str, str]:
        """Register a folder as the files of a run, proxied by the server; return the version's label and the run."""
        from mlflow.exceptions import MlflowException

        with self.inside(**environment):
            client = self.client()
            found = client.get_experiment_by_name("loans")
            experiment = client.create_experiment("loans") if found is None else found.experiment_id
            run = client.create_run(experiment)
            client.log_artifacts(run.info.run_id, str(files), "model")
            client.set_terminated(run.info.run_id)
            with suppress(MlflowException):
                client.create_registered_model(name)
            source = f"{run.info.artifact_uri}/model"
            made = client.create_model_version(name, source, run_id=run.info.run_id)
        return f"{name}/{made.version}", run.info.run_id

    def champion(self, name: str = "loan") -> str | None:
        with self.inside():
            held = self.client().get_registered_model(name).aliases.get("champion")
        return None if held is None else str(held)

    def found(self, word: str, *says: str, **environment: str) -> Answer:
        """Look once, and hold what is found to one finding."""
        answer = self.aims("watch", "--once", "--format", "json", expect=4, **environment)
        assert [item["word"] for item in answer.json["findings"]] == [word], answer.out
        return answer.says(*says)

    def put_back(self, *says: str) -> None:
        self.aims("watch", "--once", "--enforce", expect=4).says(*says)
        self.aims("watch", "--once", expect=0)


@contextmanager
def serving(loans: Loans, database: str, *arguments: str) -> Iterator[Team]:
    port, artifacts, log = free_port(), loans.folder / "served", loans.folder / "server.log"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(artifacts), *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIMS_", "MLFLOW_"))}
    environment = {**kept, **_WEBHOOKS, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment, cwd=loans.folder, start_new_session=True
        )
        try:
            _wait_for_health(f"http://127.0.0.1:{port}", server, log)
            yield Team(loans.folder, loans.passphrase, f"http://127.0.0.1:{port}", database, artifacts)
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # what a deleted project's server would still write is nobody's
            server.wait(30)


@contextmanager
def postgres_database() -> Iterator[str]:
    """A fresh database, dropped afterwards."""
    server = make_url(postgres_uri()).set(drivername="postgresql+psycopg")
    name = f"aims_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))
    engine.dispose()


@pytest.fixture
def files(loans: Loans) -> Path:
    """The files of a model that no check of this project loads."""
    folder = loans.folder / "files"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "weights").write_bytes(b"w" * 1000)
    return folder


def prepare(team: Team, files: Path, **environment: str) -> str:
    """Register loan/1 and loan/2, promote the first as one does; return the first one's run."""
    first, run = team.upload("loan", files, **environment)
    (files / "weights").write_bytes(b"other")
    assert (first, team.upload("loan", files, **environment)[0]) == ("loan/1", "loan/2")
    team.aims("check", "loan/1", expect=0, **environment)
    team.aims("promote", "loan/1", "--to", "champion", expect=0, **environment)
    team.aims("watch", "--once", expect=0).says("the registry holds what the log says: 2 places looked at")
    return run


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_each_way_round_a_server_is_found_by_one_look(kind: str, loans: Loans, files: Path) -> None:
    loans.keep_drift_alone()
    with contextmanager_for(kind, loans) as database, serving(loans, database) as team:
        run = prepare(team, files)
        direct_sql(team)
        a_client_without_hooks(team, files)
        the_bucket(team, run)
        deleted_and_collected(team, run)
        team.aims("evidence", "verify", expect=0)


@contextmanager
def contextmanager_for(kind: str, loans: Loans) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{loans.folder}/served.db"
        return
    with postgres_database() as database:
        yield database


def direct_sql(team: Team) -> None:
    move = "update registered_model_aliases set version = :to where name = 'loan' and alias = 'champion'"
    team.db(move, to=2)
    team.found("superseded", "loan/2 holds champion")
    team.put_back("done: put back to loan/1")
    assert team.champion() == "1"
    team.db("insert into registered_model_aliases (name, alias, version) values ('loan', 'Champion', 2)")
    team.found("unrecorded", "loan/2 holds Champion")
    team.put_back("done: taken away from loan/2")
    team.db("update model_versions set current_stage = 'Production' where name = 'loan' and version = 2")
    team.found("unrecorded", "loan/2 holds stage:Production")
    team.put_back("done: taken away from loan/2")
    team.db("insert into registered_model_tags (name, key, value) values ('loan', 'mlflow.prompt.is_prompt', 'true')")
    team.db(move, to=2)
    team.found("superseded", "loan/2 holds champion")
    team.db("delete from registered_model_tags where name = 'loan'")
    # The same registry, opened by its database: a reconciler needs no server.
    direct = {"MLFLOW_TRACKING_URI": team.database, "MLFLOW_REGISTRY_URI": team.database}
    team.found("superseded", "loan/2 holds champion", **direct)
    team.put_back("done: put back to loan/1")
    born = "update model_versions set creation_time = creation_time + 1000 where name = 'loan' and version = 1"
    team.db(born)
    team.found("recreated", "loan/1 holds champion")
    team.db(born.replace("+", "-"))
    team.aims("watch", "--once", expect=0)


def a_client_without_hooks(team: Team, files: Path) -> None:
    client = team.client()
    with team.inside():
        client.set_registered_model_alias("loan", "champion", "2")
    team.found("superseded", "loan/2 holds champion")
    team.put_back("done: put back to loan/1")
    with team.inside():
        client.delete_registered_model_alias("loan", "champion")
    team.found("absent", "nothing of loan holds champion")
    team.aims("watch", "--once", "--enforce", expect=4).says("done: nothing: what was taken away is not made live")
    assert team.champion() is None
    team.aims("promote", "loan/1", "--to", "champion", expect=0)
    team.upload("prod.loan", files)
    team.found("stray", "prod.loan/1 lies in prod.loan")
    with team.inside():
        client.delete_registered_model("prod.loan")
    team.aims("watch", "--once", expect=0)


def the_bucket(team: Team, run: str) -> None:
    with team.inside():
        inside = team.client().get_run(run).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    place = f"{team.server}/api/2.0/mlflow-artifacts/artifacts/{inside}/model/weights"
    assert requests.put(place, b"poison", timeout=30).status_code == 200
    team.found("changed", "loan/1 holds champion")
    team.put_back("done: taken away from loan/1")
    assert team.champion() is None
    assert requests.put(place, b"w" * 1000, timeout=30).status_code == 200
    team.aims("promote", "loan/1", "--to", "champion", expect=0)
    team.aims("watch", "--once", expect=0)


def deleted_and_collected(team: Team, run: str) -> None:
    with team.inside():
        team.client().delete_run(run)
    team.aims("watch", "--once", expect=0)
    collect = ["gc", "--backend-store-uri", team.database, "--artifacts-destination", str(team.artifacts)]
    run_ids = ["--run-ids", run]
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", *collect, *run_ids],
        env=team.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    team.found("gone", "loan/1 holds champion")
    team.put_back("done: taken away from loan/1")


def test_a_webhook_of_a_server_starts_the_look_that_puts_it_back(loans: Loans, files: Path) -> None:
    loans.keep_drift_alone()
    secret = loans.folder / "webhook.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    with serving(loans, f"sqlite:///{loans.folder}/served.db") as team:
        prepare(team, files)
        arguments = ["--listen", "127.0.0.1:0", "--secret-file", "webhook.secret", "--every", "1h", "--enforce"]
        with watching(team, *arguments) as watcher:
            watcher.wait_for("looked at")
            port = watcher.lines[0].rpartition(" ")[2]
            with team.inside():
                client = team.client()
                events: Any = ["model_version_alias.created"]
                client.create_webhook("watch", f"http://127.0.0.1:{port}/", events, secret=SECRET)
                client.set_registered_model_alias("loan", "champion", "2")
            watcher.wait_for("superseded: loan/2 holds champion")
            watcher.wait_for("put back to loan/1")
            # Putting it back sets an alias, of which the server tells too: one more look, and it is at rest.
            watcher.wait_for("the registry holds what the log says", times=2)
            assert team.champion() == "1"


def test_every_workspace_is_looked_into_and_a_move_between_them_is_found(loans: Loans, files: Path) -> None:
    loans.keep_drift_alone()
    there = {"MLFLOW_WORKSPACE": "team-a"}
    with serving(loans, f"sqlite:///{loans.folder}/served.db", "--enable-workspaces") as team:
        with team.inside():
            team.client().create_workspace("team-a")
        prepare(team, files, **there)
        with team.inside(**there):
            team.client().set_registered_model_alias("loan", "champion", "2")
        team.found("superseded", '"workspace": "team-a"')
        team.put_back("loan/2 holds champion in workspace team-a", "done: put back to loan/1")
        with team.inside():
            team.client().delete_workspace("team-a", mode="SET_DEFAULT")
        team.found("moved", "it was promoted to champion in workspace team-a")
        team.aims("watch", "--once", "--enforce", expect=4).says("done: taken away from loan/1")
        assert team.champion() is None
