"""MLflow's model registry as the core sees it. Needs `mlflow-skinny` alone where the registry is an HTTP server."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from aims_mlops.api import manifest
from aims_mlops.errors import FilesGone, RegistryError, UsageError
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from aims_mlops.model.times import from_millis
from aims_mlops.plugin import Predictor
from aims_mlops.ports import Snapshot, Standing
from aims_mlops_hooks.mlflow import workspaces
from aims_mlops_hooks.mlflow.guard import acting
from aims_mlops_hooks.mlflow.outside import Outside, without_password
from aims_mlops_hooks.mlflow.registry_store import plain_uri
from aims_mlops_hooks.mlflow.standing import listed

if TYPE_CHECKING:
    from mlflow import MlflowClient

EVIDENCE_EXPERIMENT = "aims-evidence"
"""Where evidence is attached of versions that have no run."""

EVIDENCE_RUN_TAG = "aims.evidence_run"
"""The version tag that names such a run."""


_MANAGED = ("databricks", "uc:")
"""How the URIs of managed registries begin, which MLflow's client asks in another way."""

_ANCESTORS = 3
"""How many folders above a model's own are gone with it at most, when a run was deleted for good."""


class MlflowRegistry:
    """Implements `aims_mlops.ports.ModelRegistry` over MLflow's client.

    `uri` and `tracking_uri` are MLflow's; None means what MLflow itself would use. Every failure of MLflow is a
    `RegistryError`; a server that is away is given up after one repetition (see `outside.patience`).
    """

    def __init__(self, uri: str | None = None, *, tracking_uri: str | None = None) -> None:
        """Keep the URIs; nothing is connected yet."""
        self._uri, self._tracking_uri = uri, tracking_uri
        self._made: MlflowClient | None = None

    @property
    def place(self) -> str:
        """The registry's URI for people, without password."""
        return without_password(self._registry_uri())

    def resolve(self, ref: ModelRef, registry_id: str) -> ModelVersion:
        """Return the version that a reference means now; `RegistryError` where there is none."""
        label = f"{ref.name}@{ref.alias}" if ref.alias else f"{ref.name}/{ref.version}"
        with self._outside(f"reading {label}"):
            return described(self._find(ref), registry_id)

    def models(self) -> tuple[str, ...]:
        """Return the names of all registered models, sorted; MLflow's prompts are left out."""
        names: list[str] = []
        with self._outside("listing the registered models"):
            token: str | None = ""
            while token is not None:
                page = self._client().search_registered_models(max_results=100, page_token=token or None)
                names.extend(model.name for model in page)
                token = page.token or None
        return tuple(sorted(names))

    def standing(self, registry_id: str, *, names: Callable[[str], bool]) -> Iterator[Standing]:
        """Yield what holds now in every workspace that this user may see, by model and version; prompts are left out.

        An alias that leads to a version which is gone is left out too: nothing stands there.
        """
        with self._outside("listing the workspaces"):
            spaces = list(workspaces.every(self._registry_uri()))
        for space in spaces:
            with self._outside("listing what holds aliases and stages"), workspaces.inside(space):
                found = listed(self._client(), managed=self._registry_uri().startswith(_MANAGED))
                described_ = [(described(item, registry_id), found.held_by(item)) for item in found.versions]
            for version, aliases in described_:
                yield from _stands(replace(version, aliases=aliases), names)

    def _registry_uri(self) -> str:
        import mlflow

        return plain_uri(self._uri or str(mlflow.get_registry_uri()))

    def snapshot(self, version: ModelVersion, folder: Path) -> Snapshot:
        """Copy the version's files into `folder` (made 0700 where it is missing, else empty) and digest the copy.

        Raises `VerificationError` for links and odd names, `RegistryError` where the files cannot be had.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        local = self._local(version)
        if local is not None:
            manifest.copy(local, folder)
        else:
            self._download(version, folder)
        # The copy is digested, not the source: it is what the checks will see.
        text = manifest.build(folder)
        return Snapshot(folder, text, Digest.of(text))

    def manifest(self, version: ModelVersion) -> bytes:
        """Return the manifest of the files where they are, or of a passing copy. Raises as `snapshot` does."""
        with workspaces.inside(version.workspace):
            local = self._local(version)
            if local is not None:
                return manifest.build(local)
            with tempfile.TemporaryDirectory(prefix="aims-") as folder:
                self._download(version, Path(folder))
                return manifest.build(Path(folder))

    def predictor(self, snapshot: Snapshot, *, positive: object = None) -> Predictor:
        """Return a predictor that runs the snapshot in a process without secrets."""
        from aims_mlops_hooks.mlflow.predictor import ProcessPredictor

        return ProcessPredictor(snapshot, positive=positive)

    def act(self, version: ModelVersion, target: Target) -> None:
        """Set the alias or stage, or copy the version into the protected name, which is made where it is missing.

        Decides nothing: the caller has. The guard in this process lets exactly this through.
        """
        client, what = self._client(), f"promoting {version.label} to {target}"
        there = workspaces.inside(version.workspace)
        with self._outside(what, transfer=True), there, acting(version, target):
            if target.kind == "alias":
                client.set_registered_model_alias(version.name, target.value, version.version)
            elif target.kind == "stage":
                _set_stage(client, version, target.value)
            else:
                client.copy_model_version(f"models:/{version.name}/{version.version}", target.value)

    def remove(self, version: ModelVersion, target: Target) -> None:
        """Take an alias away, or bring the version out of a stage. Decides nothing; the guard lets this through."""
        if target.kind == "name":
            raise UsageError(f"{version.label} cannot be taken out of its name", hint="delete the version by hand")
        what, there = f"taking {target} from {version.label}", workspaces.inside(version.workspace)
        with self._outside(what), there, acting(version, target):
            if target.kind == "alias":
                self._client().delete_registered_model_alias(version.name, target.value)
            else:
                _set_stage(self._client(), version, "None")

    def publish(self, version: ModelVersion, files: Mapping[str, bytes], tags: Mapping[str, str]) -> None:
        """Attach files under `aims/NAME/VERSION/` of the version's run, and set version tags.

        Where the version has no run, or a deleted one, a run in the experiment `aims-evidence` takes its place.
        """
        with self._outside(f"attaching evidence to {version.label}", transfer=True):
            if files:
                self._log(self._run(version), f"aims/{version.name}/{version.version}", files)
            for key, value in tags.items():
                self._tag(version, key, value)

    def _tag(self, version: ModelVersion, key: str, value: str) -> None:
        """Set a version tag. A server that enforces keeps ours to itself, and sets its own with each decision."""
        from mlflow.exceptions import MlflowException

        try:
            self._client().set_model_version_tag(version.name, version.version, key, value)
        except MlflowException as error:
            if error.error_code != "PERMISSION_DENIED" or "[aims]" not in str(error):
                raise

    def _outside(self, what: str, *, transfer: bool = False) -> Outside:
        return Outside(what, place=self.place, transfer=transfer)

    def _client(self) -> MlflowClient:
        if self._made is None:
            from mlflow import MlflowClient

            self._made = MlflowClient(tracking_uri=self._tracking_uri, registry_uri=self._uri)
        return self._made

    def _find(self, ref: ModelRef) -> Any:
        if ref.alias is not None:
            return self._client().get_model_version_by_alias(ref.name, ref.alias)
        if ref.version is None:
            raise UsageError(f"{ref.name!r} names no version", hint="write name/3 or name@alias")
        return self._client().get_model_version(ref.name, ref.version)

    def _location(self, version: ModelVersion) -> str:
        """Return the URI of the version's files; a `models:/m-…` source is followed to its logged model."""
        uri = str(self._client().get_model_version_download_uri(version.name, version.version))
        for _ in range(8):
            if not uri.startswith("models:/"):
                return uri
            uri = self._follow(uri.removeprefix("models:/"))
        raise RegistryError(
            f"the files of {version.label} cannot be found: its source leads from copy to copy",
            hint="register the model again from its run",
        )

    def _follow(self, source: str) -> str:
        name, slash, number = source.rpartition("/")
        if slash:
            return str(self._client().get_model_version_download_uri(name, number))
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client().get_logged_model(source).artifact_location)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise FilesGone(f"the logged model {source} was deleted", hint="register the model again") from error

    def _local(self, version: ModelVersion) -> Path | None:
        """Return the folder where the files lie on this machine; None where they must be downloaded."""
        with self._outside(f"finding the files of {version.label}"):
            from mlflow.utils.file_utils import local_file_uri_to_path

            uri = self._location(version)
            if urlparse(uri).scheme not in ("", "file"):
                return None
            folder = Path(local_file_uri_to_path(uri))  # type: ignore[no-untyped-call]  # MLflow's own
        if not folder.is_symlink() and not folder.exists():
            # Where the folders around it are missing too, this is more likely another machine than a deletion.
            above = [*folder.parents][:-1][:_ANCESTORS]
            kind = FilesGone if any(place.exists() for place in above) else RegistryError
            raise kind(
                f"the files of {version.label} are not at {folder}",
                hint="run this where the registry's files lie, or let the server hand them out (mlflow-artifacts:)",
            )
        return folder

    def _download(self, version: ModelVersion, folder: Path) -> None:
        with self._outside(f"downloading the files of {version.label}", transfer=True):
            import mlflow
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            # The plain repository: going by `models:/` would write `registered_model_meta` into the copy.
            repository = get_artifact_repository(
                self._location(version),
                tracking_uri=self._tracking_uri or mlflow.get_tracking_uri(),
                registry_uri=self._uri or mlflow.get_registry_uri(),
            )
            repository.download_artifacts("", str(folder))  # type: ignore[no-untyped-call]  # MLflow's own
        if not any(folder.iterdir()):
            raise FilesGone(f"the place of the files of {version.label} is empty", hint="register the model again")

    def _run(self, version: ModelVersion) -> str:
        """Return the id of a live run that evidence can be attached to."""
        if version.run_id and self._is_alive(version.run_id) and not self._holds(version, version.run_id):
            return version.run_id
        tags = self._client().get_model_version(version.name, version.version).tags
        known = tags.get(EVIDENCE_RUN_TAG)
        if known and self._is_alive(known):
            return str(known)
        experiment = self._client().get_experiment_by_name(EVIDENCE_EXPERIMENT)
        if experiment is None:
            return self._new_run(version, self._client().create_experiment(EVIDENCE_EXPERIMENT))
        # Where a server keeps the tag to itself, the run is found by its name.
        quote = '"' if "'" in version.label else "'"
        named = f"attributes.run_name = {quote}{version.label}{quote}"
        runs = self._client().search_runs([experiment.experiment_id], named, max_results=1)
        return str(runs[0].info.run_id) if runs else self._new_run(version, experiment.experiment_id)

    def _holds(self, version: ModelVersion, run_id: str) -> bool:
        """Whether a run's attachments would come to lie among the model's own files, and change its digest."""
        place = self._location(version)
        if place.startswith("runs:/"):
            run, _, path = place.removeprefix("runs:/").lstrip("/").partition("/")
            place = f"{self._artifacts(run)}/{path}"
        return f"{_plain(self._artifacts(run_id))}/aims/".startswith(f"{_plain(place)}/")

    def _artifacts(self, run_id: str) -> str:
        return str(self._client().get_run(run_id).info.artifact_uri)

    def _is_alive(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client().get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return False
            raise

    def _new_run(self, version: ModelVersion, experiment: str) -> str:
        client = self._client()
        run_id = str(client.create_run(experiment, run_name=version.label).info.run_id)
        # `set_terminated` would print the run's address on standard output, where results belong.
        client.update_run(run_id, status="FINISHED")
        self._tag(version, EVIDENCE_RUN_TAG, run_id)
        return run_id

    def _log(self, run_id: str, place: str, files: Mapping[str, bytes]) -> None:
        with _written(files) as folder:
            self._client().log_artifacts(run_id, str(folder), place)


def _plain(uri: str) -> str:
    """Write an address in one way, so that two of the same place begin alike: a folder has several."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if urlparse(uri).scheme in ("", "file"):
        return os.path.realpath(str(local_file_uri_to_path(uri)))  # type: ignore[no-untyped-call]  # MLflow's own
    return uri.rstrip("/")


@contextmanager
def _written(files: Mapping[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aims-") as folder:
        for name, content in files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise UsageError(f"{name!r} is no name for an attached file", hint="use a relative path")
            place = Path(folder) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        yield Path(folder)


def _set_stage(client: MlflowClient, version: ModelVersion, stage: str) -> None:
    with warnings.catch_warnings():
        # MLflow would rather have aliases; the policy that names a stage has decided that already.
        warnings.simplefilter("ignore", FutureWarning)
        client.transition_model_version_stage(version.name, version.version, stage)


def _stands(version: ModelVersion, names: Callable[[str], bool]) -> Iterator[Standing]:
    yield from (Standing(version, Target("alias", alias)) for alias in version.aliases)
    if version.stage is not None:
        yield Standing(version, Target("stage", version.stage))
    if names(version.name):
        yield Standing(version, Target("name", version.name))


def described(found: Any, registry_id: str) -> ModelVersion:
    """Return what the core knows of a version as MLflow describes it."""
    from mlflow.utils.workspace_context import get_request_workspace

    stage = found.current_stage
    return ModelVersion(
        registry_id=registry_id,
        workspace=getattr(found, "workspace", None) or get_request_workspace() or "default",
        name=found.name,
        version=str(int(found.version)),
        created_at=from_millis(found.creation_timestamp),
        source=found.source or "",
        run_id=found.run_id or None,
        aliases=tuple(sorted(found.aliases or ())),
        stage=None if stage in (None, "", "None") else str(stage),
    )
