"""A small, quick project: 2 000 applicants, one honest model that is checked and allowed, and ways to break things."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

PASSPHRASE = "only for this test"
PEOPLE = ("loan-owner", "risk-officer", "pipeline")
EARLIER = 6
"""Statements that the template's log holds: one intent, four check results and one decision."""

AIMS_YAML = """\
schema: aims/1
organisation: {name: Example Lending, contact: ai@example.org}

people:
  loan-owner: {name: Loan Model Owner, email: model-owner@example.org, keys: [keys/loan-owner.pub.pem]}
  risk-officer: {name: Model Risk Officer, email: model-risk@example.org, keys: [keys/risk-officer.pub.pem]}
  pipeline: {name: Training pipeline, kind: service, keys: [keys/pipeline.pub.pem]}

signer: pipeline

trust:
  check-result: [pipeline]
  gate-decision: [pipeline]
  promotion: [pipeline]

systems:
  loans:
    name: Loan approval
    owner: loan-owner
    risk_class: limited
    models: [loan]
    promotion: {aliases: [champion], stages: [Production], registered_models: ["prod.*"]}
    data:
      reference: {path: data/reference.parquet, label: approved}
      evaluation: {path: data/evaluation.parquet, label: approved, sensitive: [sex]}
    checks:
      - id: parity
        use: fairness
        data: evaluation
        metrics: {demographic_parity_difference: {max: 0.2}}
        min_group_size: 100
      - id: drift
        use: drift
        reference: reference
        current: evaluation
        columns: [age, hours, sex]
        max_per_column: 0.2
      - id: quality
        use: data-quality
        data: evaluation
        expectations:
          - {type: expect_column_values_to_not_be_null, kwargs: {column: age}}
          - {type: expect_column_values_to_be_between, kwargs: {column: hours, min_value: 0, max_value: 100}}
      - id: accuracy
        use: performance
        data: evaluation
        metrics: {accuracy: {min: 0.6}, roc_auc: {min: 0.6}}
"""

MLMODEL = """\
flavors:
  python_function:
    code: code
    loader_module: own_model
    python_version: 3.11.0
mlflow_version: 3.10.0
model_uuid: 0123456789abcdef0123456789abcdef
utc_time_created: '2026-11-21 00:00:00.000000'
"""


@dataclass(frozen=True)
class Answer:
    """What one command answered."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both outputs, with runs of space made one: tables wrap."""
        return " ".join(f"{self.out} {self.err}".split())

    def says(self, *texts: str) -> Answer:
        """Hold the answer to some texts."""
        for text in texts:
            assert text in self.text, f"not said: {text!r}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"
        return self

    @property
    def json(self) -> Any:
        """Read standard output as one JSON document."""
        return json.loads(self.out)


@dataclass
class Loans:
    """The project in a folder of its own."""

    folder: Path
    passphrase: str | None = PASSPHRASE

    @property
    def uri(self) -> str:
        """The SQLite registry."""
        return f"sqlite:///{self.folder}/mlflow.db"

    @property
    def model(self) -> Path:
        """Where the files of loan/1 lie."""
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as database:
            query = "select coalesce(storage_location, source) from model_versions where name = 'loan' and version = 1"
            ((location,),) = database.execute(query).fetchall()
        return Path(location.removeprefix("file://"))

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a command: nothing of ours but the passphrase and the registry."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIMS_", "MLFLOW_"))}
        kept |= {"MLFLOW_TRACKING_URI": self.uri, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        kept |= {} if self.passphrase is None else {"AIMS_KEY_PASSPHRASE": self.passphrase}
        return kept | more

    @contextlib.contextmanager
    def inside(self, **environment: str) -> Iterator[None]:
        """Do something in this process as if it had been started in the project's folder."""
        with (
            contextlib.chdir(self.folder),
            patch.dict(os.environ, self.environment(**environment), clear=True),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # a command line shows no deprecation of the libraries below it
            yield

    def aims(self, *arguments: str, expect: int, **environment: str) -> Answer:
        """Run the command line's `main` in this process, as `aims` does in its own, and hold it to an exit code."""
        from aims_mlops.cli import main

        out, err, code = io.StringIO(), io.StringIO(), 0
        redirected = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with self.inside(**environment), redirected[0], redirected[1], patch.object(sys, "argv", ["aims", *arguments]):
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        answer = Answer(code, out.getvalue(), err.getvalue())
        assert answer.code == expect, f"{arguments}: {answer.code}\n--- stdout\n{answer.out}\n--- stderr\n{answer.err}"
        assert not answer.err.startswith("Traceback"), answer.err
        return answer

    def process(self, *command: str, **environment: str) -> Answer:
        """Run `aims`, or `python` with arguments, in a process of its own that has to end well."""
        program, *arguments = command
        done = subprocess.run(
            [sys.executable, *([] if program == "python" else ["-m", "aims_mlops"]), *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        assert answer.code == 0, f"{command}: {answer.code}\n{answer.out}\n{answer.err}"
        return answer

    def sql(self, statement: str, *values: object, database: str = "aims.db") -> list[Any]:
        """Do something to a database behind everybody's back."""
        with closing(sqlite3.connect(self.folder / database)) as connection:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
        return rows

    def write(self, text: str) -> None:
        """Replace aims.yaml."""
        (self.folder / "aims.yaml").write_text(text)

    def edit(self, old: str, new: str) -> None:
        """Replace one place in aims.yaml."""
        path = self.folder / "aims.yaml"
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in aims.yaml"
        path.write_text(text.replace(old, new))

    def keep_drift_alone(self) -> None:
        """Require one check that needs neither a prediction nor a library that is slow to load."""
        before, _, rest = (self.folder / "aims.yaml").read_text().partition("      - id: parity\n")
        drift = rest[rest.index("      - id: drift\n") : rest.index("      - id: quality\n")]
        self.write(before + drift)

    def change_data(self, frame: pd.DataFrame, name: str = "evaluation") -> None:
        """Replace a dataset."""
        frame.to_parquet(self.folder / "data" / f"{name}.parquet", index=False)

    def register(self, predict: str, *, load: str = "pass", name: str = "loan") -> str:
        """Register a version whose code is given: the body of `predict(frame)`, and what runs on loading."""
        folder = self.folder / "bad-model"
        (folder / "code").mkdir(parents=True)
        (folder / "MLmodel").write_text(MLMODEL)
        lines = ["import os, socket, sys", "class Model:", "    def predict(self, frame):"]
        lines += [f"        {line}" for line in predict.splitlines()]
        lines += ["def _load_pyfunc(path):", *(f"    {line}" for line in load.splitlines()), "    return Model()"]
        (folder / "code" / "own_model.py").write_text("\n".join(lines) + "\n")
        return self.create(name, str(folder))

    def create(self, name: str, source: str) -> str:
        """Register a version from a folder, past all hooks."""
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        with self.inside():
            client = MlflowClient(self.uri, self.uri)
            with contextlib.suppress(MlflowException):
                client.create_registered_model(name)
            return f"{name}/{client.create_model_version(name, source).version}"

    def aliases(self, name: str = "loan") -> Mapping[str, str]:
        """Return the aliases of a registered model, as the registry has them."""
        query = "select alias, version from registered_model_aliases where name = ?"
        return {alias: str(version) for alias, version in self.sql(query, name, database="mlflow.db")}

    def payloads(self) -> list[str]:
        """Return the digests of all statements in the log, in order."""
        return [row[0] for row in self.sql("select payload from aims_leaf order by seq")]

    def log_holds(self, *, more: int, before: list[str]) -> None:
        """Hold the log to: everything earlier still there, so many new statements, and no fault."""
        after = self.payloads()
        assert after[: len(before)] == before, "an earlier statement is gone"
        assert len(after) == len(before) + more, f"{len(after) - len(before)} new statements, expected {more}"
        found = self.aims("evidence", "verify", "--format", "json", expect=0).json
        assert found["leaves"] == len(after), found

    def copy(self, folder: Path) -> Loans:
        """Copy the whole project; artifact paths in the copy are its own."""
        shutil.copytree(self.folder, folder, symlinks=True)
        places = {
            "model_versions": ("source", "storage_location"),
            "runs": ("artifact_uri",),
            "experiments": ("artifact_location",),
            "logged_models": ("artifact_location",),
        }
        made = Loans(folder)
        for table, columns in places.items():
            for column in columns:
                change = f"update {table} set {column} = replace({column}, ?, ?)"
                made.sql(change, str(self.folder), str(folder), database="mlflow.db")
        return made


def applicants(seed: int, rows: int = 2_000) -> pd.DataFrame:
    """Return rows in which approval depends on age and hours alone."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": random.integers(18, 80, rows), "hours": random.integers(5, 80, rows)})
    frame["sex"] = random.choice(["Female", "Male"], rows)
    frame["approved"] = (frame["age"] + frame["hours"] + random.normal(0, 15, rows) > 90).astype("int64")
    return frame


def build(folder: Path) -> Loans:
    """Make the project: data, keys, loan/1 registered, checked and allowed."""
    made = Loans(folder)
    (folder / "data").mkdir(parents=True)
    made.write(AIMS_YAML)
    for name, seed in (("reference", 1), ("evaluation", 2)):
        made.change_data(applicants(seed), name)
    for person in PEOPLE:
        made.aims("keys", "new", person, expect=0)
    _train(made)
    made.aims("check", "loan/1", expect=0)
    made.aims("gate", "loan/1", "--to", "champion", expect=0)
    assert len(made.payloads()) == EARLIER
    return made


def _train(made: Loans) -> None:
    import mlflow
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = pd.read_parquet(made.folder / "data" / "reference.parquet")
    features = rows[["age", "hours"]]
    # Saved, then logged as artifacts and registered by client: MLflow's global state stays as it was.
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, rows["approved"])
    with made.inside():
        client = mlflow.MlflowClient(made.uri, made.uri)
        experiment = client.create_experiment("loans", artifact_location=str(made.folder / "artifacts"))
        run = client.create_run(experiment)
        place = Path(run.info.artifact_uri) / "model"
        signature = mlflow.models.infer_signature(features)
        mlflow.sklearn.save_model(model, str(place), signature=signature, pip_requirements=["scikit-learn"])
        client.create_registered_model("loan")
        client.create_model_version("loan", str(place), run_id=run.info.run_id)
        client.set_terminated(run.info.run_id)
