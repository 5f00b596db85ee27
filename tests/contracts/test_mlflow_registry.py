"""What we lean on in MLflow: every method of its registry store, every route to it, and every private name.

`nox -s contracts` runs this with the oldest and the newest MLflow that we support. A failure here means that MLflow
has changed: look at what the new thing can do to a promoted model, then guard it or list it as free, with the reason,
here and in docs/explanation/what-is-guarded.md.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aims_mlops_hooks.mlflow.guard import HANDLERS, SERVER_HANDLERS
from aims_mlops_hooks.mlflow.guard.reading import is_prompt
from aims_mlops_hooks.mlflow.guard.tags import PROMPT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).resolve().parents[2]
HOOKS = ROOT / "hooks" / "aims_mlops_hooks" / "mlflow"
DOCUMENTED = ROOT / "docs" / "explanation" / "what-is-guarded.md"

GUARDED = {
    "copy_model_version": "src_mv dst_name",
    "create_model_version": "name source run_id tags run_link description local_model_path model_id",
    "create_registered_model": "name tags description deployment_job_id",
    "delete_model_version": "name version",
    "delete_model_version_tag": "name version key",
    "delete_registered_model": "name",
    "delete_registered_model_alias": "name alias",
    "delete_registered_model_tag": "name key",
    "rename_registered_model": "name new_name",
    "set_model_version_tag": "name version tag",
    "set_registered_model_alias": "name alias version",
    "set_registered_model_tag": "name tag",
    "transition_model_version_stage": "name version stage archive_existing_versions",
}
"""Judged by the guard, with their parameters: handlers read them by name."""

THROUGH = {
    "create_prompt": "create_registered_model",
    "create_prompt_version": "create_model_version",
    "delete_prompt": "delete_registered_model",
    "delete_prompt_alias": "delete_registered_model_alias",
    "delete_prompt_tag": "delete_registered_model_tag",
    "delete_prompt_version": "delete_model_version",
    "delete_prompt_version_tag": "delete_model_version_tag",
    "set_prompt_alias": "set_registered_model_alias",
    "set_prompt_tag": "set_registered_model_tag",
    "set_prompt_version_tag": "set_model_version_tag",
}
"""Not judged themselves: they do what they do by calling the guarded method beside them."""

FREE = {
    "create_webhook": "webhooks come after the fact and decide nothing",
    "delete_webhook": "webhooks come after the fact and decide nothing",
    "test_webhook": "webhooks come after the fact and decide nothing",
    "update_webhook": "webhooks come after the fact and decide nothing",
    "link_prompt_version_to_model": "writes a tag in the tracking store",
    "link_prompt_version_to_run": "writes a tag in the tracking store",
    "link_prompts_to_trace": "writes a tag in the tracking store",
    "update_model_version": "a description",
    "update_registered_model": "a description, and a Databricks job",
    "get_latest_versions": "reads",
    "get_model_version": "reads",
    "get_model_version_by_alias": "reads",
    "get_model_version_download_uri": "reads",
    "get_prompt": "reads",
    "get_prompt_version": "reads",
    "get_prompt_version_by_alias": "reads",
    "get_registered_model": "reads",
    "get_webhook": "reads",
    "list_webhooks": "reads",
    "list_webhooks_by_event": "reads",
    "search_model_versions": "reads",
    "search_prompt_versions": "reads",
    "search_prompts": "reads",
    "search_registered_models": "reads",
}

REQUESTS = {
    "createModelVersion": "create_model_version",
    "createRegisteredModel": "create_registered_model",
    "deleteModelVersion": "delete_model_version",
    "deleteModelVersionTag": "delete_model_version_tag",
    "deleteRegisteredModel": "delete_registered_model",
    "deleteRegisteredModelAlias": "delete_registered_model_alias",
    "deleteRegisteredModelTag": "delete_registered_model_tag",
    "getLatestVersions": "get_latest_versions",
    "getModelVersion": "get_model_version",
    "getModelVersionByAlias": "get_model_version_by_alias",
    "getModelVersionDownloadUri": "get_model_version_download_uri",
    "getRegisteredModel": "get_registered_model",
    "renameRegisteredModel": "rename_registered_model",
    "searchModelVersions": "search_model_versions",
    "searchRegisteredModels": "search_registered_models",
    "setModelVersionTag": "set_model_version_tag",
    "setRegisteredModelAlias": "set_registered_model_alias",
    "setRegisteredModelTag": "set_registered_model_tag",
    "transitionModelVersionStage": "transition_model_version_stage",
    "updateModelVersion": "update_model_version",
    "updateRegisteredModel": "update_registered_model",
}
"""The requests of MLflow's registry service, and the store's method behind each."""

STORES = (
    ("mlflow.store.model_registry.sqlalchemy_store", "SqlAlchemyStore"),
    ("mlflow.store.model_registry.sqlalchemy_workspace_store", "WorkspaceAwareSqlAlchemyStore"),
    ("mlflow.store.model_registry.rest_store", "RestStore"),
)


def _methods(cls: type) -> dict[str, Any]:
    found = inspect.getmembers(cls, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_")}


@cache
def _abstract() -> Mapping[str, Any]:
    from mlflow.store.model_registry.abstract_store import AbstractStore

    return _methods(AbstractStore)


def test_every_method_of_the_registry_store_is_known() -> None:
    known = {*GUARDED, *THROUGH, *FREE}
    new, gone = sorted(_abstract().keys() - known), sorted(known - _abstract().keys())
    assert not new, (
        f"MLflow's registry store has new methods: {new}. Can they promote? Guard them or list them as free."
    )
    assert not gone, f"MLflow's registry store has lost methods: {gone}. What does their work now?"


def test_what_is_listed_as_guarded_is_what_the_guard_judges() -> None:
    assert set(SERVER_HANDLERS) == set(GUARDED)
    assert set(SERVER_HANDLERS) - set(HANDLERS) == {"delete_registered_model_tag", "delete_model_version_tag"}


@pytest.mark.parametrize("method", GUARDED)
def test_a_guarded_method_has_the_parameters_that_its_handler_reads(method: str) -> None:
    _, *parameters = inspect.signature(_abstract()[method]).parameters
    assert " ".join(parameters) == GUARDED[method], f"the signature of {method} has changed: look at its handler"


@pytest.mark.parametrize("method", THROUGH)
def test_a_prompts_method_goes_through_a_guarded_one(method: str) -> None:
    tree = ast.parse(inspect.getsource(_abstract()[method]).strip())
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert THROUGH[method] in called, f"{method} no longer calls {THROUGH[method]}: guard it itself"
    for module, name in STORES:
        own = vars(getattr(importlib.import_module(module), name))
        assert method not in own, f"{name} has its own {method} now: guard it itself"


@pytest.mark.parametrize(("module", "name"), STORES, ids=[name for _, name in STORES])
def test_a_store_has_no_public_method_beyond_the_abstract_one(module: str, name: str) -> None:
    more = _methods(getattr(importlib.import_module(module), name)).keys() - _abstract().keys()
    assert not more, f"{name} has methods that the abstract store has not: {sorted(more)}. Can they promote?"


def test_every_request_of_the_registry_service_leads_to_a_known_method() -> None:
    from mlflow.protos import model_registry_pb2

    service = model_registry_pb2.DESCRIPTOR.services_by_name["ModelRegistryService"]
    assert {method.name for method in service.methods} == set(REQUESTS)
    assert set(REQUESTS.values()) <= {*GUARDED, *FREE}


def test_the_servers_handlers_know_one_store() -> None:
    """A handler that reached a registry by another way would go round the guard."""
    from mlflow.server import handlers

    source = inspect.getsource(handlers)
    assert source.count("_get_model_registry_store()") > 20
    made = {line.strip() for line in source.splitlines() if "_model_registry_store_registry.get_store(" in line}
    assert len(made) == 1, made


def test_the_prompt_tag_and_the_placeholders_are_mlflows() -> None:
    from mlflow.prompt import constants

    assert constants.IS_PROMPT_TAG_KEY == PROMPT
    assert is_prompt("dummy-source")
    assert is_prompt("prompt-template")
    named = getattr(constants, "_PROMPT_SOURCE_PLACEHOLDERS", {"dummy-source", "prompt-template"})
    assert named == {"dummy-source", "prompt-template"}, (
        "MLflow writes other sources for prompts: a new way to be exempt"
    )


def test_a_version_and_a_model_keep_their_tags_where_the_guard_reads_them() -> None:
    from mlflow.entities.model_registry import ModelVersion, ModelVersionTag, RegisteredModel, RegisteredModelTag

    tag, model_tag = ModelVersionTag("a", "b"), RegisteredModelTag(PROMPT, "true")  # type: ignore[no-untyped-call]
    version = ModelVersion("income", "1", 0, tags=[tag])
    assert version._tags == version.tags == {"a": "b"}
    assert RegisteredModel("income", tags=[model_tag])._is_prompt()  # type: ignore[no-untyped-call]


def test_a_sql_version_is_read_with_its_time_of_creation() -> None:
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    assert list(inspect.signature(SqlAlchemyStore._get_sql_model_version).parameters)[1:4] == [
        "session",
        "name",
        "version",
    ]
    assert hasattr(SqlModelVersion, "creation_time")


MODULES = sorted(HOOKS.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOOKS)))
def test_every_name_that_we_take_from_mlflow_is_there(path: Path) -> None:
    missing = [place for place, found in _taken(ast.parse(path.read_text())) if not found]
    assert not missing, f"this MLflow has no {', '.join(missing)}"


def _taken(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield each name that a module imports from MLflow, and each private attribute of a module of MLflow's."""
    modules: dict[str, ModuleType] = {}
    allowed = {id(child) for node in ast.walk(tree) if isinstance(node, ast.Try) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("mlflow"):
            continue
        assert node.module is not None
        for alias in node.names:
            found = _find(node.module, alias.name)
            if isinstance(found, ModuleType):
                modules[alias.asname or alias.name] = found
            # A name that is imported under `try` is one that may be missing.
            yield f"{node.module}.{alias.name}", found is not None or id(node) in allowed
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr.startswith("_"):
            module = modules.get(node.value.id)
            if module is not None and id(node) not in allowed:
                yield f"{module.__name__}.{node.attr}", hasattr(module, node.attr)


def _find(module: str, name: str) -> object:
    """Return what a name of a module is, its submodules too; None where there is none."""
    try:
        found = importlib.import_module(module)
    except ImportError:
        return None
    if hasattr(found, name):
        return getattr(found, name)
    try:
        return importlib.import_module(f"{module}.{name}")
    except ImportError:
        return None


@pytest.mark.parametrize("method", [*GUARDED, *THROUGH, *FREE])
def test_every_method_is_in_the_documentation(method: str) -> None:
    assert f"`{method}`" in DOCUMENTED.read_text()
