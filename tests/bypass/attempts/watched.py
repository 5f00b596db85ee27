"""What no server can prevent, since it does not pass through it: `aims watch` must find each."""

from __future__ import annotations

import shutil

from tests.bypass.attempts.processes import python
from tests.bypass.scene import Scene
from tests.bypass.servers import Corner, serve
from tests.bypass.suite import Answer, attempt

FOUND = Answer.FOUND


@attempt("database", "sql-inserts-the-alias", "a row for the alias, written into MLflow's database", answer=FOUND)
def _insert(scene: Scene) -> None:
    made = scene.model()
    scene.server.sql(
        "insert into registered_model_aliases (workspace, name, alias, version) "
        "values ('default', :name, 'champion', :version)",
        name=made.name,
        version=int(made.number),
    )


@attempt("database", "sql-moves-the-alias", "the champion's row is given another version", answer=FOUND)
def _update(scene: Scene) -> None:
    scene.promoted()
    made = scene.model()
    scene.server.sql(
        "update registered_model_aliases set version = :version where name = :name and alias = 'champion'",
        name=made.name,
        version=int(made.number),
    )


@attempt("database", "sql-sets-the-stage", "a version's stage, written into the database", answer=FOUND)
def _stage(scene: Scene) -> None:
    made = scene.model()
    scene.server.sql("update model_versions set current_stage = 'Production' where name = :name", name=made.name)


@attempt("database", "sql-renames-into-the-protected-name", "a model's name, changed in the database", answer=FOUND)
def _rename(scene: Scene) -> None:
    made, new = scene.model(scene.free), scene.protected
    scene.server.sql(
        "insert into registered_models (workspace, name, creation_time, last_updated_time) "
        "select workspace, :new, creation_time, last_updated_time from registered_models where name = :old",
        new=new,
        old=made.name,
    )
    scene.server.sql("update model_versions set name = :new where name = :old", new=new, old=made.name)
    scene.server.sql("delete from registered_models where name = :old", old=made.name)


@attempt(
    "database", "sql-points-the-champion-elsewhere", "a promoted version's place, changed in the database", answer=FOUND
)
def _source(scene: Scene) -> None:
    good, bad = scene.promoted(), scene.model(scene.free)
    scene.server.sql(
        "update model_versions set source = :source, storage_location = :source where name = :name",
        source=bad.source,
        name=good.name,
    )


@attempt("database", "own-store-sets-the-alias", "MlflowClient straight at the database", answer=FOUND)
def _own_store(scene: Scene) -> None:
    made = scene.model()
    script = (
        "import sys, mlflow; "
        "mlflow.MlflowClient(sys.argv[1], sys.argv[1]).set_registered_model_alias(sys.argv[2], 'champion', sys.argv[3])"
    )
    python("-c", script, scene.server.database, made.name, made.number)


@attempt(
    "second server", "second-server-sets-the-alias", "a second server on the same database, without us", answer=FOUND
)
def _second(scene: Scene) -> None:
    made, folder = scene.model(), scene.server.folder / "second"
    with serve(Corner(), folder, scene.server.database) as second:
        body = {"name": made.name, "alias": "champion", "version": made.number}
        second.rest.post("registered-models/alias", **body).ok()


@attempt("disk", "disk-write", "a promoted version's file is written on the server's disk", answer=FOUND)
def _write(scene: Scene) -> None:
    path = scene.server.artifacts / scene.promoted().folder / "weights"
    path.chmod(0o644)
    path.write_bytes(b"other weights")


@attempt("disk", "disk-delete", "a promoted version's folder is deleted on the server's disk", answer=FOUND)
def _delete(scene: Scene) -> None:
    shutil.rmtree(scene.server.artifacts / scene.promoted().folder)
