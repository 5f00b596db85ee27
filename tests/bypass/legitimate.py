"""What people do every day. All of it must work on a guarded server; each function raises where it does not."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bypass.attempts.processes import python
from tests.bypass.rest import AJAX, PROXY
from tests.bypass.scene import Scene, Version
from tests.bypass.suite import LEGITIMATE, legitimate

__all__ = ["LEGITIMATE"]


def _alias(scene: Scene, made: Version, alias: str) -> None:
    scene.client.set_registered_model_alias(made.name, alias, made.number)
    assert scene.client.get_model_version_by_alias(made.name, alias).version == made.number


def _stage(scene: Scene, made: Version, stage: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        scene.client.transition_model_version_stage(made.name, made.number, stage)
    assert scene.client.get_model_version(made.name, made.number).current_stage == stage


def _copy(scene: Scene, made: Version, name: str) -> Any:
    return scene.client.copy_model_version(f"models:/{made.name}/{made.number}", name)


@legitimate("champion-where-nobody-governs", "the alias champion on a model that no system claims")
def _free(scene: Scene) -> None:
    _alias(scene, scene.model(scene.free), "champion")


@legitimate("production-where-nobody-governs", "the stage Production on a model that no system claims")
def _free_stage(scene: Scene) -> None:
    _stage(scene, scene.model(scene.free), "Production")


@legitimate("promote-by-alias", "the alias champion on a checked version")
def _promote(scene: Scene) -> None:
    _alias(scene, scene.checked(), "champion")


@legitimate("promote-over-ajax-api", "the same as MLflow's page asks for it")
def _promote_page(scene: Scene) -> None:
    made = scene.checked()
    body = {"name": made.name, "alias": "champion", "version": made.number}
    scene.rest.call("POST", f"{AJAX}registered-models/alias", body).ok()


@legitimate("promote-by-stage", "a checked version to Production")
def _promote_stage(scene: Scene) -> None:
    _stage(scene, scene.checked(), "Production")


@legitimate("promote-by-copy", "a checked version copied into a protected name")
def _promote_copy(scene: Scene) -> None:
    assert _copy(scene, scene.checked(), scene.protected).name == scene.protected


@legitimate(
    "promote-by-copy-into-a-standing-model", "a second checked version copied into a protected name that is there"
)
def _promote_copy_again(scene: Scene) -> None:
    scene.evidence.promote_properly(scene.checked().name, "1", f"name:{scene.protected}")
    assert _copy(scene, scene.checked(), scene.protected).version == "2"


@legitimate("promote-with-the-command", "aims promote, from a client, to the alias")
def _promote_command(scene: Scene) -> None:
    made = scene.checked()
    scene.evidence.promote_properly(made.name, made.number, "champion")
    assert scene.client.get_model_version_by_alias(made.name, "champion").version == made.number


@legitimate("promote-with-the-command-into-a-name", "aims promote, from a client, into a protected name")
def _promote_command_name(scene: Scene) -> None:
    made = scene.checked()
    scene.evidence.promote_properly(made.name, made.number, f"name:{scene.protected}")
    assert scene.client.get_model_version(scene.protected, "1").source


@legitimate("promote-a-second-version", "a later checked version takes the alias over")
def _second(scene: Scene) -> None:
    scene.promoted()
    _alias(scene, scene.checked(), "champion")


@legitimate("promote-again", "the alias is removed and set again on the same checked version")
def _again(scene: Scene) -> None:
    made = scene.promoted()
    scene.client.delete_registered_model_alias(made.name, "champion")
    _alias(scene, made, "champion")


@legitimate("promoted-files-are-readable", "the files of a promoted version are listed and downloaded")
def _read(scene: Scene) -> None:
    files = scene.rest.files(scene.promoted().folder)
    assert sorted(files) == ["MLmodel", "weights"]


@legitimate("demote-by-removing-the-alias", "the alias champion is removed in an emergency")
def _demote(scene: Scene) -> None:
    made = scene.promoted()
    scene.client.delete_registered_model_alias(made.name, "champion")
    assert not scene.client.get_registered_model(made.name).aliases


@legitimate("demote-by-stage", "a version goes from Production to Archived in an emergency")
def _archive(scene: Scene) -> None:
    made = scene.checked()
    _stage(scene, made, "Production")
    _stage(scene, made, "Archived")


@legitimate("free-alias-on-a-governed-model", "the alias dev, which nobody protects, set and moved")
def _dev(scene: Scene) -> None:
    _alias(scene, scene.model(), "dev")
    _alias(scene, scene.model(), "dev")
    scene.client.delete_registered_model_alias(scene.name, "dev")


@legitimate("staging", "the stage Staging, which nobody protects")
def _staging(scene: Scene) -> None:
    _stage(scene, scene.model(), "Staging")


@legitimate("tags", "tags of one's own on model and version, set and deleted")
def _tags(scene: Scene) -> None:
    made = scene.model()
    scene.client.set_registered_model_tag(made.name, "team", "credit")
    scene.client.set_model_version_tag(made.name, made.number, "seed", "7")
    assert scene.client.get_model_version(made.name, made.number).tags["seed"] == "7"
    scene.client.delete_model_version_tag(made.name, made.number, "seed")
    scene.client.delete_registered_model_tag(made.name, "team")


@legitimate("tags-within-create", "tags inside the call that makes the version")
def _created_tags(scene: Scene) -> None:
    made = scene.model(tags=[{"key": "seed", "value": "7"}])
    assert scene.client.get_model_version(made.name, made.number).tags["seed"] == "7"


@legitimate("descriptions", "descriptions of model and version")
def _describe(scene: Scene) -> None:
    made = scene.promoted()
    scene.client.update_registered_model(made.name, "Loans up to 10 000")
    scene.client.update_model_version(made.name, made.number, "the version of November")
    assert scene.client.get_model_version(made.name, made.number).description == "the version of November"


@legitimate("search", "models and versions are found by name, tag and alias")
def _search(scene: Scene) -> None:
    made = scene.model()
    assert [one.name for one in scene.client.search_registered_models(f"name = '{made.name}'")] == [made.name]
    assert [one.version for one in scene.client.search_model_versions(f"name = '{made.name}'")] == [made.number]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        assert scene.client.get_latest_versions(made.name)[0].version == made.number


@legitimate("copy-into-an-unprotected-name", "a version copied where nobody protects")
def _copy_free(scene: Scene) -> None:
    assert _copy(scene, scene.model(), scene.free).name == scene.free


@legitimate("rename-an-ungoverned-model", "a model that no system claims gets another name, alias and all")
def _rename(scene: Scene) -> None:
    made = scene.model(scene.free)
    _alias(scene, made, "champion")
    scene.client.rename_registered_model(made.name, f"{made.name}-renamed")
    assert scene.client.get_model_version_by_alias(f"{made.name}-renamed", "champion").version == made.number


@legitimate("rename-a-governed-model", "a governed model without protected alias gets a name that nobody governs")
def _rename_governed(scene: Scene) -> None:
    scene.client.rename_registered_model(scene.model().name, scene.free)


@legitimate("delete-an-unprotected-version", "a version that is not promoted is deleted")
def _delete(scene: Scene) -> None:
    scene.promoted()
    made = scene.model()
    scene.client.delete_model_version(made.name, made.number)


@legitimate("delete-an-ungoverned-model", "a model that no system claims is deleted")
def _delete_model(scene: Scene) -> None:
    scene.client.delete_registered_model(scene.model(scene.free).name)


LOG_MODEL = """
import sys, mlflow, numpy as np
from sklearn.linear_model import LogisticRegression
uri, experiment, name = sys.argv[1:]
mlflow.set_tracking_uri(uri)
rows = np.array([[0.0], [1.0]])
model = LogisticRegression().fit(rows, np.array([0, 1]))
with mlflow.start_run(experiment_id=experiment):
    mlflow.sklearn.log_model(model, name="model", registered_model_name=name, pip_requirements=["scikit-learn"])
mlflow.MlflowClient().set_registered_model_alias(name, "dev", "1")
assert list(mlflow.pyfunc.load_model(f"models:/{name}@dev").predict(rows)) == [0, 1]
"""


@legitimate("log-model-and-load-by-alias", "mlflow.sklearn.log_model registers; pyfunc.load_model loads by alias")
def _log_model(scene: Scene) -> None:
    # In a process of its own: the fluent functions keep the server's address for good.
    python("-W", "ignore", "-c", LOG_MODEL, scene.server.url, scene.server.experiment, scene.name)


@legitimate("download", "a version's files, downloaded by its address")
def _download(scene: Scene) -> None:
    from mlflow.artifacts import download_artifacts

    made = scene.promoted()
    with TemporaryDirectory() as folder:
        place = download_artifacts(made.source, dst_path=folder, tracking_uri=scene.server.url)
        assert sorted(path.name for path in Path(place).iterdir()) == ["MLmodel", "weights"]


@legitimate("prompts", "a prompt is registered, found, given an alias and loaded")
def _prompts(scene: Scene) -> None:
    name = f"greeting-{scene.token}"
    scene.client.register_prompt(name, "Hello, {{name}}")
    scene.client.set_prompt_alias(name, "production", 1)
    assert scene.client.get_prompt_version_by_alias(name, "production").template == "Hello, {{name}}"
    assert [one.name for one in scene.client.search_prompts(f"name = '{name}'")] == [name]
    scene.client.delete_prompt_alias(name, "production")


@legitimate("prompt-champion", "a prompt is given the alias champion")
def _prompt_champion(scene: Scene) -> None:
    name = f"greeting-{scene.token}"
    scene.client.register_prompt(name, "Hello")
    scene.client.set_prompt_alias(name, "champion", 1)


@legitimate("webhooks", "a webhook is made, listed, changed and deleted")
def _webhooks(scene: Scene) -> None:
    from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent

    event = WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)
    made = scene.client.create_webhook(f"hook-{scene.token}", "https://192.0.2.1/hook", [event])
    assert made.webhook_id in [one.webhook_id for one in scene.client.list_webhooks()]
    scene.client.update_webhook(made.webhook_id, description="checks")
    scene.client.delete_webhook(made.webhook_id)


@legitimate("runs", "a run with parameters, metrics and files of its own")
def _runs(scene: Scene) -> None:
    run = scene.client.create_run(scene.server.experiment).info.run_id
    scene.client.log_param(run, "depth", 3)
    scene.client.log_metric(run, "auc", 0.9)
    scene.client.log_text(run, "first", "notes/today.txt")
    scene.client.log_text(run, "second", "notes/today.txt")
    scene.client.set_terminated(run)


@legitimate("files-beside-a-promoted-model", "more files in the run of a promoted version, beside the model's folder")
def _beside(scene: Scene) -> None:
    made = scene.promoted()
    scene.client.log_text(made.run, "a note", "notes/today.txt")
    scene.client.log_text(made.run, "a folder whose name only begins alike", "model-card/README.md")


@legitimate("delete-files-of-an-unpromoted-version", "the files of a version that was never checked are deleted")
def _delete_files(scene: Scene) -> None:
    scene.rest.call("DELETE", f"{PROXY}/{scene.model().folder}").ok()


@legitimate("upload-artifact", "MLflow's upload-artifact page call for an ordinary run")
def _upload(scene: Scene) -> None:
    run, _ = scene.run()
    path = f"{AJAX}upload-artifact?run_uuid={run}&path=notes.txt"
    scene.rest.call("POST", path, b"a note", Content_Type="text/plain").ok()


@legitimate("an-experiment-of-ones-own", "an experiment with its own folder in the proxy")
def _experiment(scene: Scene) -> None:
    place = f"mlflow-artifacts:/team-{scene.token}"
    experiment = scene.client.create_experiment(f"team-{scene.token}", place)
    scene.client.log_text(scene.client.create_run(experiment).info.run_id, "a note", "notes.txt")


@legitimate("logged-models", "a logged model is made, filled, tagged and deleted")
def _logged(scene: Scene) -> None:
    made = scene.client.create_logged_model(scene.server.experiment, name="model")
    scene.client.set_logged_model_tags(made.model_id, {"seed": "7"})
    scene.client.finalize_logged_model(made.model_id, "READY")
    scene.client.delete_logged_model(made.model_id)


@legitimate("pages", "MLflow's pages and what they ask for")
def _pages(scene: Scene) -> None:
    assert "<html" in scene.rest.call("GET", "/").text.lower()
    assert scene.rest.call("GET", "/health").status == 200
    made = scene.promoted()
    query = f"run_id={made.run}&path=model"
    assert json.loads(scene.rest.call("GET", f"{AJAX}artifacts/list?{query}").ok().text)["files"]


@legitimate("create-a-model-beside-a-protected-name", "names that only share letters with a protected one")
def _near(scene: Scene) -> None:
    for name in (f"product.{scene.token}", f"preprod.{scene.token}", f"prod-{scene.token}"):
        scene.client.create_registered_model(name)
