"""A folder on this disk in which one model was checked, without any server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.errors import StoreError
from aims_mlops.model.subject import Target
from aims_mlops_hooks.mlflow.freeze import FrozenVersions, Judge, Row
from aims_mlops_hooks.mlflow.freeze_places import (
    Place,
)
from aims_mlops_hooks.mlflow.freeze_repository import frozen_class

MODEL = "1/models/m-7/artifacts"
RUN = "1/3f/artifacts"
ALWAYS: Callable[[Target], bool] = lambda _target: True  # noqa: E731  # a constant
NEVER: Callable[[Target], bool] = lambda _target: False  # noqa: E731  # a constant


@dataclass
class Said:
    """A log that says what the test wants, and counts how often it is read."""

    about: set[tuple[str, str]] = field(default_factory=set)
    protects: Callable[[Target], bool] = NEVER
    broken: StoreError | None = None
    leaves: int = 0
    read: int = 0

    def state(self) -> Hashable:
        if self.broken is not None:
            raise self.broken
        return self.leaves

    def versions(self) -> Collection[tuple[str, str]]:
        self.read += 1
        return self.about

    def protection(self) -> Callable[[Target], bool]:
        return self.protects

    def newest(self, model: str, version: str) -> str | None:
        return "sha256:0123" if (model, version) in self.about else None


@dataclass
class Registered:
    """A registry of a few rows in one destination."""

    root: Place
    versions: list[Row] = field(default_factory=list)
    named: list[tuple[str, str, str, str]] = field(default_factory=list)

    def rows(self) -> Iterable[Row]:
        return self.versions

    def aliases(self) -> Iterable[tuple[str, str, str, str]]:
        return self.named

    def places(self, row: Row) -> Iterable[Place]:
        return [self.root.at(row.location)]


@dataclass
class World:
    """A frozen folder on this disk, with a model and a piece of evidence in it."""

    folder: Path
    said: Said
    registered: Registered
    judge: Judge
    repository: Any

    def content(self) -> dict[str, bytes]:
        return {
            file.relative_to(self.folder).as_posix(): file.read_bytes()
            for file in sorted(self.folder.rglob("*"))
            if file.is_file()
        }


def frozen_world(tmp_path: Path) -> World:
    """Make a folder with a checked model and its evidence in it, under a judge."""
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    folder = tmp_path / "artifacts"
    for path, content in {
        f"{MODEL}/MLmodel": b"m",
        f"{MODEL}/data/w": b"w",
        f"{RUN}/aims/income/1/e/r.html": b"e",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    root = Place.of(str(folder))
    said, registered = Said({("income", "1")}), Registered(root, [Row("default", "income", "1", None, MODEL)])
    judge = Judge(root, FrozenVersions(said, registered))
    return World(folder, said, registered, judge, frozen_class(LocalArtifactRepository, judge)(str(folder)))


def refused(call: Callable[..., object], *arguments: object) -> str:
    """Return what a refusal says; it must be a 403."""
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as caught:
        call(*arguments)
    status: int = caught.value.get_http_status_code()  # type: ignore[no-untyped-call]  # MLflow's own
    assert status == 403, caught.value
    return str(caught.value)
