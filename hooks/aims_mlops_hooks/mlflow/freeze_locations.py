"""Where experiments, workspaces and versions may say that their files lie, in a server that freezes its destination.

MLflow's rows are looked at as they are written, by SQLAlchemy's own events: whoever writes them, through whichever
route, and before any store of MLflow's is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aims_mlops_hooks.mlflow.freeze import refusal
from aims_mlops_hooks.mlflow.freeze_places import Place, proxied_path

_APART: Mapping[str, tuple[str, ...]] = {
    "experiments": ("artifact_location",),
    "workspaces": ("default_artifact_root", "trace_archival_location"),
}
"""Columns by table from which MLflow derives where a server writes past its own proxy."""

_NO_SCHEME: Mapping[str, tuple[str, ...]] = {
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Columns that must not begin with `aims:`, which names the server's own files."""


def listen(root: Callable[[], Place]) -> None:
    """Look at every row that MLflow writes in this process from now on. `root` is the frozen destination."""
    from sqlalchemy import event
    from sqlalchemy.orm import Mapper

    def before_insert(mapper: Any, _connection: Any, row: Any) -> None:
        _look(root, mapper, row, lambda _column: True)

    def before_update(mapper: Any, _connection: Any, row: Any) -> None:
        from sqlalchemy import inspect

        _look(root, mapper, row, lambda column: bool(inspect(row).attrs[column].history.has_changes()))

    event.listen(Mapper, "before_insert", before_insert)
    event.listen(Mapper, "before_update", before_update)


def _look(root: Callable[[], Place], mapper: Any, row: Any, changed: Callable[[str], bool]) -> None:
    table = str(getattr(mapper.local_table, "name", ""))
    for column in (*_APART.get(table, ()), *_NO_SCHEME.get(table, ())):
        location = getattr(row, column, None)
        if location and changed(column):
            must_be_apart(str(location), root(), column=column, alone=table in _NO_SCHEME)


def must_be_apart(location: str, root: Place, *, column: str, alone: bool = False) -> None:
    """Refuse (MlflowException, 403) a location that leads into the destination past the proxy that guards it.

    `alone`: only the scheme `aims:` is refused, as for a version's source.
    """
    if location.strip().casefold().startswith("aims"):
        raise refusal(
            f"{column} {location[:300]!r}: 'aims:' stands for the server's own --artifacts-destination alone",
            "leave it out, or name it by mlflow-artifacts:",
        )
    if not alone and proxied_path(location) is None and Place.of(location).overlaps(root):
        raise refusal(
            f"{column} {location[:300]!r} leads into the store whose checked models are frozen, past its proxy",
            "leave it out, and the files go through the server; or name a place of its own",
        )
