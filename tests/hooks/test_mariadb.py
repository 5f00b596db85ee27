"""The guarded registry on MariaDB, whose default collations take `CHAMPION` and `champion` for one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aims_mlops_hooks.mlflow.guard import Guard
from aims_mlops_hooks.mlflow.registry_store import guarded_store
from tests.hooks.conftest import FakeGatekeeper

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mariadb"), pytest.mark.filterwarnings("default")]

SOURCE = "s3://bucket/model"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A database of its own on the server that AIMS_TEST_MYSQL names."""
    from sqlalchemy import create_engine, text

    server = os.environ.get("AIMS_TEST_MYSQL")
    if not server:
        if os.environ.get("AIMS_REQUIRE_SERVERS") == "1":
            pytest.fail("AIMS_REQUIRE_SERVERS=1, but AIMS_TEST_MYSQL names no MySQL or MariaDB server")
        pytest.skip("AIMS_TEST_MYSQL names no MySQL or MariaDB server (mysql+pymysql://USER:PASSWORD@HOST)")
    name = f"aims_test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"create database {name}"))
    yield f"{server}/{name}"
    with engine.begin() as connection:
        connection.execute(text(f"drop database {name}"))
    engine.dispose()


@pytest.fixture
def keeper() -> FakeGatekeeper:
    return FakeGatekeeper()


@pytest.fixture(scope="module")
def made(database: str) -> list[Any]:
    """The store itself, made once: MLflow writes dozens of tables. Its guard asks whom the test puts in."""
    asked: list[Any] = [None]
    return [guarded_store(f"aims:{database}", Guard(lambda _registry: asked[0], server=True)), asked]


@pytest.fixture
def store(made: list[Any], keeper: FakeGatekeeper) -> Any:
    made[1][0] = keeper
    return made[0]


@pytest.fixture
def name(store: Any) -> str:
    model = f"income-{uuid.uuid4().hex[:8]}"
    store.create_registered_model(model)
    store.create_model_version(model, SOURCE)
    store.create_model_version(model, SOURCE)
    return model


def denied(call: Any) -> str:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as refused:
        call()
    assert refused.value.error_code == "PERMISSION_DENIED"
    return str(refused.value)


@pytest.mark.parametrize("alias", ["champion", "CHAMPION", "Champion"])
def test_every_spelling_that_the_database_takes_for_champion_is_judged(
    store: Any, keeper: FakeGatekeeper, name: str, alias: str
) -> None:
    keeper.allowed = {(name, "1", "champion")}
    store.set_registered_model_alias(name, "champion", "1")
    denied(lambda: store.set_registered_model_alias(name, alias, "2"))
    assert store.get_model_version_by_alias(name, "champion").version == 1


def test_a_name_that_the_database_takes_for_a_claimed_one_is_refused(
    store: Any, keeper: FakeGatekeeper, name: str
) -> None:
    keeper.claimed = {name}
    assert "looks like" in denied(lambda: store.create_model_version(name.upper(), SOURCE))
    assert "looks like" in denied(lambda: store.set_registered_model_alias(name.upper(), "champion", "2"))


def test_removing_under_another_spelling_is_recorded_for_the_alias_that_goes(
    store: Any, keeper: FakeGatekeeper, name: str
) -> None:
    keeper.allowed = {(name, "1", "champion")}
    store.set_registered_model_alias(name, "champion", "1")
    store.delete_registered_model_alias(name, "CHAMPION")
    assert keeper.removed == [(name, "1", "champion")]
    assert not store.get_registered_model(name).aliases


@pytest.mark.parametrize("key", ["aims.status", "AIMS.Status", "aims.status "])
def test_reserved_tags_are_refused_in_every_spelling(store: Any, name: str, key: str) -> None:
    from mlflow.entities.model_registry import ModelVersionTag

    tag = ModelVersionTag(key, "passed")  # type: ignore[no-untyped-call]  # MLflow's own
    assert "the server's own" in denied(lambda: store.set_model_version_tag(name, "1", tag))


def test_stage_copy_and_rename_are_judged(store: Any, keeper: FakeGatekeeper, name: str) -> None:
    denied(lambda: store.transition_model_version_stage(name, "1", "Production", False))
    denied(lambda: store.copy_model_version(store.get_model_version(name, "1"), f"PROD.{name}"))
    denied(lambda: store.rename_registered_model(name, f"prod.{name}"))
    keeper.allowed = {(name, "1", "stage:Production")}
    store.transition_model_version_stage(name, "1", "Production", False)
    assert store.get_model_version(name, "1").current_stage == "Production"
