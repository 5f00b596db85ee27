"""The store over HTTP beyond what every store does: what a server, or who answers in its place, may do to a client."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.adapters import http_client, http_store
from aims_mlops.adapters.http_client import Login
from aims_mlops.adapters.http_store import HttpEvidenceStore
from aims_mlops.adapters.stores import evidence_store, open_store
from aims_mlops.errors import ExitCode, StoreError, UsageError, VerificationError
from aims_mlops.evidence.log import Head
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Entry
from tests.adapters.homes import Served, audit
from tests.api.world import World
from tests.serving import application, listening

Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_PAUSE", 0.0)


@contextmanager
def answering(*answers: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve these answers, the last one again and again; yield the address and the requests as they came."""
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        seen.append(environ)
        status, headers, body = answers[min(len(seen), len(answers)) - 1]
        start(f"{status} Whatever", list(headers.items()))
        return [body]

    with listening(app) as uri:
        yield uri, seen


def store_at(uri: str, folder: Path, **login: Any) -> HttpEvidenceStore:
    return HttpEvidenceStore(uri, head_folder=folder, login=Login(**login))


def failure(uri: str, folder: Path) -> StoreError:
    store = store_at(uri, folder)
    with pytest.raises(StoreError) as caught:
        store.registry_id()
    store.close()
    assert caught.value.exit_code is ExitCode.UNDECIDED
    return caught.value


def ours(code: str) -> bytes:
    return json.dumps({"error": "what was refused", "hint": "what to do", "code": code}).encode()


@pytest.mark.parametrize(
    ("answer", "says", "hint"),
    [
        ((401, HTML, b"who?"), "does not know who asks (401)", http_client._LOGIN),
        ((403, HTML, b"no"), "does not let this user in (403)", http_client._FORBIDDEN),
        ((302, {"Location": "http://elsewhere.example.org/"}, b""), "sends us elsewhere (302)", http_client._ELSEWHERE),
        ((404, HTML, b"<h1>Not found</h1>"), "serves no evidence (404)", http_client._OTHER),
        ((500, HTML, b"<h1>Oh</h1>"), "failed (500)", "see the server's log, then try again"),
        ((200, HTML, b"<html>a login page</html>"), "answers something else than evidence", http_client._OTHER),
        ((200, JSON, b"[]"), "answers something else than evidence: a JSON object was asked", http_client._OTHER),
        ((200, JSON, b'{"registryId": 5}'), "something else than evidence: TypeError: registryId", http_client._OTHER),
        ((200, JSON, b"\xff\x00"), "answers something else than evidence: JSON was asked for", http_client._OTHER),
        ((503, JSON, ours("unavailable")), ": what was refused", "what to do"),
    ],
    ids=lambda value: str(value[0]) + " " + value[2].decode("latin-1")[:20] if isinstance(value, tuple) else "",
)
def test_whatever_else_answers_is_a_store_error_that_says_what_to_do(
    answer: Answer, says: str, hint: str, tmp_path: Path
) -> None:
    with answering(answer) as (uri, _seen):
        error = failure(uri, tmp_path)
    assert str(error).startswith(uri)
    assert says in str(error)
    assert error.hint == hint


def test_each_hint_says_what_to_do() -> None:
    assert http_client._LOGIN == (
        "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of somebody who may"
    )
    assert http_client._FORBIDDEN == (
        "ask its administrator; with basic-auth the server has to run as `aims server --auth basic-auth`"
    )
    assert http_client._ELSEWHERE == "write the address that it leads to in AIMS_STORE or `store:`"
    assert http_client._OTHER == (
        "start the server with `aims server` (or --app-name aims); AIMS_STORE needs its static prefix too"
    )


def test_a_server_that_is_away_is_a_store_error(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
    error = failure(uri, tmp_path)
    assert str(error) == f"{uri} does not answer (ConnectionError)"
    assert error.hint == "see that the MLflow server runs and that AIMS_STORE or `store:` names it, then try again"


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "TIMEOUT", (1.0, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        error = failure(uri, tmp_path)
    assert str(error) == f"{uri} has not answered for 0.2 s"


def test_a_log_that_the_server_finds_broken_is_no_mere_outage(tmp_path: Path) -> None:
    with answering((409, JSON, ours("log-broken"))) as (uri, _seen):
        store = store_at(uri, tmp_path)
        with pytest.raises(VerificationError, match="what was refused") as caught:
            store.registry_id()
        store.close()
    assert caught.value.hint == "what to do"


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_passing_failure_is_asked_about_once_more_and_no_more(status: int, tmp_path: Path) -> None:
    there = (200, JSON, b'{"registryId": "there"}')
    with answering((status, HTML, b""), there) as (uri, seen):
        store = store_at(uri, tmp_path)
        assert store.registry_id() == "there"
        assert len(seen) == 2
        store.close()
    with answering((status, HTML, b"")) as (uri, seen):
        failure(uri, tmp_path)
        assert len(seen) == 2


def test_a_refusal_is_not_asked_about_again(tmp_path: Path) -> None:
    with answering((422, JSON, ours("too-late"))) as (uri, seen):
        failure(uri, tmp_path)
        assert len(seen) == 1


def test_a_missing_envelope_is_told_from_a_missing_route(tmp_path: Path) -> None:
    with answering((404, JSON, ours("unknown-digest"))) as (uri, _seen):
        store = store_at(uri, tmp_path)
        assert store.envelope(Digest.of(b"x")) is None
        store.close()
    for answer in ((404, HTML, b"not found"), (200, HTML, b"a page"), (404, JSON, ours("another"))):
        with answering(answer) as (uri, _seen):
            store = store_at(uri, tmp_path)
            with pytest.raises(StoreError):
                store.envelope(Digest.of(b"x"))
            store.close()


# Who asks


def test_user_and_password_are_sent_and_told_to_nobody(tmp_path: Path) -> None:
    login = Login.read({"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "s3cret-wörd"})
    with answering((401, HTML, b"")) as (uri, seen):
        store = HttpEvidenceStore(uri, head_folder=tmp_path, login=login)
        with pytest.raises(StoreError) as caught:
            store.registry_id()
        store.close()
    sent = base64.b64decode(seen[0]["HTTP_AUTHORIZATION"].removeprefix("Basic ")).decode()
    assert sent == "ann:s3cret-wörd"
    assert "s3cret" not in f"{caught.value} {caught.value.hint} {store.place} {login!r} {store!r}"


def test_a_token_wins_over_a_netrc_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with answering((200, JSON, b'{"registryId": "there"}')) as (uri, seen):
        for login in (Login.read({"MLFLOW_TRACKING_TOKEN": "t0ken"}), Login()):
            store = HttpEvidenceStore(uri, head_folder=tmp_path, login=login)
            store.registry_id()
            store.close()
    assert [request.get("HTTP_AUTHORIZATION") for request in seen] == ["Bearer t0ken", None]


def test_a_redirect_carries_no_password_elsewhere(tmp_path: Path) -> None:
    with answering((200, JSON, b"{}")) as (other, stolen):
        with answering((307, {"Location": f"{other}/aims/api/v1/registry-id"}, b"")) as (uri, _seen):
            store = store_at(uri, tmp_path, token="t0ken")
            with pytest.raises(StoreError, match="sends us elsewhere"):
                store.registry_id()
            store.close()
        assert stolen == []


def test_the_workspace_of_the_environment_is_named(tmp_path: Path) -> None:
    with answering((200, JSON, b'{"registryId": "there"}')) as (uri, seen):
        store = HttpEvidenceStore(uri, head_folder=tmp_path, login=Login.read({"MLFLOW_WORKSPACE": "team-b"}))
        store.registry_id()
        store.close()
    assert seen[0]["HTTP_X_MLFLOW_WORKSPACE"] == "team-b"


def test_a_certificate_is_verified_unless_mlflows_variables_say_otherwise(tmp_path: Path) -> None:
    from werkzeug.serving import make_server, make_ssl_devcert

    certificate, private = make_ssl_devcert(str(tmp_path / "server"), host="localhost")
    world = World(tmp_path)
    server = make_server("localhost", 0, application(world), ssl_context=(certificate, private), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    uri = f"https://localhost:{server.port}"
    try:
        error = failure(uri, tmp_path)
        assert str(error) == f"the certificate of {uri} is not one that this client trusts"
        assert error.hint == "name its authority in MLFLOW_TRACKING_SERVER_CERT_PATH or REQUESTS_CA_BUNDLE"
        login = Login.read({"MLFLOW_TRACKING_SERVER_CERT_PATH": certificate})
        trusting = HttpEvidenceStore(uri, head_folder=tmp_path, login=login)
        assert trusting.registry_id() == world.store.registry_id()
        trusting.close()
        assert Login.read({"MLFLOW_TRACKING_INSECURE_TLS": "true"}).verify is False
        assert Login.read({}).verify is True
    finally:
        server.shutdown()
        server.server_close()
        world.close()


# Which address


@pytest.mark.parametrize("uri", ["http://", "http://host?x=1", "https://host/#x", "ftp://host", "http:host"], ids=str)
def test_an_address_that_names_no_server_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        store_at(uri, tmp_path)
    assert str(caught.value) == f"{uri!r} is not the address of a server"
    assert caught.value.hint == "write http://HOST:PORT or https://HOST, with MLflow's static prefix where it has one"


def test_a_password_in_the_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        store_at("https://ann:s3cret@mlflow.example.org", tmp_path)
    assert str(caught.value) == "the address of a store over HTTP holds a user or password"
    assert "s3cret" not in caught.value.hint


def test_a_project_whose_store_is_a_server_gets_this_one(tmp_path: Path) -> None:
    store = evidence_store("HTTPS://mlflow.example.org/team/", root=tmp_path, environment={})
    assert isinstance(store, HttpEvidenceStore)
    assert store.place == "HTTPS://mlflow.example.org/team"
    assert store.enforces
    database = evidence_store("sqlite:///aims.db", root=tmp_path)
    assert not database.enforces


def test_a_server_keeps_its_own_evidence_in_a_database(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_store("http://mlflow:5000", root=tmp_path)
    assert str(caught.value) == "evidence is kept in a database here: the store's address begins with http"
    assert caught.value.hint == (
        "write sqlite:///aims.db or postgresql://USER@HOST/DATABASE: a server does not keep its evidence elsewhere"
    )


def test_a_static_prefix_belongs_to_the_address(tmp_path: Path) -> None:
    world = World(tmp_path)
    with listening(application(world, prefix="/team/")) as uri:
        store = store_at(f"{uri}/team/", tmp_path / "client")
        assert store.registry_id() == world.store.registry_id()
        store.close()
        error = failure(uri, tmp_path)
        assert "serves no evidence (404)" in str(error)
    world.close()


# A server that cannot be believed


def test_the_servers_refusal_reaches_the_client_in_its_words(served: Served) -> None:
    store = served.open()
    given = served.entry("one", version="7")
    with pytest.raises(StoreError) as caught:
        store.append(given)
    assert str(caught.value) == (
        f"{served.uri}: the registry of this server does not give income/7 in the workspace 'default': "
        "income/7 is not known"
    )
    assert caught.value.hint == "register the version with this server, then aims check it"
    assert store.head() is None


def test_a_client_that_never_saw_the_log_pins_it_and_says_so(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = served.open()
    stored = first.append(served.entry("one"))
    assert not first.head_was_pinned_now
    second = served.open(head_folder=tmp_path / "another client")
    with caplog.at_level(logging.WARNING):
        assert second.head() == Head(0, stored.digest)
    assert second.head_was_pinned_now
    assert "this client sees the log for the first time and takes leaf 0 for its true end" in caplog.text
    assert audit(second).faults == ()
    third = served.open(head_folder=tmp_path / "another client")
    assert third.head() == Head(0, stored.digest)
    assert not third.head_was_pinned_now


def cut(served: Served, length: int) -> None:
    """Cut the server's log, and its own memory of it."""
    served.sql("DELETE FROM aims_leaf WHERE seq >= :length", length=length)
    served.world.store.close()
    leaf = list(served.world.store.leaves())[-1]
    served.world.store.pin(Head(length - 1, Digest.of(leaf)))


def test_a_server_that_cuts_its_log_is_seen_by_a_client_that_remembers(served: Served) -> None:
    store = served.open()
    for number in range(3):
        store.append(served.entry(str(number)))
    cut(served, 2)
    faults = audit(store).faults
    assert [fault.what for fault in faults] == ["the log ends at leaf 1, but leaf 2 was seen: its tail is cut off"]
    with pytest.raises(VerificationError) as caught:
        store.append(served.entry("another"))
    assert str(caught.value) == (
        f"{served.uri}: leaf 2 was seen before and is gone: the log's tail is cut off, or it has a hole"
    )
    assert caught.value.hint == http_store._LOOK
    assert len(list(served.world.store.leaves())) == 2


def test_a_log_that_grew_again_after_it_was_cut_is_seen_too(served: Served, tmp_path: Path) -> None:
    store = served.open()
    for number in range(3):
        store.append(served.entry(str(number)))
    cut(served, 2)
    forgetful = served.open(head_folder=tmp_path / "another client")
    forgetful.append(served.entry("in its place"))
    assert [fault.what for fault in audit(store).faults] == ["leaf 2 is not the leaf that was seen there before"]
    with pytest.raises(VerificationError, match="leaf 2 is not the leaf that was seen there before"):
        store.append(served.entry("another"))


def test_another_registry_at_the_same_address_is_seen(served: Served) -> None:
    store = served.open()
    store.append(served.entry("one"))
    served.world.store.close()
    for file in served.world.folder.iterdir():
        file.unlink()
    served.world.store = open_store("sqlite:///aims.db", root=served.world.folder)
    assert [fault.kind for fault in audit(store).faults] == ["hole"]
    with pytest.raises(VerificationError, match="leaf 0 was seen before and is gone"):
        store.append(served.entry("two"))
    store.pin(Head(-1, Digest.of(b"an operator who has looked")))
    store.append(served.entry("two"))
    assert audit(store).faults == ()


def leaf_answer(content: bytes) -> bytes:
    digest = Digest.of(content)
    return json.dumps({"leaf": base64.b64encode(content).decode(), "digest": digest}).encode()


def test_a_leaf_about_something_else_is_not_taken_for_a_receipt(served: Served, tmp_path: Path) -> None:
    one, two = served.entry("one"), served.entry("two")
    receipt = leaf_answer(served.open().append(one).leaf.to_bytes())
    nothing = (200, JSON, b'{"head": null}')
    with answering(nothing, (201, JSON, receipt)) as (uri, _seen):
        store = store_at(uri, tmp_path / "a")
        with pytest.raises(VerificationError, match="answered with leaf 0, which is about another statement"):
            store.append(two)
        store.close()
    spaced = Entry(one.envelope + b" ", one.payload, one.type, one.subject)
    with answering(nothing, (201, JSON, receipt)) as (uri, _seen):
        store = store_at(uri, tmp_path / "b")
        with pytest.raises(VerificationError, match="leaf 0 holds another envelope of this statement"):
            store.append(spaced)
        store.close()
        assert not list((tmp_path / "b").glob("*.head")) if (tmp_path / "b").exists() else True


@pytest.mark.parametrize(
    "page",
    [
        {"leaves": {"7": "AAAA"}, "next": None},
        {"leaves": {"0": "not base64!"}, "next": None},
        {"leaves": ["AAAA"], "next": None},
        {"leaves": {}, "next": 0},
        {"leaves": {}, "next": "5"},
        {"leaves": {}, "next": True},
        {},
    ],
    ids=json.dumps,
)
def test_a_page_of_leaves_of_another_form_is_refused(
    page: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_store, "_LEAVES", 5)
    with answering((200, JSON, json.dumps(page).encode())) as (uri, _seen):
        store = store_at(uri, tmp_path)
        with pytest.raises(StoreError, match="answers something else than evidence"):
            list(store.leaves())
        store.close()


@pytest.mark.parametrize("head", [5, {"v": 1, "seq": "0", "leaf": "x"}, {"v": 1}, []], ids=json.dumps)
def test_a_head_of_another_form_is_not_pinned(head: object, tmp_path: Path) -> None:
    with answering((200, JSON, json.dumps({"head": head}).encode())) as (uri, _seen):
        store = store_at(uri, tmp_path)
        with pytest.raises(StoreError, match="answers something else than evidence"):
            store.head()
        store.close()
    assert list(tmp_path.iterdir()) == []


def test_digests_and_payloads_of_another_form_are_refused(tmp_path: Path) -> None:
    with answering((200, JSON, b'{"envelopes": {"a": "b"}, "payloads": ["x"]}')) as (uri, _seen):
        store = store_at(uri, tmp_path)
        for ask in (store.envelope_digests, lambda: store.envelope_digests([Digest.of(b"")]), store.find):
            with pytest.raises(StoreError, match="answers something else than evidence"):
                ask()
        store.close()


def test_a_text_that_is_not_the_one_asked_for_is_refused(tmp_path: Path) -> None:
    with answering((200, {"Content-Type": "application/octet-stream"}, b"another")) as (uri, _seen):
        store = store_at(uri, tmp_path)
        with pytest.raises(VerificationError, match=r"the stored text sha256:\w+ was changed: it is now"):
            store.blob(Digest.of(b"manifest"))
        store.close()


# Paging


def test_leaves_come_in_pages_and_with_their_holes(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_store, "_LEAVES", 3)
    store = served.open()
    digests = [store.append(served.entry(str(number))).digest for number in range(11)]
    assert [Digest.of(leaf) for leaf in store.leaves()] == digests
    assert [Digest.of(leaf) for leaf in store.leaves(5)] == digests[5:]
    assert list(store.leaves(11)) == []
    served.sql("DELETE FROM aims_leaf WHERE seq IN (2, 6, 7, 8)")
    served.sql("UPDATE aims_leaf SET leaf = 'spoiled' WHERE seq = 4")
    faults = [(fault.kind, fault.seq) for fault in audit(store).faults]
    assert faults == [(fault.kind, fault.seq) for fault in audit(served.world.store).faults]
    assert ("hole", 2) in faults
    assert ("hole", 6) in faults
    assert ("tampered", 3) in faults


def test_many_places_are_asked_for_in_portions(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_store, "_PLACES", 2)
    monkeypatch.setattr(http_store, "_ASKED", 2)
    store = served.open()
    stored = [store.append(served.entry(str(number))) for number in range(5)]
    assert len(store.leaves_at(range(5))) == 5
    assert store.leaves_at([]) == {}
    assert len(store.envelope_digests([item.leaf.payload for item in stored])) == 5
    assert store.envelope_digests([]) == {}


def test_an_answer_in_a_forked_child_comes_over_a_connection_of_its_own(served: Served) -> None:
    store = served.open()
    store.registry_id()
    known = store._http._session()
    monkeypatched = store._http._threads.session
    store._http._threads.session = (monkeypatched[0] + 1, known)  # as a child finds its parent's
    assert store._http._session() is not known
    known.close()
