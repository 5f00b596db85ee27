"""Every way of registering a model with MLflow runs the checks once; every way of promoting asks the gate."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aims_mlops_hooks.mlflow import autolog as autologging
from aims_mlops_hooks.mlflow import registry_store
from aims_mlops_hooks.mlflow.guard import HANDLERS
from tests.hooks.conftest import FakeGatekeeper
from tests.hooks.models import classifier, frame, log

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # MLflow and what it brings along warn of their own futures
]

Use = Callable[[str, str], None]


@pytest.fixture(
    params=["aims: before http", "aims: before sqlite", "autolog on http", "autolog on sqlite", "both on http"]
)
def guarded(
    request: pytest.FixtureRequest,
    gatekeeper: FakeGatekeeper,
    use_mlflow: Use,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FakeGatekeeper]:
    """MLflow in one of the ways in which it can be guarded."""
    kind: str = request.param
    uri: str = request.getfixturevalue("mlflow_server" if "http" in kind else "sqlite_registry")
    _forget_stores()
    monkeypatch.setattr(registry_store, "project_gatekeeper", lambda registry: gatekeeper)
    use_mlflow(uri, uri if kind.startswith("autolog") else f"aims:{uri}")
    if not kind.startswith("aims"):
        autologging.autolog(lambda registry: gatekeeper)
    if uri.startswith("sqlite"):
        _keep_artifacts(request.getfixturevalue("tmp_path"))
    yield gatekeeper
    autologging.autolog(lambda registry: gatekeeper, disable=True)
    _forget_stores()


def _forget_stores() -> None:
    """MLflow keeps a store for each URI; one that is kept holds an earlier test's gatekeeper."""
    from mlflow.tracking._model_registry import utils

    utils._model_registry_store_registry = None


def _keep_artifacts(folder: Any) -> None:
    import mlflow

    mlflow.set_experiment(experiment_id=mlflow.create_experiment("here", artifact_location=str(folder / "artifacts")))


@pytest.fixture
def name() -> str:
    return f"income-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def client(guarded: FakeGatekeeper) -> Any:
    from mlflow import MlflowClient

    return MlflowClient()


@pytest.fixture
def registered(guarded: FakeGatekeeper, client: Any, name: str) -> str:
    """A model with one version whose source is a bucket that nobody looks at."""
    client.create_registered_model(name)
    client.create_model_version(name, "s3://bucket/model")
    guarded.checked.clear()
    return name


def _denied(call: Callable[[], object]) -> str:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as refusal:
        call()
    assert refusal.value.error_code == "PERMISSION_DENIED"
    assert refusal.value.get_http_status_code() == 403  # type: ignore[no-untyped-call]  # MLflow's own
    return str(refusal.value)


def test_logging_a_model_with_a_name_is_checked_once(guarded: FakeGatekeeper, name: str) -> None:
    import mlflow

    info = log(name)
    assert guarded.checked == [(name, "1")]
    assert str(info.registered_model_version) == "1"
    assert list(mlflow.pyfunc.load_model(f"models:/{name}/1").predict(frame(3))) == [0, 0, 0]
    assert [version.version for version in mlflow.MlflowClient().search_model_versions(f"name='{name}'")] in (
        [1],
        ["1"],
    )


def test_registering_a_logged_model_is_checked_once(guarded: FakeGatekeeper, name: str) -> None:
    import mlflow

    mlflow.register_model(log().model_uri, name)
    assert guarded.checked == [(name, "1")]


def test_autologging_is_checked_once(guarded: FakeGatekeeper, name: str) -> None:
    import mlflow

    mlflow.sklearn.autolog(registered_model_name=name, silent=True, log_datasets=False)
    try:
        classifier()
    finally:
        mlflow.sklearn.autolog(disable=True)
    assert guarded.checked == [(name, "1")]


def test_the_clients_own_call_is_checked_once(guarded: FakeGatekeeper, client: Any, name: str) -> None:
    client.create_registered_model(name)
    version = client.create_model_version(name, "s3://bucket/model", tags={"a": "b"}, description="text")
    assert guarded.checked == [(name, "1")]
    assert (version.description, dict(version.tags)) == ("text", {"a": "b"})


def test_a_copy_is_checked_once(guarded: FakeGatekeeper, client: Any, registered: str) -> None:
    copied = client.copy_model_version(f"models:/{registered}/1", f"{registered}-copy")
    assert guarded.checked == [(f"{registered}-copy", "1")]
    assert copied.source == f"models:/{registered}/1"


def test_a_prompt_is_neither_checked_nor_refused(guarded: FakeGatekeeper, client: Any, name: str) -> None:
    import mlflow

    mlflow.genai.register_prompt(name, "Say {{word}}")
    mlflow.genai.set_prompt_alias(name, alias="champion", version=1)
    assert mlflow.genai.load_prompt(f"prompts:/{name}@champion").template == "Say {{word}}"
    assert guarded.checked == []
    assert guarded.asked == []


@pytest.mark.parametrize(
    ("alias", "version"),
    [
        pytest.param("champion", 1, id="as written"),
        pytest.param("CHAMPION", "1", id="in capitals"),
        pytest.param("champion", "01", id="version with a zero"),
        pytest.param("champion", "+1", id="version with a sign"),
        pytest.param("champion", " 1", id="version with a space"),
    ],
)
def test_a_protected_alias_is_refused_with_the_gates_words(
    guarded: FakeGatekeeper, client: Any, registered: str, alias: str, version: object
) -> None:
    words = _denied(lambda: client.set_registered_model_alias(registered, alias, version))
    assert f"{registered}/1 to {alias}: denied, parity-by-sex failed" in words
    assert "owner: Income Model Owner" in words
    assert f"Next: aims check {registered}/1" in words
    assert client.get_registered_model(registered).aliases == {}


def test_a_protected_stage_is_refused(guarded: FakeGatekeeper, client: Any, registered: str) -> None:
    words = _denied(lambda: client.transition_model_version_stage(registered, "1", "production"))
    assert "to stage:production: denied" in words
    assert client.get_model_version(registered, "1").current_stage == "None"


def test_what_the_gate_allows_goes_through(guarded: FakeGatekeeper, client: Any, registered: str) -> None:
    guarded.allowed = {(registered, "1", "champion"), (registered, "1", "stage:Production")}
    client.set_registered_model_alias(registered, "champion", "1")
    client.transition_model_version_stage(registered, "1", "Production")
    assert client.get_model_version_by_alias(registered, "champion").version in (1, "1")
    assert client.get_model_version(registered, "1").current_stage == "Production"
    assert guarded.recorded == [(registered, "1", "champion"), (registered, "1", "stage:Production")]


def test_what_mlflow_refuses_after_the_gate_allowed_it_is_not_recorded(
    guarded: FakeGatekeeper, client: Any, registered: str
) -> None:
    from mlflow.exceptions import MlflowException

    target = f"prod.{registered}"
    guarded.allowed = {(registered, "1", f"name:{target}"), (registered, "7", f"name:{target}")}
    client.copy_model_version(f"models:/{registered}/1", target)
    with pytest.raises(MlflowException):
        client.create_model_version(target, f"models:/{registered}/7")
    assert guarded.asked[-1] == (registered, "7", f"name:{target}")
    assert guarded.recorded == [(registered, "1", f"name:{target}")]


def test_the_gatekeeper_is_that_of_the_registry_that_is_called(
    gatekeeper: FakeGatekeeper, sqlite_registry: str, use_mlflow: Use
) -> None:
    """Else version 1 of a model here would be judged by version 1 of a model of the same name elsewhere."""
    from mlflow import MlflowClient

    asked: list[str | None] = []

    def made(registry: str | None) -> FakeGatekeeper:
        asked.append(registry)
        return gatekeeper

    use_mlflow("http://127.0.0.1:9", "http://127.0.0.1:9")
    _forget_stores()
    autologging.autolog(made)
    try:
        client = MlflowClient(sqlite_registry, sqlite_registry)
        client.create_registered_model("income")
        client.create_model_version("income", "s3://bucket/model")
        _denied(lambda: client.set_registered_model_alias("income", "champion", "1"))
    finally:
        autologging.autolog(lambda registry: gatekeeper, disable=True)
    assert set(asked) == {sqlite_registry}


def test_other_aliases_and_stages_ask_nobody(guarded: FakeGatekeeper, client: Any, registered: str) -> None:
    client.set_registered_model_alias(registered, "dev", "1")
    client.transition_model_version_stage(registered, "1", "Staging")
    client.delete_registered_model_alias(registered, "dev")
    assert guarded.asked == []


def test_a_new_protected_name_is_refused_and_nothing_stays_behind(
    guarded: FakeGatekeeper, client: Any, name: str
) -> None:
    from mlflow.exceptions import MlflowException

    words = _denied(lambda: client.create_registered_model(f"prod.{name}"))
    assert "aims promote NAME/VERSION --to name:prod." in words
    assert "decision: sha256:0" in words
    (refusal,) = guarded.refusals
    assert (refusal.model, refusal.act, str(refusal.target)) == (f"prod.{name}", "create", f"name:prod.{name}")
    with pytest.raises(MlflowException, match="not found"):
        client.get_registered_model(f"prod.{name}")


def test_a_copy_into_a_protected_name_is_refused_by_its_source_and_leaves_no_empty_model(
    guarded: FakeGatekeeper, client: Any, registered: str
) -> None:
    from mlflow.exceptions import MlflowException

    target = f"PROD.{registered}"
    words = _denied(lambda: client.copy_model_version(f"models:/{registered}/1", target))
    assert f"{registered}/1 to name:{target}: denied, parity-by-sex failed" in words
    with pytest.raises(MlflowException, match="not found"):
        client.get_registered_model(target)
    assert guarded.checked == []


def test_an_allowed_copy_asks_once_is_recorded_and_not_checked_again(
    guarded: FakeGatekeeper, client: Any, registered: str
) -> None:
    target = f"prod.{registered}"
    guarded.allowed = {(registered, "1", f"name:{target}")}
    guarded.checked.clear()
    client.copy_model_version(f"models:/{registered}/1", target)
    assert guarded.asked == [(registered, "1", f"name:{target}")]
    assert guarded.recorded == guarded.asked
    assert guarded.checked == []


def test_a_new_version_in_a_protected_name_is_judged_by_its_source(
    guarded: FakeGatekeeper, client: Any, registered: str
) -> None:
    target = f"prod.{registered}"
    guarded.allowed = {(registered, "1", f"name:{target}")}
    client.copy_model_version(f"models:/{registered}/1", target)
    guarded.allowed = set()
    for source in (
        "s3://bucket/model",
        "runs:/abc/model",
        f"models:/{registered}@champion",
        f"models:/{registered}/latest",
    ):
        words = _denied(lambda source=source: client.create_model_version(target, source))  # type: ignore[misc]
        assert "is no registered version (models:/name/3)" in words
    assert "denied, parity-by-sex failed" in _denied(
        lambda: client.create_model_version(target, f"models:/{registered}/1")
    )
    guarded.allowed = {(registered, "1", f"name:{target}")}
    assert client.create_model_version(target, f"models:/{registered}/1").version in (2, "2")


def test_registering_into_a_protected_name_that_is_there_is_judged(
    guarded: FakeGatekeeper, client: Any, registered: str
) -> None:
    import mlflow

    target = f"prod.{registered}"
    guarded.allowed = {(registered, "1", f"name:{target}")}
    client.copy_model_version(f"models:/{registered}/1", target)
    assert mlflow.register_model(f"models:/{registered}/1", target).version in (2, "2")


def test_renaming_into_and_out_of_a_protected_name_is_refused(
    guarded: FakeGatekeeper, client: Any, registered: str
) -> None:
    target = f"prod.{registered}"
    assert "denied, parity-by-sex failed" in _denied(lambda: client.rename_registered_model(registered, target))
    guarded.allowed = {(registered, "1", f"name:{target}")}
    client.rename_registered_model(registered, target)
    assert "is a protected name" in _denied(lambda: client.rename_registered_model(target, registered))
    assert [(refusal.model, refusal.act) for refusal in guarded.refusals] == [(target, "rename")]


def test_a_rename_into_a_protected_name_is_judged_for_every_version(
    guarded: FakeGatekeeper, client: Any, registered: str
) -> None:
    client.create_model_version(registered, "s3://bucket/other")
    client.set_model_version_tag(registered, "2", "mlflow.prompt.is_prompt", "true")
    target = f"prod.{registered}"
    guarded.allowed = {(registered, "1", f"name:{target}")}
    # The tag hides the other version from every search.
    assert "has the tag mlflow.prompt.is_prompt" in _denied(lambda: client.rename_registered_model(registered, target))
    client.delete_model_version_tag(registered, "2", "mlflow.prompt.is_prompt")
    assert f"{registered}/2 to name:{target}" in _denied(lambda: client.rename_registered_model(registered, target))


def test_a_rename_does_not_take_a_protected_alias_along(guarded: FakeGatekeeper, client: Any, registered: str) -> None:
    guarded.allowed = {(registered, "1", "champion")}
    client.set_registered_model_alias(registered, "champion", "1")
    words = _denied(lambda: client.rename_registered_model(registered, f"{registered}-new"))
    assert "holds the protected alias 'champion', which would move along" in words
    client.delete_registered_model_alias(registered, "champion")
    client.rename_registered_model(registered, f"{registered}-new")
    assert client.get_registered_model(f"{registered}-new").name == f"{registered}-new"


def test_an_empty_model_is_not_renamed_into_a_protected_name(guarded: FakeGatekeeper, client: Any, name: str) -> None:
    client.create_registered_model(name)
    assert "has no version" in _denied(lambda: client.rename_registered_model(name, f"prod.{name}"))


def test_a_prompt_tag_on_a_model_exempts_nothing(guarded: FakeGatekeeper, client: Any, registered: str) -> None:
    client.set_model_version_tag(registered, "1", "mlflow.prompt.is_prompt", "true")
    _denied(lambda: client.set_registered_model_alias(registered, "champion", "1"))


def test_a_prompt_under_a_name_that_a_system_claims_is_judged(guarded: FakeGatekeeper, name: str) -> None:
    import mlflow

    mlflow.genai.register_prompt(name, "Say {{word}}")
    guarded.claimed = {name}
    assert "denied, parity-by-sex failed" in _denied(
        lambda: mlflow.genai.set_prompt_alias(name, alias="champion", version=1)
    )


@pytest.fixture
def placeholder(guarded: FakeGatekeeper, client: Any, name: str) -> str:
    """A model's version with the source of a prompt."""
    from mlflow.exceptions import MlflowException

    client.create_registered_model(name)
    try:
        client.create_model_version(name, "dummy-source")
    except MlflowException as refusal:
        pytest.skip(f"a server takes no such source: {refusal.error_code}")
    return name


@pytest.mark.parametrize(
    "move",
    [
        pytest.param(lambda client, name: client.set_registered_model_alias(name, "champion", "1"), id="alias"),
        pytest.param(
            lambda client, name: client.transition_model_version_stage(name, "1", "Production"),
            id="stage",
        ),
    ],
)
def test_a_prompts_source_exempts_no_model_that_a_system_claims(
    guarded: FakeGatekeeper, client: Any, placeholder: str, move: Callable[[Any, str], object]
) -> None:
    guarded.claimed = {placeholder}
    assert "denied, parity-by-sex failed" in _denied(lambda: move(client, placeholder))
    guarded.claimed = set()
    guarded.asked.clear()
    move(client, placeholder)
    assert guarded.asked == []


def test_a_prompts_source_does_not_come_into_a_protected_name(
    guarded: FakeGatekeeper, client: Any, registered: str
) -> None:
    target = f"prod.{registered}"
    guarded.allowed = {(registered, "1", f"name:{target}")}
    client.copy_model_version(f"models:/{registered}/1", target)
    guarded.allowed = set()
    words = _denied(lambda: client.create_model_version(target, "dummy-source"))
    assert "is no registered version (models:/name/3)" in words
    assert [version.version for version in client.search_model_versions(f"name='{target}'")] in ([1], ["1"])


@pytest.mark.parametrize("odd", ["{}\t", "{}\r\n", "in\t{}", " {}", "{} ", "{}?x", "{}#x", "%69{}"])
def test_a_version_of_an_oddly_named_model_does_not_come_into_a_protected_name(
    guarded: FakeGatekeeper, client: Any, registered: str, odd: str
) -> None:
    """MLflow reads names out of URIs and drops such characters: another model than the judged one would be copied."""
    target, source = f"prod.{registered}", odd.format(registered)
    guarded.allowed = {(registered, "1", f"name:{target}")}
    client.copy_model_version(f"models:/{registered}/1", target)
    guarded.allowed = {(source, "1", f"name:{target}"), (source.strip(), "1", f"name:{target}")}
    words = _denied(lambda: client.create_model_version(target, f"models:/{source}/1"))
    assert "is no registered version (models:/name/3)" in words
    assert guarded.recorded == [(registered, "1", f"name:{target}")]


def test_a_gatekeeper_that_breaks_keeps_the_gate_shut_and_lets_models_be_registered(
    guarded: FakeGatekeeper, client: Any, registered: str, caplog: pytest.LogCaptureFixture
) -> None:
    guarded.broken = RuntimeError("disk on fire")
    words = _denied(lambda: client.set_registered_model_alias(registered, "champion", "1"))
    assert "could not decide (RuntimeError: disk on fire), so it stays shut" in words
    assert client.create_model_version(registered, "s3://bucket/third").name == registered
    assert "registered, but NOT checked: RuntimeError: disk on fire" in caplog.text
    guarded.broken = LookupError("no policy")
    _denied(lambda: client.set_registered_model_alias(registered, "dev", "1"))


def test_mlflows_own_refusals_stay_mlflows(guarded: FakeGatekeeper, client: Any, registered: str) -> None:
    from mlflow.exceptions import MlflowException

    for call in (
        lambda: client.create_registered_model(registered),
        lambda: client.create_registered_model(""),
        lambda: client.set_registered_model_alias(registered, "dev", "99"),
        lambda: client.rename_registered_model("nothing-here", "other"),
        lambda: client.transition_model_version_stage(registered, "1", "nonsense"),
    ):
        with pytest.raises(MlflowException) as refusal:
            call()  # type: ignore[no-untyped-call]  # lambdas have no types
        assert refusal.value.error_code in (
            "RESOURCE_ALREADY_EXISTS",
            "INVALID_PARAMETER_VALUE",
            "RESOURCE_DOES_NOT_EXIST",
        )


def test_guarded_methods_keep_the_signatures_that_mlflow_looks_at(guarded: FakeGatekeeper, client: Any) -> None:
    from mlflow.store.model_registry.abstract_store import AbstractStore
    from mlflow.utils.arguments_utils import _get_arg_names

    store = client._get_registry_client().store
    for method in HANDLERS:
        names = list(inspect.signature(getattr(AbstractStore, method)).parameters)[1:]
        found = _get_arg_names(getattr(store, method))  # type: ignore[no-untyped-call]  # MLflow's own
        assert found[: len(names)] == names


def test_autolog_can_be_called_twice_and_taken_back(
    gatekeeper: FakeGatekeeper, sqlite_registry: str, use_mlflow: Use
) -> None:
    from mlflow import MlflowClient
    from mlflow.store.model_registry.rest_store import RestStore
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    use_mlflow(sqlite_registry, sqlite_registry)
    before = {cls: {method: vars(cls).get(method) for method in HANDLERS} for cls in (RestStore, SqlAlchemyStore)}
    autologging.autolog(lambda registry: gatekeeper)
    autologging.autolog(lambda registry: gatekeeper)
    client = MlflowClient(sqlite_registry, sqlite_registry)
    client.create_registered_model("income")
    client.create_model_version("income", "s3://bucket/model")
    assert gatekeeper.checked == [("income", "1")]
    autologging.autolog(lambda registry: gatekeeper, disable=True)
    assert {cls: {method: vars(cls).get(method) for method in HANDLERS} for cls in before} == before
    client.set_registered_model_alias("income", "champion", "1")
    assert gatekeeper.asked == []


def test_a_managed_registry_is_said_not_to_be_guarded(gatekeeper: FakeGatekeeper, use_mlflow: Use) -> None:
    use_mlflow("http://127.0.0.1:9", "databricks-uc")
    with pytest.warns(UserWarning, match="cannot guard the managed registry 'databricks-uc'"):
        autologging.autolog(lambda registry: gatekeeper)
    autologging.autolog(lambda registry: gatekeeper, disable=True)


@pytest.mark.parametrize(
    "uri", ["aims:databricks-uc", "aims:/srv/mlruns", "aims:file:///srv", "aims:", "aims:aims:http://x"]
)
def test_a_registry_that_cannot_be_guarded_is_refused(uri: str) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=r"\[aims\].*cannot be guarded") as refusal:
        registry_store.build(uri)
    assert "Next: write aims:http://HOST:PORT" in str(refusal.value)
    assert refusal.value.error_code == "INVALID_PARAMETER_VALUE"
