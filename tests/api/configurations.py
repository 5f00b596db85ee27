"""Configurations as administrators sign them, over any store: real files, real keys, and real statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import aims_mlops.api.services as services_
from aims_mlops.api import ApplyReport, Services
from aims_mlops.api.administering import apply
from aims_mlops.api.applying import AppliedConfiguration, Pin
from aims_mlops.config import load_bundle
from aims_mlops.evidence.configuration import MAIN, SUBJECT, Administrators, Bundle, PolicyBody
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project
from aims_mlops.model.subject import WholeRegistry
from aims_mlops.plugin import CheckOptions, DatasetName
from aims_mlops.ports import EvidenceStore
from tests.api.world import Accurate, FakeSigner, World
from tests.builders import key

PEOPLE = ("holder", "officer", "colleague", "pipeline")
TEXT = """\
schema: aims/1
organisation: {name: Example Lending}
people:
  holder: {name: Model Owner, keys: [keys/holder.pub.pem]}
  officer: {name: Officer, keys: [keys/officer.pub.pem]}
  colleague: {name: Colleague, keys: [keys/colleague.pub.pem]}
  pipeline: {name: Pipeline, kind: service, keys: [keys/pipeline.pub.pem]}
trust:
  check-result: [pipeline]
  gate-decision: [pipeline]
  promotion: [pipeline]
  policy: [officer, colleague]
systems:
  income:
    name: Income estimator
    owner: holder
    models: [income]
    promotion: {aliases: [champion], stages: [Production], registered_models: ["prod.*"]}
    data:
      evaluation: {path: data/evaluation.parquet}
    checks:
      - {id: parity, use: fairness, data: evaluation, max_age: 30d}
"""
STRICTER = TEXT.replace("max_age: 30d", "max_age: 7d")
STRICTEST = TEXT.replace("max_age: 30d", "max_age: 1d")


class Options(CheckOptions):
    data: DatasetName


class Measured(Accurate):
    """The world's check with a dataset among its options, as aims.yaml names one."""

    options: ClassVar[type[CheckOptions]] = Options


CHECKS = {"fairness": Measured}


def bundle(text: str = TEXT, **files: bytes) -> Bundle:
    """Return a configuration with everybody's public key."""
    keys = {f"keys/{name}.pub.pem": key(name).public_pem for name in PEOPLE}
    return Bundle({MAIN: text.encode(), **keys, **files})


def load(packed: Bundle) -> Project:
    return load_bundle(packed, CHECKS)


def administrators(*names: str, threshold: int = 1) -> Administrators:
    return Administrators(tuple(key(name).public for name in names), threshold)


@dataclass
class Desk:
    """Where administrators sit: a store, and a world for the rest."""

    world: World
    store: EvidenceStore

    def services(self, person: str = "officer", text: str = TEXT) -> Services:
        found = replace(self.world.services, store=self.store, project=load(bundle(text)), checks=CHECKS)
        return replace(found, signer=lambda: FakeSigner(person))

    def apply(
        self,
        text: str = TEXT,
        person: str = "officer",
        *,
        known: Administrators | None = None,
        dry_run: bool = False,
        **files: bytes,
    ) -> ApplyReport:
        """Sign a configuration as an administrator does."""
        services = self.services(person, text)
        return apply(services, bundle(text, **files), load, administrators=known, dry_run=dry_run)

    def say(self, text: str, number: int, person: str, *, previous: Digest | None = None, **body: Any) -> Digest:
        """Sign any policy statement, past all care that `apply` takes; `body` replaces fields."""
        services, packed = self.services(person, text), bundle(text)
        for content in packed.files.values():
            self.store.put_blob(content)
        systems = {system.id: system.policy.digest for system in load(packed).systems}
        made = PolicyBody(number, previous, packed.digest, packed.digests, systems).to_wire()
        return self.write({**made, **body}, services=services, about=packed.digest)

    def write(
        self, body: Mapping[str, Any], *, services: Services, about: Digest, registry_id: str | None = None
    ) -> Digest:
        said = services_.Said(
            "policy",
            WholeRegistry(registry_id or self.store.registry_id()),
            None,
            None,
            body,
            measured_at=self.world.clock(),
            about=(SUBJECT, about),
        )
        return services_.write(services, said, signer=services.signer())

    def server(self, *names: str, threshold: int = 1, pin: Pin | None = None) -> AppliedConfiguration:
        """Return what a server that was started with these administrators' keys goes by."""
        keys = administrators(*(names or ("officer",)), threshold=threshold)
        return AppliedConfiguration(self.store, keys, load=load, pin=pin)
