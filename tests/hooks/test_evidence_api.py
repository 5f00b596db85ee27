"""The evidence routes as any HTTP client meets them, and the description that they are held to."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from aims_mlops.api.handing_in import MAX_ENVELOPE
from aims_mlops.errors import StoreError
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Entry
from aims_mlops_hooks.mlflow.server.evidence_api import STATUS
from aims_mlops_hooks.mlflow.server.openapi import PREFIX, ROUTES, description
from tests.api.world import World
from tests.builders import result, signed
from tests.serving import HEALTH, application, listening


@dataclass
class Api:
    world: World
    client: FlaskClient

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(PREFIX + path, query_string=query)

    def hand_in(self, content: bytes, kind: str = "application/json") -> TestResponse:
        return self.client.post(f"{PREFIX}/statements", data=content, content_type=kind)

    def signed(self, nonce: str = "n0", **changes: Any) -> bytes:
        now, registry_id = self.world.now, self.world.store.registry_id()
        said = result(nonce=nonce, registry_id=registry_id, measured_at=now, signed_at=now, **changes)
        return signed(said).to_bytes()

    def append(self, count: int) -> list[Digest]:
        """Hand so many results in; return the digests of their payloads."""
        return [Digest(self.leaf(self.hand_in(self.signed(f"n{number}")))["payload"]) for number in range(count)]

    @staticmethod
    def leaf(answer: TestResponse) -> Any:
        assert answer.status_code == 201, answer.text
        return json.loads(base64.b64decode(answer.get_json()["leaf"]))


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    world = World(tmp_path)
    yield Api(world, application(world).test_client())
    world.close()


def refused(answer: TestResponse, code: str) -> dict[str, str]:
    wire: dict[str, str] = answer.get_json()
    assert set(wire) == {"error", "hint", "code"}, answer.text
    assert (wire["code"], answer.status_code) == (code, STATUS[code]), wire
    assert wire["hint"]
    return wire


def test_a_statement_is_handed_in_and_read_again_byte_for_byte(api: Api) -> None:
    content = api.signed()
    answer = api.hand_in(content)
    leaf = api.leaf(answer)
    assert answer.get_json()["digest"] == Digest.of(base64.b64decode(answer.get_json()["leaf"]))
    assert api.get("/envelopes", payload=leaf["payload"]).data == content
    assert api.get("/head").get_json() == {"head": {"v": 1, "seq": 0, "leaf": answer.get_json()["digest"]}}
    assert api.get("/registry-id").get_json() == {"registryId": api.world.store.registry_id()}
    assert api.hand_in(content).get_json() == answer.get_json()


def test_an_empty_store_is_read_as_empty(api: Api) -> None:
    assert api.get("/head").get_json() == {"head": None}
    assert api.get("/leaves").get_json() == {"leaves": {}, "next": None}
    assert api.get("/envelope-digests").get_json() == {"envelopes": {}}
    assert api.get("/find", model="income").get_json() == {"payloads": []}


def test_leaves_are_answered_by_their_places_and_say_what_follows(api: Api) -> None:
    api.append(5)
    page = api.get("/leaves", start=1, limit=3).get_json()
    assert list(page["leaves"]) == ["1", "2", "3"]
    assert page["next"] == 4
    assert [json.loads(base64.b64decode(leaf))["seq"] for leaf in page["leaves"].values()] == [1, 2, 3]
    assert api.get("/leaves", start=4).get_json()["next"] is None
    some = api.get("/leaves", at="3,0,9").get_json()
    assert (list(some["leaves"]), some["next"]) == (["0", "3"], None)


def test_digests_are_answered_for_all_envelopes_or_some(api: Api) -> None:
    payloads = api.append(3)
    every = api.get("/envelope-digests").get_json()["envelopes"]
    assert every == dict(api.world.store.envelope_digests())
    asked = {"payloads": [payloads[1], Digest.of(b"never")]}
    some = api.client.post(f"{PREFIX}/envelope-digests", json=asked).get_json()["envelopes"]
    assert some == {payloads[1]: every[payloads[1]]}


def test_statements_are_found_by_the_look_up_columns(api: Api) -> None:
    payloads = api.append(3)
    assert api.get("/find", model="income", version="3", system="income").get_json() == {"payloads": payloads}
    assert api.get("/find", system="income", newest=1).get_json() == {"payloads": payloads[-1:]}
    assert api.get("/find", model="churn").get_json() == {"payloads": []}


def test_a_text_is_kept_by_its_digest(api: Api) -> None:
    text, digest = b"<script>alert(1)</script>", Digest.of(b"<script>alert(1)</script>")
    kind = "application/octet-stream"
    put = api.client.put(f"{PREFIX}/blobs?digest={digest}", data=text, content_type=kind)
    assert (put.status_code, put.get_json()) == (200, {"digest": digest})
    got = api.get("/blobs", digest=digest)
    assert (got.data, got.mimetype) == (text, kind)
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert got.headers["Content-Disposition"] == "attachment"
    other = api.client.put(f"{PREFIX}/blobs?digest={Digest.of(b'x')}", data=text, content_type=kind)
    wire = refused(other, "mismatched")
    assert wire["error"] == f"the text has the digest {digest}, not {Digest.of(b'x')}"
    assert wire["hint"] == "send the bytes as they were digested"


def test_health_says_how_the_server_stands(api: Api) -> None:
    assert api.get("/health").get_json() == HEALTH
    properties = description(version="1")["components"]["schemas"]["Health"]["properties"]
    assert set(properties) == set(HEALTH)


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("/leaves", "start=-1", "start is '-1'"),
        ("/leaves", "start=1e3", "start is '1e3'"),
        ("/leaves", "start=%D9%A1", "start is '\u0661'"),
        ("/leaves", "limit=0", "limit is '0'"),
        ("/leaves", "limit=1001", "limit is '1001'"),
        ("/leaves", "at=1,,2", "at is '1,,2'"),
        ("/leaves", "at=1&start=2", "at stands beside start or limit"),
        ("/leaves", "at=" + ",".join("1" * 101), "at is '1,1,1,1"),
        ("/leaves", "start=1&start=2", "the parameter start is given 2 times"),
        ("/leaves", "begin=1", "there is no parameter 'begin' here"),
        ("/head", "x=1", "there is no parameter 'x' here"),
        ("/find", "model=", "the parameter model is empty, or holds a zero character"),
        ("/find", "model=a%00b", "the parameter model is empty, or holds a zero character"),
        ("/find", "newest=0", "newest is '0'"),
        ("/envelopes", "", "payload: not a digest: ''"),
        ("/envelopes", "payload=sha256:ABC", "payload: not a digest: 'sha256:ABC'"),
        ("/blobs", "digest=md5", "digest: not a digest: 'md5'"),
    ],
    ids=lambda text: text[:20],
)
def test_a_parameter_of_another_form_is_refused(path: str, query: str, says: str, api: Api) -> None:
    wire = refused(api.client.get(f"{PREFIX}{path}?{query}"), "bad-parameter")
    assert wire["error"].startswith(says)


def test_what_is_not_there_is_named(api: Api) -> None:
    digest = Digest.of(b"never")
    for path, name in (("/envelopes", "payload"), ("/blobs", "digest")):
        wire = refused(api.get(path, **{name: digest}), "unknown-digest")
        assert wire["error"] == f"there is nothing with the digest {digest}"


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_no_form_of_a_web_page_can_hand_anything_in(kind: str, api: Api) -> None:
    wire = refused(api.hand_in(api.signed(), kind), "wrong-type")
    assert wire["hint"] == "send it with Content-Type: application/json"
    refused(api.client.put(f"{PREFIX}/blobs?digest={Digest.of(b'')}", content_type=kind), "wrong-type")


def test_a_body_that_is_too_large_is_refused_by_its_length_alone(api: Api) -> None:
    length = {"CONTENT_LENGTH": str(MAX_ENVELOPE + 1)}
    answer = api.client.post(f"{PREFIX}/statements", content_type="application/json", environ_overrides=length)
    wire = refused(answer, "too-large")
    assert wire["error"] == "the body is larger than anything that is kept here"
    assert wire["hint"] == "an envelope has at most 16000000 bytes, a text 16000000"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"payloads": 1}', b'{"payloads": ["x"]}', b'{"payloads": [], "payloads": []}', b"\xff", b"[" * 9999],
    ids=lambda body: body[:30].decode("latin-1"),
)
def test_a_question_of_another_form_is_refused(body: bytes, api: Api) -> None:
    answer = api.client.post(f"{PREFIX}/envelope-digests", data=body, content_type="application/json")
    wire = refused(answer, "malformed")
    assert wire["hint"] == 'send {"payloads": ["sha256:…", …]}, at most 1000'


def test_a_refusal_of_the_use_case_comes_with_its_words(api: Api) -> None:
    wire = refused(api.hand_in(api.signed(version="7")), "unknown-version")
    assert wire["error"].endswith("does not give income/7 in the workspace 'default': income/7 is not known")
    assert wire["hint"] == "register the version with this server, then aims check it"
    refused(api.hand_in(b"{}"), "malformed")


def test_a_log_that_does_not_hold_takes_nothing_more(api: Api) -> None:
    api.append(2)
    head = api.world.folder / "aims.db.head"
    head.unlink()
    wire = refused(api.hand_in(api.signed("another")), "log-broken")
    assert "the log has leaves, but its head aims.db.head is gone" in wire["error"]


def test_a_store_that_is_away_is_said_and_not_an_internal_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> str:
        raise StoreError("the database does not answer", hint="see that it runs")

    monkeypatch.setattr(api.world.store, "registry_id", away)
    answer = api.get("/registry-id")
    assert refused(answer, "unavailable") == {
        "error": "the database does not answer",
        "hint": "see that it runs",
        "code": "unavailable",
    }


def test_spoiled_bytes_are_answered_as_they_stand(api: Api) -> None:
    from sqlalchemy import create_engine, text

    (payload,) = api.append(1)
    engine = create_engine(f"sqlite:///{api.world.folder}/aims.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE aims_envelope SET envelope = x'00ff'"))
        connection.execute(text("UPDATE aims_leaf SET leaf = x'ff00'"))
    engine.dispose()
    assert api.get("/envelopes", payload=payload).data == b"\x00\xff"
    assert api.get("/leaves").get_json() == {"leaves": {"0": "/wA="}, "next": None}


def test_what_was_not_handed_in_over_http_is_read_as_well(api: Api) -> None:
    entry = Entry(b"{}", Digest.of(b"one"), predicate_type("record"), Digest.of(b"subject"))
    api.world.store.append(entry)
    assert api.get("/envelopes", payload=entry.payload).data == b"{}"


# The description


def operations() -> set[tuple[str, str]]:
    return {(path, method) for path, methods in ROUTES.items() for method in methods}


def test_every_route_is_described_and_every_description_is_a_route(api: Api) -> None:
    told = api.get("/openapi.json").get_json()
    described = {(path, method.upper()) for path, methods in told["paths"].items() for method in methods}
    assert described == operations()
    rules = {
        (rule.rule.removeprefix(PREFIX), method)
        for rule in api.client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
    assert rules == described


def test_every_status_that_a_refusal_can_have_is_described_somewhere() -> None:
    operations = [one for methods in description(version="1")["paths"].values() for one in methods.values()]
    told = {int(status) for operation in operations for status in operation["responses"]}
    assert set(STATUS.values()) <= told


@pytest.mark.slow
@pytest.mark.parametrize("stored", [False, True], ids=["an empty store", "a store with statements"])
def test_the_routes_keep_to_their_description_under_fuzzing(stored: bool, api: Api, tmp_path: Path) -> None:  # noqa: FBT001
    """Schemathesis over a real HTTP server: no failure of the server, no answer that is not described."""
    import subprocess
    import sys

    if stored:
        api.append(3)
    with listening(api.client.application) as uri:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("run", f"{uri}{PREFIX}/openapi.json", "--max-examples", "25", "--seed", "1", "--no-color"),
                # What the description allows still has to be signed: no generated envelope is.
                *("--exclude-checks", "positive_data_acceptance"),
                *("--request-timeout", "20", "--generation-database", "none"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"Tested: {len(operations()) - 1}" in done.stdout, done.stdout[
        -2000:
    ]  # its own description is not asked for
