"""Raw requests against real MLflow servers whose artifacts lie on a disk: what was checked stays as it was."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.hooks.freezing import Freezing, Made, delete, enter, freezing_server, get, put, register

Use = Callable[[str, str], None]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("freeze-servers"), pytest.mark.filterwarnings("default")]

KINDS = {
    "uvicorn": ["--static-prefix", "/ml"],
    "gunicorn with workspaces": ["--gunicorn-opts", "--timeout 120", "--enable-workspaces"],
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Freezing]:
    folder = tmp_path_factory.mktemp("freeze")
    with freezing_server(folder, f"{folder}/artifacts", options=KINDS[request.param]) as made:
        made.workspace = "default" if "workspaces" in request.param else ""
        yield made


@pytest.fixture(scope="module")
def income(server: Freezing) -> Made:
    """A version with evidence, and a report attached to its run."""
    made = register(server, "income")
    server.say("income")
    put(server, f"{made.run_folder}/aims/income/1/00ff/parity.html", b"as recorded").ok()
    return made


def files(server: Freezing) -> dict[str, bytes]:
    folder = Path(server.artifacts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def encoded(path: str) -> str:
    return "".join(f"%{ord(letter):02x}" if letter.isalpha() else letter for letter in path)


WRITES = {
    "as it is": "{folder}/MLmodel",
    "a new file": "{folder}/data/more.bin",
    "percent": "{percent}/MLmodel",
    "percent twice": "{twice}/MLmodel",
    "doubled slash": "{parent}//artifacts/MLmodel",
    "a dot": "{parent}/./artifacts/MLmodel",
    "an escaped dot": "{parent}/%2e/artifacts/MLmodel",
    "up and down": "{parent}/x/../artifacts/MLmodel",
    "escaped up and down": "{parent}/x/%2e%2e/artifacts/MLmodel",
    "file scheme": "file:{folder}/MLmodel",
    "other case": "{folder}/mlMODEL",
    "the folder itself": "{folder}",
    "its parent": "{parent}",
    "closing slash": "{folder}/MLmodel/",
    "control character": "{folder}/MLmodel%0a",
    "backslash": "{parent}%5cartifacts%5cMLmodel",
}


def spelt(template: str, made: Made) -> str:
    percent, parent = encoded(made.folder), made.folder.rpartition("/")[0]
    return template.format(folder=made.folder, parent=parent, percent=percent, twice=percent.replace("%", "%25"))


@pytest.mark.parametrize("api", ["api", "ajax-api"])
@pytest.mark.parametrize("spelling", WRITES)
def test_no_upload_changes_a_checked_model(server: Freezing, income: Made, spelling: str, api: str) -> None:
    before, path = files(server), spelt(WRITES[spelling], income)
    answers = [put(server, path, b"another", api=api), put(replace(server, prefix=""), path, b"another", api=api)]
    assert all(answer.status >= 400 for answer in answers), answers
    assert files(server) == before
    if spelling in ("as it is", "a new file", "percent", "percent twice", "other case"):
        assert "[aims] frozen: " in answers[0].text
        assert answers[0].status == 403


DELETIONS = {
    "the folder": "{folder}",
    "a file": "{folder}/MLmodel",
    "closing slash": "{folder}/",
    "its parent": "{parent}",
    "the experiment": "0",
    "percent": "{percent}",
    "percent twice": "{twice}",
    "a dot": "{parent}/./artifacts",
    "doubled slash": "{parent}//artifacts",
    "all": "%2e",
    "all, escaped twice": "%252e",
    "all, by a slash": "%2f",
    "file scheme": "file:{folder}",
    "control character": "{folder}%0a/..",
    "nothing": "",
}


@pytest.mark.parametrize("api", ["api", "ajax-api"])
@pytest.mark.parametrize("spelling", DELETIONS)
def test_no_deletion_takes_a_checked_model_away(server: Freezing, income: Made, spelling: str, api: str) -> None:
    before = files(server)
    answer = delete(server, spelt(DELETIONS[spelling], income), api=api)
    assert answer.status >= 400, answer
    assert files(server) == before
    if spelling in ("the folder", "a file", "its parent", "percent", "percent twice"):
        assert answer.status == 403
        assert "income/1 has signed evidence, statement sha256:" in answer.text


def test_evidence_is_written_once_and_never_deleted(server: Freezing, income: Made) -> None:
    evidence = f"{income.run_folder}/aims/income/1"
    assert "is evidence, which is written once" in put(server, f"{evidence}/00ff/parity.html", b"another").text
    for path in (f"{evidence}/00ff/parity.html", evidence, income.run_folder, f"{income.experiment}/{income.run}"):
        answer = delete(server, path)
        assert (answer.status, "evidence" in answer.text) == (403, True), answer
    put(server, f"{evidence}/00aa/parity.html", b"later").ok()
    assert get(server, f"{evidence}/00ff/parity.html").ok().content == b"as recorded"


def test_the_upload_route_of_the_pages_changes_no_evidence(server: Freezing, income: Made) -> None:
    before = files(server)
    query = urlencode({"run_uuid": income.run, "path": "aims/income/1/00ff/parity.html"})
    assert server.rest.call("POST", f"/ajax-api/2.0/mlflow/upload-artifact?{query}", b"another").status == 403
    assert files(server) == before


def moved_run(server: Freezing, name: str, location: str) -> str:
    """Make a run in an experiment whose location was written into the database, past every look."""
    experiment = server.rest.post("experiments/create", name=name).ok().json["experiment_id"]
    with contextlib.closing(sqlite3.connect(server.folder / "mlflow.db", timeout=30)) as database, database:
        database.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (location, experiment))
    run = server.rest.post("runs/create", experiment_id=experiment, start_time=1).ok().json["run"]["info"]
    return str(run["run_id"])


@pytest.mark.parametrize("way", ["path", "uri", "link"])
def test_a_run_that_lies_in_a_model_s_folder_writes_nothing_there(server: Freezing, income: Made, way: str) -> None:
    link = server.folder / "a-link"
    if way == "link":
        link.symlink_to(server.artifacts)
    root = {"path": server.artifacts, "uri": f"file://{server.artifacts}", "link": str(link)}[way]
    run = moved_run(server, f"moved by {way}", f"{root}/{income.folder}")
    before = files(server)
    query = urlencode({"run_uuid": run, "path": "x.bin"})
    answer = server.rest.call("POST", f"/ajax-api/2.0/mlflow/upload-artifact?{query}", b"another")
    assert (answer.status, "[aims] frozen: " in answer.text) == (403, True), answer
    assert files(server) == before


@pytest.mark.parametrize(
    "location",
    [
        "{art}",
        "file://{art}/0",
        "{art}/0/models",
        "file:///",
        "{art}/../artifacts",
        "aims:{art}",
        "aims:/etc",
        "{link}",
    ],
)
def test_no_experiment_is_made_over_the_destination(server: Freezing, income: Made, location: str) -> None:
    (server.folder / "a-second-link").unlink(missing_ok=True)
    (server.folder / "a-second-link").symlink_to(server.artifacts)
    asked = location.format(art=server.artifacts, link=server.folder / "a-second-link")
    answer = server.rest.post("experiments/create", name=f"over {location}", artifact_location=asked)
    assert answer.status in (400, 403), answer
    if not server.workspace:  # with workspaces MLflow itself lets nobody name a location
        assert "[aims] frozen: artifact_location" in answer.text


def test_an_experiment_elsewhere_is_made_and_written_to(server: Freezing) -> None:
    if server.workspace:
        pytest.skip("with workspaces MLflow lets nobody name a location")
    made = server.rest.post("experiments/create", name="elsewhere", artifact_location=f"{server.folder}/elsewhere").ok()
    run = (
        server.rest.post("runs/create", experiment_id=made.json["experiment_id"], start_time=1).ok().json["run"]["info"]
    )
    query = urlencode({"run_uuid": run["run_id"], "path": "x.bin"})
    server.rest.call("POST", f"/ajax-api/2.0/mlflow/upload-artifact?{query}", b"x").ok()
    assert list((server.folder / "elsewhere").rglob("x.bin"))


@pytest.mark.parametrize("source", ["aims:/etc", "aims:file:///etc", "aims:{art}", "aims:{art}/.."])
def test_the_scheme_opens_no_file_of_the_server(server: Freezing, source: str) -> None:
    name = "spy" + str(abs(hash(source)))
    enter(server, name, source.format(art=server.artifacts))
    for path in ("hostname", "passwd", "0"):
        query = urlencode({"name": name, "version": "1", "path": path})
        answer = server.rest.call("GET", f"/model-versions/get-artifact?{query}")
        assert answer.status >= 400, answer
        assert b"root:" not in answer.content


def test_a_statement_freezes_at_once_in_every_worker(server: Freezing) -> None:
    made = register(server, "later")
    for _ in range(8):
        put(server, f"{made.folder}/data/weights.bin", b"before").ok()
    server.say("later")
    assert {put(server, f"{made.folder}/data/weights.bin", b"after").status for _ in range(12)} == {403}


def test_a_deleted_version_thaws_and_its_evidence_stays(server: Freezing) -> None:
    made = register(server, "gone")
    server.say("gone")
    put(server, f"{made.run_folder}/aims/gone/1/00/r.html", b"r").ok()
    assert delete(server, made.folder).status == 403
    with contextlib.closing(sqlite3.connect(server.folder / "mlflow.db", timeout=30)) as database, database:
        database.execute("UPDATE model_versions SET current_stage = 'Deleted_Internal' WHERE name = 'gone'")
    assert delete(server, made.folder).ok()
    assert delete(server, made.run_folder).status == 403


def test_what_nobody_checked_is_written_over_and_deleted_as_ever(server: Freezing) -> None:
    made = register(server, "draft")
    put(server, f"{made.folder}/data/weights.bin", b"second").ok()
    assert get(server, f"{made.folder}/data/weights.bin").ok().content == b"second"
    delete(server, f"{made.folder}/data").ok()
    delete(server, made.folder).ok()


def test_mlflow_s_own_client_logs_loads_and_downloads(
    server: Freezing, use_mlflow: Use, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import mlflow

    from tests.hooks.models import frame, log

    uri = server.url + server.prefix
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    if server.workspace:
        monkeypatch.setenv("MLFLOW_WORKSPACE", server.workspace)
    use_mlflow(uri, uri)
    logged = log()
    location = mlflow.get_logged_model(logged.model_id).artifact_location
    enter(server, "loaded", location)
    server.say("loaded")
    assert len(mlflow.pyfunc.load_model("models:/loaded/1").predict(frame())) == 40
    fetched = mlflow.artifacts.download_artifacts("models:/loaded/1", dst_path=str(tmp_path))
    assert (Path(fetched) / "MLmodel").is_file()
    with mlflow.start_run(), pytest.raises(Exception, match="frozen"):
        mlflow.MlflowClient().log_model_artifact(logged.model_id, __file__)


def test_the_default_workspace_does_not_delete_the_others(server: Freezing) -> None:
    if not server.workspace:
        pytest.skip("a server without workspaces")
    assert server.rest.call("POST", "/api/3.0/mlflow/workspaces", {"name": "team"}).status in (200, 201)
    team = replace(server, workspace="team")
    experiment = team.rest.post("experiments/create", name="team's").ok().json["experiment_id"]
    made = register(team, "theirs", experiment=experiment)
    team.say("theirs")
    assert made.folder.startswith("workspaces/team/")
    before = files(server)
    for path in ("workspaces", "workspaces/", "workspaces/team", "%77orkspaces", "workspaces%2f", "x/../workspaces"):
        assert delete(server, path).status >= 400
    short = made.folder.removeprefix("workspaces/team/")
    for asked, path in ((team, short), (team, made.folder), (server, made.folder)):
        assert put(asked, f"{path}/MLmodel", b"another").status >= 400
        assert delete(asked, path).status >= 400
    assert files(server) == before


@pytest.mark.parametrize("kind", ["root", "archive"])
def test_no_workspace_is_rooted_in_the_destination(server: Freezing, kind: str) -> None:
    if not server.workspace:
        pytest.skip("a server without workspaces")

    def body(place: str) -> dict[str, object]:
        uri = f"file://{server.artifacts}{place}"
        return {"default_artifact_root": uri} if kind == "root" else {"trace_archival_config": {"location": uri}}

    answer = server.rest.call("POST", "/api/3.0/mlflow/workspaces", {"name": kind} | body(""))
    assert (answer.status, "[aims] frozen: " in answer.text) == (403, True), answer
    assert server.rest.call("POST", "/api/3.0/mlflow/workspaces", {"name": kind}).status in (200, 201)
    answer = server.rest.call("PATCH", f"/api/3.0/mlflow/workspaces/{kind}", body("/x"))
    assert (answer.status, "[aims] frozen: " in answer.text) == (403, True), answer
