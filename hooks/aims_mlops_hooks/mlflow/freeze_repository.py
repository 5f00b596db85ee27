"""The guard on MLflow's artifact repositories: every method that changes files asks the judge first.

`MUTATORS` names them all, with what each is about to change; a contract test holds it against MLflow's classes. The
configured destination gets a class of its own, derived from MLflow's; the plain classes are guarded in place.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aims_mlops_hooks.mlflow.freeze import Judge
from aims_mlops_hooks.mlflow.freeze_places import OddPathError, Place, clean

Arguments = Mapping[str, Any]
"""The arguments of a call by their names in MLflow, defaults filled in."""

_TRACES = "traces.pb"
"""The file that `upload_archived_trace_data_bytes` writes, always at the repository's root."""


class RepositoryLook:
    """Answers `freeze.Look` from a repository; from the disk itself where that is where it lies."""

    def __init__(self, repository: Any, *, whole: bool) -> None:
        self._repository, self._whole = repository, whole

    @property
    def whole(self) -> bool:
        """Whether the repository is the whole destination."""
        return self._whole

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder at the path."""
        if (folder := _folder(self._repository)) is not None:
            return os.path.lexists(os.path.join(folder, path))  # noqa: PTH118  # as MLflow joins
        above, name = posixpath.split(path)
        return not name or any(posixpath.basename(info.path) == name for info in self._listed(above))

    def files(self, path: str) -> Iterator[str]:
        """Yield the files at any depth, by their path from the repository's root."""
        if (folder := _folder(self._repository)) is not None:
            for above, _, names in os.walk(os.path.join(folder, path)):  # noqa: PTH118  # as MLflow joins
                yield from (Path(above, name).relative_to(folder).as_posix() for name in names)
            return
        for info in self._listed(path):
            if info.is_dir and info.path != path:
                yield from self.files(info.path)
            elif not info.is_dir:
                yield info.path

    def taken_along(self, path: str) -> Iterator[str]:
        """Yield what lies beside a path under a longer name, where MLflow deletes by the beginning of a key."""
        from mlflow.store.artifact import artifact_repo

        above, name = posixpath.split(path)
        # Later versions hold a key to the end of a folder's name, by this function.
        if name and _folder(self._repository) is None and not hasattr(artifact_repo, "_is_object_key_within_path"):
            beside = (info.path for info in self._listed(above))
            yield from (other for other in beside if other != path and posixpath.basename(other).startswith(name))

    def _listed(self, path: str) -> list[Any]:
        return list(self._repository.list_artifacts(path or None))


def _folder(repository: Any) -> str | None:
    return str(repository.artifact_dir) if hasattr(repository, "artifact_dir") else None


class Watched:
    """One repository under the judge: says what a call is about to do, by paths relative to the repository."""

    def __init__(self, judge: Judge, repository: Any, *, whole: bool) -> None:
        """`whole` is for the configured destination itself, whose paths must also stand for themselves."""
        self._judge, self._repository, self._whole = judge, repository, whole
        self._base = _base(repository)
        self._look = RepositoryLook(repository, whole=whole)

    def write(self, folder: str | None, name: object) -> None:
        """Judge a write of a file into a folder; of its name only the last segment counts, as in MLflow."""
        self._judge.write(self._look, self._base, posixpath.join(self._clean(folder), os.path.basename(str(name))))  # noqa: PTH119

    def write_all(self, source: object, folder: str | None) -> None:
        """Judge a write of each file of a local folder."""
        place, source = self._clean(folder), Path(str(source))
        for above, _, names in os.walk(source):
            for name in names:
                inner = Path(above, name).relative_to(source).as_posix()
                self._judge.write(self._look, self._base, posixpath.join(place, inner))

    def publish(self, path: str) -> None:
        """Judge a local file again, at the moment when it takes its place: an upload may have taken its time."""
        folder = os.path.realpath(str(_folder(self._repository)))
        self._judge.write(self._look, self._base, os.path.relpath(path, folder))

    def delete(self, path: str | None) -> None:
        """Judge a deletion, however the repository reads the path."""
        wanted = self._clean(path, deletes=True)
        self._judge.delete(self._look, self._base, wanted)
        if not self._whole and _folder(self._repository) is not None:
            self._judge.delete(self._look, Place.of(posixpath.join(self._base.text, wanted)), "")

    def never(self, path: str, what: str) -> None:
        """Judge what would write later, unseen."""
        self._judge.never(self._base, self._clean(path), what)

    def _clean(self, path: str | None, *, deletes: bool = False) -> str:
        if not self._whole:
            return path or ""
        try:
            return clean(path, deletes=deletes)
        except OddPathError as error:
            from mlflow.exceptions import MlflowException

            raise MlflowException.invalid_parameter_value(
                f"[aims] {error}\nNext: name the file or folder by its plain path"
            ) from error


def _base(repository: Any) -> Place:
    folder = _folder(repository)
    return Place.of(str(repository.artifact_uri)) if folder is None else Place.local(folder)


def _file(watched: Watched, arguments: Arguments) -> None:
    watched.write(arguments["artifact_path"], arguments["local_file"])


def _folder_of_files(watched: Watched, arguments: Arguments) -> None:
    watched.write_all(arguments["local_dir"], arguments["artifact_path"])


def _stream(watched: Watched, arguments: Arguments) -> None:
    watched.write(arguments["artifact_path"], arguments["artifact_file_name"])


def _staged(watched: Watched, arguments: Arguments) -> None:
    watched.publish(arguments["destination_file_path"])


def _traces(watched: Watched, _arguments: Arguments) -> None:
    watched.write(None, _TRACES)


def _deletion(watched: Watched, arguments: Arguments) -> None:
    watched.delete(arguments["artifact_path"])


def _presigned(watched: Watched, arguments: Arguments) -> None:
    watched.never(arguments["artifact_path"], "a presigned URL")


MUTATORS: Mapping[str, Callable[[Watched, Arguments], None]] = {
    "log_artifact": _file,
    "log_artifacts": _folder_of_files,
    "log_artifact_from_stream": _stream,
    "log_artifact_from_async_stream": _stream,
    "_publish_staged_artifact": _staged,
    "upload_archived_trace_data_bytes": _traces,
    "delete_artifacts": _deletion,
    "create_multipart_upload": _file,
    "complete_multipart_upload": _file,
    "abort_multipart_upload": _file,
    "create_presigned_upload_url": _presigned,
}
"""Every method of MLflow's repositories and their mixins that changes files itself, and what it is judged by."""


def frozen_class(base: type, judge: Judge, *, whole: bool = True) -> type:
    """Derive the destination's class from the one that MLflow picks for the inner URI: the same, but judged.

    `whole` is False for a repository of a folder in the destination, which does not see what lies above it.
    """
    name = f"Frozen{base.__name__}"
    derived = type(name, (base,), {"__doc__": f"{base.__name__}, frozen where models were checked."})
    derived.__module__ = __name__
    derived._aims_derived = True  # type: ignore[attr-defined]  # noqa: SLF001  # the plain guard leaves it alone
    for method in MUTATORS:
        if hasattr(base, method):
            setattr(derived, method, _judged(getattr(base, method), method, lambda: judge, whole=whole))
    return derived


def guard_plain_class(base: type, judge: Callable[[], Judge | None]) -> None:
    """Guard a class of MLflow's in place, once: other ways than the proxy may lead into the destination.

    Only the methods that the class defines itself are wrapped. `judge` is asked at each call; None lets it pass.
    """
    for method in MUTATORS:
        original = base.__dict__.get(method)
        if original is not None and not hasattr(original, "_aims_guarded"):
            guarded = _judged(original, method, judge, whole=False, plain=True)
            guarded._aims_guarded = True  # type: ignore[attr-defined]  # noqa: SLF001
            setattr(base, method, guarded)


def _judged(
    original: Callable[..., Any], method: str, judge: Callable[[], Judge | None], *, whole: bool, plain: bool = False
) -> Callable[..., Any]:
    """Return the method with the judge in front, and the very signature of the original."""
    signature, asks = inspect.signature(original), MUTATORS[method]

    def ask(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        repository = args[0]
        if plain and getattr(repository, "_aims_derived", False):
            return  # the derived class has asked already
        if (found := judge()) is not None:
            asks(Watched(found, repository, whole=whole), bound.arguments)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def later(*args: Any, **kwargs: Any) -> Any:
            await asyncio.to_thread(ask, args, kwargs)
            return await original(*args, **kwargs)

        return later

    @functools.wraps(original)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        ask(args, kwargs)
        return original(*args, **kwargs)

    return guarded
