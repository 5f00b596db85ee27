"""Setting the protected alias on an unchecked version: every route, and every spelling that MLflow takes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.bypass.rest import AJAX, API, Reply
from tests.bypass.scene import Scene
from tests.bypass.suite import attempt

LOOKALIKES = {
    "capitals": "CHAMPION",
    "one capital": "Champion",
    "a newline at the end": "champion\n",
    "a cyrillic a": "ch\u0430mpion",
    "a dotless i": "champ\u0131on",
    "a cyrillic i": "champ\u0456on",
    "a greek o": "champi\u03bfn",
    "full-width letters": "\uff43\uff48\uff41\uff4d\uff50\uff49\uff4f\uff4e",
    "mathematical letters": "\U0001d41c\U0001d421\U0001d41a\U0001d426\U0001d429\U0001d422\U0001d428\U0001d427",
    "a roman numeral": "\u217dhampion",
    "a small capital": "\u1d04hampion",
    "a double-struck letter": "\u2102hampion",
    "cyrillic throughout": "\u0441\u04bb\u0430mpi\u043en",
}
VERSIONS = {
    "with a plus": "+1",
    "with a space before": " 1",
    "with a space after": "1 ",
    "in full-width digits": "\uff11",
    "in arabic digits": "\u0661",
    "in gujarati digits": "\u0ae7",
    "in mathematical digits": "\U0001d7cf",
    "with a newline": "1\n",
    "with a zero before": "01",
    "with an underscore": "0_1",
    "with a no-break space": "\u00a01",
    "with an em space": "\u20031",
}
PATHS = {
    "an encoded slash": "/api/2.0/mlflow/registered-models%2Falias",
    "an encoded hyphen": "/api/2.0/mlflow/registered%2Dmodels/alias",
    "an encoded letter": "/%61pi/2.0/mlflow/registered-models/alias",
    "an encoded slash on the page's route": "/ajax-api/2.0/mlflow/registered-models%2falias",
    "two slashes at the start": "//api/2.0/mlflow/registered-models/alias",
    "another alias in the query": "/api/2.0/mlflow/registered-models/alias?alias=dev&name=other",
    "a fragment": "/api/2.0/mlflow/registered-models/alias#dev",
}


@attempt("alias", "alias-python-client", "MlflowClient sets the alias")
def _client(scene: Scene) -> None:
    made = scene.model()
    scene.client.set_registered_model_alias(made.name, "champion", made.number)


@attempt("alias", "alias-api", "a raw POST to /api")
def _api(scene: Scene) -> None:
    scene.champion(scene.model())


@attempt("alias", "alias-ajax-api", "a raw POST to /ajax-api, as MLflow's pages send it")
def _ajax(scene: Scene) -> None:
    made = scene.model()
    scene.rest.call("POST", f"{AJAX}registered-models/alias", {"name": made.name, "alias": "champion", "version": "1"})


@attempt("alias", "alias-moved-from-an-allowed-version", "the alias stands on a checked version and moves to a new one")
def _moved(scene: Scene) -> None:
    scene.promoted()
    scene.champion(scene.model())


@attempt("alias", "alias-removed-and-set-again", "the alias is removed from a checked version, then set on a new one")
def _again(scene: Scene) -> None:
    promoted = scene.promoted()
    scene.rest.delete("registered-models/alias", name=promoted.name, alias="champion").ok()
    scene.champion(scene.model())


@attempt(
    "alias", "alias-on-an-earlier-unchecked-version", "version 2 is champion, and the alias goes back to version 1"
)
def _back(scene: Scene) -> None:
    earlier = scene.model()
    scene.promoted()
    scene.champion(earlier)


@attempt("alias", "alias-by-eight-at-once", "eight callers set the alias at the same moment")
def _race(scene: Scene) -> None:
    made = scene.model()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: scene.champion(made), range(16)))


@attempt("alias", "alias-while-an-allowed-one-is-set", "a checked version and an unchecked one are promoted at once")
def _swap(scene: Scene) -> None:
    good, bad = scene.checked(), scene.model()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(scene.champion, [good, bad] * 8))
    scene.champion(bad)


@attempt("alias", "alias-with-the-headers-of-a-proxy", "the caller says in headers that somebody else asked")
def _headers(scene: Scene) -> None:
    scene.champion(
        scene.model(), X_Forwarded_User="risk-officer", Remote_User="risk-officer", X_Forwarded_For="127.0.0.1"
    )


@attempt("alias", "alias-with-our-own-headers", "the caller says in headers that it was decided")
def _decided(scene: Scene) -> None:
    scene.champion(scene.model(), X_Aims_Decision="allowed", X_Aims_Verdict="allowed", X_Aims_Acting="1")


@attempt("alias", "alias-on-a-model-without-run", "the version has no run and lies in a bucket")
def _bucket(scene: Scene) -> None:
    scene.create(scene.name, "s3://somebody/model").ok()
    scene.rest.post("registered-models/alias", name=scene.name, alias="champion", version="1")


@attempt("alias", "alias-on-a-logged-model", "the version is made from a logged model by its id")
def _logged(scene: Scene) -> None:
    body = {"experiment_id": scene.server.experiment, "name": "model"}
    made = scene.rest.post("logged-models", **body).ok().json["model"]["info"]
    scene.create(scene.name, f"models:/{made['model_id']}", model_id=made["model_id"]).ok()
    scene.rest.post("registered-models/alias", name=scene.name, alias="champion", version="1")


def _spelled(words: str, alias: str) -> None:
    @attempt("spelling", f"alias-written-with-{words.replace(' ', '-')}", f"the alias with {words}: {alias!a}")
    def run(scene: Scene) -> None:
        made = scene.model()
        scene.rest.post("registered-models/alias", name=made.name, alias=alias, version=made.number)


def _numbered(words: str, version: str) -> None:
    @attempt("spelling", f"version-written-{words.replace(' ', '-')}", f"the version as {version!a}")
    def run(scene: Scene) -> Reply:
        return scene.rest.post("registered-models/alias", name=scene.model().name, alias="champion", version=version)


def _routed(words: str, path: str) -> None:
    @attempt("spelling", f"path-with-{words.replace(' ', '-')}", f"the alias, at {path}")
    def run(scene: Scene) -> Reply:
        body = {"name": scene.model().name, "alias": "champion", "version": "1"}
        return scene.rest.call("POST", path, body)


for _words, _text in LOOKALIKES.items():
    _spelled(_words, _text)
for _words, _text in VERSIONS.items():
    _numbered(_words, _text)
for _words, _text in PATHS.items():
    _routed(_words, _text)


@attempt("spelling", "path-with-the-whole-address", "the request line holds the whole address, as to a proxy")
def _absolute(scene: Scene) -> Reply:
    body = {"name": scene.model().name, "alias": "champion", "version": "1"}
    return scene.rest.call("POST", f"{scene.server.url}{API}registered-models/alias", body)
