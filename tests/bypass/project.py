"""A small project whose server enforces: keys, an applied aims.yaml, and checks that take no time."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from tests.bypass.servers import Server

PASSPHRASE = "only for this test"
PEOPLE = ("loan-owner", "risk-officer", "pipeline", "server", "stranger")

AIMS_YAML = """\
schema: aims/1
organisation: {name: Example Lending, contact: ai@example.org}

people:
  loan-owner: {name: Loan Model Owner, email: model-owner@example.org, keys: [keys/loan-owner.pub.pem]}
  risk-officer: {name: Model Risk Officer, email: model-risk@example.org, keys: [keys/risk-officer.pub.pem]}
  pipeline: {name: Training pipeline, kind: service, keys: [keys/pipeline.pub.pem]}
  server: {name: MLflow server, kind: service, keys: [keys/server.pub.pem]}
  stranger: {name: Somebody else, email: somebody@example.org, keys: [keys/stranger.pub.pem]}

signer: pipeline

trust:
  check-result: [pipeline]
  gate-decision: [pipeline, server]
  promotion: [pipeline, server]
  policy: [risk-officer]
  register-entry: [risk-officer]

systems:
  loans:
    name: Loan approval
    owner: loan-owner
    risk_class: limited
    models: ["loan-*"]
    promotion: {aliases: [champion], stages: [Production], registered_models: ["prod.*"]}
    data:
      reference: {path: data/reference.parquet}
      evaluation: {path: data/evaluation.parquet}
    checks:
      - id: drift
        use: drift
        reference: reference
        current: evaluation
        columns: [age, hours]
        max_per_column: 0.2
"""


@dataclass(frozen=True)
class Answer:
    """What one command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Project:
    """The folder of the project, its evidence store, and the state of its server outside that store."""

    folder: Path
    store: str

    @property
    def state(self) -> Path:
        return self.folder.parent / "state"

    def write(self) -> None:
        """Make the project: data, aims.yaml, a key for each person, and one that only the server has."""
        (self.folder / "data").mkdir(parents=True)
        self.state.mkdir()
        (self.folder / "aims.yaml").write_text(AIMS_YAML)
        rows("reference").to_parquet(self.folder / "data" / "reference.parquet", index=False)
        rows("evaluation").to_parquet(self.folder / "data" / "evaluation.parquet", index=False)
        for person in PEOPLE:
            self.aims("keys", "new", person)

    def server_environment(self) -> dict[str, str]:
        """What an enforcing server is started with."""
        return {
            "AIMS_ADMIN_KEYS": str(self.folder / "keys" / "risk-officer.pub.pem"),
            "AIMS_STORE": self.store,
            "AIMS_STATE": str(self.state),
            "AIMS_SIGNER": "server",
            "AIMS_KEYS": str(self.folder / "keys"),
            "AIMS_KEY_PASSPHRASE": PASSPHRASE,
        }

    @contextlib.contextmanager
    def inside(self, **environment: str) -> Iterator[None]:
        """Do something in this process as if it had been started in the project's folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIMS_")}
        kept |= {"AIMS_KEY_PASSPHRASE": PASSPHRASE, "AIMS_STORE": self.store, "DO_NOT_TRACK": "true"}
        with (
            contextlib.chdir(self.folder),
            patch.dict(os.environ, kept | environment, clear=True),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield

    def aims(self, *arguments: str, expect: Any = (0,), **environment: str) -> Answer:
        """Run the command line's `main` in this process, as `aims` does in its own, and hold it to its exit codes."""
        from aims_mlops.cli import main

        out, err, code = io.StringIO(), io.StringIO(), 0
        redirected = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with self.inside(**environment), redirected[0], redirected[1], patch.object(sys, "argv", ["aims", *arguments]):
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        answer = Answer(code, out.getvalue(), err.getvalue())
        assert code in expect, f"{arguments}: {code}\n--- stdout\n{answer.out}\n--- stderr\n{answer.err}"
        return answer


def rows(name: str, *, age: int = 0) -> pd.DataFrame:
    """Return 200 applicants, older by so many years."""
    random = np.random.default_rng(len(name))
    return pd.DataFrame({"age": random.integers(18, 80, 200) + age, "hours": random.integers(5, 80, 200)})


@dataclass
class RealEvidence:
    """Checks, withdrawals and forgeries of a project, spoken to a running server."""

    project: Project
    server: Server
    store: str

    def _aims(self, *arguments: str, expect: tuple[int, ...] = (0,), **environment: str) -> Answer:
        with self.server.credentials():
            place = {"MLFLOW_TRACKING_URI": self.server.url, "AIMS_STORE": self.store}
            return self.project.aims(*arguments, expect=expect, **(place | environment))

    def within(self, server: Server) -> RealEvidence:
        """Speak to the server in another workspace."""
        return replace(self, server=server)

    def check(self, name: str, version: str) -> None:
        """Let the checks of a version pass."""
        self._aims("check", f"{name}/{version}")

    def withdraw(self, name: str, version: str) -> None:
        """Let a newer result fail: the data of today have drifted."""
        place = self.project.folder / "data" / "evaluation.parquet"
        before = place.read_bytes()
        rows("evaluation", age=300).to_parquet(place, index=False)
        try:
            self._aims("check", f"{name}/{version}", expect=(1,))
        finally:
            place.write_bytes(before)

    def claim(self, name: str, version: str, *, how: str) -> None:
        """Hand in results of a stranger, or results and a decision under a policy that asks for less."""
        ref = f"{name}/{version}"
        if how in ("untrusted", "written"):
            own = {"AIMS_STORE": self.project.store} if how == "written" else {}
            self._aims("--as", "stranger", "check", ref, expect=ANY, **own)
            return
        if how == "applied":
            own = {"AIMS_STORE": self.project.store, "AIMS_CONFIG": self._lax()}
            self._aims("--as", "stranger", "apply", expect=ANY, **own)
        self._aims("check", ref, expect=ANY, AIMS_CONFIG=self._lax())
        if how == "decision":
            self._aims("gate", ref, "--to", "champion", expect=ANY, AIMS_CONFIG=self._lax())

    def promote(self, name: str, version: str, target: str) -> None:
        """Promote with the command, under the lax policy."""
        self._aims("check", f"{name}/{version}", expect=ANY, AIMS_CONFIG=self._lax())
        self._aims("promote", f"{name}/{version}", "--to", target, expect=ANY, AIMS_CONFIG=self._lax())

    def promote_properly(self, name: str, version: str, target: str) -> None:
        """Promote with the command, under the policy that is in force."""
        self._aims("promote", f"{name}/{version}", "--to", target)

    def _lax(self) -> str:
        """Write aims.yaml beside the real one, with a limit that anything keeps."""
        place = self.project.folder / "lax.yaml"
        place.write_text(AIMS_YAML.replace("max_per_column: 0.2", "max_per_column: 99"))
        return str(place)


ANY = (0, 1, 2, 3, 4, 5)
