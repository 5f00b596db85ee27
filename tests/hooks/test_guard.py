"""What the guard does on every route, on a real SQLite registry, as a server has it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.errors import ConfigError, RegistryError, StoreError
from aims_mlops.model.subject import ModelRef
from aims_mlops_hooks.mlflow import registry_store
from aims_mlops_hooks.mlflow.guard import Guard, join_transactions, unguarded
from aims_mlops_hooks.mlflow.guard.tags import is_prompt_key, is_reserved
from aims_mlops_hooks.mlflow.registry import MlflowRegistry, described
from aims_mlops_hooks.mlflow.registry_store import guarded_class
from tests.builders import REGISTRY
from tests.hooks.conftest import FakeGatekeeper

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # MLflow and what it brings along warn of their own futures
]

PROMPT_TAG = "mlflow.prompt.is_prompt"
NAME = "income"


def _store(gatekeeper: FakeGatekeeper, uri: str, *, server: bool) -> Any:
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    made = guarded_class(SqlAlchemyStore, Guard(lambda _registry: gatekeeper, server=server))(uri)
    gatekeeper.described = lambda name, version: described(made.get_model_version(name, version), REGISTRY)
    return made


@pytest.fixture
def store(gatekeeper: FakeGatekeeper, sqlite_registry: str) -> Iterator[Any]:
    """A server's store in which a system claims `income`, whose version 1 is there."""
    gatekeeper.claimed = {NAME}
    made = _store(gatekeeper, sqlite_registry, server=True)
    made.create_registered_model(NAME)
    made.create_model_version(NAME, "s3://bucket/model")
    gatekeeper.checked.clear()
    yield made
    made.engine.dispose()


def _denied(call: Callable[[], object]) -> str:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as refusal:
        call()
    assert refusal.value.error_code == "PERMISSION_DENIED"
    return str(refusal.value)


def _tag(key: str, value: str = "x") -> Any:
    from mlflow.entities.model_registry import ModelVersionTag

    return ModelVersionTag(key, value)  # type: ignore[no-untyped-call]  # MLflow's own


def _promoted(gatekeeper: FakeGatekeeper, store: Any) -> None:
    gatekeeper.allowed = {(NAME, "1", "champion"), (NAME, "1", "stage:Production")}
    store.set_registered_model_alias(NAME, "champion", "1")
    store.transition_model_version_stage(NAME, "1", "Production", False)


# Names that can be taken for others


@pytest.mark.parametrize(
    "alias",
    ["champion\n", "ch\u0430mpion", "champ\u0131on", "champi0n", "\U0001d41champion", "cha\u0301mpion"],
    ids=ascii,
)
def test_an_alias_that_looks_like_a_protected_one_is_refused_and_recorded(
    gatekeeper: FakeGatekeeper, store: Any, alias: str
) -> None:
    gatekeeper.allowed = {(NAME, "1", alias)}
    words = _denied(lambda: store.set_registered_model_alias(NAME, alias, "1"))
    assert f"the alias {alias!a} looks like the protected alias 'champion'" in words
    assert "decision: sha256:0" in words
    assert store.get_registered_model(NAME).aliases == {}
    assert [(refusal.act, refusal.target and refusal.target.value) for refusal in gatekeeper.refusals] == [
        ("alias", alias)
    ]


LOOK_ALIKES = ["Income", "inc\u043eme", "income\u200b", " income", "pr0d.income", "\u0440rod.income", "prod.x\u200b"]


@pytest.mark.parametrize("name", LOOK_ALIKES, ids=ascii)
@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda store, name: store.create_registered_model(name), id="create"),
        pytest.param(lambda store, name: store.copy_model_version(store.get_model_version(NAME, 1), name), id="copy"),
        pytest.param(lambda store, name: store.rename_registered_model("other", name), id="rename"),
        pytest.param(lambda store, name: store.create_prompt(name), id="prompt"),
    ],
)
def test_a_model_that_looks_like_a_governed_one_is_not_made(
    store: Any, name: str, reach: Callable[[Any, str], object]
) -> None:
    from mlflow.exceptions import MlflowException

    store.create_registered_model("other")
    assert f"the name {name!a} looks like " in _denied(lambda: reach(store, name))
    with pytest.raises(MlflowException, match="not found"):
        store.get_registered_model(name)


def test_a_look_alike_that_was_there_before_gets_no_version_and_no_protected_alias_and_can_go(store: Any) -> None:
    with unguarded():
        store.create_registered_model("Income")
        store.create_model_version("Income", "s3://bucket/other")
    assert "looks like 'income', which the system income claims" in _denied(
        lambda: store.create_model_version("Income", "s3://bucket/other")
    )
    assert "the name 'Income' looks like" in _denied(
        lambda: store.set_registered_model_alias("Income", "champion", "1")
    )
    store.set_registered_model_alias("Income", "dev", "1")
    store.rename_registered_model("Income", "another")
    store.delete_registered_model("another")


@pytest.mark.parametrize("argument", ["name", "alias"])
def test_a_name_that_is_too_long_to_compare_is_refused(store: Any, argument: str) -> None:
    given = {"name": NAME, "alias": "dev", "version": "1", argument: "a" * 501}
    assert f"the {argument} is longer than 500 characters" in _denied(lambda: store.set_registered_model_alias(**given))


# Aliases, stages and versions


@pytest.mark.parametrize("version", [1, "1", "01", "+1", " 1", "1\n", "\uff11"], ids=ascii)
def test_a_version_is_judged_and_set_as_the_number_that_mlflow_reads(
    gatekeeper: FakeGatekeeper, store: Any, version: object
) -> None:
    assert f"{NAME}/1 to champion: denied" in _denied(
        lambda: store.set_registered_model_alias(NAME, "champion", version)
    )
    gatekeeper.allowed = {(NAME, "1", "champion")}
    store.set_registered_model_alias(NAME, "champion", version)
    assert store.get_registered_model(NAME).aliases == {"champion": 1}


@pytest.mark.parametrize("version", ["1.0", "", "one", None, 1.5])
def test_what_is_no_version_reaches_no_protected_alias(store: Any, version: object) -> None:
    assert "is not the number of a model version" in _denied(
        lambda: store.set_registered_model_alias(NAME, "champion", version)
    )


def test_taking_a_protected_alias_away_is_possible_and_recorded(gatekeeper: FakeGatekeeper, store: Any) -> None:
    _promoted(gatekeeper, store)
    store.set_registered_model_alias(NAME, "dev", "1")
    store.delete_registered_model_alias(NAME, "dev")
    store.delete_registered_model_alias(NAME, "nothing")
    assert gatekeeper.removed == []
    store.delete_registered_model_alias(NAME, "champion")
    assert gatekeeper.removed == [(NAME, "1", "champion")]
    store.delete_registered_model_alias(NAME, "champion")
    assert len(gatekeeper.removed) == 1


def test_a_protected_alias_stays_where_the_caller_may_not_take_it_away(gatekeeper: FakeGatekeeper, store: Any) -> None:
    _promoted(gatekeeper, store)
    gatekeeper.may_remove = False
    assert "nobody vouches for the caller" in _denied(lambda: store.delete_registered_model_alias(NAME, "champion"))
    assert "nobody vouches" in _denied(lambda: store.transition_model_version_stage(NAME, "1", "Archived", False))
    assert store.get_model_version(NAME, 1).current_stage == "Production"
    assert store.get_registered_model(NAME).aliases == {"champion": 1}


def test_an_alias_can_be_taken_away_while_the_policy_cannot_be_read(
    gatekeeper: FakeGatekeeper, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    _promoted(gatekeeper, store)
    gatekeeper.unreadable = ConfigError("aims.yaml is gone")
    store.delete_registered_model_alias(NAME, "champion")
    assert store.get_registered_model(NAME).aliases == {}
    assert "the policy of 'income' cannot be read: aims.yaml is gone" in caplog.text


def test_leaving_a_protected_stage_is_recorded(gatekeeper: FakeGatekeeper, store: Any) -> None:
    _promoted(gatekeeper, store)
    store.transition_model_version_stage(NAME, "1", "Staging", False)
    assert gatekeeper.removed == [(NAME, "1", "stage:Production")]
    store.transition_model_version_stage(NAME, "1", "Archived", False)
    assert len(gatekeeper.removed) == 1


def test_archiving_what_was_in_a_protected_stage_is_recorded(gatekeeper: FakeGatekeeper, store: Any) -> None:
    _promoted(gatekeeper, store)
    store.create_model_version(NAME, "s3://bucket/second")
    assert "denied" in _denied(lambda: store.transition_model_version_stage(NAME, "2", "production", True))
    assert store.get_model_version(NAME, 1).current_stage == "Production"
    assert gatekeeper.removed == []
    gatekeeper.allowed = {(NAME, "2", "stage:production")}
    store.transition_model_version_stage(NAME, "2", "production", True)
    assert [store.get_model_version(NAME, n).current_stage for n in (1, 2)] == ["Archived", "Production"]
    assert gatekeeper.removed == [(NAME, "1", "stage:production")]
    assert gatekeeper.recorded[-1] == (NAME, "2", "stage:production")


@pytest.mark.parametrize("joins", [True, False], ids=["in one transaction", "looked at again"])
@pytest.mark.parametrize("change", ["made anew", "deleted"])
@pytest.mark.parametrize("target", ["alias", "stage", "copy", "create", "rename"])
def test_a_model_that_is_made_anew_while_it_is_judged_is_not_promoted(
    gatekeeper: FakeGatekeeper, store: Any, target: str, change: str, *, joins: bool
) -> None:
    from mlflow.exceptions import MlflowException

    if joins:
        join_transactions(store)
    source = store.get_model_version(NAME, 1)

    def anew() -> None:
        with unguarded():
            store.delete_registered_model(NAME)
            if change == "made anew":
                store.create_registered_model(NAME)
                store.create_model_version(NAME, "s3://bucket/evil")

    gatekeeper.while_judging = anew
    gatekeeper.allowed = {(NAME, "1", t) for t in ("champion", "stage:Production", "name:prod.x")}
    if target == "create":
        with unguarded():
            store.create_registered_model("prod.x")
    act: Callable[[], object] = {
        "alias": lambda: store.set_registered_model_alias(NAME, "champion", "1"),
        "stage": lambda: store.transition_model_version_stage(NAME, "1", "Production", False),
        "copy": lambda: store.copy_model_version(source, "prod.x"),
        "create": lambda: store.create_model_version("prod.x", f"models:/{NAME}/1"),
        "rename": lambda: store.rename_registered_model(NAME, "prod.x"),
    }[target]
    with pytest.raises(MlflowException) as refusal:
        act()
    assert change == "deleted" or "was deleted or made anew while it was judged" in str(refusal.value)
    assert gatekeeper.recorded == []
    if change == "made anew":
        assert store.get_registered_model(NAME).aliases == {}
        assert store.get_model_version(NAME, 1).current_stage == "None"
    assert not store.search_model_versions("name='prod.x'")


def test_a_version_that_comes_while_the_others_are_judged_is_not_renamed_along(
    gatekeeper: FakeGatekeeper, store: Any
) -> None:
    join_transactions(store)

    def another() -> None:
        with unguarded():
            store.create_model_version(NAME, "s3://bucket/unjudged")

    gatekeeper.while_judging, gatekeeper.allowed = another, {(NAME, "1", "name:prod.x")}
    said = _denied(lambda: store.rename_registered_model(NAME, "prod.x"))
    assert said.startswith("[aims] income/2 was registered while the others were judged: nothing was promoted")
    assert store.get_registered_model(NAME).name == NAME
    assert gatekeeper.recorded == []
    gatekeeper.while_judging = lambda: None
    gatekeeper.allowed |= {(NAME, "2", "name:prod.x")}
    assert store.rename_registered_model(NAME, "prod.x").name == "prod.x"
    assert gatekeeper.recorded == [(NAME, "1", "name:prod.x"), (NAME, "2", "name:prod.x")]


# Deleting


def test_what_is_promoted_is_not_deleted_before_it_is_taken_out(gatekeeper: FakeGatekeeper, store: Any) -> None:
    _promoted(gatekeeper, store)
    for delete in (lambda: store.delete_model_version(NAME, "1"), lambda: store.delete_registered_model(NAME)):
        assert "income/1 holds the protected alias 'champion'" in _denied(delete)
    store.delete_registered_model_alias(NAME, "champion")
    assert "income/1 holds the protected stage 'Production'" in _denied(lambda: store.delete_model_version(NAME, 1))
    store.transition_model_version_stage(NAME, "1", "None", False)
    store.delete_model_version(NAME, "1")
    store.delete_registered_model(NAME)
    assert [refusal.act for refusal in gatekeeper.refusals] == ["delete"] * 3


def test_what_is_in_a_protected_name_is_not_deleted(gatekeeper: FakeGatekeeper, store: Any) -> None:
    gatekeeper.allowed = {(NAME, "1", "name:prod.x")}
    store.copy_model_version(store.get_model_version(NAME, 1), "prod.x")
    assert "'prod.x' is a protected name" in _denied(lambda: store.delete_model_version("prod.x", "1"))
    assert "'prod.x' is a protected name" in _denied(lambda: store.delete_registered_model("prod.x"))


def test_other_models_and_versions_are_deleted_as_ever(gatekeeper: FakeGatekeeper, store: Any) -> None:
    store.create_registered_model("other")
    store.create_model_version("other", "s3://bucket/other")
    store.set_registered_model_alias("other", "dev", 1)
    store.delete_model_version("other", "+1")
    store.delete_registered_model("other")
    assert gatekeeper.refusals == []


# Tags


@pytest.mark.parametrize(
    "key", ["aims.status", "AIMS.status", "aims.", "\u0430ims.status", "a\u0131ms.system", "aims\u2024owner"]
)
def test_reserved_tags_are_the_servers_own(gatekeeper: FakeGatekeeper, store: Any, key: str) -> None:
    for call in (
        lambda: store.set_model_version_tag(NAME, "1", _tag(key)),
        lambda: store.set_registered_model_tag(NAME, _tag(key)),
        lambda: store.delete_model_version_tag(NAME, "1", key),
        lambda: store.delete_registered_model_tag(NAME, key),
        lambda: store.set_prompt_tag(NAME, key, "x"),
        lambda: store.set_prompt_version_tag(NAME, "1", key, "x"),
        lambda: store.delete_prompt_version_tag(NAME, "1", key),
    ):
        assert f"tags that begin with 'aims.' are the server's own, and {key!a}" in _denied(call)
    assert {refusal.act for refusal in gatekeeper.refusals} == {"tag"}


def test_the_server_writes_its_tags_unguarded(store: Any) -> None:
    with store.unguarded():
        store.set_model_version_tag(NAME, "1", _tag("aims.status", "allowed"))
    assert store.get_model_version(NAME, 1).tags == {"aims.status": "allowed"}


def test_a_clients_own_tags_pass_in_a_client(gatekeeper: FakeGatekeeper, store: Any, sqlite_registry: str) -> None:
    client = _store(gatekeeper, sqlite_registry, server=False)
    client.set_model_version_tag(NAME, "1", _tag("aims.status"))
    client.delete_model_version_tag(NAME, "1", "aims.status")


def test_other_tags_are_free(gatekeeper: FakeGatekeeper, store: Any) -> None:
    for key in ("team", "aims", "claims.status", "alms.donor", "my.aims.x"):
        store.set_model_version_tag(NAME, "1", _tag(key))
        store.set_registered_model_tag(NAME, _tag(key))
        store.delete_model_version_tag(NAME, "1", key)
    assert gatekeeper.refusals == []


def test_reserved_tags_do_not_come_in_by_creating_or_copying(gatekeeper: FakeGatekeeper, store: Any) -> None:
    with unguarded():
        store.set_model_version_tag(NAME, "1", _tag("aims.status", "allowed"))
        store.set_model_version_tag(NAME, "1", _tag("team"))
    store.create_registered_model("other", tags=[_tag("aims.owner"), _tag("team")])
    store.create_model_version("other", "s3://b/m", tags=[_tag("aims.status"), _tag("\u0430ims.system"), _tag("team")])
    copied = store.copy_model_version(store.get_model_version(NAME, 1), "copy")
    assert store.get_registered_model("other").tags == {"team": "x"}
    assert store.get_model_version("other", 1).tags == {"team": "x"}
    assert store.get_model_version("copy", 1).tags == copied.tags == {"team": "x"}
    assert store.get_model_version(NAME, 1).tags == {"aims.status": "allowed", "team": "x"}


def test_publishing_to_a_server_that_enforces_leaves_its_tags_alone_and_finds_its_run_again(
    gatekeeper: FakeGatekeeper, store: Any, sqlite_registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
    from mlflow.tracking._model_registry import utils

    monkeypatch.setattr(registry_store, "Guard", functools.partial(Guard, server=True))
    monkeypatch.setattr(registry_store, "project_gatekeeper", lambda _registry: gatekeeper)
    monkeypatch.setattr(utils, "_model_registry_store_registry", None)
    registry = MlflowRegistry(f"aims:{sqlite_registry}", tracking_uri=sqlite_registry)
    version = registry.resolve(ModelRef(NAME, version="1"), "6f2c1f1e-0a44-4d5e-9f0a-3f3b1f2a7c11")
    for name in ("one.json", "two.json"):
        registry.publish(version, {name: b"{}"}, {"aims.status": "allowed"})
    assert store.get_model_version(NAME, 1).tags == {}
    client = MlflowClient(sqlite_registry, sqlite_registry)
    experiment = client.get_experiment_by_name("aims-evidence")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert {item.path for item in client.list_artifacts(run.info.run_id, "aims/income/1")} == {
        "aims/income/1/one.json",
        "aims/income/1/two.json",
    }

    def refused(*_: object) -> None:
        raise MlflowException("no rights", error_code=PERMISSION_DENIED)

    monkeypatch.setattr(MlflowClient, "set_model_version_tag", refused)
    with pytest.raises(RegistryError, match="no rights"):
        registry.publish(version, {}, {"aims.status": "allowed"})


@pytest.mark.parametrize("key", [PROMPT_TAG, PROMPT_TAG.upper()])
def test_the_prompt_tag_does_not_hide_a_governed_model(gatekeeper: FakeGatekeeper, store: Any, key: str) -> None:
    from mlflow.entities.model_registry import ModelVersion

    store.create_registered_model("other")
    tagged = ModelVersion("other", "1", 0, source="s3://b/m", tags=[_tag(key, "true")])
    for call in (
        lambda: store.set_registered_model_tag(NAME, _tag(key, "true")),
        lambda: store.set_model_version_tag(NAME, "1", _tag(key, "true")),
        lambda: store.create_model_version(NAME, "prompt-template", tags=[_tag(key, "true")]),
        lambda: store.copy_model_version(tagged, NAME),
    ):
        assert "would make its aliases unreadable" in _denied(call)
    assert store.get_registered_model(NAME)._tags == {}
    store.delete_registered_model_tag(NAME, key)


def test_a_model_with_the_prompt_tag_is_not_renamed_into_a_governed_name(store: Any) -> None:
    store.create_registered_model("other", tags=[_tag(PROMPT_TAG, "true")])
    with unguarded():
        store.delete_registered_model(NAME)
    assert "delete that tag first" in _denied(lambda: store.rename_registered_model("other", NAME))


def test_a_prompt_is_not_made_under_a_governed_name(store: Any) -> None:
    with unguarded():
        store.delete_registered_model(NAME)
    assert "register the prompt under a name that no system claims" in _denied(lambda: store.create_prompt(NAME))
    assert "which a policy governs" in _denied(lambda: store.create_prompt("prod.greeting"))


def test_prompts_of_nobodys_names_live_as_ever(gatekeeper: FakeGatekeeper, store: Any) -> None:
    store.create_prompt("greeting", tags={"team": "x"})
    store.create_prompt_version("greeting", "Hello {{name}}", tags={"team": "y"})
    store.set_prompt_alias("greeting", "champion", "1")
    store.set_prompt_tag("greeting", "team", "z")
    store.set_prompt_version_tag("greeting", "1", "team", "z")
    assert store.get_prompt_version_by_alias("greeting", "champion").template == "Hello {{name}}"
    store.rename_registered_model("greeting", "salutation")
    store.delete_prompt_alias("salutation", "champion")
    store.set_prompt_alias("salutation", "champion", "1")
    store.delete_prompt_version("salutation", "1")
    store.delete_prompt("salutation")
    assert (gatekeeper.asked, gatekeeper.refusals, gatekeeper.removed) == ([], [], [])


@pytest.mark.parametrize(
    ("key", "reserved"), [("aims.x", True), (" Aims.x", True), ("aims_x", False), ("alms.x", False), ("maims.x", False)]
)
def test_which_tags_are_reserved(key: str, reserved: bool) -> None:  # noqa: FBT001
    assert is_reserved(key) is reserved
    assert not is_prompt_key(key)


# A policy that cannot be read


def test_a_server_whose_policy_cannot_be_read_registers_nothing(gatekeeper: FakeGatekeeper, store: Any) -> None:
    gatekeeper.unreadable = ConfigError("nothing is applied", hint="aims apply")
    for call in (
        lambda: store.create_registered_model("other"),
        lambda: store.create_model_version(NAME, "s3://b/m"),
        lambda: store.delete_model_version(NAME, "1"),
        lambda: store.delete_registered_model(NAME),
        lambda: store.rename_registered_model(NAME, "other"),
        lambda: store.set_registered_model_alias(NAME, "dev", "1"),
        lambda: store.copy_model_version(store.get_model_version(NAME, 1), "other"),
    ):
        assert "nothing is applied\nNext: aims apply" in _denied(call)


def test_an_alias_that_comes_while_a_model_is_renamed_does_not_move_along(
    store: Any, gatekeeper: FakeGatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody governs `scratch`, so that anybody may give it a champion while somebody renames it."""
    store.create_registered_model("scratch")
    store.create_model_version("scratch", "s3://bucket/unchecked")
    plain: Any = type(store).__mro__[1]
    renamed = plain.rename_registered_model

    def meanwhile(self: Any, name: str, new_name: str) -> Any:
        if name == "scratch":
            plain.set_registered_model_alias(self, "scratch", "champion", 1)
        return renamed(self, name, new_name)

    monkeypatch.setattr(plain, "rename_registered_model", meanwhile)
    words = _denied(lambda: store.rename_registered_model("scratch", "income-2"))
    assert "was given the protected alias 'champion' while it was renamed" in words
    assert store.get_registered_model("scratch").name == "scratch"
    assert [(refusal.model, refusal.act) for refusal in gatekeeper.refusals][-1] == ("scratch", "rename")


def test_a_promotion_that_could_not_be_recorded_reaches_the_caller_in_its_own_words(
    store: Any, gatekeeper: FakeGatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def unrecorded(_name: str, _versions: object, _target: object) -> Iterator[tuple[()]]:
        yield ()
        raise StoreError("income/1 is champion now, but that could not be recorded: the disk is full", hint="mend it")

    monkeypatch.setattr(gatekeeper, "promotion", unrecorded)
    words = _denied(lambda: store.set_registered_model_alias(NAME, "champion", "1"))
    assert "income/1 is champion now, but that could not be recorded: the disk is full" in words
    assert "mend it" in words


def test_a_refusal_that_came_before_any_decision_is_recorded_too(
    store: Any, gatekeeper: FakeGatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def away(_name: str, _versions: object, _target: object) -> Iterator[None]:
        raise RegistryError("the evidence is away")
        yield

    monkeypatch.setattr(gatekeeper, "promotion", away)
    assert "decision: sha256:0" in _denied(lambda: store.set_registered_model_alias(NAME, "champion", "1"))
    assert [(refusal.act, refusal.reason) for refusal in gatekeeper.refusals] == [("alias", "the evidence is away")]


def test_a_read_replica_is_not_what_is_judged(
    sqlite_registry: str, gatekeeper: FakeGatekeeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("_MLFLOW_SERVER_READ_REPLICA_BACKEND_STORE", f"sqlite:///{tmp_path}/replica.db")
    made = registry_store.guarded_store(f"aims:{sqlite_registry}", Guard(lambda _registry: gatekeeper, server=True))
    assert getattr(made, "read_engine", None) is None
    made.engine.dispose()
