"""The same call in bodies that one reader takes for something else than another."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.bypass.rest import Reply
from tests.bypass.scene import Scene
from tests.bypass.suite import attempt

Body = Callable[[str], bytes]


def _plain(name: str) -> str:
    return json.dumps({"name": name, "alias": "champion", "version": "1"})


def _encoded(encoding: str) -> Body:
    return lambda name: _plain(name).encode(encoding)


BODIES: dict[str, Body] = {
    "utf-16": _encoded("utf-16"),
    "utf-16-le": _encoded("utf-16-le"),
    "utf-16-be": _encoded("utf-16-be"),
    "utf-32": _encoded("utf-32"),
    "utf-32-be": _encoded("utf-32-be"),
    "utf-32-le": _encoded("utf-32-le"),
    "byte-order-mark": _encoded("utf-8-sig"),
    "double-encoded": lambda name: json.dumps(_plain(name)).encode(),
    "double-encoded-utf-16": lambda name: json.dumps(_plain(name)).encode("utf-16"),
    "the-alias-twice": lambda name: f'{{"name":"{name}","alias":"dev","version":"1","alias":"champion"}}'.encode(),
    "the-name-twice": lambda name: f'{{"name":"sandbox","alias":"champion","version":"1","name":"{name}"}}'.encode(),
    "the-version-twice": lambda name: f'{{"name":"{name}","version":"9","alias":"champion","version":"1"}}'.encode(),
    "an-escaped-value": lambda name: f'{{"name":"{name}","alias":"\\u0063hampion","version":"1"}}'.encode(),
    "an-escaped-key": lambda name: f'{{"name":"{name}","\\u0061lias":"champion","version":"1"}}'.encode(),
    "unknown-fields": lambda name: f'{{"dry_run":true,{_plain(name)[1:]}'.encode(),
    "not-a-number": lambda name: f'{{"x":NaN,{_plain(name)[1:]}'.encode(),
    "space-around": lambda name: b"\n\t  " + _plain(name).encode() + b"  \r\n",
}


def _sent(words: str, body: Body) -> None:
    @attempt("body", f"body-{words}", f"the alias in a JSON body with {words.replace('-', ' ')}")
    def run(scene: Scene) -> Reply:
        return scene.rest.call("POST", "/api/2.0/mlflow/registered-models/alias", body(scene.model().name))


for _words, _body in BODIES.items():
    _sent(_words, _body)


@attempt("body", "body-with-a-false-charset", "the header names another encoding than the body has")
def _charset(scene: Scene) -> Reply:
    return scene.champion(scene.model(), Content_Type="application/json; charset=utf-16")


@attempt("body", "body-that-overrides-the-method", "a header asks for another method")
def _override(scene: Scene) -> Reply:
    return scene.champion(scene.model(), X_HTTP_Method_Override="GET")


@attempt("body", "stage-double-encoded", "a stage in double-encoded JSON")
def _stage(scene: Scene) -> Reply:
    body = {"name": scene.model().name, "version": "1", "stage": "production", "archiveExistingVersions": False}
    return scene.rest.call("POST", "/api/2.0/mlflow/model-versions/transition-stage", json.dumps(json.dumps(body)))
