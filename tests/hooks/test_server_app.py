"""The application of `--app-name aims`, in a process of its own as in a worker: authentication, prefix, wrapping."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.errors import ConfigError, UsageError
from aims_mlops_hooks.mlflow.server import app as app_module
from aims_mlops_hooks.mlflow.server.openapi import PREFIX
from tests.e2e.conftest import environment_without_secrets

BASIC = """
from mlflow.server import auth
auth.store.create_user("alice", "a password for alice")
"""
ASK = """
import base64, json
def ask(client, path, user=None, method="GET"):
    headers = {}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:a password for {user}".encode()).decode()
    return client.open(path, method=method, headers=headers).status_code
"""


def in_worker(folder: Path, code: str, **environment: str) -> Any:
    """Run some lines as a worker of MLflow's server would, and return the JSON that they print last."""
    auth = folder / "auth.ini"
    auth.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\nadmin_username = admin\n"
        "admin_password = a password for admin\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    given = environment_without_secrets() | {
        "MLFLOW_AUTH_CONFIG_PATH": str(auth),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret for tests",
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(folder),
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK + code],
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_with_basic_auth_and_a_prefix_any_authenticated_user_is_let_in_and_nobody_else(tmp_path: Path) -> None:
    code = f"""
from aims_mlops_hooks.mlflow.server.app import create_app
client = create_app().test_client()
{BASIC}
root = "/team{PREFIX}"
print(json.dumps({{
    "nobody": [ask(client, root + path) for path in ("/health", "/head", "/openapi.json", "/blobs")],
    "nobody writes": [ask(client, root + "/statements", method="POST"), ask(client, root + "/blobs", method="PUT")],
    "alice": [ask(client, root + path, "alice") for path in ("/health", "/openapi.json")],
    "alice writes": ask(client, root + "/statements", "alice", "POST"),
    "admin": ask(client, root + "/health", "admin"),
    "without the prefix": ask(client, "{PREFIX}/health", "alice"),
}}))
"""
    found = in_worker(tmp_path, code, AIMS_AUTH="basic-auth", _MLFLOW_STATIC_PREFIX="/team")
    assert found == {
        "nobody": [401, 401, 401, 401],
        "nobody writes": [401, 401],
        "alice": [200, 200],
        "alice writes": 503,  # she is let in; no gate is in this process that could take anything
        "admin": 200,
        "without the prefix": 403,
    }


@pytest.mark.slow
def test_without_authentication_and_without_the_gate_health_says_so(tmp_path: Path) -> None:
    code = f"""
from aims_mlops_hooks.mlflow.server.app import create_app
from flask import Flask
app = create_app()
assert isinstance(app, Flask)
print(app.test_client().get("{PREFIX}/health").text)
"""
    found = in_worker(tmp_path, code)
    assert {name: found[name] for name in found if name not in ("version", "mlflow")} == {
        "mode": "client",
        "guarded": False,
        "configuration": None,
        "authentication": None,
        "freeze": False,
        "problem": "RegistryError",
    }


@pytest.mark.slow
def test_under_uvicorn_the_application_is_asgi_and_can_be_wrapped_too(tmp_path: Path) -> None:
    code = f"""
from fastapi import FastAPI
from fastapi.testclient import TestClient
from aims_mlops_hooks.mlflow.server.app import create_app, wrap
from mlflow.server.fastapi_app import create_fastapi_app
wrapped = wrap(create_fastapi_app())
made = create_app()
assert isinstance(made, FastAPI)
answers = [TestClient(app, base_url="http://localhost").get("{PREFIX}/health").json() for app in (wrapped, made)]
print(json.dumps([answer["mode"] for answer in answers]))
"""
    assert in_worker(tmp_path, code, _MLFLOW_SGI_NAME="uvicorn") == ["client", "client"]


def test_an_authentication_that_is_not_known_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMS_AUTH", "basic")
    with pytest.raises(ConfigError) as caught:
        app_module.create_app()
    assert str(caught.value) == "AIMS_AUTH is 'basic'"
    assert caught.value.hint == "write AIMS_AUTH=basic-auth, or leave it out"


def test_an_application_without_mlflows_is_not_wrapped() -> None:
    with pytest.raises(UsageError) as caught:
        app_module.wrap(object())
    assert str(caught.value) == "no Flask application of MLflow's is in a object"
    assert caught.value.hint == "wrap the application that your plugin makes from mlflow.server.app, before it serves"


def test_a_flask_application_is_wrapped_once_however_often_it_is_asked_for() -> None:
    from flask import Flask

    made = Flask(__name__, root_path="/")
    assert app_module.wrap(made) is app_module.wrap(made) is made
    assert [rule.rule for rule in made.url_map.iter_rules()].count(f"{PREFIX}/statements") == 1


def test_importing_the_entry_point_imports_neither_mlflow_nor_flask() -> None:
    code = (
        "import sys, aims_mlops_hooks.mlflow.server.app; "
        "sys.exit(1 if {'mlflow', 'flask', 'sqlalchemy'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
