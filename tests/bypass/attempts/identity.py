"""A checked version and an unchecked one that pass for each other."""

from __future__ import annotations

from tests.bypass.scene import Scene, Version
from tests.bypass.suite import attempt


def _rename(scene: Scene, old: str, new: str) -> None:
    scene.note(new)
    scene.rest.post("registered-models/rename", name=old, new_name=new)


def _own_alias(scene: Scene, name: str, version: str = "1") -> None:
    scene.rest.post("registered-models/alias", name=name, alias="champion", version=version)


@attempt("identity", "rename-with-the-alias", "an ungoverned model gets the alias, then the governed name")
def _carried(scene: Scene) -> None:
    made = scene.model(scene.free)
    _own_alias(scene, made.name)
    _rename(scene, made.name, scene.name)


@attempt("identity", "rename-with-the-stage", "an ungoverned model goes to Production, then gets the governed name")
def _stage_carried(scene: Scene) -> None:
    made = scene.model(scene.free)
    scene.rest.post("model-versions/transition-stage", name=made.name, version="1", stage="Production").ok()
    _rename(scene, made.name, scene.name)


@attempt("identity", "swap-two-models", "the checked model steps aside, and an ungoverned one takes its name")
def _swapped(scene: Scene) -> None:
    good, bad = scene.checked(), scene.model(scene.free)
    _rename(scene, good.name, f"sandbox-old-{scene.token}")
    _rename(scene, bad.name, good.name)
    _own_alias(scene, good.name)


@attempt("identity", "delete-and-recreate", "a checked model is deleted; the new version 1 has no evidence")
def _recreated(scene: Scene) -> None:
    good = scene.checked()
    scene.rest.delete("registered-models/delete", name=good.name).ok()
    scene.champion(scene.model())


@attempt("identity", "delete-the-promoted-and-recreate", "the champion's model is deleted and made anew")
def _recreated_champion(scene: Scene) -> None:
    good = scene.promoted()
    scene.rest.delete("registered-models/alias", name=good.name, alias="champion").ok()
    scene.rest.delete("registered-models/delete", name=good.name)
    scene.champion(scene.model())


@attempt("identity", "recreate-in-the-same-run", "the same, with the run and the files of the checked version")
def _recreated_run(scene: Scene) -> None:
    good = scene.checked()
    scene.rest.delete("registered-models/delete", name=good.name).ok()
    scene.champion(scene.model(version=good))


@attempt("identity", "delete-the-version", "the checked version is deleted, the next one is promoted")
def _deleted(scene: Scene) -> None:
    good = scene.checked()
    bad = scene.model()
    scene.rest.delete("model-versions/delete", name=good.name, version=good.number).ok()
    scene.champion(bad)


@attempt("identity", "share-the-files", "a second version from the files and the run of the checked one")
def _shared(scene: Scene) -> None:
    scene.champion(scene.model(version=scene.checked()))


@attempt("identity", "share-the-run", "a second version from other files in the checked version's run")
def _shared_run(scene: Scene) -> None:
    good = scene.checked()
    folder = f"{good.folder.rpartition('/')[0]}/other"
    scene.rest.put_file(f"{folder}/MLmodel", b"flavors: {}\n").ok()
    number = (
        scene.create(good.name, f"mlflow-artifacts:/{folder}", run_id=good.run).ok().json["model_version"]["version"]
    )
    _own_alias(scene, good.name, number)


@attempt("identity", "share-the-logged-model", "two versions of one logged model, of which one is checked")
def _shared_model(scene: Scene) -> None:
    body = {"experiment_id": scene.server.experiment, "name": "model"}
    info = scene.rest.post("logged-models", **body).ok().json["model"]["info"]
    folder = info["artifact_uri"].removeprefix("mlflow-artifacts:/").strip("/")
    scene.rest.put_file(f"{folder}/MLmodel", f"model_id: {info['model_id']}\n".encode()).ok()
    source = f"models:/{info['model_id']}"
    numbers = [
        scene.create(scene.name, source, model_id=info["model_id"]).ok().json["model_version"]["version"]
        for _ in range(2)
    ]
    good = Version(scene.name, numbers[0], "", folder, source)
    scene.evidence.check(good.name, good.number)
    scene.allow(good)
    _own_alias(scene, scene.name, numbers[1])


@attempt("identity", "copy-the-checked-version-beside-itself", "models:/NAME/1 as the source of version 2")
def _copied(scene: Scene) -> None:
    good = scene.checked()
    scene.create(good.name, f"models:/{good.name}/{good.number}").ok()
    _own_alias(scene, good.name, "2")


@attempt("identity", "copy-the-checked-version-to-another-model", "the same into another governed model")
def _copied_over(scene: Scene) -> None:
    good, other = scene.checked(), f"loan-other-{scene.token}"
    scene.create(other, f"models:/{good.name}/{good.number}").ok()
    _own_alias(scene, other)


@attempt("identity", "rename-the-checked-model", "the checked model gets another governed name")
def _renamed(scene: Scene) -> None:
    good, other = scene.checked(), f"loan-other-{scene.token}"
    _rename(scene, good.name, other)
    _own_alias(scene, other)


@attempt("identity", "rename-the-champion", "the promoted model gets another governed name, alias and all")
def _renamed_champion(scene: Scene) -> None:
    _rename(scene, scene.promoted().name, f"loan-other-{scene.token}")


@attempt("identity", "change-the-files-before", "the files of a checked version are replaced, then it is promoted")
def _changed(scene: Scene) -> None:
    good = scene.checked()
    scene.rest.put_file(f"{good.folder}/weights", b"other weights")
    scene.champion(good)


@attempt("identity", "add-a-file-before", "a file is added to a checked version, then it is promoted")
def _added(scene: Scene) -> None:
    good = scene.checked()
    scene.rest.put_file(f"{good.folder}/code/own_model.py", b"import os")
    scene.champion(good)


@attempt("identity", "a-look-alike-of-the-governed-name", "a model with a cyrillic o in its name, and the alias")
def _alike(scene: Scene) -> None:
    made = scene.model(f"l\u043ean-{scene.token}")
    _own_alias(scene, made.name)


@attempt("identity", "the-governed-name-in-capitals", "a model with the governed name in capitals, and the alias")
def _capitals(scene: Scene) -> None:
    made = scene.model(f"LOAN-{scene.token}")
    _own_alias(scene, made.name)


@attempt("identity", "the-governed-name-with-a-zero-width-space", "the governed name with an invisible character")
def _invisible(scene: Scene) -> None:
    made = scene.model(f"lo\u200ban-{scene.token}")
    _own_alias(scene, made.name)
