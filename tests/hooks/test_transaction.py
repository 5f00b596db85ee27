"""The last look at a registered model and the act on it, in one transaction, on each database that MLflow takes."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aims_mlops_hooks.mlflow.guard.transaction import created, join_transactions, joins_transactions, transaction
from tests.bypass.conftest import databases
from tests.hooks.test_mariadb import database as mariadb

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mariadb"), pytest.mark.filterwarnings("default")]

__all__ = ["mariadb"]
SOURCE = "s3://bucket/model"


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "mariadb":
        yield request.getfixturevalue("mariadb")
        return
    with databases(request.param, tmp_path_factory.mktemp("registry")) as (registry, _):
        yield registry


@pytest.fixture(scope="module")
def stores(uri: str) -> Iterator[tuple[Any, Any]]:
    """Two stores of one registry, as two workers of a server have them; the first joins transactions."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    made: Any = SqlAlchemyStore
    one, other = join_transactions(made(uri)), made(uri)
    yield one, other
    one.engine.dispose()
    other.engine.dispose()


@pytest.fixture
def name(stores: tuple[Any, Any]) -> str:
    made = f"income-{uuid.uuid4().hex[:8]}"
    stores[0].create_registered_model(made)
    stores[0].create_model_version(made, SOURCE)
    return made


def test_what_is_done_inside_is_seen_inside_and_by_others_afterwards(stores: tuple[Any, Any], name: str) -> None:
    one, other = stores
    with transaction(one, name) as session:
        assert list(created(one, session, name)) == ["1"]
        one.set_registered_model_alias(name, "champion", "1")
        assert one.get_registered_model(name).aliases == {"champion": 1}
        assert other.get_registered_model(name).aliases == {}
    assert other.get_registered_model(name).aliases == {"champion": 1}


def test_nothing_is_done_where_the_body_raises(stores: tuple[Any, Any], name: str) -> None:
    from mlflow.exceptions import MlflowException

    one, other = stores

    def act_and_fail() -> None:
        with transaction(one, name):
            one.set_registered_model_alias(name, "champion", "1")
            one.transition_model_version_stage(name, "1", "Production", archive_existing_versions=False)
            raise MlflowException("no")

    with pytest.raises(MlflowException, match="no"):
        act_and_fail()
    assert other.get_registered_model(name).aliases == {}
    assert other.get_model_version(name, "1").current_stage == "None"


def test_a_deleted_version_is_not_there(stores: tuple[Any, Any], name: str) -> None:
    one, other = stores
    other.create_model_version(name, SOURCE)
    other.delete_model_version(name, "1")
    with transaction(one, name) as session:
        assert list(created(one, session, name)) == ["2"]


@pytest.mark.parametrize("change", ["version", "alias", "delete"])
def test_nobody_else_changes_a_model_meanwhile(stores: tuple[Any, Any], name: str, change: str) -> None:
    one, other = stores
    done: list[str] = []

    def beside() -> None:
        {
            "version": lambda: other.create_model_version(name, SOURCE),
            "alias": lambda: other.set_registered_model_alias(name, "challenger", "1"),
            "delete": lambda: other.delete_registered_model(name),
        }[change]()
        done.append(change)

    thread = threading.Thread(target=beside)
    with transaction(one, name) as session:
        thread.start()
        thread.join(0.5)
        assert done == []
        one.set_registered_model_alias(name, "champion", "1")
        assert list(created(one, session, name)) == ["1"]
    thread.join(20)
    assert done == [change]


def test_another_thread_has_a_session_of_its_own(stores: tuple[Any, Any], name: str) -> None:
    one, _ = stores
    seen: list[dict[str, int]] = []
    with transaction(one, name):
        one.set_registered_model_alias(name, "champion", "1")
        thread = threading.Thread(target=lambda: seen.append(one.get_registered_model(name).aliases))
        thread.start()
        thread.join(20)
    assert seen == [{}]


def test_a_store_without_sessions_stays_as_it_is() -> None:
    from mlflow.store.model_registry.rest_store import RestStore

    store: Any = RestStore
    assert not joins_transactions(join_transactions(store(lambda: None)))
