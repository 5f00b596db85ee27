"""Changing the files of a promoted version through the artifact proxy, in every spelling of its paths."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from tests.bypass.attempts.processes import python
from tests.bypass.rest import AJAX, AJAX_PROXY, PROXY, Reply
from tests.bypass.scene import Scene, Version
from tests.bypass.suite import attempt

OTHER = b"other weights"
BINARY = "application/octet-stream"


def _everything(text: str) -> str:
    """Percent-encode every byte."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


Spelling = Callable[[Version], str]

PUT: dict[str, Spelling] = {
    "as-it-is": lambda made: f"{PROXY}/{made.folder}/weights",
    "over-ajax-api": lambda made: f"{AJAX_PROXY}/{made.folder}/weights",
    "with-an-encoded-letter": lambda made: f"{PROXY}/{made.folder}/%77eights",
    "with-encoded-slashes": lambda made: f"{PROXY}/{quote(made.folder, safe='')}%2Fweights",
    "encoded-throughout": lambda made: f"{PROXY}/{_everything(made.folder + '/weights')}",
    "encoded-twice": lambda made: f"{PROXY}/{quote(_everything(made.folder + '/weights'))}",
    "encoded-three-times": lambda made: f"{PROXY}/{quote(quote(_everything(made.folder + '/weights')))}",
    "with-slashes-encoded-twice": lambda made: f"{PROXY}/{made.folder.replace('/', '%252F')}%252Fweights",
    "with-a-query": lambda made: f"{PROXY}/{made.folder}/weights?path=other",
    "a-new-file": lambda made: f"{PROXY}/{made.folder}/code/own_model.py",
    "a-new-hidden-file": lambda made: f"{PROXY}/{made.folder}/.hidden",
    "the-mlmodel-file": lambda made: f"{AJAX_PROXY}/{made.folder}/MLmodel",
    "from-the-whole-address": lambda made: f"http://127.0.0.1{PROXY}/{made.folder}/weights",
}
DELETE: dict[str, Spelling] = {
    "a-file": lambda made: f"{PROXY}/{made.folder}/weights",
    "a-file-over-ajax-api": lambda made: f"{AJAX_PROXY}/{made.folder}/weights",
    "the-folder": lambda made: f"{PROXY}/{made.folder}",
    "the-folder-over-ajax-api": lambda made: f"{AJAX_PROXY}/{made.folder}",
    "the-folder-with-a-slash": lambda made: f"{PROXY}/{made.folder}/",
    "the-runs-artifacts": lambda made: f"{PROXY}/{made.folder.rpartition('/')[0]}",
    "the-run": lambda made: f"{PROXY}/{made.folder.rpartition('/artifacts')[0]}",
    "with-a-dot": lambda made: f"{PROXY}/{made.folder}/./weights",
    "with-an-encoded-dot": lambda made: f"{PROXY}/{made.folder}/%2e/weights",
    "with-two-slashes": lambda made: f"{PROXY}/{made.folder}%2F%2Fweights",
    "with-an-encoded-letter": lambda made: f"{PROXY}/{made.folder}/%77eights",
    "with-encoded-slashes": lambda made: f"{PROXY}/{quote(made.folder, safe='')}",
    "encoded-throughout": lambda made: f"{PROXY}/{_everything(made.folder)}",
    "encoded-twice": lambda made: f"{PROXY}/{quote(_everything(made.folder))}",
    "encoded-three-times": lambda made: f"{PROXY}/{quote(quote(_everything(made.folder)))}",
    "a-parent-with-a-dot": lambda made: f"{PROXY}/{made.folder.rpartition('/')[0]}/.",
    "a-parent-encoded-twice": lambda made: f"{PROXY}/{quote(_everything(made.folder.rpartition('/')[0]))}",
}


def _put(words: str, spelling: Spelling) -> None:
    @attempt("artifact", f"put-{words}", f"PUT into a promoted version's folder, {words.replace('-', ' ')}")
    def run(scene: Scene) -> Reply:
        return scene.rest.call("PUT", spelling(scene.promoted()), OTHER, Content_Type=BINARY)


def _delete(words: str, spelling: Spelling) -> None:
    @attempt("artifact", f"delete-{words}", f"DELETE of a promoted version's files: {words.replace('-', ' ')}")
    def run(scene: Scene) -> Reply:
        return scene.rest.call("DELETE", spelling(scene.promoted()))


for _words, _spelling in PUT.items():
    _put(_words, _spelling)
for _words, _spelling in DELETE.items():
    _delete(_words, _spelling)


@attempt("artifact", "upload-artifact", "MLflow's upload-artifact page call, for the version's own run")
def _upload(scene: Scene) -> Reply:
    made = scene.promoted()
    path = f"{AJAX}upload-artifact?run_uuid={made.run}&path=model/weights"
    return scene.rest.call("POST", path, OTHER, Content_Type=BINARY)


@attempt("artifact", "log-artifact", "MlflowClient logs a file of that name to the version's run")
def _log(scene: Scene) -> None:
    made = scene.promoted()
    scene.client.log_text(made.run, "other weights", "model/weights")


@attempt(
    "artifact", "put-after-a-copy-into-the-protected-name", "the file of a version that a protected name points to"
)
def _copied(scene: Scene) -> Reply:
    good = scene.checked()
    reply = scene.create(scene.protected, f"models:/{good.name}/{good.number}").ok().json["model_version"]
    key = reply["name"], reply["version"], int(reply["creation_timestamp"])
    scene.allowed[key] = scene._digests(*key[:2])
    return scene.rest.put_file(f"{good.folder}/weights", OTHER)


@attempt("artifact", "put-into-a-version-in-production", "the file of a version that stands in stage Production")
def _stage(scene: Scene) -> Reply:
    good = scene.checked()
    body = {"name": good.name, "version": good.number, "stage": "Production", "archive_existing_versions": False}
    scene.rest.post("model-versions/transition-stage", **body).ok()
    return scene.rest.put_file(f"{good.folder}/weights", OTHER)


@attempt("artifact", "delete-the-run-first", "the run is deleted, then its files")
def _run(scene: Scene) -> Reply:
    made = scene.promoted()
    scene.rest.post("runs/delete", run_id=made.run)
    return scene.rest.call("DELETE", f"{PROXY}/{made.folder}")


@attempt("artifact", "mlflow-gc", "the champion's run is deleted, and mlflow gc asks the server for its files' removal")
def _gc(scene: Scene) -> None:
    made = scene.promoted()
    scene.rest.post("runs/delete", run_id=made.run)
    python(
        *("-m", "mlflow", "gc", "--run-ids", made.run, "--tracking-uri", scene.server.url),
        *("--backend-store-uri", scene.server.database, "--artifacts-destination", str(scene.server.artifacts)),
    )
