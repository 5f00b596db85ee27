"""Several workspaces: protection must hold in each, and what is allowed in one is not allowed in another."""

from __future__ import annotations

from dataclasses import replace

from tests.bypass.rest import PROXY, Reply
from tests.bypass.scene import Scene
from tests.bypass.suite import Answer, attempt

KIND = "workspace"


def _elsewhere(scene: Scene) -> Scene:
    """The same attempt, seen from a workspace of its own; the scene's probe looks there too."""
    server = scene.server.within(f"team-{scene.token}")
    own = scene.evidence.within(server)
    there = replace(scene, server=server, evidence=own, allowed={}, names=[], protected_names=[], others=[])
    scene.others.append(there)
    return there


@attempt(
    KIND, "alias-in-another-workspace", "the alias on the governed name, in a workspace of one's own", workspaces=True
)
def _alias(scene: Scene) -> Reply:
    there = _elsewhere(scene)
    return there.champion(there.model())


@attempt(
    KIND, "name-in-another-workspace", "a version in a protected name, in a workspace of one's own", workspaces=True
)
def _name(scene: Scene) -> Reply:
    there = _elsewhere(scene)
    made = there.model(there.free)
    return there.create(there.protected, made.source, run_id=made.run)


@attempt(
    KIND, "rename-in-another-workspace", "a rename into a protected name, in a workspace of one's own", workspaces=True
)
def _rename(scene: Scene) -> Reply:
    there = _elsewhere(scene)
    made = there.model(there.free)
    return there.rest.post("registered-models/rename", name=made.name, new_name=there.protected)


@attempt(
    KIND,
    "evidence-of-another-workspace",
    "a version is checked here, and its namesake there is promoted",
    workspaces=True,
)
def _evidence(scene: Scene) -> Reply:
    scene.checked()
    there = _elsewhere(scene)
    return there.champion(there.model())


@attempt(KIND, "delete-the-folder-of-all-workspaces", "DELETE of workspaces/ from the default one", workspaces=True)
def _all(scene: Scene) -> Reply:
    _elsewhere(scene).promoted()
    return scene.rest.call("DELETE", f"{PROXY}/workspaces")


@attempt(KIND, "put-in-the-same-workspace", "PUT into a promoted folder of a workspace", workspaces=True)
def _same(scene: Scene) -> Reply:
    there = _elsewhere(scene)
    return there.rest.put_file(f"{there.promoted().folder}/weights", b"other weights")


@attempt("artifact", "put-past-the-prefix", "PUT without the static prefix that the server was given", workspaces=True)
def _prefix(scene: Scene) -> Reply:
    made = scene.promoted()
    bare = replace(scene.rest, url=scene.server.url.removesuffix(scene.server.corner.prefix))
    return bare.put_file(f"{made.folder}/weights", b"other weights")


@attempt("artifact", "put-past-the-prefix-into-a-workspace", "the same with a workspace's header", workspaces=True)
def _prefix_workspace(scene: Scene) -> Reply:
    there = _elsewhere(scene)
    made = there.promoted()
    bare = replace(there.rest, url=there.server.url.removesuffix(there.server.corner.prefix))
    return bare.put_file(f"{made.folder}/weights", b"other weights")


@attempt(
    KIND,
    "workspace-deleted-into-the-default",
    "a workspace is deleted with SET_DEFAULT: its champion appears in the default one",
    answer=Answer.FOUND,
    workspaces=True,
)
def _moved(scene: Scene) -> Reply:
    there = _elsewhere(scene)
    scene.note(there.promoted().name)
    return scene.rest.call("DELETE", f"/api/3.0/mlflow/workspaces/{there.server.workspace}?mode=SET_DEFAULT")
