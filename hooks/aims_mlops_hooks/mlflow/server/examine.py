"""Finds out from outside whether a running MLflow server enforces the gate."""

from __future__ import annotations

from typing import Any

from aims_mlops.errors import AimsError
from aims_mlops.model.examination import Examination, Finding
from aims_mlops_hooks.mlflow.outside import Outside, without_password
from aims_mlops_hooks.mlflow.registry_store import PREFIX, plain_uri
from aims_mlops_hooks.mlflow.server.command import TESTED

PROBE_MODEL = "aims-doctor"
"""A registered model that need not exist: an enforcing server refuses before it looks."""
PROBE_KEY = "aims.doctor"
"""A reserved tag. Setting it on a model that does not exist changes nothing on any server."""

UNGUARDED = (
    "whoever can write to the registry's database or the artifact store without this server",
    "a second MLflow server on the same database or bucket that was started without the plugin",
    "a consumer that loads models:/NAME/latest, runs:/… or models:/m-…: let it use aims.load_model, or verify first",
    "whoever can run code in the server, or change its environment",
)


def examine(uri: str, *, mlflow_version: str) -> Examination:
    """Probe the server behind a registry URI. A registry that is no HTTP server has nothing that could enforce."""
    plain = plain_uri(uri)
    place = without_password(plain)
    client = _client_finding(uri, mlflow_version)
    if not plain.startswith(("http://", "https://")):
        what = "a database or folder is opened directly: only clients that have the hooks are guarded"
        hint = "start aims server on it, and let clients use its address alone"
        return Examination(
            place, enforces=False, findings=(Finding("server", "bad", what, hint), *client), unguarded=UNGUARDED
        )
    try:
        enforces, finding = _probe(plain, place)
        found = [finding, *_health(plain, place)]
    except AimsError as error:
        return Examination(place, None, (Finding("server", "unknown", str(error), error.hint), *client), UNGUARDED)
    return Examination(place, enforces, (*found, *client), UNGUARDED)


def _client_finding(uri: str, version: str) -> tuple[Finding, ...]:
    minor = tuple(int(part) for part in version.split(".")[:2])
    oldest, newest = (tuple(int(part) for part in text.split(".")) for text in TESTED)
    tested = oldest <= minor <= newest
    state = "ok" if tested else "warning"
    what = f"MLflow {version} here; {TESTED[0]} to {TESTED[1]} are tested"
    found = [Finding("client", state, what, "" if tested else "run the contract tests (nox) before you rely on it")]
    if not uri.startswith(PREFIX):
        what = "this process registers without checks: its registry URI does not begin with aims:"
        found.append(Finding("hooks", "warning", what, f"MLFLOW_REGISTRY_URI={PREFIX}{uri}, or aims.autolog()"))
    return tuple(found)


def _probe(base: str, place: str) -> tuple[bool, Finding]:
    body = {"name": PROBE_MODEL, "key": PROBE_KEY, "value": "probe"}
    status, answer = _request(base, "POST", "/api/2.0/mlflow/registered-models/set-tag", place, body)
    message = str(answer.get("message", "")) if isinstance(answer, dict) else ""
    if status == 403 and "[aims]" in message:
        return True, Finding("server", "ok", "refused the forbidden call, as it must")
    if status in (401, 403):
        hint = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and look again"
        raise AimsError(f"the server lets nobody in without authentication (HTTP {status})", hint=hint)
    what = f"answered the forbidden call with HTTP {status} in place of a refusal: the plugin is not in it"
    return False, Finding("server", "bad", what, "start it with aims server, or with --registry-store-uri aims:…")


def _health(base: str, place: str) -> list[Finding]:
    status, answer = _request(base, "GET", "/aims/api/v1/health", place)
    if status != 200 or not isinstance(answer, dict):
        what = "serves no evidence (no --app-name aims)"
        return [Finding("evidence", "warning", what, "aims server serves it at /aims/api")]
    return [
        Finding(str(name), "ok" if value not in (False, None) else "warning", str(value))
        for name, value in answer.items()
        if name in ("mlflow", "version", "freeze", "configuration", "authentication")
    ]


def _request(base: str, method: str, path: str, place: str, body: object = None) -> tuple[int, Any]:
    """Ask with MLflow's own client code, so that its authentication and certificates apply."""
    with Outside("asking the server", place=place):
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request

        response = http_request(  # type: ignore[no-untyped-call]  # MLflow's own
            get_default_host_creds(base),  # type: ignore[no-untyped-call]
            path,
            method,
            raise_on_status=False,
            **({} if body is None else {"json": body}),
        )
        try:
            return response.status_code, response.json()
        except ValueError:
            return response.status_code, None
