"""Places that lie over the folder of a promoted version, so that an innocent call writes into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.bypass.rest import AJAX, Reply
from tests.bypass.scene import Scene, Version
from tests.bypass.suite import attempt

Place = Callable[[Path, Version], str]
PLACES: dict[str, Place] = {
    "a-bare-path": lambda root, made: f"{root}/{made.folder}",
    "a-file-address": lambda root, made: f"file://{root}/{made.folder}",
    "a-file-address-without-host": lambda root, made: f"file:{root}/{made.folder}",
    "a-path-with-a-dot": lambda root, made: f"{root}/./{made.folder}",
    "a-path-with-two-slashes": lambda root, made: f"{root}//{made.folder}",
}


def _over(scene: Scene, place: str) -> tuple[str, str]:
    """Make an experiment there, and a run in it; return both."""
    made = scene.rest.post("experiments/create", name=f"over-{scene.token}", artifact_location=place).ok()
    experiment = made.json["experiment_id"]
    return experiment, scene.run(experiment)[0]


def _upload(scene: Scene, run: str) -> Reply:
    path = f"{AJAX}upload-artifact?run_uuid={run}&path=weights"
    return scene.rest.call("POST", path, b"other weights", Content_Type="application/octet-stream")


def _located(words: str, place: Place) -> None:
    @attempt(
        "location", f"experiment-at-{words}", f"an experiment's location is {words.replace('-', ' ')} in the folder"
    )
    def run(scene: Scene) -> Reply:
        where = place(scene.server.artifacts, scene.promoted())
        return _upload(scene, _over(scene, where)[1])


for _words, _place in PLACES.items():
    _located(_words, _place)


@attempt(
    "location", "experiment-in-the-proxy", "an experiment's location is mlflow-artifacts:/ in the folder, then a PUT"
)
def _proxy(scene: Scene) -> Reply:
    made = scene.promoted()
    _, run = _over(scene, f"mlflow-artifacts:/{made.folder}")
    return scene.rest.put_file(f"{made.folder}/{run}/artifacts/weights", b"other weights")


@attempt("location", "experiment-in-the-proxy-by-client", "the same, with MlflowClient")
def _proxy_client(scene: Scene) -> None:
    made = scene.promoted()
    experiment = scene.client.create_experiment(f"over-{scene.token}", f"mlflow-artifacts:/{made.folder}")
    scene.client.log_text(scene.client.create_run(experiment).info.run_id, "other weights", "weights")


@attempt("location", "promptlab-run-over-the-folder", "a prompt-engineering run, which the server writes itself")
def _promptlab(scene: Scene) -> Reply:
    made = scene.promoted()
    experiment, _ = _over(scene, f"{scene.server.artifacts}/{made.folder}")
    body = {
        "experiment_id": experiment,
        "prompt_template": "{{x}}",
        "prompt_parameters": [{"key": "x", "value": "1"}],
        "model_route": "route",
        "model_input": "x",
        "model_output": "y",
        "mlflow_version": "3.17.2",
        "tags": [],
    }
    return scene.rest.call("POST", f"{AJAX}runs/create-promptlab-run", body)


@attempt("location", "location-before-the-check", "the overlapping experiment is made first, and used after promotion")
def _before(scene: Scene) -> Reply:
    run, folder = scene._folder()
    _, other = _over(scene, f"{scene.server.artifacts}/{folder}")
    number = scene.create(scene.name, f"mlflow-artifacts:/{folder}", run_id=run).ok().json["model_version"]["version"]
    good = Version(scene.name, number, run, folder, "")
    scene.evidence.check(good.name, good.number)
    scene.allow(good)
    scene.champion(good).ok()
    return _upload(scene, other)


@attempt("location", "a-version-outside-the-destination", "a version in a folder that the proxy does not serve")
def _outside(scene: Scene) -> Reply:
    where = scene.server.folder / f"outside-{scene.token}"
    experiment = scene.rest.post("experiments/create", name=f"outside-{scene.token}", artifact_location=str(where)).ok()
    run, uri = scene.run(experiment.json["experiment_id"])
    _upload(scene, run)
    scene.create(scene.name, uri, run_id=run).ok()
    scene.evidence.check(scene.name, "1")
    return scene.rest.post("registered-models/alias", name=scene.name, alias="champion", version="1")


@attempt("location", "a-version-by-our-own-scheme", "aims:/ as a version's source, then the alias")
def _scheme(scene: Scene) -> Reply:
    made = scene.model(scene.free)
    scene.create(scene.name, f"aims:{scene.server.artifacts}/{made.folder}")
    return scene.rest.post("registered-models/alias", name=scene.name, alias="champion", version="1")
