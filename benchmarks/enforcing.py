"""A server's side of a project: an applied configuration, its keys, and versions whose evidence opens the gate."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from places import Place

from aims_mlops import wiring
from aims_mlops.adapters.signers import choose_signer
from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.stores import open_store
from aims_mlops.api.services import Said, Services, write
from aims_mlops.evidence.manifest import build
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import DatasetUse
from aims_mlops.model.register import Project
from aims_mlops.model.subject import ModelRef, ModelVersion, Subject
from aims_mlops.ports import ModelRegistry, Signer

MODEL, VERSIONS = "income", ("1", "2")
PEOPLE = ("model-owner", "officer", "pipeline", "server")

AIMS_YAML = """\
schema: aims/1
organisation: {name: Example Lending, contact: ai@example.org}

people:
  model-owner: {name: Income Model Owner, email: model-owner@example.org, keys: [keys/model-owner.pub.pem]}
  officer: {name: Model Risk Officer, email: model-risk@example.org, keys: [keys/officer.pub.pem]}
  pipeline: {name: Training pipeline, kind: service, keys: [keys/pipeline.pub.pem]}
  server: {name: MLflow server, kind: service, keys: [keys/server.pub.pem]}

signer: pipeline

trust:
  check-result: [pipeline]
  gate-decision: [pipeline, server]
  promotion: [pipeline, server]
  policy: [officer]

systems:
  income:
    name: Income estimator
    owner: model-owner
    risk_class: limited
    models: [income]
    promotion: {aliases: [champion], stages: [Production]}
    data:
      reference: {path: reference.parquet}
      evaluation: {path: evaluation.parquet}
    checks:
"""
_CHECK = """\
      - {{id: drift-{n}, use: drift, reference: reference, current: evaluation, columns: [age], max_per_column: 0.2}}
"""
CHECKS = 4


@dataclass(frozen=True)
class Enforcing:
    """One place with keys, an applied aims.yaml, and a registry with two versions of a governed model."""

    place: Place
    project: Project

    @property
    def state(self) -> Path:
        """The server's folder outside the store."""
        return self.place.folder / "state"

    def store(self) -> SqlEvidenceStore:
        """Return the evidence store as a server opens it."""
        return open_store(self.place.evidence, root=self.state, head_folder=self.state)

    def signer(self, person: str) -> Signer:
        """Return a person's signer."""
        return choose_signer(self.project, self.place.folder / "keys", person=person)

    def services(self, registry: ModelRegistry, person: str) -> Services:
        """Return the use cases' services over a registry, signed by a person."""
        own = self.signer(person)
        return Services(
            project=self.project,
            store=self.store(),
            registry=registry,
            signer=lambda: own,
            engine=wiring.engine,
            checks=wiring.checks(),
            clock=lambda: datetime.now(UTC),
        )

    def files(self, version: str) -> Path:
        """Return the folder of a version's files."""
        return self.place.folder / "models" / version

    def record_checks(self, registry: ModelRegistry) -> None:
        """Sign a passed result of each check about each version, as a pipeline would have."""
        services = self.services(registry, "pipeline")
        policy, now = self.project.systems[0].policy, datetime.now(UTC)
        services.store.put_blob(policy.text)
        for number in VERSIONS:
            version = registry.resolve(ModelRef(MODEL, version=number), services.store.registry_id())
            subject = Subject.of(version, Digest.of(build(self.files(number))))
            for spec in policy.checks:
                uses = tuple(DatasetUse(name, Digest.of(name.encode()), "files", 9000) for name in spec.datasets)
                body: dict[str, Any] = {"check": {"id": spec.id, "use": spec.use}, "outcome": "passed", "reason": ""}
                said = Said("check-result", version, subject, policy, body, measured_at=now, datasets=uses)
                write(services, said, signer=services.signer())

    def about(self, registry: ModelRegistry) -> tuple[ModelVersion, Digest]:
        """Return the first version and the digest of its files."""
        version = registry.resolve(ModelRef(MODEL, version=VERSIONS[0]), self.store().registry_id())
        return version, Digest.of(build(self.files(VERSIONS[0])))


@contextmanager
def enforcing(place: Place) -> Iterator[Enforcing]:
    """Make keys, write and apply aims.yaml, and let this process be one of MLflow's server's as long as it lasts."""
    folder = place.folder
    (folder / "state").mkdir()
    for version in VERSIONS:
        (folder / "models" / version).mkdir(parents=True)
        (folder / "models" / version / "MLmodel").write_text(f"flavors: {{}}  # {version}\n")
        (folder / "models" / version / "model.bin").write_bytes(bytes(100_000))
    (folder / "aims.yaml").write_text(AIMS_YAML + "".join(_CHECK.format(n=n) for n in range(CHECKS)))
    environment = {
        "AIMS_ADMIN_KEYS": str(folder / "keys" / "officer.pub.pem"),
        "AIMS_STORE": place.evidence,
        "AIMS_STATE": str(folder / "state"),
        "AIMS_SIGNER": "server",
        "AIMS_KEYS": str(folder / "keys"),
        "AIMS_KEY_PASSPHRASE": "only for this benchmark",
        "MLFLOW_REGISTRY_URI": place.registry,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/tracking.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    with patch.dict(os.environ, environment):
        for person in PEOPLE:
            _aims(folder, "keys", "new", person)
        _aims(folder, "--as", "officer", "apply")
        with patch.dict(os.environ, {"_MLFLOW_SERVER_REGISTRY_STORE": f"aims:{place.registry}"}):
            yield Enforcing(place, wiring.load_bundle(wiring.bundle(folder / "aims.yaml")))


def _aims(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aims_mlops", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 5):
        raise SystemExit(f"aims {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
