"""What the freeze relies on in MLflow: every method that may change files is known, and is guarded."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import pytest

from aims_mlops_hooks.mlflow.freeze import FrozenVersions, Judge, Row
from aims_mlops_hooks.mlflow.freeze_places import Place
from aims_mlops_hooks.mlflow.freeze_repository import MUTATORS, RepositoryLook, frozen_class
from tests.hooks.frozen_world import MODEL, Registered, Said, refused

pytestmark = pytest.mark.filterwarnings("default")


READERS = {
    "download_archived_trace_data",
    "download_artifacts",
    "download_trace_attachment",
    "download_trace_attachment_to_file",
    "download_trace_data",
    "download_trace_data_to_file",
    "get_download_presigned_url",
    "get_local_path",
    "list_artifacts",
    "max_workers",
}
BY_OTHERS = {"upload_attachment", "upload_trace_data", "upload_archived_trace_data", "flush_async_logging"}
"""They write by calling a mutator of the same repository."""


def test_every_public_method_of_mlflows_repositories_is_known() -> None:
    """A method that appears here is new in MLflow: decide whether it changes files, and guard it if it does."""
    from mlflow.store.artifact import artifact_repo

    kinds: list[type] = [artifact_repo.ArtifactRepository]
    kinds += [kind for name, kind in inspect.getmembers(artifact_repo, inspect.isclass) if name.endswith("Mixin")]
    found = {name for kind in kinds for name in vars(kind) if not name.startswith("_")}
    assert found - set(MUTATORS) - READERS - BY_OTHERS == set()


def test_no_class_for_disk_or_bucket_adds_a_public_method_that_is_not_known() -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    known = set(MUTATORS) | READERS | BY_OTHERS
    helpers = {"artifact_dir", "parse_s3_compliant_uri", "get_s3_file_upload_extra_args"}
    for kind in (LocalArtifactRepository, S3ArtifactRepository):
        assert {name for name in vars(kind) if not name.startswith("_")} - known - helpers == set()


def test_the_frozen_class_keeps_signatures_and_kinds() -> None:
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    root = Place.of("s3://bucket")
    derived = frozen_class(S3ArtifactRepository, Judge(root, FrozenVersions(Said(), Registered(root))))
    assert issubclass(derived, S3ArtifactRepository), "MLflow asks for its mixins"
    for name in MUTATORS:
        if hasattr(S3ArtifactRepository, name):
            original, guarded = getattr(S3ArtifactRepository, name), getattr(derived, name)
            assert guarded is not original
            assert inspect.signature(guarded) == inspect.signature(original)
            assert inspect.iscoroutinefunction(guarded) == inspect.iscoroutinefunction(original)


def test_the_local_class_publishes_uploads_where_they_can_be_judged_again() -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    if not hasattr(LocalArtifactRepository, "log_artifact_from_async_stream"):
        pytest.skip("this MLflow takes no uploads as streams")
    staged = inspect.signature(LocalArtifactRepository._publish_staged_artifact)
    assert list(staged.parameters)[:3] == ["self", "temp_file_path", "destination_file_path"]


@dataclass
class Bucket:
    """A repository of objects, as a look needs it."""

    keys: list[str]

    def list_artifacts(self, path: str | None) -> list[Any]:
        from mlflow.entities import FileInfo

        above = f"{path}/" if path else ""
        below = sorted({key.removeprefix(above).split("/")[0] for key in self.keys if key.startswith(above)})
        return [FileInfo(above + name, f"{above}{name}" not in self.keys, None) for name in below]


def test_where_mlflow_deletes_by_the_beginning_of_a_key_its_neighbours_are_judged_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MLflow 3.10 deletes `1/models/m-7` with `1/models/m`: later versions do not."""
    from mlflow.store.artifact import artifact_repo

    look = RepositoryLook(Bucket([f"{MODEL}/MLmodel", f"{MODEL}/data/w", "12/x"]), whole=True)
    root = Place.of("s3://bucket")
    judge = Judge(root, FrozenVersions(Said({("a", "1")}), Registered(root, [Row("default", "a", "1", None, MODEL)])))
    judge.delete(look, root, "1/models/m")
    monkeypatch.delattr(artifact_repo, "_is_object_key_within_path", raising=False)
    refused(judge.delete, look, root, "1/models/m")
    judge.delete(look, root, "12")
