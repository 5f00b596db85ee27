"""The `aims:` scheme of MLflow's artifact URIs: the server's own destination, with checked models frozen in it.

`mlflow server --artifacts-destination aims:/srv/artifacts` or `aims:s3://bucket/prefix`. MLflow loads this module in
every process that handles artifacts; it guards a server that was configured so, and does nothing anywhere else.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import unquote

from aims_mlops_hooks.mlflow.destination import CONFIGURED, PREFIX

_TRACE = re.compile(r"(?:[^/]+/)*traces/[^/]+/artifacts")


def build(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """Return MLflow's own repository for the URI behind `aims:`, with every change to it judged first.

    Only the destination that this server was configured with is served, and the folder of a trace in it, which MLflow
    asks for by its own URI. Any other raises MlflowException PERMISSION_DENIED (403): a client may name the source of a
    version or the location of an experiment, and would read and write the server's own files.
    """
    own = os.environ.get(CONFIGURED, "")
    if not own.startswith(PREFIX) or not (artifact_uri == own or _is_trace(artifact_uri, own)):
        raise _refused(artifact_uri)
    from aims_mlops_hooks.mlflow import freeze_server

    return freeze_server.repository(artifact_uri.removeprefix(own).strip("/"), tracking_uri, registry_uri)


def _is_trace(asked: str, own: str) -> bool:
    """Whether a URI names the folder of a trace below the destination, and no reader could take it for another one."""
    below = asked.removeprefix(own.rstrip("/") + "/")
    plain = unquote(below) == below and not {"", ".", ".."} & set(below.split("/"))
    return below != asked and plain and _TRACE.fullmatch(below) is not None


def _refused(artifact_uri: str) -> Exception:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    return MlflowException(
        f"[aims] {artifact_uri[:300]!r} is not served: 'aims:' stands for the server's --artifacts-destination alone\n"
        "Next: name artifacts by runs:/, models:/ or mlflow-artifacts: URIs",
        error_code=PERMISSION_DENIED,
    )


if os.environ.get(CONFIGURED, "").startswith(PREFIX):
    # Not later: a worker may write past its destination before it ever opens it.
    from aims_mlops_hooks.mlflow.freeze_server import arm

    arm()
