"""Real MLflow servers with `--app-name aims`: clients hand in and read evidence over HTTP alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from aims_mlops_hooks.mlflow.server.openapi import PREFIX, ROUTES
from tests.bypass.conftest import Guarded, guarded_server
from tests.bypass.rest import PROXY
from tests.bypass.servers import ADMIN, Corner

pytestmark = [pytest.mark.slow]
CORNERS = (Corner("uvicorn", auth=True), Corner("gunicorn"))
ALICE = ("alice", "a password for alice")
MODEL = "loan-http"


def corners() -> list[Any]:
    return [pytest.param(one, id=str(one), marks=pytest.mark.xdist_group(f"http-{one}")) for one in CORNERS]


@pytest.fixture(scope="module", params=corners())
def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A guarded server, one registered version, and where there are users, one who is no administrator."""
    with guarded_server(request.param, tmp_path_factory.mktemp("http")) as made:
        rest = made.server.rest
        if made.server.user:
            body = {"username": ALICE[0], "password": ALICE[1]}
            rest.call("POST", "/api/2.0/mlflow/users/create", body).ok()
        rest.post("registered-models/create", name=MODEL).ok()
        run = rest.post("runs/create", experiment_id=made.server.experiment).ok().json["run"]["info"]
        path = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
        rest.call("PUT", f"{PROXY}/{path}/model/weights", b"weights").ok()
        source = f"{run['artifact_uri']}/model"
        rest.post("model-versions/create", name=MODEL, source=source, run_id=run["run_id"]).ok()
        yield made


def ask(there: Guarded, path: str, user: tuple[str, str] | None, method: str = "GET", **more: Any) -> requests.Response:
    return requests.request(method, f"{there.server.url}{PREFIX}{path}", auth=user, timeout=60, **more)


def aims(there: Guarded, *arguments: str, **more: Any) -> Any:
    with there.server.credentials():
        place = {"MLFLOW_TRACKING_URI": there.server.url, "AIMS_STORE": there.server.url}
        return there.project.aims(*arguments, **more, **place)


def kinds(there: Guarded) -> list[str]:
    """The kind of each statement in the server's log."""
    leaves = ask(there, "/leaves", there.server.user).json()["leaves"].values()
    return [json.loads(base64.b64decode(leaf))["type"].split(":")[2] for leaf in leaves]


def test_health_says_that_this_worker_really_guards(there: Guarded) -> None:
    user = ALICE if there.server.user else None
    health = ask(there, "/health", user).json()
    assert (health["mode"], health["guarded"], health["freeze"]) == ("server", True, True)
    assert health["configuration"].startswith("1 sha256:")
    assert health["authentication"] == ("basic-auth" if user else None)
    assert health["problem"] is None
    assert str(there.project.folder) not in json.dumps(health)


def test_only_who_is_authenticated_reads_and_hands_in(there: Guarded) -> None:
    for path, methods in ROUTES.items():
        for method in methods:
            nobody = ask(there, path, None, method)
            somebody = ask(there, path, ALICE if there.server.user else None, method)
            if there.server.user:
                assert nobody.status_code == 401, (method, path)
                assert ask(there, path, ("alice", "wrong"), method).status_code == 401
            assert somebody.status_code in (200, 400, 415), (method, path, somebody.text)
    beyond = ask(there, "/registered-models", ADMIN if there.server.user else None)
    assert beyond.status_code == 404


def test_a_version_is_checked_and_promoted_over_http_alone(there: Guarded) -> None:
    checked = aims(there, "check", f"{MODEL}/1")
    assert f"{MODEL}/1: 1 check passed" in checked.out
    promoted = aims(there, "promote", f"{MODEL}/1", "--to", "champion", "--format", "json").json
    assert (promoted["verdict"], promoted["enforced_by"]) == ("allowed", "server")
    there.server.rest.get("registered-models/alias", name=MODEL, alias="champion").ok()
    verified = aims(there, "evidence", "verify", f"{MODEL}/1")
    assert "verified:" in verified.out
    listed = aims(there, "evidence", "list", f"{MODEL}/1").out
    assert "drift passed" in listed
    assert "to champion" in listed
    heads = list((there.project.folder / ".aims").glob("http-127.0.0.1-*.head"))
    assert heads, "the client remembers the head of the server's log"


def test_what_nobody_trusted_signed_is_not_stored(there: Guarded) -> None:
    before = kinds(there).count("check-result")
    refused = aims(there, "--as", "stranger", "check", f"{MODEL}/1", expect=(3,))
    said = " ".join(refused.out.split())
    assert "nobody whom the applied policy trusts for a check-result signed it: the policy trusts pipeline" in said
    assert "sign as one of them (--as, AIMS_SIGNER)" in said
    assert f"{MODEL}/1: 1 check passed, not recorded" in said
    assert kinds(there).count("check-result") == before


def test_a_clients_own_decision_is_stored_and_says_whose_it_is(there: Guarded) -> None:
    aims(there, "check", f"{MODEL}/1")
    decided = aims(there, "gate", f"{MODEL}/1", "--to", "champion", "--format", "json").json
    assert (decided["verdict"], decided["enforced_by"]) == ("allowed", "client")


def test_an_administrator_applies_a_configuration_over_http(there: Guarded) -> None:
    config = there.project.folder / "aims.yaml"
    before = config.read_text()
    config.write_text(before.replace("max_per_column: 0.2", "max_per_column: 0.21"))
    try:
        user = there.server.user
        number = int(ask(there, "/health", user).json()["configuration"].split()[0])
        aims(there, "--as", "stranger", "apply", expect=(1, 2, 3, 4))
        assert ask(there, "/health", user).json()["configuration"].startswith(f"{number} ")
        aims(there, "--as", "risk-officer", "apply")
        assert ask(there, "/health", user).json()["configuration"].startswith(f"{number + 1} ")
    finally:
        config.write_text(before)
        aims(there, "--as", "risk-officer", "apply")


def test_a_wrong_password_and_a_missing_application_are_told_apart(there: Guarded, tmp_path: Path) -> None:
    if there.server.user:
        place = {"MLFLOW_TRACKING_URI": there.server.url, "AIMS_STORE": there.server.url}
        nobody = there.project.aims("evidence", "list", expect=(3,), **place)
        assert "does not know who asks (401)" in nobody.err
        assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in nobody.err
    with there.server.credentials():
        elsewhere = f"{there.server.url}/nowhere"
        lost = there.project.aims("evidence", "list", expect=(3,), AIMS_STORE=elsewhere)
    assert "serves no evidence (404)" in lost.err
    assert "AIMS_STORE needs its static prefix too" in lost.err
