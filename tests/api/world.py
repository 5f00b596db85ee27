"""The use cases over a real store, and fakes of everything else: a registry, an engine, a check and a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import aims_mlops.api.services as services_
from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.stores import open_store
from aims_mlops.api import Services
from aims_mlops.errors import RegistryError
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import DatasetSpec, Policy
from aims_mlops.model.register import Person, Project, System
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from aims_mlops.model.trust import Term
from aims_mlops.plugin import CheckContext, CheckOptions, Dataset, Finding, Measure, Outcome, Predictor
from aims_mlops.ports import Snapshot, Standing
from tests.builders import CREATED, NOW, check_spec, key, policy, project, system


@dataclass
class FakeRegistry:
    """Holds what it is given; remembers what it was told to do."""

    held: dict[str, tuple[ModelVersion, bytes]] = field(default_factory=dict)
    acted: list[str] = field(default_factory=list)

    def add(self, name: str, version: str, files: bytes = b"the model's manifest") -> str:
        label = f"{name}/{version}"
        self.held[label] = ModelVersion("", "default", name, version, CREATED), files
        return label

    def resolve(self, ref: ModelRef, registry_id: str) -> ModelVersion:
        aliased = [
            version for version, _ in self.held.values() if version.name == ref.name and ref.alias in version.aliases
        ]
        label = aliased[0].label if aliased else f"{ref.name}/{ref.version}"
        if label not in self.held:
            raise RegistryError(f"{label} is not known")
        return replace(self.held[label][0], registry_id=registry_id)

    def snapshot(self, version: ModelVersion, folder: Path) -> Snapshot:
        files = self.manifest(version)
        return Snapshot(folder, files, Digest.of(files))

    def manifest(self, version: ModelVersion) -> bytes:
        return self.held[version.label][1]

    def predictor(self, snapshot: Snapshot, *, positive: object = None) -> Predictor:
        raise NotImplementedError

    def standing(self, registry_id: str, *, names: Callable[[str], bool]) -> Iterator[Standing]:
        for version, _ in self.held.values():
            known = replace(version, registry_id=registry_id)
            yield from (Standing(known, Target("alias", alias)) for alias in version.aliases)
            if version.stage is not None:
                yield Standing(known, Target("stage", version.stage))
            if names(version.name):
                yield Standing(known, Target("name", version.name))

    def act(self, version: ModelVersion, target: Target) -> None:
        self.acted.append(f"{version.label} to {target}")

    def remove(self, version: ModelVersion, target: Target) -> None:
        self.acted.append(f"{target} from {version.label}")

    def publish(self, version: ModelVersion, files: Mapping[str, bytes], tags: Mapping[str, str]) -> None:
        pass


@dataclass
class FakeEngine:
    """Hands each dataset out with the one number that the fake check reads; an attached frame is such a number."""

    value: float

    def open(self, spec: DatasetSpec, frame: object | None = None, *, origin: str = "policy") -> Dataset:
        number = self.value if frame is None else frame
        return Dataset(spec.name, {"x": "number"}, 100, Digest.of(f"{spec.name} {number}".encode()), "files", number)

    def verify_unchanged(self, data: Dataset) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(name)


class Accurate:
    """Measures the dataset's number, and passes where it is not below the champion's."""

    use: ClassVar[str] = "fairness"
    title: ClassVar[str] = "Accuracy"
    extra: ClassVar[str | None] = None
    options: ClassVar[type[CheckOptions]] = CheckOptions

    def run(self, context: CheckContext) -> Finding:
        value = float(context.data("evaluation").relation)
        champion = context.champion("champion", "accuracy")
        below = champion is not None and value < champion[1]
        outcome = Outcome.FAILED if below else Outcome.PASSED
        said = "" if champion is None else f"champion {champion[0]} had {champion[1]}"
        return Finding(outcome, (Measure("accuracy", outcome, value, reason=said),), 100, said)


@dataclass(frozen=True)
class FakeSigner:
    """A person with the key of that name."""

    person: str

    @property
    def key_id(self) -> Digest:
        return key(self.person).public.id

    def sign(self, message: bytes) -> bytes:
        return key(self.person).sign(message)


@dataclass
class World:
    """A project of its own in a folder. Change `systems`, `person`, `value` or `checks`, then ask `services`."""

    folder: Path
    systems: tuple[System, ...] = (system(),)
    person: str = "pipeline"
    value: float = 0.9
    checks: Mapping[str, Any] = field(default_factory=lambda: {"fairness": Accurate})
    attached: Mapping[str, object] = field(default_factory=dict)
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    now: datetime = NOW
    terms: dict[str, Term] = field(default_factory=dict)
    """When the keys of some people may sign, as aims.yaml says by now."""

    def __post_init__(self) -> None:
        self.store: SqlEvidenceStore = open_store("sqlite:///aims.db", root=self.folder, clock=lambda: self.now)
        self.registry.add("income", "3")

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    @property
    def project(self) -> Project:
        made = project(*self.systems, path=self.folder / "aims.yaml")
        return replace(made, people=tuple(self._with_term(person) for person in made.people))

    def _with_term(self, person: Person) -> Person:
        term = self.terms.get(person.id, Term())
        return replace(person, keys=tuple(replace(item, term=term) for item in person.keys))

    @property
    def services(self) -> Services:
        def engine() -> AbstractContextManager[Any]:
            return nullcontext(FakeEngine(self.value))

        return Services(
            project=self.project,
            store=self.store,
            registry=self.registry,
            signer=lambda: FakeSigner(self.person),
            engine=engine,
            checks=self.checks,
            clock=self.clock,
            attached=self.attached,
        )

    def trusting(self, **names: Sequence[str]) -> Policy:
        """Return the first system's policy with other people trusted for some kinds (with underscores)."""
        changed = {
            kind.replace("_", "-"): {key(name).public.id: name for name in people} for kind, people in names.items()
        }
        held = self.systems[0].policy
        return replace(held, trust={**held.trust, **changed}, text=f"trusting {sorted(names.items())}".encode())

    def put_policy(self, made: Policy) -> None:
        """Replace the first system's policy."""
        self.systems = (replace(self.systems[0], policy=made), *self.systems[1:])

    def say(self, kind: str, body: Mapping[str, Any], *, model: str = "income", version: str = "3") -> Digest:
        """Write any statement about a version down, signed as the present person."""
        from aims_mlops.model.subject import Subject

        services = self.services
        found = services.registry.resolve(ModelRef(model, version=version), services.store.registry_id())
        subject = Subject.of(found, Digest.of(self.registry.manifest(found)))
        said = services_.Said(kind, found, subject, self.systems[0].policy, body, measured_at=self.clock())
        services.store.put_blob(self.systems[0].policy.text)
        return services_.write(services, said, signer=services.signer())

    def close(self) -> None:
        """Give the database back."""
        self.store.close()


def two(ids: Iterable[str]) -> Policy:
    """Return a policy with these checks, all of the fake kind."""
    return policy([check_spec(id_) for id_ in ids])
