"""What is frozen: the folders of versions that have evidence, and evidence itself. One judge for every kind of write.

A version's folder is frozen from the first statement about it on, and as long as any live version lies there. Versions
that hold a protected alias or stage, or a protected name, are frozen whether anything was said of them or not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from aims_mlops.errors import AimsError
from aims_mlops.model.subject import Target
from aims_mlops_hooks.mlflow.freeze_places import Place, is_evidence, touches_evidence

DELETED = "Deleted_Internal"
"""The stage that MLflow gives to a version that was deleted; its row stays."""

_NEXT = "log the model again and register that: a new version has files of its own"
_KEEP = "what was recorded is kept; attach anything new under another name"


@dataclass(frozen=True, slots=True)
class Freeze:
    """Why a folder is frozen: a version lies there, and something was said of it or it stands somewhere."""

    model: str
    version: str
    workspace: str
    why: str

    @property
    def label(self) -> str:
        """How people name the version; its workspace too where it is not the default one."""
        label = f"{self.model}/{self.version}"
        return label if self.workspace == "default" else f"{label} in workspace {self.workspace}"


@dataclass(frozen=True, slots=True)
class Row:
    """One version as the registry has it. `location` is where its files lie, as a URI."""

    workspace: str
    name: str
    version: str
    stage: str | None
    location: str


class Evidence(Protocol):
    """What the freeze asks of the log and of the configuration in force. Raises `AimsError`."""

    def state(self) -> Hashable:
        """Return something that differs as soon as the log has grown or another configuration is in force. Cheap."""
        ...

    def versions(self) -> Collection[tuple[str, str]]:
        """Return model and number of every version that a statement is about."""
        ...

    def protection(self) -> Callable[[Target], bool]:
        """Return whether reaching a target is a promotion now; without a configuration, any alias or stage is."""
        ...

    def newest(self, model: str, version: str) -> str | None:
        """Return the digest of the newest statement about a version, shortened for people."""
        ...


class Versions(Protocol):
    """What the freeze asks of the registry, across all workspaces. Raises `AimsError`."""

    def rows(self) -> Iterable[Row]:
        """Yield every version, the deleted ones too."""
        ...

    def aliases(self) -> Iterable[tuple[str, str, str, str]]:
        """Yield workspace, model, alias and version number of every alias."""
        ...

    def places(self, row: Row) -> Iterable[Place]:
        """Yield every place that a row's location may stand for."""
        ...


class Frozen(Protocol):
    """Answers what of the destination is frozen. Raises `AimsError` where it cannot tell."""

    def covers(self, place: Place) -> Freeze | None:
        """Return why a place is frozen: it is a frozen folder or lies in one."""
        ...

    def lies_in(self, place: Place) -> Freeze | None:
        """Return a frozen folder that lies in a place, if any does."""
        ...

    def newest(self, freeze: Freeze) -> str | None:
        """Return the digest of the newest statement about the frozen version."""
        ...


class Index:
    """The frozen folders at one moment, found in as many steps as a path has segments."""

    def __init__(self, folders: Mapping[Place, Freeze]) -> None:
        self._folders = {(place.storage, place.path): freeze for place, freeze in folders.items()}
        self._above: dict[tuple[tuple[str, str], tuple[str, ...]], Freeze] = {}
        for (storage, path), freeze in self._folders.items():
            for length in range(len(path)):
                self._above.setdefault((storage, path[:length]), freeze)

    def covers(self, place: Place) -> Freeze | None:
        """Return why a place is frozen, if it is."""
        lengths = range(len(place.path) + 1)
        keys = ((place.storage, place.path[:length]) for length in lengths)
        return next((self._folders[key] for key in keys if key in self._folders), None)

    def lies_in(self, place: Place) -> Freeze | None:
        """Return a frozen folder below a place, if there is one."""
        return self._above.get((place.storage, place.path))


class FrozenVersions:
    """Implements `Frozen` over log and registry; read anew when the log has grown, and before anything is refused.

    Thawing needs no growth of the log (a version is deleted, a model renamed), so only refusals look twice.
    """

    def __init__(self, evidence: Evidence, versions: Versions) -> None:
        self._evidence, self._versions = evidence, versions
        self._lock = threading.Lock()
        self._kept: tuple[Hashable, Index] | None = None

    def covers(self, place: Place) -> Freeze | None:
        """Return why a place is frozen. Raises `AimsError` where log or registry cannot be read."""
        return self._asked(lambda index: index.covers(place))

    def lies_in(self, place: Place) -> Freeze | None:
        """Return a frozen folder that lies in a place. Raises as `covers` does."""
        return self._asked(lambda index: index.lies_in(place))

    def newest(self, freeze: Freeze) -> str | None:
        """Return the digest of the newest statement about the frozen version."""
        return self._evidence.newest(freeze.model, freeze.version)

    def _asked(self, question: Callable[[Index], Freeze | None]) -> Freeze | None:
        state = self._evidence.state()
        with self._lock:
            if self._kept is None or self._kept[0] != state or question(self._kept[1]) is not None:
                self._kept = state, self._read()
            return question(self._kept[1])

    def _read(self) -> Index:
        spoken_of, protects = frozenset(self._evidence.versions()), self._evidence.protection()
        held = {
            (workspace, name, version): f"holds {alias}"
            for workspace, name, alias, version in self._versions.aliases()
            if protects(Target("alias", alias))
        }
        rows = list(self._versions.rows())
        # A copy shares its source's folder, which stays frozen when the source is deleted.
        gone = {row.location for row in rows if row.stage == DELETED and (row.name, row.version) in spoken_of}
        folders: dict[Place, Freeze] = {}
        for row in rows:
            why = held.get((row.workspace, row.name, row.version)) or _why(row, protects)
            if (row.name, row.version) in spoken_of:
                why = "has signed evidence"
            elif row.location in gone:
                why = "shares its files with a version that was checked"
            if why and row.stage != DELETED:
                freeze = Freeze(row.name, row.version, row.workspace, why)
                folders.update(dict.fromkeys(self._versions.places(row), freeze))
        return Index(folders)


def _why(row: Row, protects: Callable[[Target], bool]) -> str | None:
    """Say what freezes a version by itself, whatever was said of it."""
    if row.stage not in (None, "", "None", DELETED) and protects(Target("stage", str(row.stage))):
        return f"is in {row.stage}"
    return "has a protected name" if protects(Target("name", row.name)) else None


class Look(Protocol):
    """What the judge asks of the repository that is about to be written to, by paths relative to it."""

    @property
    def whole(self) -> bool:
        """Whether it is the repository of the whole destination, so that it sees what lies above a path."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        ...

    def files(self, path: str) -> Iterator[str]:
        """Yield the paths of the files in a folder, at any depth."""
        ...

    def taken_along(self, path: str) -> Iterator[str]:
        """Yield what else this MLflow would delete with a path, since it goes by the beginning of a name."""
        ...


class Judge:
    """Refuses what would change frozen files. `root` is the configured destination; what lies elsewhere is not ours.

    Every refusal is an MlflowException, PERMISSION_DENIED (403).
    """

    def __init__(self, root: Place, frozen: Frozen) -> None:
        self._root, self._frozen = root, frozen

    @property
    def root(self) -> Place:
        """The destination whose files are frozen."""
        return self._root

    def write(self, look: Look, base: Place, path: str) -> None:
        """Refuse a write into or over a frozen folder, or over a file of evidence that is there already."""
        place = base.at(path)
        if not place.within(self._root):
            return
        below = place.path[len(self._root.path) :]
        if is_evidence(below) and look.exists(path):
            raise refusal(f"{path} is evidence, which is written once and never changed", _KEEP)
        try:
            freeze = self._frozen.covers(place) or self._frozen.lies_in(place)
        except AimsError as error:
            self._only_what_is_no_model(look, path, error)
        else:
            self._must_be_free(path, "written", freeze)

    def delete(self, look: Look, base: Place, path: str) -> None:
        """Refuse to delete a frozen folder, anything in it, whatever it lies in, and evidence with all above it."""
        for taken in (path, *look.taken_along(path)):
            self._delete(look, base, taken)

    def _delete(self, look: Look, base: Place, path: str) -> None:
        place = base.at(path)
        if not place.overlaps(self._root):
            return
        below = place.path[len(self._root.path) :]
        if touches_evidence(below) and look.exists(path):
            raise refusal(f"{path or '/'} holds evidence, which is never deleted", _KEEP)
        inside = None
        try:
            freeze = self._frozen.covers(place) or self._frozen.lies_in(place)
        except AimsError as error:
            self._only_what_is_no_model(look, path, error)
            inside = error
        else:
            self._must_be_free(path, "deleted", freeze)
        self._holds_nothing_kept(look, base, path, inside)

    def never(self, base: Place, path: str, what: str) -> None:
        """Refuse something that would outlive any judgement, wherever in the destination."""
        if base.at(path).within(self._root):
            raise refusal(
                f"{what} for {path} would still write when a model there has been checked",
                "upload through the server (mlflow-artifacts:), which looks at each write",
            )

    def _must_be_free(self, path: str, verb: str, freeze: Freeze | None) -> None:
        if freeze is None:
            return
        newest = self._frozen.newest(freeze)
        said = f", statement {newest}" if newest else ""
        raise refusal(f"{path or '/'} is not {verb}: {freeze.label} {freeze.why}{said}, and its files lie there", _NEXT)

    def _only_what_is_no_model(self, look: Look, path: str, error: AimsError) -> None:
        """Hold to closed by default where nobody can say what is frozen: models stay, the rest may go on."""
        parts = path.split("/") if path else []
        folders = ("/".join((*parts[:length], "MLmodel")) for length in range(len(parts) + 1))
        if not look.whole or any(look.exists(file) for file in folders):
            raise refusal(
                f"{path or '/'} lies in a model's folder, and what is frozen cannot be found out: {error}",
                error.hint or "see the server's log",
            )

    def _holds_nothing_kept(self, look: Look, base: Place, path: str, error: AimsError | None) -> None:
        for file in look.files(path):
            place = base.at(file)
            if place.within(self._root) and is_evidence(place.path[len(self._root.path) :]):
                raise refusal(f"{path or '/'} holds evidence ({file}), which is never deleted", _KEEP)
            if error is not None and file.rpartition("/")[2] == "MLmodel":
                raise refusal(
                    f"{path or '/'} holds a model ({file}), and what is frozen cannot be found out: {error}",
                    error.hint or "see the server's log",
                )


def refusal(what: str, hint: str) -> Exception:
    """Return the exception that MLflow carries to the caller as 403 PERMISSION_DENIED, text and all."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    return MlflowException(f"[aims] frozen: {what}\nNext: {hint}", error_code=PERMISSION_DENIED)
