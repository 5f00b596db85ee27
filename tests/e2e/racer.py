"""One of several processes that register, check and promote at once. Says what was acknowledged, as JSON.

Arguments: the server's URL, how many versions, this process's number. Its folder is the project's.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any
from unittest.mock import patch

from tests.bypass.rest import Rest
from tests.bypass.scene import MODEL

NAME = "loan-race"


def register(rest: Rest, experiment: str) -> str:
    """Register one more version of the shared model; return its number."""
    run = rest.post("runs/create", experiment_id=experiment).ok().json["run"]["info"]
    folder = f"{run['artifact_uri'].removeprefix('mlflow-artifacts:/').strip('/')}/model"
    for path, content in MODEL.items():
        rest.put_file(f"{folder}/{path}", content.replace(b"TOKEN", run["run_id"].encode())).ok()
    body = {"name": NAME, "source": f"mlflow-artifacts:/{folder}", "run_id": run["run_id"]}
    version: str = rest.post("model-versions/create", **body).ok().json["model_version"]["version"]
    return version


def check(version: str) -> list[str]:
    """Check a version with `aims check`; return the digests of the evidence that was acknowledged."""
    from aims_mlops.cli import main

    out = io.StringIO()
    arguments = ["aims", "check", f"{NAME}/{version}", "--format", "json"]
    with contextlib.redirect_stdout(out), patch.object(sys, "argv", arguments), contextlib.suppress(SystemExit):
        main()
    return [one["evidence"] for one in json.loads(out.getvalue())["results"]]


def champion(rest: Rest, version: str) -> tuple[int, str]:
    """Ask for the alias; return status and text."""
    reply = rest.post("registered-models/alias", name=NAME, alias="champion", version=version)
    return reply.status, reply.text[:300]


def race(url: str, versions: int) -> dict[str, Any]:
    """Register, try unchecked, check, promote; again and again."""
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    rest = Rest(url, None if user is None else (user, os.environ["MLFLOW_TRACKING_PASSWORD"]))
    experiment = rest.get("experiments/get-by-name", experiment_name="bypass").ok().json["experiment"]["experiment_id"]
    said: dict[str, Any] = {"registered": [], "evidence": [], "denied": [], "promoted": []}
    for _ in range(versions):
        version, left = register(rest, experiment), register(rest, experiment)
        said["registered"] += [version, left]
        said["denied"].append([version, *champion(rest, version)])
        said["evidence"] += check(version)
        said["promoted"].append([version, *champion(rest, version)])
        said["denied"].append([left, *champion(rest, left)])
    return said


if __name__ == "__main__":
    sys.stdout.write(json.dumps(race(sys.argv[1], int(sys.argv[2]))))
