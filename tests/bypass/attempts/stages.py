"""The old stages: still there, and `models:/NAME/Production` still resolves."""

from __future__ import annotations

import warnings

from tests.bypass.rest import AJAX
from tests.bypass.scene import Scene
from tests.bypass.suite import attempt


def _stage(scene: Scene, stage: str = "Production", version: str = "1", **more: object) -> None:
    body = {"name": scene.name, "version": version, "stage": stage, "archive_existing_versions": False} | more
    scene.rest.post("model-versions/transition-stage", **body)


@attempt("stage", "stage-python-client", "MlflowClient moves the version to Production")
def _client(scene: Scene) -> None:
    made = scene.model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        scene.client.transition_model_version_stage(made.name, made.number, "Production")


@attempt("stage", "stage-api", "a raw POST to /api")
def _api(scene: Scene) -> None:
    scene.model()
    _stage(scene)


@attempt("stage", "stage-ajax-api", "a raw POST to /ajax-api")
def _ajax(scene: Scene) -> None:
    body = {"name": scene.model().name, "version": "1", "stage": "Production"}
    scene.rest.call("POST", f"{AJAX}model-versions/transition-stage", body)


@attempt("stage", "stage-small-letters", "the stage in small letters")
def _small(scene: Scene) -> None:
    scene.model()
    _stage(scene, "production")


@attempt("stage", "stage-mixed-letters", "the stage in mixed letters")
def _mixed(scene: Scene) -> None:
    scene.model()
    _stage(scene, "pRoDuCtIoN")


@attempt("stage", "stage-over-an-allowed-version", "the new version pushes the checked one into the archive")
def _archive(scene: Scene) -> None:
    good = scene.checked()
    _stage(scene, version=good.number)
    bad = scene.model()
    scene.rest.post(
        "model-versions/transition-stage",
        name=bad.name,
        version=bad.number,
        stage="Production",
        archiveExistingVersions=True,
    )


@attempt("stage", "stage-beside-an-allowed-version", "the new version stands in Production beside the checked one")
def _beside(scene: Scene) -> None:
    good = scene.checked()
    _stage(scene, version=good.number)
    _stage(scene, version=scene.model().number)


@attempt("stage", "stage-with-the-version-in-full-width-digits", "the version as a full-width digit")
def _digits(scene: Scene) -> None:
    scene.model()
    _stage(scene, version="\uff11")


@attempt("stage", "stage-by-way-of-staging", "first Staging, which nobody protects, then Production")
def _staging(scene: Scene) -> None:
    scene.model()
    _stage(scene, "Staging")
    _stage(scene, "Production")
