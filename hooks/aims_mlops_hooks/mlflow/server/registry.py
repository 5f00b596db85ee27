"""The registry as its own server sees it: the SQL store that is guarded, and the files where they really lie.

Nothing goes over HTTP, so that a decision needs no second request to the server that is busy with the first.
"""

from __future__ import annotations

import contextvars
import logging
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from aims_mlops.api import manifest
from aims_mlops.errors import RegistryError, UsageError, VerificationError
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from aims_mlops.model.times import from_millis
from aims_mlops.plugin import Predictor
from aims_mlops.ports import Snapshot, Standing
from aims_mlops_hooks.mlflow.guard import unguarded
from aims_mlops_hooks.mlflow.guard.transaction import one_session, to_primary
from aims_mlops_hooks.mlflow.registry import described
from aims_mlops_hooks.mlflow.stamps import stamps

_logger = logging.getLogger("aims")
_later = ThreadPoolExecutor(1, thread_name_prefix="aims-tags")
_waiting = threading.BoundedSemaphore(100)
"""What is more than this is left out: nobody waits for a tag."""
_KEPT = 256
"""How many manifests are kept, each for files that have not been touched since."""
_SETTLED_SECONDS = 2.0
"""How long files must have been left alone before their times are believed; a file system's clock ticks coarsely."""


class ServerRegistry:
    """Implements `aims_mlops.ports.ModelRegistry` inside the server. It decides and digests; it runs no model."""

    def __init__(self, store: Any, *, inside: Callable[[str], bool] = lambda _uri: True) -> None:
        """Take the guarded store itself. `inside` says whether a location is one that the server's freeze covers."""
        self._store = store
        self._inside = inside
        self._manifests: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """What it is, for people."""
        return "this MLflow server's registry"

    def resolve(self, ref: ModelRef, registry_id: str) -> ModelVersion:
        """Return the version that a reference means now; `RegistryError` where there is none."""
        with _explained(f"reading {ref.name}"):
            if ref.alias is not None:
                return described(self._store.get_model_version_by_alias(ref.name, ref.alias), registry_id)
            if ref.version is None:
                raise UsageError(f"{ref.name!r} names no version", hint="write name/3 or name@alias")
            with _row(self._store, ref.name, ref.version) as row:
                return _version(row, registry_id)

    def standing(self, registry_id: str, *, names: Callable[[str], bool]) -> Iterator[Standing]:
        """Refuse: who compares the registry with the log looks from outside, as every consumer does."""
        del registry_id, names
        raise _outside("what stands where is not listed", "aims watch, from a client")

    def snapshot(self, version: ModelVersion, folder: Path) -> Snapshot:
        """Refuse: a server measures nothing, since a model under test must not run beside its keys."""
        raise _outside(f"{version.label} is not copied to {folder}", f"aims check {version.label}, from a client")

    def predictor(self, snapshot: Snapshot, *, positive: object = None) -> Predictor:
        """Refuse, as `snapshot` does."""
        what = f"the model {snapshot.digest.short} does not run for {positive!r}"
        raise _outside(what, "aims check NAME/VERSION, from a client")

    def manifest(self, version: ModelVersion) -> bytes:
        """Return the manifest of the files where they are.

        Local files that have not been touched since the last look (size, times and inode of each) are not read again.
        Raises `VerificationError` for links, odd names, and a place that the configured freeze does not cover.
        """
        with _explained(f"finding the files of {version.label}"):
            location = self._location(version)
            if not self._inside(location):
                raise VerificationError(
                    f"the files of {version.label} lie outside the store that this server freezes",
                    hint="log the model anew through this server (mlflow-artifacts:), and register that",
                )
            folder = _local(location)
            return self._downloaded(location) if folder is None else self._read(folder)

    def act(self, version: ModelVersion, target: Target) -> None:
        """Refuse: in a server the call that was judged acts itself."""
        raise _outside(f"{version.label} is not promoted to {target}", "call MLflow's own route")

    def remove(self, version: ModelVersion, target: Target) -> None:
        """Refuse, as `act` does."""
        raise _outside(f"{version.label} does not lose {target}", "call MLflow's own route")

    def publish(self, version: ModelVersion, files: Mapping[str, bytes], tags: Mapping[str, str]) -> None:
        """Set pointer tags on the version, a moment later; clients attach the files. Nothing ever decides from either.

        Whoever promotes does not wait for them, and a tag that cannot be set is only logged.
        """
        del files
        if _waiting.acquire(blocking=False):
            _later.submit(contextvars.copy_context().run, self._tag, version, dict(tags))

    def _tag(self, version: ModelVersion, tags: Mapping[str, str]) -> None:
        from mlflow.entities.model_registry import ModelVersionTag

        try:
            with _explained(f"tagging {version.label}"), unguarded(), one_session(self._store):
                found = self._store.get_model_version(version.name, version.version)
                if from_millis(found.creation_timestamp) != version.created_at:
                    return  # another version has its name and number by now
                for key, value in (item for item in tags.items() if found.tags.get(item[0]) != item[1]):
                    tag = ModelVersionTag(key, value)  # type: ignore[no-untyped-call]  # MLflow's own
                    self._store.set_model_version_tag(version.name, version.version, tag)
        except RegistryError as error:
            _logger.warning("[aims] %s", error)
        finally:
            _waiting.release()

    def _location(self, version: ModelVersion) -> str:
        location = version.location
        if location is None:  # a version that somebody else than this registry described
            with _row(self._store, version.name, version.version) as row:
                location = _stored_at(row)
        if location.startswith("models:/"):
            raise RegistryError(
                f"the files of {version.label} cannot be found: it has only the source {location}",
                hint="register the model again from its run",
            )
        return location

    def _read(self, folder: Path) -> bytes:
        before = (str(folder), stamps(folder))
        with self._lock:
            kept = self._manifests.get(before)
        if kept is None:
            kept = manifest.build(folder)
            # Else somebody writes just now, or wrote so lately that a second write could have the same time.
            if (str(folder), stamps(folder)) == before and _newest(folder) < time.time() - _SETTLED_SECONDS:
                self._keep(before, kept)
        return kept

    def _keep(self, stamp: Hashable, content: bytes) -> None:
        with self._lock:
            self._manifests[stamp] = content
            while len(self._manifests) > _KEPT:
                self._manifests.popitem(last=False)

    def _downloaded(self, location: str) -> bytes:
        repository, path = _repository(location)
        with tempfile.TemporaryDirectory(prefix="aims-") as folder:
            repository.download_artifacts(path, folder)
            # An object store hands a folder out under its own path: the model's root is where that path leads.
            root = Path(folder) / path
            return manifest.build(root if path and root.is_dir() else Path(folder))


@contextmanager
def _row(store: Any, name: str, version: str) -> Iterator[Any]:
    """Read a version's row alone: MLflow's own way loads tags, aliases and models too, and takes far longer.

    From the primary database: a replica that lags behind would show the version that was there before.
    """
    with store.ManagedSessionMaker(**to_primary(store)) as session:
        yield store._get_sql_model_version(session, name, version)  # noqa: SLF001  # held by a contract test


def _version(row: Any, registry_id: str) -> ModelVersion:
    return ModelVersion(
        registry_id=registry_id,
        workspace=getattr(row, "workspace", None) or "default",
        name=row.name,
        version=str(int(row.version)),
        created_at=from_millis(row.creation_time),
        source=row.source or "",
        run_id=row.run_id or None,
        stage=None if row.current_stage in (None, "", "None") else str(row.current_stage),
        location=_stored_at(row),
    )


def _stored_at(row: Any) -> str:
    return str(row.storage_location or row.source or "")


def _repository(location: str) -> tuple[Any, str]:
    """Return the artifact repository that serves a location, and the path in it, as MLflow's own handlers find them."""
    from mlflow.server.handlers import (
        _get_artifact_repo_mlflow_artifacts,
        _get_proxied_run_artifact_destination_path,
        _get_workspace_scoped_repo_path_if_enabled,
        _is_servable_proxied_run_artifact_root,
    )
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if _is_servable_proxied_run_artifact_root(location):  # type: ignore[no-untyped-call]
        path = _get_proxied_run_artifact_destination_path(location)  # type: ignore[no-untyped-call]
        scoped = _get_workspace_scoped_repo_path_if_enabled(path)
        return _get_artifact_repo_mlflow_artifacts(), str(scoped or "")  # type: ignore[no-untyped-call]
    return get_artifact_repository(location), ""


def _local(location: str) -> Path | None:
    """Return the folder on this machine where a location's files lie; None where they are elsewhere."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if urlparse(location).scheme in ("", "file"):
        folder = Path(local_file_uri_to_path(location))  # type: ignore[no-untyped-call]  # MLflow's own
    else:
        repository, path = _repository(location)
        root = getattr(repository, "artifact_dir", None)
        if root is None:
            return None
        folder = Path(root) / path
    if not folder.is_symlink() and not folder.exists():
        raise RegistryError(f"the files of a version are not at {folder}", hint="was its run deleted (mlflow gc)?")
    return folder


def _newest(folder: Path) -> float:
    return max((path.lstat().st_ctime for path in (folder, *folder.rglob("*"))), default=0.0)


def _outside(what: str, hint: str) -> RegistryError:
    return RegistryError(f"{what} by the server itself", hint=hint)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise RegistryError(f"{what} failed: {error.message}", hint="is there such a model version?") from error
    except OSError as error:
        raise RegistryError(f"{what} failed: {error}", hint="see the server's log") from error
