"""What is frozen, and who may write what, on a real folder with MLflow's own repositories."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.errors import StoreError
from aims_mlops.model.subject import Target
from aims_mlops_hooks.mlflow.freeze import Freeze, FrozenVersions, Index
from aims_mlops_hooks.mlflow.freeze_places import (
    Place,
)
from aims_mlops_hooks.mlflow.freeze_repository import MUTATORS, guard_plain_class
from tests.hooks.frozen_world import MODEL, RUN, World, frozen_world, refused

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return frozen_world(tmp_path)


def test_a_version_is_frozen_from_the_first_statement_on(world: World) -> None:
    world.said.about.clear()
    frozen = FrozenVersions(world.said, world.registered)
    place = world.registered.root.at(f"{MODEL}/data/w")
    assert frozen.covers(place) is None
    world.said.about.add(("income", "1"))
    assert frozen.covers(place) is None, "the log has not grown"
    world.said.leaves += 1
    assert frozen.covers(place) == Freeze("income", "1", "default", "has signed evidence")


def test_the_log_and_the_registry_are_read_once_until_the_log_grows(world: World) -> None:
    frozen = FrozenVersions(world.said, world.registered)
    for number in range(50):
        assert frozen.covers(world.registered.root.at(f"2/run/artifacts/{number}")) is None
    assert world.said.read == 1


def test_a_deleted_version_thaws_but_not_what_shares_its_files(world: World) -> None:
    place = world.registered.root.at(MODEL)
    frozen = FrozenVersions(world.said, world.registered)
    assert frozen.covers(place) is not None
    row = world.registered.versions[0]
    world.registered.versions = [replace(row, stage="Deleted_Internal")]
    assert frozen.covers(place) is None
    world.registered.versions.append(replace(row, name="copy"))
    world.said.leaves += 1
    found = frozen.covers(place)
    assert found is not None
    assert found.label == "copy/1"
    assert "shares its files" in found.why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"stage": "Production"}, "is in Production"),
        ({"stage": "None"}, None),
        ({"name": "prod.income"}, "has a protected name"),
    ],
)
def test_what_stands_somewhere_protected_is_frozen_without_a_statement(
    world: World, change: dict[str, str], why: str | None
) -> None:
    world.said.about.clear()
    world.said.protects = lambda target: str(target) in ("stage:Production", "name:prod.income")
    world.registered.versions = [replace(world.registered.versions[0], **change)]
    found = FrozenVersions(world.said, world.registered).covers(world.registered.root.at(MODEL))
    assert (found and found.why) == why


def test_a_protected_alias_freezes_its_version_and_another_one_does_not(world: World) -> None:
    world.said.about.clear()
    world.said.protects = lambda target: target == Target("alias", "champion")
    frozen = FrozenVersions(world.said, world.registered)
    world.registered.named = [("default", "income", "dev", "1")]
    assert frozen.covers(world.registered.root.at(MODEL)) is None
    world.registered.named = [("default", "income", "champion", "1")]
    world.said.leaves += 1
    found = frozen.covers(world.registered.root.at(MODEL))
    assert found is not None
    assert found.why == "holds champion"


def test_a_version_of_another_workspace_is_named_with_it() -> None:
    assert Freeze("income", "1", "team", "").label == "income/1 in workspace team"


def test_a_place_is_found_in_as_many_steps_as_it_has_segments() -> None:
    root = Place.of("s3://bucket/root")
    index = Index({root.at(f"{run}/models/m/artifacts"): Freeze("m", str(run), "default", "") for run in range(20_000)})
    assert index.covers(root.at("19999/models/m/artifacts/a/b")) == Freeze("m", "19999", "default", "")
    assert index.covers(root.at("19999/models/m2/artifacts")) is None
    assert index.lies_in(root.at("19999")) is not None
    assert index.lies_in(root.at("19999/models/m/artifacts/a")) is None


# The judge, on a real repository


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _writes(world: World, folder: str, name: str) -> dict[str, Callable[[], object]]:
    local = world.folder.parent / "local"
    local.mkdir(exist_ok=True)
    (local / name).write_bytes(b"another")
    repository = world.repository
    return {
        "log_artifact": lambda: repository.log_artifact(str(local / name), folder),
        "log_artifacts": lambda: repository.log_artifacts(str(local), folder),
        "log_artifact_from_stream": lambda: repository.log_artifact_from_stream(io.BytesIO(b"another"), name, folder),
        "log_artifact_from_async_stream": lambda: asyncio.run(
            repository.log_artifact_from_async_stream(_chunks(b"another"), name, folder)
        ),
    }


WRITES = ["log_artifact", "log_artifacts", "log_artifact_from_stream", "log_artifact_from_async_stream"]


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    ("folder", "name"), [(MODEL, "MLmodel"), (f"{MODEL}/data", "new"), (f"{RUN}/aims/income/1/e", "r.html")]
)
def test_no_write_changes_a_frozen_file(world: World, method: str, folder: str, name: str) -> None:
    if not hasattr(world.repository, method):
        pytest.skip("this MLflow takes no uploads as streams")
    before = world.content()
    said = refused(_writes(world, folder, name)[method])
    assert said.startswith("[aims] frozen: ")
    assert "Next: " in said
    assert world.content() == before


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    ("folder", "name"), [("2/r/artifacts", "new"), (f"{RUN}/aims/income/1/f", "r.html"), (f"{RUN}/plots", "a")]
)
def test_other_writes_go_on_and_evidence_is_added_under_new_names(
    world: World, method: str, folder: str, name: str
) -> None:
    if not hasattr(world.repository, method):
        pytest.skip("this MLflow takes no uploads as streams")
    _writes(world, folder, name)[method]()
    assert world.content()[f"{folder}/{name}"] == b"another"


def test_a_write_over_a_folder_that_holds_a_frozen_one_is_refused(world: World) -> None:
    assert "is not written" in refused(_writes(world, "1/models", "m-7")["log_artifact"])


@pytest.mark.parametrize(
    "path", [MODEL, f"{MODEL}/MLmodel", f"{MODEL}/data", "1/models/m-7", "1/models", "1", "", None, f"{MODEL}/"]
)
def test_nothing_frozen_is_deleted_nor_what_it_lies_in(world: World, path: str | None) -> None:
    before = world.content()
    assert "income/1 has signed evidence, statement sha256:0123" in refused(world.repository.delete_artifacts, path)
    assert world.content() == before


@pytest.mark.parametrize(
    "path", [f"{RUN}/aims/income/1/e/r.html", f"{RUN}/aims/income", f"{RUN}/aims", RUN, "1/3f", "1/3f/artifacts/"]
)
def test_evidence_is_not_deleted_nor_what_it_lies_in(world: World, path: str) -> None:
    world.said.about.clear()
    before = world.content()
    assert "evidence" in refused(world.repository.delete_artifacts, path)
    assert world.content() == before


@pytest.mark.parametrize(
    "path", ["1//models", "1/./models", "%31", "1/models/%6d-7", "./1", "../artifacts/1", "file:1"]
)
def test_a_deletion_that_is_spelt_oddly_is_a_mistake(world: World, path: str) -> None:
    from mlflow.exceptions import MlflowException

    before = world.content()
    with pytest.raises(MlflowException, match="Next: name the file or folder by its plain path") as caught:
        world.repository.delete_artifacts(path)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert world.content() == before


def test_what_is_not_frozen_can_be_deleted(world: World) -> None:
    _writes(world, "2/r/artifacts", "new")["log_artifact"]()
    world.repository.delete_artifacts("2/r/artifacts")
    assert "2/r/artifacts/new" not in world.content()


def test_an_upload_that_began_before_the_freeze_does_not_end_in_it(world: World) -> None:
    if not hasattr(world.repository, "log_artifact_from_async_stream"):
        pytest.skip("this MLflow takes no uploads as streams")
    world.said.about.clear()

    async def slow() -> AsyncIterator[bytes]:
        yield b"an"
        world.said.about.add(("income", "1"))
        world.said.leaves += 1
        yield b"other"

    before = world.content()
    said = refused(lambda: asyncio.run(world.repository.log_artifact_from_async_stream(slow(), "MLmodel", MODEL)))
    assert "income/1 has signed evidence" in said
    assert world.content() == before


def test_where_nobody_can_say_what_is_frozen_models_stay_and_the_rest_goes_on(world: World) -> None:
    world.said.broken = StoreError("the evidence store is away", hint="see that it runs")
    before = world.content()
    said = refused(_writes(world, f"{MODEL}/data", "w")["log_artifact"])
    assert "what is frozen cannot be found out: the evidence store is away" in said
    assert "Next: see that it runs" in said
    for path in (MODEL, "1/models", f"{MODEL}/data"):
        assert "cannot be found out" in refused(world.repository.delete_artifacts, path)
    for path in ("1", ""):
        refused(world.repository.delete_artifacts, path)
    assert world.content() == before
    _writes(world, "2/r/artifacts", "new")["log_artifact"]()
    world.repository.delete_artifacts("2/r")


# The plain classes


@pytest.fixture
def plain(world: World) -> Iterator[type]:
    """MLflow's own class, in a copy that is guarded in place."""
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    names = [name for name in MUTATORS if name in LocalArtifactRepository.__dict__]
    kept = {name: LocalArtifactRepository.__dict__[name] for name in names}
    guard_plain_class(LocalArtifactRepository, lambda: world.judge)
    guard_plain_class(LocalArtifactRepository, lambda: world.judge)
    yield LocalArtifactRepository
    for name, original in kept.items():
        setattr(LocalArtifactRepository, name, original)


def test_a_plain_repository_does_not_write_past_the_freeze(world: World, plain: Any, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(world.folder / "1")
    (tmp_path / "MLmodel").write_bytes(b"another")
    before = world.content()
    for place in (f"{world.folder}/{MODEL}", f"file://{world.folder}/{MODEL}", f"{tmp_path}/link/models/m-7/artifacts"):
        refused(plain(place).log_artifact, str(tmp_path / "MLmodel"))
        refused(plain(place).delete_artifacts)
        refused(plain(place).delete_artifacts, "%4dLmodel")
    refused(plain(str(tmp_path)).delete_artifacts)
    refused(plain(str(tmp_path)).log_artifact, str(tmp_path / "MLmodel"), f"artifacts/{MODEL}")
    assert world.content() == before


def test_a_plain_repository_elsewhere_is_left_alone(world: World, plain: Any, tmp_path: Path) -> None:
    world.said.broken = StoreError("away")
    (tmp_path / "file").write_bytes(b"f")
    elsewhere = plain(str(tmp_path / "elsewhere"))
    elsewhere.log_artifact(str(tmp_path / "file"), "a/b")
    elsewhere.delete_artifacts("a")
    assert list((tmp_path / "elsewhere").iterdir()) == []
