"""MLflow's registry as the core sees it: on a server, on SQLite, and when nobody answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.errors import AimsError, RegistryError, UsageError, VerificationError
from aims_mlops.evidence import manifest
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from aims_mlops_hooks.mlflow import autolog as autologging
from aims_mlops_hooks.mlflow.platform import MlflowPlatform
from aims_mlops_hooks.mlflow.registry import MlflowRegistry
from tests.hooks.conftest import FakeGatekeeper, free_port
from tests.hooks.models import log

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

Use = Callable[[str, str], None]
ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def local(sqlite_registry: str, use_mlflow: Use, tmp_path: Path) -> Any:
    """A client of a SQLite registry whose models lie in folders here."""
    import mlflow

    use_mlflow(sqlite_registry, sqlite_registry)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("here", artifact_location=str(tmp_path / "artifacts")))
    return mlflow.MlflowClient()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "files" / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights").write_bytes(b"w" * 1000)
    return folder


@pytest.fixture
def version(local: Any, sqlite_registry: str, model: Path) -> ModelVersion:
    local.create_registered_model("income")
    local.create_model_version("income", str(model))
    return MlflowRegistry(sqlite_registry).resolve(ModelRef("income", version="1"), ID)


def test_a_version_is_described_as_the_registry_knows_it(
    local: Any, sqlite_registry: str, version: ModelVersion
) -> None:
    local.set_registered_model_alias("income", "dev", "1")
    registry = MlflowPlatform().registry(sqlite_registry)
    by_alias = registry.resolve(ModelRef.parse("income@dev"), ID)
    assert (by_alias.registry_id, by_alias.workspace, by_alias.label) == (ID, "default", "income/1")
    assert (by_alias.aliases, by_alias.stage, by_alias.run_id) == (("dev",), None, None)
    assert abs(by_alias.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert by_alias.created_at == version.created_at


def test_prompts_are_no_models(local: Any, sqlite_registry: str, version: ModelVersion) -> None:
    import mlflow

    mlflow.genai.register_prompt("greeting", "Say {{word}}")
    assert MlflowRegistry(sqlite_registry).models() == ("income",)


def standing(uri: str, *names: str) -> list[tuple[str, str]]:
    found = MlflowRegistry(uri).standing(ID, names=lambda name: name in names)
    return [(item.version.label, str(item.target)) for item in found]


def test_what_stands_is_every_alias_every_stage_and_the_names_asked_for(
    local: Any, sqlite_registry: str, version: ModelVersion
) -> None:
    import mlflow

    assert standing(sqlite_registry) == []
    for _ in range(10):
        local.create_model_version("income", version.source)
    local.set_registered_model_alias("income", "champion", "2")
    local.set_registered_model_alias("income", "Best", "2")
    local.set_registered_model_alias("income", "gone", "11")
    local.transition_model_version_stage("income", "10", "Production")
    local.delete_model_version("income", "11")
    local.copy_model_version("models:/income/2", "prod.income")
    mlflow.genai.register_prompt("greeting", "Say {{word}}")
    mlflow.genai.set_prompt_alias("greeting", "champion", 1)
    expected = [("income/2", "Best"), ("income/2", "champion"), ("income/10", "stage:Production")]
    assert standing(sqlite_registry) == expected
    assert standing(sqlite_registry, "prod.income") == [*expected, ("prod.income/1", "name:prod.income")]
    (first, *_, copy) = MlflowRegistry(sqlite_registry).standing(ID, names=lambda name: name == "prod.income")
    assert (first.version.registry_id, first.version.workspace) == (ID, "default")
    assert first.version.aliases == ("Best", "champion")
    assert first.version.created_at == MlflowRegistry(sqlite_registry).resolve(ModelRef("income", "2"), ID).created_at
    assert copy.version.source == "models:/income/2"


def test_a_model_that_is_tagged_as_a_prompt_does_not_hide(
    local: Any, sqlite_registry: str, version: ModelVersion
) -> None:
    local.set_registered_model_alias("income", "champion", "1")
    local.set_model_version_tag("income", "1", "mlflow.prompt.is_prompt", "true")
    assert standing(sqlite_registry) == [("income/1", "champion")]
    local.set_registered_model_tag("income", "mlflow.prompt.is_prompt", "true")
    assert MlflowRegistry(sqlite_registry).models() == ()
    assert standing(sqlite_registry) == [("income/1", "champion")]


@pytest.mark.parametrize("ref", ["income/7", "nothing/1", "income@nobody", "nothing@champion"])
def test_an_unknown_model_version_or_alias_is_said(version: ModelVersion, sqlite_registry: str, ref: str) -> None:
    with pytest.raises(RegistryError, match=f"reading {ref}: the registry sqlite:///.* does not know it"):
        MlflowRegistry(sqlite_registry).resolve(ModelRef.parse(ref), ID)


def test_a_snapshot_is_a_private_copy_with_its_manifest(
    version: ModelVersion, sqlite_registry: str, model: Path, tmp_path: Path
) -> None:
    registry = MlflowRegistry(sqlite_registry)
    snapshot = registry.snapshot(version, tmp_path / "copy")
    assert snapshot.manifest == manifest.build(model)
    assert snapshot.manifest == registry.manifest(version)
    assert snapshot.digest == Digest.of(snapshot.manifest)
    assert snapshot.folder.stat().st_mode & 0o777 == 0o700
    (model / "data" / "weights").write_bytes(b"other")
    assert registry.manifest(version) != snapshot.manifest
    assert manifest.build(snapshot.folder) == snapshot.manifest


def test_loading_a_model_in_between_changes_no_digest(local: Any, sqlite_registry: str) -> None:
    import mlflow

    log("income")
    registry = MlflowRegistry(sqlite_registry)
    version = registry.resolve(ModelRef("income", version="1"), ID)
    before = registry.manifest(version)
    mlflow.pyfunc.load_model("models:/income/1")
    folder = Path(registry._location(version))
    assert (folder / manifest.META_FILE).exists()
    assert registry.manifest(version) == before


def test_a_file_added_or_replaced_by_a_link_is_found(
    version: ModelVersion, sqlite_registry: str, model: Path, tmp_path: Path
) -> None:
    registry = MlflowRegistry(sqlite_registry)
    before = registry.manifest(version)
    (model / "extra").write_text("x")
    assert registry.manifest(version) != before
    (model / "extra").unlink()
    moved = model.parent / "weights"
    (model / "data" / "weights").rename(moved)
    (model / "data" / "weights").symlink_to(moved)
    for ask in (registry.manifest, lambda version: registry.snapshot(version, tmp_path / "copy")):
        with pytest.raises(VerificationError, match="'data/weights' in the model's folder is a link"):
            ask(version)


def test_a_folder_that_is_not_here_is_said(version: ModelVersion, sqlite_registry: str, model: Path) -> None:
    model.rename(model.parent / "away")
    with pytest.raises(RegistryError, match="the files of income/1 are not at") as refusal:
        MlflowRegistry(sqlite_registry).manifest(version)
    assert "mlflow-artifacts:" in refusal.value.hint


def test_a_folder_replaced_by_a_link_is_refused(version: ModelVersion, sqlite_registry: str, model: Path) -> None:
    model.rename(model.parent / "away")
    model.symlink_to(model.parent / "away")
    with pytest.raises(VerificationError, match="is not a folder"):
        MlflowRegistry(sqlite_registry).manifest(version)


@pytest.mark.parametrize("target", ["champion", "stage:Production", "name:prod.income"])
def test_a_promotion_of_ours_passes_the_guard_and_no_other_does(
    local: Any, sqlite_registry: str, version: ModelVersion, gatekeeper: FakeGatekeeper, target: str
) -> None:
    from mlflow.exceptions import MlflowException

    autologging.autolog(lambda registry: gatekeeper)
    try:
        MlflowRegistry(sqlite_registry).act(version, Target.parse(target))
        assert gatekeeper.asked == []
        assert gatekeeper.checked == []
        with pytest.raises(MlflowException, match="denied, parity-by-sex failed"):
            local.set_registered_model_alias("income", "champion", "1")
    finally:
        autologging.autolog(lambda registry: gatekeeper, disable=True)
    if target == "champion":
        assert local.get_registered_model("income").aliases == {"champion": 1}
    elif target.startswith("stage"):
        assert local.get_model_version("income", "1").current_stage == "Production"
    else:
        copied = MlflowRegistry(sqlite_registry).resolve(ModelRef("prod.income", version="1"), ID)
        assert copied.source == "models:/income/1"
        assert MlflowRegistry(sqlite_registry).manifest(copied) == MlflowRegistry(sqlite_registry).manifest(version)


def _published(client: Any, run_id: str, path: str) -> list[str]:
    return [file.path for file in client.list_artifacts(run_id, path)]


def test_evidence_is_attached_to_the_versions_run(local: Any, sqlite_registry: str) -> None:
    log("income")
    registry = MlflowRegistry(sqlite_registry)
    version = registry.resolve(ModelRef("income", version="1"), ID)
    before = registry.manifest(version)
    registry.publish(version, {"a.dsse.json": b"{}", "reports/a.html": b"<p>"}, {"aims.status": "passed"})
    assert version.run_id is not None
    assert _published(local, version.run_id, "aims/income/1") == ["aims/income/1/a.dsse.json", "aims/income/1/reports"]
    assert local.get_model_version("income", "1").tags["aims.status"] == "passed"
    assert registry.manifest(version) == before


@pytest.mark.parametrize("run", ["no run", "a deleted run", "an unknown run"])
def test_a_version_without_a_run_gets_one_for_its_evidence(
    local: Any, sqlite_registry: str, version: ModelVersion, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    import mlflow

    if run != "no run":
        run_id = local.create_run("0").info.run_id if run == "a deleted run" else uuid.uuid4().hex
        version = replace(version, run_id=run_id)
        if run == "a deleted run":
            local.delete_run(run_id)
    registry = MlflowRegistry(sqlite_registry)
    registry.publish(version, {"a.json": b"{}"}, {})
    registry.publish(version, {"b.json": b"{}"}, {})
    experiment = local.get_experiment_by_name("aims-evidence")
    (kept,) = local.search_runs([experiment.experiment_id])
    assert local.get_model_version("income", "1").tags["aims.evidence_run"] == kept.info.run_id
    assert _published(local, kept.info.run_id, "aims/income/1") == ["aims/income/1/a.json", "aims/income/1/b.json"]
    assert (kept.info.status, mlflow.active_run()) == ("FINISHED", None)
    assert capsys.readouterr().out == ""


def test_tags_alone_need_no_run(local: Any, sqlite_registry: str, version: ModelVersion) -> None:
    MlflowRegistry(sqlite_registry).publish(version, {}, {"aims.status": "promoted"})
    assert local.get_experiment_by_name("aims-evidence") is None
    assert local.get_model_version("income", "1").tags == {"aims.status": "promoted"}


@pytest.mark.parametrize("name", ["../a", "/etc/a", ""])
def test_a_file_is_never_attached_outside_its_folder(version: ModelVersion, sqlite_registry: str, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for an attached file"):
        MlflowRegistry(sqlite_registry).publish(version, {name: b""}, {})


def test_everything_works_over_http(mlflow_server: str, use_mlflow: Use, tmp_path: Path) -> None:
    import mlflow

    use_mlflow(mlflow_server, mlflow_server)
    name = f"income-{uuid.uuid4().hex[:8]}"
    log(name)
    registry = MlflowRegistry(f"aims:{mlflow_server}", tracking_uri=mlflow_server)
    version = registry.resolve(ModelRef(name, version="1"), ID)
    snapshot = registry.snapshot(version, tmp_path / "copy")
    assert {"MLmodel", "requirements.txt"} <= set(manifest.parse(snapshot.manifest))
    assert registry.manifest(version) == snapshot.manifest
    registry.publish(version, {"a.dsse.json": b"{}"}, {"aims.status": "passed"})
    registry = MlflowRegistry(mlflow_server, tracking_uri=mlflow_server)
    registry.act(version, Target.parse("champion"))
    registry.act(version, Target.parse(f"name:prod.{name}"))
    copied = registry.resolve(ModelRef(f"prod.{name}", version="1"), ID)
    champion = registry.resolve(ModelRef.parse(f"{name}@champion"), ID)
    assert registry.manifest(copied) == registry.manifest(champion) == snapshot.manifest
    registry.publish(copied, {"b.dsse.json": b"{}"}, {})
    assert {name, f"prod.{name}"} <= set(registry.models())
    assert mlflow.active_run() is None


_HEAVY = ("numpy", "pandas", "pyarrow", "alembic", "sklearn", "scipy", "flask", "matplotlib", "docker")


def test_an_http_registry_needs_the_small_mlflow_only(mlflow_server: str, use_mlflow: Use, tmp_path: Path) -> None:
    use_mlflow(mlflow_server, mlflow_server)
    name = f"income-{uuid.uuid4().hex[:8]}"
    log(name)
    script = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {_HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from pathlib import Path
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, Target
from aims_mlops_hooks.mlflow.platform import MlflowPlatform
assert "mlflow" not in sys.modules
registry = MlflowPlatform().registry({mlflow_server!r}, tracking_uri={mlflow_server!r})
version = registry.resolve(ModelRef({name!r}, version="1"), "id")
digest = registry.snapshot(version, Path({str(tmp_path / "copy")!r})).digest
assert Digest.of(registry.manifest(version)) == digest
registry.publish(version, {{"a.json": b"{{}}"}}, {{"aims.status": "passed"}})
registry.act(version, Target.parse("champion"))
assert {name!r} in registry.models()
print(registry.resolve(ModelRef({name!r}, alias="champion"), "id").label)
"""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{name}/1\n"


class _Answers(BaseHTTPRequestHandler):
    status = 500
    body = b'{"error_code": "INTERNAL_ERROR", "message": "secret stack"}'

    def _answer(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815  # as http.server calls them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    status, body = request.param
    handler = type("Answers", (_Answers,), {"status": status, "body": body})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _says(code: str) -> bytes:
    return json.dumps({"error_code": code, "message": "you may not"}).encode()


@pytest.mark.parametrize(
    ("answering", "words"),
    [
        pytest.param((500, _says("INTERNAL_ERROR")), "does not answer", id="500 in MLflow's form"),
        pytest.param((503, b"<html>busy</html>"), "does not answer", id="503 as a page"),
        pytest.param((200, b"<html>a log-in page</html>"), "does not answer", id="200 with a page"),
        pytest.param((401, b"Unauthorized"), "refused", id="401"),
        pytest.param((403, _says("PERMISSION_DENIED")), "refused: .*you may not", id="403"),
        pytest.param((404, _says("RESOURCE_DOES_NOT_EXIST")), "does not know it", id="404"),
    ],
    indirect=["answering"],
)
def test_what_a_server_answers_instead_is_said(answering: str, words: str) -> None:
    started = time.monotonic()
    with pytest.raises(
        RegistryError, match=f"reading income/1: the registry http://127.0.0.1:[0-9]+ {words}"
    ) as refusal:
        MlflowRegistry(answering, tracking_uri=answering).resolve(ModelRef("income", version="1"), ID)
    assert refusal.value.hint
    assert time.monotonic() - started < 20


def _nobody() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes calls and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["nobody there", "nobody answers"])
def test_a_server_that_is_away_is_given_up_soon(kind: str, request: pytest.FixtureRequest) -> None:
    uri = _nobody() if kind == "nobody there" else request.getfixturevalue("silent")
    before = dict(os.environ)
    for uri_of_registry in (uri, f"aims:{uri}"):
        registry = MlflowRegistry(uri_of_registry, tracking_uri=uri)
        started = time.monotonic()
        with pytest.raises(RegistryError, match="does not answer") as refusal:
            registry.resolve(ModelRef("income", version="1"), ID)
        assert time.monotonic() - started < 20
        assert "see that the server runs" in refusal.value.hint
    assert {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_HTTP")} == {
        name: value for name, value in before.items() if name.startswith("MLFLOW_HTTP")
    }


def test_the_users_own_waiting_times_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from aims_mlops_hooks.mlflow.outside import Outside

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
    with Outside("reading", place="http://x"):
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "5"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "6"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "5"
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


def test_a_password_in_the_uri_is_not_shown() -> None:
    uri = f"http://alice:geheim@127.0.0.1:{free_port()}"
    with pytest.raises(RegistryError) as refusal:
        MlflowRegistry(uri, tracking_uri=uri).resolve(ModelRef("income", version="1"), ID)
    assert "geheim" not in str(refusal.value)
    assert "***@127.0.0.1" in str(refusal.value)


def test_a_library_that_sqlite_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from aims_mlops_hooks.mlflow.outside import Outside

    with (
        pytest.raises(AimsError, match="MLflow needs the library 'alembic' for sqlite:///x") as refusal,
        Outside("reading income/1", place="sqlite:///x"),
    ):
        raise ModuleNotFoundError("No module named 'alembic'", name="alembic")
    assert "pip install 'aims-mlops[server]'" in refusal.value.hint
