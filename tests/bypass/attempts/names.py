"""Reaching a protected name: create, copy, rename, and names that only look like it."""

from __future__ import annotations

from tests.bypass.rest import AJAX, API
from tests.bypass.scene import Scene
from tests.bypass.suite import attempt

LOOKALIKES = {
    "capitals": "PROD.{}",
    "a full-width dot": "prod\uff0e{}",
    "a one-dot leader": "prod\u2024{}",
    "a cyrillic p": "\u0440rod.{}",
    "cyrillic p and o": "\u0440r\u043ed.{}",
    "mathematical letters": "\U0001d429\U0001d42b\U0001d428\U0001d41d.{}",
    "a zero-width space": "pro\u200bd.{}",
    "a zero-width space in front": "\u200bprod.{}",
    "a byte-order mark": "prod.\ufeff{}",
    "a control character": "pr\x01od.{}",
    "a right-to-left override": "prod.\u202e{}",
    "a combining accent": "p\u0301rod.{}",
    "a precomposed accent": "pr\u00f6d.{}",
    "a space in front": " prod.{}",
    "a space behind": "prod.{} ",
    "a newline behind": "prod.{}\n",
}


def _imitate(words: str, name: str) -> None:
    @attempt("look-alike", f"name-with-{words.replace(' ', '-')}", f"a version in a name with {words}: {name!a}")
    def run(scene: Scene) -> None:
        made = scene.model(scene.free)
        scene.create(scene.guarded_name(name.format(scene.token)), made.source, run_id=made.run)


for _words, _name in LOOKALIKES.items():
    _imitate(_words, _name)


@attempt("name", "create-from-a-run", "a version straight from a run, over /api")
def _create(scene: Scene) -> None:
    made = scene.model(scene.free)
    scene.create(scene.protected, made.source, run_id=made.run)


@attempt("name", "create-over-ajax-api", "the same over /ajax-api")
def _ajax(scene: Scene) -> None:
    made = scene.model()
    scene.rest.call("POST", f"{AJAX}registered-models/create", {"name": scene.protected})
    body = {"name": scene.protected, "source": made.source, "runId": made.run}
    scene.rest.call("POST", f"{AJAX}model-versions/create", body)


@attempt("name", "create-from-runs", "a version whose source is runs:/")
def _runs(scene: Scene) -> None:
    made = scene.model(scene.free)
    scene.create(scene.protected, f"runs:/{made.run}/model", run_id=made.run)


@attempt("name", "create-from-a-bucket", "a version whose source is any bucket, without a run")
def _bucket(scene: Scene) -> None:
    scene.create(scene.protected, "s3://somebody/model")


@attempt("name", "create-from-our-own-scheme", "a version whose source is aims:/")
def _scheme(scene: Scene) -> None:
    scene.create(scene.protected, "aims:/srv/model")


@attempt("name", "create-with-the-client", "MlflowClient creates model and version")
def _client(scene: Scene) -> None:
    made = scene.model(scene.free)
    scene.client.create_registered_model(scene.protected)
    scene.client.create_model_version(scene.protected, made.source, run_id=made.run)


@attempt("name", "create-from-a-version", "a version whose source is models:/NAME/1")
def _by_version(scene: Scene) -> None:
    scene.create(scene.protected, f"models:/{scene.model().name}/1")


@attempt("name", "create-from-an-alias", "a version whose source is models:/NAME@dev")
def _by_alias(scene: Scene) -> None:
    made = scene.model()
    scene.rest.post("registered-models/alias", name=made.name, alias="dev", version=made.number).ok()
    scene.create(scene.protected, f"models:/{made.name}@dev")


@attempt("name", "create-from-the-newest", "a version whose source is models:/NAME/latest")
def _latest(scene: Scene) -> None:
    scene.create(scene.protected, f"models:/{scene.model().name}/latest")


@attempt("name", "create-from-a-stage", "a version whose source is models:/NAME/Staging")
def _by_stage(scene: Scene) -> None:
    made = scene.model()
    scene.rest.post("model-versions/transition-stage", name=made.name, version="1", stage="Staging").ok()
    scene.create(scene.protected, f"models:/{made.name}/Staging")


@attempt("name", "create-from-a-moved-alias", "the alias stands on a checked version, then on a new one")
def _moving(scene: Scene) -> None:
    good = scene.checked()
    scene.rest.post("registered-models/alias", name=good.name, alias="dev", version=good.number).ok()
    bad = scene.model()
    scene.rest.post("registered-models/alias", name=good.name, alias="dev", version=bad.number).ok()
    scene.create(scene.protected, f"models:/{good.name}@dev")


@attempt("name", "create-from-an-ungoverned-version", "models:/ of a model that no system claims")
def _ungoverned(scene: Scene) -> None:
    scene.create(scene.protected, f"models:/{scene.model(scene.free).name}/1")


@attempt("name", "create-from-a-logged-model", "models:/m-ID of a logged model")
def _logged(scene: Scene) -> None:
    body = {"experiment_id": scene.server.experiment, "name": "model"}
    made = scene.rest.post("logged-models", **body).ok().json["model"]["info"]
    scene.create(scene.protected, f"models:/{made['model_id']}", model_id=made["model_id"])


@attempt("name", "create-with-odd-digits", "models:/NAME/ with an arabic digit")
def _digits(scene: Scene) -> None:
    scene.create(scene.protected, f"models:/{scene.model().name}/\u0661")


@attempt("name", "create-as-a-prompt", "a prompt of that name first, then the tag goes and a version comes")
def _prompt(scene: Scene) -> None:
    name, tag = scene.protected, {"key": "mlflow.prompt.is_prompt", "value": "true"}
    made = scene.model(scene.free)
    scene.rest.post("registered-models/create", name=name, tags=[tag])
    scene.rest.post("model-versions/create", name=name, source="dummy-source", tags=[tag])
    scene.rest.delete("registered-models/delete-tag", name=name, key=tag["key"])
    scene.rest.post("model-versions/create", name=name, source=made.source, run_id=made.run)


@attempt("name", "copy-with-the-client", "MlflowClient.copy_model_version")
def _copy(scene: Scene) -> None:
    made = scene.model()
    scene.client.copy_model_version(f"models:/{made.name}/{made.number}", scene.protected)


@attempt("name", "copy-of-a-copy", "first into an unprotected name, then into the protected one")
def _twice(scene: Scene) -> None:
    made = scene.model()
    scene.create(scene.free, f"models:/{made.name}/1").ok()
    scene.create(scene.protected, f"models:/{scene.free}/1")


@attempt("name", "copy-past-a-checked-version", "a checked version is copied in as it should, then an unchecked one")
def _past(scene: Scene) -> None:
    good = scene.checked()
    reply = scene.create(scene.protected, f"models:/{good.name}/{good.number}")
    if reply.status == 200:
        _allow_copy(scene, reply.json["model_version"])
    bad = scene.model()
    scene.create(scene.protected, f"models:/{bad.name}/{bad.number}")


def _allow_copy(scene: Scene, version: dict[str, str]) -> None:
    key = version["name"], version["version"], int(version["creation_timestamp"])
    scene.allowed[key] = scene._digests(*key[:2])


@attempt("name", "rename-into-it-with-the-client", "MlflowClient renames a model into the protected name")
def _rename(scene: Scene) -> None:
    scene.client.rename_registered_model(scene.model().name, scene.protected)


@attempt("name", "rename-into-it", "the same over /api, for a model that no system claims")
def _rename_free(scene: Scene) -> None:
    scene.rest.post("registered-models/rename", name=scene.model(scene.free).name, new_name=scene.protected)


@attempt("name", "rename-over-ajax-api", "the same over /ajax-api, with an encoded slash")
def _rename_ajax(scene: Scene) -> None:
    body = {"name": scene.model(scene.free).name, "new_name": scene.protected}
    scene.rest.call("POST", "/ajax-api/2.0/mlflow/registered-models%2Frename", body)


@attempt("name", "rename-an-empty-model-and-fill-it", "an empty model is renamed into it, then gets a version")
def _empty(scene: Scene) -> None:
    made = scene.model()
    empty = scene.note(scene.free)
    scene.rest.post("registered-models/create", name=empty).ok()
    scene.rest.post("registered-models/rename", name=empty, new_name=scene.protected)
    scene.rest.call(
        "POST", f"{API}model-versions/create", {"name": scene.protected, "source": f"models:/{made.name}/1"}
    )


@attempt("name", "rename-into-a-look-alike", "a model is renamed into the name with a cyrillic p")
def _rename_alike(scene: Scene) -> None:
    name = scene.guarded_name(f"\u0440rod.{scene.token}")
    scene.rest.post("registered-models/rename", name=scene.model(scene.free).name, new_name=name)
