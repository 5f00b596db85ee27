"""Composes the `mlflow server` command of an enforcing server, and refuses to start one that could not enforce."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from aims_mlops.errors import UsageError
from aims_mlops.model.serving import ServerOptions

TESTED = ("3.10", "3.17")
"""Oldest and newest minor version of MLflow that the contract tests have seen."""

_NO_PROXY_HEADERS = "--no-proxy-headers"
# The options that decide what is guarded: given twice, MLflow takes the last.
_OURS = (
    "--backend-store-uri",
    "--registry-store-uri",
    "--artifacts-destination",
    "--default-artifact-root",
    "--app-name",
    "--no-serve-artifacts",
    "--artifacts-only",
    "--read-replica-backend-store-uri",
    "--uvicorn-opts",
    "--dev",
)


def compose(options: ServerOptions) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment that it needs beside the present one. Pure.

    Raises `UsageError` for a further argument that would change what is guarded.
    """
    for given in options.more:
        if given.split("=", 1)[0] in _OURS:
            raise UsageError(
                f"{given.split('=', 1)[0]} is composed by aims server itself",
                hint="aims server --help lists the option to use instead",
            )
    command = [sys.executable, "-m", "mlflow", "server"]
    command += ["--backend-store-uri", options.backend, "--registry-store-uri", f"aims:{options.registry}"]
    command += ["--artifacts-destination", f"aims:{options.artifacts}", "--app-name", "aims"]
    command += ["--host", options.host, "--port", str(options.port), "--workers", str(options.workers)]
    if options.gunicorn:
        command += ["--gunicorn-opts", "--timeout 120"]
    else:
        # Else whoever connects from this machine could name any address as its own, a trusted proxy's too.
        command += ["--uvicorn-opts", _NO_PROXY_HEADERS]
    command += ["--enable-workspaces"] if options.workspaces else []
    return [*command, *options.more], _environment(options)


def _environment(options: ServerOptions) -> dict[str, str]:
    # What is not wanted is emptied: nothing that the shell happens to hold decides.
    return {
        "AIMS_STORE": options.evidence,
        "AIMS_STATE": str(options.state),
        "AIMS_KEYS": str(options.keys),
        "AIMS_SIGNER": options.signer,
        "AIMS_ADMIN_KEYS": os.pathsep.join(map(str, options.administrators)),
        "AIMS_ADMIN_THRESHOLD": str(options.threshold),
        "AIMS_AUTH": options.auth or "",
        "AIMS_TRUSTED_PROXY": options.proxy or "",
    }


def serve(options: ServerOptions) -> NoReturn:
    """Become the MLflow server. Raises an `AimsError` instead where it could not enforce."""
    command, environment = compose(options)
    rehearse(options, environment)
    os.execve(command[0], command, {**os.environ, **environment})  # noqa: S606  # no shell, our own arguments


def rehearse(options: ServerOptions, environment: Mapping[str, str]) -> None:
    """Do once what each worker will do, and raise an `AimsError` where that would leave the gate open or useless."""
    from aims_mlops import server_wiring
    from aims_mlops_hooks.mlflow.registry_store import plain_uri
    from aims_mlops_hooks.mlflow.server.actor import TrustedProxy
    from aims_mlops_hooks.mlflow.server.registry import ServerRegistry

    _must_be_apart(options)
    if options.proxy:
        TrustedProxy.parse(options.proxy)
    if plain_uri(options.registry) != options.registry:
        raise UsageError("the registry's address begins with aims:", hint="aims server puts that there itself")
    scheme, colon, _rest = options.registry.partition(":")
    if not colon or scheme in ("http", "https", "file"):
        raise UsageError(
            f"the registry {options.registry} is no database",
            hint="name a SQLAlchemy URI: sqlite:///mlflow.db, postgresql://…, mysql+pymysql://…",
        )
    server_wiring.rehearse_server(ServerRegistry(None), environment)


def _must_be_apart(options: ServerOptions) -> None:
    """Refuse a state or key folder that lies among the artifacts, where any client could read or write it."""
    scheme, colon, rest = options.artifacts.partition("://")
    if colon and scheme != "file":
        return
    artifacts = Path(rest if colon else options.artifacts).resolve()
    for what, folder in (("state", options.state), ("keys", options.keys)):
        place = folder.resolve()
        if place.is_relative_to(artifacts) or artifacts.is_relative_to(place):
            raise UsageError(
                f"the {what} folder {place} and the artifacts {artifacts} overlap",
                hint=f"keep the {what} in a folder of its own that only the server's user can read",
            )
