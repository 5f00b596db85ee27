"""Which method of MLflow's abstract registry store is judged by whom. What is not listed here is free."""

from __future__ import annotations

from collections.abc import Mapping

from aims_mlops_hooks.mlflow.guard import aliases, models, tags
from aims_mlops_hooks.mlflow.guard.judging import Handler

HANDLERS: Mapping[str, Handler] = {
    "set_registered_model_alias": aliases.set_alias,
    "delete_registered_model_alias": aliases.delete_alias,
    "transition_model_version_stage": aliases.set_stage,
    "create_registered_model": models.create_model,
    "create_model_version": models.create_version,
    "copy_model_version": models.copy_version,
    "rename_registered_model": models.rename,
    "delete_registered_model": models.delete_model,
    "delete_model_version": models.delete_version,
    "set_registered_model_tag": tags.set_tag,
    "set_model_version_tag": tags.set_tag,
}
"""What is judged everywhere. A client writes our tags itself, through the same store."""

SERVER_HANDLERS: Mapping[str, Handler] = {
    **HANDLERS,
    "set_registered_model_tag": tags.set_tag_at_server,
    "set_model_version_tag": tags.set_tag_at_server,
    "delete_registered_model_tag": tags.delete_tag_at_server,
    "delete_model_version_tag": tags.delete_tag_at_server,
}
"""What is judged in a server, which keeps the reserved tags to itself."""
