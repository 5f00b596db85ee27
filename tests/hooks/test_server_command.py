"""The command of an enforcing server: what it consists of, and when it is not started at all."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from aims_mlops.errors import UsageError
from aims_mlops.model.serving import ServerOptions
from aims_mlops_hooks.mlflow.server.command import compose, rehearse


@pytest.fixture
def options(tmp_path: Path) -> ServerOptions:
    return ServerOptions(
        backend="sqlite:///mlflow.db",
        registry="sqlite:///mlflow.db",
        artifacts=str(tmp_path / "artifacts"),
        evidence="sqlite:///aims.db",
        state=tmp_path / "state",
        keys=tmp_path / "keys",
        signer="server",
        administrators=(tmp_path / "a.pub.pem", tmp_path / "b.pub.pem"),
        threshold=2,
    )


def test_the_registry_and_the_artifacts_stand_behind_the_gate(options: ServerOptions) -> None:
    command, environment = compose(options)
    said = " ".join(command)
    assert (
        "-m mlflow server --backend-store-uri sqlite:///mlflow.db --registry-store-uri aims:sqlite:///mlflow.db" in said
    )
    assert f"--artifacts-destination aims:{options.artifacts} --app-name aims" in said
    assert "--uvicorn-opts --no-proxy-headers" in said
    assert environment["AIMS_ADMIN_KEYS"].split(os.pathsep) == [str(path) for path in options.administrators]
    assert (environment["AIMS_ADMIN_THRESHOLD"], environment["AIMS_SIGNER"]) == ("2", "server")
    assert (environment["AIMS_AUTH"], environment["AIMS_TRUSTED_PROXY"]) == ("", "")  # whatever the shell holds


def test_gunicorn_auth_proxy_and_workspaces_are_handed_on(options: ServerOptions) -> None:
    command, environment = compose(
        replace(options, gunicorn=True, auth="basic-auth", proxy="X-User@10.0.0.5", workspaces=True, more=("--dev-x",))
    )
    assert "--gunicorn-opts" in command
    assert "--uvicorn-opts" not in command
    assert command[-2:] == ["--enable-workspaces", "--dev-x"]
    assert (environment["AIMS_AUTH"], environment["AIMS_TRUSTED_PROXY"]) == ("basic-auth", "X-User@10.0.0.5")


@pytest.mark.parametrize("given", ["--registry-store-uri", "--registry-store-uri=sqlite:///x", "--app-name", "--dev"])
def test_an_argument_that_would_change_what_is_guarded_is_refused(options: ServerOptions, given: str) -> None:
    with pytest.raises(UsageError, match="is composed by aims server itself"):
        compose(replace(options, more=(given, "basic-auth")))


def test_secrets_and_state_do_not_lie_among_the_artifacts(options: ServerOptions) -> None:
    inside = replace(options, keys=Path(options.artifacts) / "keys")
    with pytest.raises(UsageError, match=r"the keys folder .* overlap"):
        rehearse(inside, {})
    around = replace(options, state=Path(options.artifacts).parent)
    with pytest.raises(UsageError, match=r"the state folder .* overlap"):
        rehearse(replace(around, artifacts=f"file://{options.artifacts}"), {})


@pytest.mark.parametrize(
    ("registry", "problem"),
    [
        ("aims:sqlite:///mlflow.db", "begins with aims:"),
        ("http://mlflow:5000", "the registry http://mlflow:5000 is no database"),
        ("/srv/registry", "is no database"),
    ],
)
def test_a_registry_that_is_no_database_is_refused(options: ServerOptions, registry: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        rehearse(replace(options, registry=registry), {})
