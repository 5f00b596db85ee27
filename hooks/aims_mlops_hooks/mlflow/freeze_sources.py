"""Where the freeze of a server learns what is frozen: the log, and the SQL registry that this server guards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from aims_mlops.api import Server, newest_statement, protection, versions_with_evidence
from aims_mlops.errors import AimsError, RegistryError
from aims_mlops.model.subject import Target
from aims_mlops_hooks.mlflow.freeze import Row
from aims_mlops_hooks.mlflow.freeze_places import Place, proxied_path


class LogEvidence:
    """Implements `freeze.Evidence` over what this server decides with. Raises `AimsError`."""

    def state(self) -> Hashable:
        """Return the digest of the newest statement."""
        return newest_statement(_server())

    def versions(self) -> Collection[tuple[str, str]]:
        """Return model and number of every version that a statement is about."""
        return versions_with_evidence(_server())

    def protection(self) -> Callable[[Target], bool]:
        """Return what is protected under the configuration in force."""
        return protection(_server())

    def newest(self, model: str, version: str) -> str | None:
        """Return the digest of the newest statement about a version."""
        return newest_statement(_server(), model, version)


class RegisteredVersions:
    """Implements `freeze.Versions` over the tables of MLflow's SQL registry, across all workspaces.

    They are read past MLflow's store, which shows the caller's workspace only, and never from a read replica.
    """

    def __init__(self, root: Place) -> None:
        """`root` is the destination, where proxied locations lie."""
        self._root = root
        self._known: dict[tuple[str, str], tuple[Place, ...]] = {}

    def rows(self) -> Iterable[Row]:
        """Read every version, the deleted ones too; `RegistryError` where that fails."""
        from mlflow.store.model_registry.dbmodels.models import SqlModelVersion as Version

        for workspace, name, number, stage, stored, source in _read(
            Version, "workspace", "name", "version", "current_stage", "storage_location", "source"
        ):
            yield Row(workspace or "default", name, str(number), stage, str(stored or source or ""))

    def aliases(self) -> Iterable[tuple[str, str, str, str]]:
        """Read every alias; `RegistryError` where that fails."""
        from mlflow.store.model_registry.dbmodels.models import SqlRegisteredModelAlias as Alias

        for workspace, name, alias, number in _read(Alias, "workspace", "name", "alias", "version"):
            yield workspace or "default", name, alias, str(number)

    def places(self, row: Row) -> Iterable[Place]:
        """Return where a version's files may lie: those outside the destination too, and none where nobody can tell."""
        key = row.workspace, row.location
        if key not in self._known:
            self._known[key] = tuple(self._found(row.workspace, row.location))
        return self._known[key]

    def _found(self, workspace: str, location: str) -> Iterator[Place]:
        if location.startswith("runs:/"):
            location = _of_run(location, workspace)
        path = proxied_path(location)
        if not location or location.startswith("models:/"):
            return
        if path is None:
            yield Place.of(location)
            return
        yield self._root.at(path)
        if workspace != "default" and not path.startswith("workspaces/"):
            yield self._root.at(f"workspaces/{workspace}/{path}")


def _server() -> Server:
    from mlflow.exceptions import MlflowException

    from aims_mlops_hooks.mlflow.server.gatekeeper import this_servers_gate

    try:
        return this_servers_gate().open()
    except MlflowException as error:
        raise RegistryError(
            f"the registry of this server does not open: {error}", hint="see the server's log"
        ) from error


def _read(table: Any, *columns: str) -> list[tuple[Any, ...]]:
    """Read columns of a whole table; a column that this MLflow does not have yet is None in each row."""
    from sqlalchemy import literal_column, select

    wanted = [getattr(table, name, None) for name in columns]
    query = select(*[literal_column("NULL") if column is None else column for column in wanted])
    with _explained(), _store().engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def _store() -> Any:
    from mlflow.server.handlers import _get_model_registry_store

    return _get_model_registry_store()


def _of_run(location: str, workspace: str) -> str:
    """Return where a `runs:/ID/PATH` location lies; empty where there is no such run, and so no such files."""
    from mlflow.exceptions import MlflowException
    from mlflow.server.handlers import _get_tracking_store

    run_id, _, path = location.removeprefix("runs:/").lstrip("/").partition("/")
    try:
        with _workspace(workspace):
            run = _get_tracking_store().get_run(run_id)  # type: ignore[no-untyped-call]  # MLflow's own
    except MlflowException:
        return ""
    return f"{run.info.artifact_uri}/{path}"


def _workspace(name: str) -> AbstractContextManager[object]:
    """Look from a workspace, where this MLflow knows of any."""
    try:
        from mlflow.utils.workspace_context import ServerWorkspaceContext
    except ImportError:
        return nullcontext()
    context: AbstractContextManager[object] = ServerWorkspaceContext(name)
    return context


@contextmanager
def _explained() -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except AimsError:
        raise
    except (MlflowException, SQLAlchemyError) as error:
        raise RegistryError(
            f"the registry's versions cannot be read: {type(error).__name__}", hint="see the server's log"
        ) from error
