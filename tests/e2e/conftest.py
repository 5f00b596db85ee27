"""The income project as a user keeps it: data, keys, both models registered by the training script of the example."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "income"
BIN = Path(sys.executable).parent
PEOPLE = ("income-owner", "risk-officer", "pipeline")


@dataclass(frozen=True)
class Income:
    """A project folder, and the environment in which commands run there."""

    folder: Path
    environment: dict[str, str]

    def aims(self, *arguments: str, expect: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as a person would, and hold it to an exit code."""
        done = subprocess.run(
            [BIN / "aims", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if expect is not None:
            assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, expect: int | None = 0) -> Any:
        """Run a command and read its JSON answer."""
        return json.loads(self.aims(*arguments, "--format", "json", expect=expect).stdout)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script in the project's folder."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def copy(self, folder: Path) -> Income:
        """Copy the whole project, for a test that breaks something. Artifact paths in the copy are its own."""
        shutil.copytree(self.folder, folder, symlinks=True)
        places = {
            "model_versions": ("source", "storage_location"),
            "runs": ("artifact_uri",),
            "experiments": ("artifact_location",),
            "logged_models": ("artifact_location",),
        }
        with closing(sqlite3.connect(folder / "mlflow.db")) as database:
            for table, columns in places.items():
                for column in columns:
                    change = f"update {table} set {column} = replace({column}, ?, ?)"
                    database.execute(change, (str(self.folder), str(folder)))
            database.commit()
        uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        return Income(folder, self.environment | uri)


def environment_without_secrets() -> dict[str, str]:
    """The environment of this process without what could steer a command under test."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIMS_", "MLFLOW_"))}
    return kept | {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.fixture(scope="session")
def income(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Income]:
    """Both models registered under `aims.autolog()`: income/1 is unfair, income/2 is fair. Nothing is promoted."""
    folder = tmp_path_factory.mktemp("income") / "project"
    folder.mkdir()
    for name in ("aims.yaml", "train.py"):
        shutil.copy(EXAMPLE / name, folder / name)
    shutil.copytree(EXAMPLE / "quality", folder / "quality")
    subprocess.run([sys.executable, EXAMPLE / "prepare.py", EXAMPLE / "adult.parquet", folder / "data"], check=True)
    environment = environment_without_secrets() | {
        "AIMS_KEY_PASSPHRASE": "only for this test",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }
    project = Income(folder, environment)
    for person in PEOPLE:
        project.aims("keys", "new", person)
    for kind in ("unfair", "fair"):
        done = project.python("train.py", kind)
        assert done.returncode == 0, done.stderr
        (folder / f"{kind}.stderr").write_text(done.stderr)
    yield project
    shutil.rmtree(folder.parent)
