"""Tags: ours that say it was allowed, and MLflow's that say it is a prompt."""

from __future__ import annotations

from tests.bypass.rest import AJAX
from tests.bypass.scene import SPOOFED, Scene
from tests.bypass.suite import attempt

OURS = [
    {"key": "aims.status", "value": "passed"},
    {"key": "aims.verdict", "value": "allowed"},
    {"key": "aims.evidence", "value": "sha256:" + "0" * 64},
    {"key": "aims.decision", "value": "allowed"},
]
PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}
KEYS = {
    "as-it-is": "aims.status",
    "in-capitals": "AIMS.Status",
    "with-a-space-in-front": " aims.status",
    "in-full-width-letters": "\uff41ims.status",
    "with-a-cyrillic-a": "\u0430ims.status",
}


@attempt("tag", "tags-say-it-passed", "our tags on the version, then the alias")
def _version_tags(scene: Scene) -> None:
    made = scene.model()
    for tag in OURS:
        scene.rest.post("model-versions/set-tag", name=made.name, version=made.number, **tag)
    scene.champion(made)


@attempt("tag", "tags-of-the-model-say-it-passed", "our tags on the registered model, then the alias")
def _model_tags(scene: Scene) -> None:
    made = scene.model()
    for tag in OURS:
        scene.rest.post("registered-models/set-tag", name=made.name, **tag)
    scene.champion(made)


@attempt("tag", "tags-of-the-run-say-it-passed", "our tags on the run, then the alias")
def _run_tags(scene: Scene) -> None:
    made = scene.model()
    for tag in OURS:
        scene.rest.post("runs/set-tag", run_id=made.run, **tag)
    scene.champion(made)


@attempt("tag", "tags-within-create", "our tags inside the call that makes the version, then the alias")
def _created(scene: Scene) -> None:
    scene.champion(scene.model(tags=OURS))


@attempt("tag", "tags-carried-by-a-copy", "a copy of a checked version carries its tags")
def _copied(scene: Scene) -> None:
    good = scene.promoted()
    scene.create(good.name, f"models:/{good.name}/1", tags=OURS).ok()
    scene.rest.post("registered-models/alias", name=good.name, alias="champion", version="2")


@attempt("tag", "prompt-tag-on-the-model", "the model is called a prompt, then the alias")
def _prompt(scene: Scene) -> None:
    made = scene.model()
    scene.rest.post("registered-models/set-tag", name=made.name, **PROMPT)
    scene.champion(made)


@attempt("tag", "prompt-tag-on-the-version", "the version is called a prompt, then the alias")
def _prompt_version(scene: Scene) -> None:
    made = scene.model()
    scene.rest.post("model-versions/set-tag", name=made.name, version=made.number, **PROMPT)
    scene.champion(made)


@attempt("tag", "prompt-tag-on-both", "both are called a prompt, then the alias over /ajax-api")
def _prompt_both(scene: Scene) -> None:
    made = scene.model()
    scene.rest.post("registered-models/set-tag", name=made.name, **PROMPT)
    scene.rest.post("model-versions/set-tag", name=made.name, version=made.number, **PROMPT)
    body = {"name": made.name, "alias": "champion", "version": "1"}
    scene.rest.call("POST", f"{AJAX}registered-models/alias", body)


@attempt("tag", "a-prompt-of-the-governed-name", "a prompt takes the governed name and the alias")
def _prompt_source(scene: Scene) -> None:
    scene.rest.post("registered-models/create", name=scene.note(scene.name), tags=[PROMPT])
    scene.rest.post("model-versions/create", name=scene.name, source="dummy-source", tags=[PROMPT])
    scene.rest.post("registered-models/alias", name=scene.name, alias="champion", version="1")


@attempt("tag", "a-prompt-that-becomes-a-model", "a prompt with the alias loses its tag and is a model")
def _unprompted(scene: Scene) -> None:
    scene.rest.post("registered-models/create", name=scene.note(scene.name), tags=[PROMPT])
    scene.rest.post("model-versions/create", name=scene.name, source="dummy-source", tags=[PROMPT])
    scene.rest.post("registered-models/alias", name=scene.name, alias="champion", version="1")
    scene.rest.delete("registered-models/delete-tag", name=scene.name, key=PROMPT["key"])
    scene.model()
    scene.rest.post("registered-models/alias", name=scene.name, alias="champion", version="2")


def _write(words: str, key: str) -> None:
    @attempt("tag", f"write-our-tag-{words}", f"the tag {key!a} on a governed version")
    def run(scene: Scene) -> None:
        made = scene.model()
        scene.rest.post("model-versions/set-tag", name=made.name, version=made.number, key=key, value=SPOOFED)


for _words, _key in KEYS.items():
    _write(_words, _key)


@attempt("tag", "write-our-tag-on-the-model", "our tag on a governed registered model")
def _write_model(scene: Scene) -> None:
    scene.rest.post("registered-models/set-tag", name=scene.model().name, key="aims.system", value=SPOOFED)


@attempt("tag", "write-our-tag-within-create", "our tag inside the call that makes the version")
def _write_created(scene: Scene) -> None:
    scene.model(tags=[{"key": "aims.owner", "value": SPOOFED}])


@attempt("tag", "write-our-tag-within-create-model", "our tag inside the call that makes the model")
def _write_created_model(scene: Scene) -> None:
    tag = {"key": "aims.owner", "value": SPOOFED}
    scene.rest.post("registered-models/create", name=scene.note(scene.name), tags=[tag])
