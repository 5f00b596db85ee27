"""`aims watch` as it is run: once, again and again, woken by webhooks, telling people."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

SECRET = "only for this test, and long enough"


@pytest.fixture
def promoted(loans: Loans) -> Loans:
    """loan/1 is champion, loan/2 has other files and nothing speaks for it. One check is enough for the gate here."""
    loans.keep_drift_alone()
    loans.aims("check", "loan/1", expect=0)
    loans.aims("promote", "loan/1", "--to", "champion", expect=0)
    assert loans.register("return [1] * len(frame)") == "loan/2"
    return loans


def steal(loans: Loans) -> None:
    loans.sql("update registered_model_aliases set version = 2 where alias = 'champion'", database="mlflow.db")


def test_one_look_from_nothing_to_found_to_put_back(promoted: Loans) -> None:
    promoted.aims("watch", "--once", expect=0).says("the registry holds what the log says: 2 places looked at")
    steal(promoted)
    promoted.aims("watch", "--once", expect=4).says(
        "superseded loan/2 holds champion",
        "the log: loan/1 was promoted to champion on",
        "next: see who did it; aims watch --enforce puts it back",
        "(recorded)",
        "WENT ROUND THE GATE: 1 finding (1 new)",
    )
    assert promoted.aliases() == {"champion": "2"}
    promoted.aims("watch", "--once", expect=4).says("(recorded before)", "1 finding (0 new)")
    promoted.aims("watch", "--once", "--enforce", expect=4).says("done: put back to loan/1")
    assert promoted.aliases() == {"champion": "1"}
    promoted.aims("watch", "--once", expect=0)
    promoted.aims("evidence", "list", expect=0).says("bypass-finding loan/2 superseded at champion", "restore allowed")
    promoted.aims("evidence", "verify", expect=0)


def test_what_stands_nowhere_and_was_never_promoted_is_not_green(loans: Loans) -> None:
    loans.aims("watch", "--once", expect=5).says("nothing was looked at")


def test_an_overwritten_file_is_found(promoted: Loans) -> None:
    (promoted.model / "extra").write_text("x")
    promoted.aims("watch", "--once", expect=4).says("changed loan/1 holds champion", "and the files are")
    promoted.aims("watch", "--once", "--enforce", expect=4).says("done: taken away from loan/1")
    assert promoted.aliases() == {}
    promoted.aims("watch", "--once", expect=0)


def test_the_answer_as_json(promoted: Loans) -> None:
    steal(promoted)
    answer = promoted.aims("watch", "--once", "--format", "json", expect=4).json
    assert (answer["schema"], answer["exit_code"], answer["log"], answer["notices"]) == ("aims.watch/1", 4, [], [])
    (found,) = answer["findings"]
    assert (found["word"], found["to"], found["fresh"]) == ("superseded", {"alias": "champion"}, True)
    assert (found["model"]["name"], found["model"]["version"], found["done"]) == ("loan", "2", "")
    assert found["evidence"] in promoted.payloads()


def test_without_a_key_a_bypass_is_still_found(promoted: Loans) -> None:
    steal(promoted)
    (promoted.folder / "keys" / "pipeline.pem").unlink()
    promoted.aims("watch", "--once", expect=4).says("superseded loan/2", "! not recorded:")
    promoted.aims("watch", "--once", "--enforce", expect=2)
    assert promoted.aliases() == {"champion": "2"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--once", "--server-signer", "nobody"], "--server-signer: aims.yaml names no person 'nobody'"),
        (["--every", "often"], "--every: not a duration: 'often'"),
        (["--every", "0s"], "--every 0s would never rest"),
        (["--listen", "127.0.0.1:0"], "--listen and --secret-file go together"),
        (["--format", "json"], "--format and --output-file are for --once"),
        (["--listen", "here", "--secret-file", "secret"], "'here' is not an address to listen at"),
        (["--listen", "127.0.0.1:0", "--secret-file", "missing"], "--secret-file missing cannot be read"),
        (
            ["--listen", "127.0.0.1:0", "--secret-file", "short"],
            "the webhook's secret has 5 bytes, and 16 are the least",
        ),
        (["--listen", "127.0.0.1:0", "--secret-file", "open"], "open can be read by others (mode 0644)"),
    ],
)
def test_a_wrong_use_is_explained(loans: Loans, arguments: list[str], says: str) -> None:
    for name, text, mode in (("secret", SECRET, 0o600), ("short", "short", 0o600), ("open", SECRET, 0o644)):
        (loans.folder / name).write_text(text)
        (loans.folder / name).chmod(mode)
    answer = loans.aims("watch", *arguments, expect=2)
    answer.says(says)


@dataclass
class Watching:
    """`aims watch` in a process of its own, and the lines that it has said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, text: str, *, times: int = 1, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while sum(text in line for line in self.lines) < times:
            assert time.monotonic() < deadline, f"{text!r} was not said {times} times:\n" + "\n".join(self.lines)
            time.sleep(0.05)

    def looks(self) -> int:
        return sum("looked at" in line for line in self.lines)


@contextlib.contextmanager
def watching(loans: Loans, *arguments: str, **environment: str) -> Iterator[Watching]:
    process = subprocess.Popen(
        [sys.executable, "-m", "aims_mlops", "watch", *arguments],
        cwd=loans.folder,
        env=loans.environment(**environment),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    found = Watching(process)
    reader = threading.Thread(target=found.read)
    reader.start()
    try:
        yield found
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        reader.join()
        assert process.stderr is not None
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_looks_again_and_again_until_it_is_told_to_stop(promoted: Loans, number: signal.Signals) -> None:
    with watching(promoted, "--every", "1s", "--enforce") as watcher:
        watcher.wait_for("the registry holds what the log says", times=2)
        steal(promoted)
        watcher.wait_for("WENT ROUND THE GATE: 1 finding (1 new)")
        watcher.wait_for("superseded: loan/2 holds champion")
        watcher.wait_for("put back to loan/1")
        before = watcher.looks()
        watcher.wait_for("looked at", times=before + 1)
        watcher.process.send_signal(number)
        assert watcher.process.wait(30) == 0
    assert watcher.lines[-1] == "aims watch: stopped"
    assert promoted.aliases() == {"champion": "1"}
    promoted.aims("evidence", "verify", expect=0)


def test_it_goes_on_where_one_look_fails(promoted: Loans) -> None:
    config = promoted.folder / "aims.yaml"
    with watching(promoted, "--every", "1s") as watcher:
        watcher.wait_for("the registry holds what the log says")
        config.rename(config.with_suffix(".away"))
        watcher.wait_for("COULD NOT LOOK:")
        config.with_suffix(".away").rename(config)
        watcher.wait_for("the registry holds what the log says", times=watcher.looks() + 1)


@dataclass
class Receiver:
    """Takes what is posted to it."""

    port: int
    got: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Receiver(server.server_address[1], got)
    server.shutdown()
    server.server_close()


def test_people_are_told_of_what_is_new_and_only_of_that(promoted: Loans, receiver: Receiver) -> None:
    address = f"json://127.0.0.1:{receiver.port}"
    promoted.aims("watch", "--once", expect=0, AIMS_NOTIFY=address)
    assert receiver.got == []
    steal(promoted)
    promoted.aims("watch", "--once", expect=4, AIMS_NOTIFY=address)
    promoted.aims("watch", "--once", expect=4, AIMS_NOTIFY=address)
    (told,) = receiver.got
    assert told["title"] == "aims watch: 1 new finding"
    assert told["message"].startswith("superseded: loan/2 holds champion; loan/1 was promoted to champion on ")
    assert "@" not in told["message"]


def test_an_address_that_takes_nothing_breaks_no_look_and_is_not_shown(promoted: Loans) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    steal(promoted)
    answer = promoted.aims("watch", "--once", expect=4, AIMS_NOTIFY=f"json://user:hunter2@127.0.0.1:{port}")
    answer.says("nobody was told: address 1 of AIMS_NOTIFY took no message", "superseded loan/2")
    assert "hunter2" not in answer.text


def test_an_address_that_is_none_is_said(promoted: Loans) -> None:
    steal(promoted)
    promoted.aims("watch", "--once", expect=4, AIMS_NOTIFY="nonsense").says(
        "nobody was told: address 1 of AIMS_NOTIFY is none that apprise knows"
    )


def test_without_apprise_the_missing_extra_is_named(promoted: Loans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    steal(promoted)
    promoted.aims("watch", "--once", expect=4, AIMS_NOTIFY="json://127.0.0.1:1").says(
        "nobody was told: AIMS_NOTIFY is set, and the library apprise is not installed",
        "(pip install 'aims-mlops[notify]')",
    )


def deliver(port: int, *, body: bytes = b"{}", id_: str = "d-1", **changes: str) -> int:
    """Post a delivery, signed as MLflow signs, with some headers changed (empty: left out); return the status."""
    stamp = changes.pop("stamp", str(int(time.time())))
    content = f"{id_}.{stamp}.".encode() + changes.pop("signed", body.decode()).encode()
    signature = base64.b64encode(hmac.new(SECRET.encode(), content, hashlib.sha256).digest()).decode()
    headers = {"X-MLflow-Delivery-Id": id_, "X-MLflow-Timestamp": stamp, "X-MLflow-Signature": f"v1,{signature}"}
    headers |= {f"X-MLflow-{name.title()}": value for name, value in changes.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/", body, {name: value for name, value in headers.items() if value})
        return connection.getresponse().status
    finally:
        connection.close()


def claim(port: int, length: int) -> int:
    """Say how long a delivery would be, and send nothing of it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@contextlib.contextmanager
def listening(loans: Loans) -> Iterator[tuple[Watching, int]]:
    secret: Path = loans.folder / "webhook.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    arguments = ["--listen", "127.0.0.1:0", "--secret-file", "webhook.secret", "--every", "1h"]
    with watching(loans, *arguments) as watcher:
        watcher.wait_for("listening at port ")
        watcher.wait_for("looked at")
        yield watcher, int(watcher.lines[0].rpartition(" ")[2])


def test_a_genuine_delivery_starts_a_look_and_a_forged_one_does_not(promoted: Loans) -> None:
    with listening(promoted) as (watcher, port):
        steal(promoted)
        assert deliver(port) == 202
        watcher.wait_for("WENT ROUND THE GATE")
        assert deliver(port) == 409, "a delivery counts once"
        assert deliver(port, id_="d-2", signature="") == 401
        assert deliver(port, id_="d-2", signature="v1,AAAA") == 401
        assert deliver(port, id_="d-2", signed="{ }") == 401
        assert deliver(port, id_="d-2", stamp=str(int(time.time()) - 301)) == 401
        assert deliver(port, id_="d-2", stamp=str(int(time.time()) + 301)) == 401
        assert claim(port, (1 << 20) + 1) == 413
        assert watcher.looks() == 2
        assert deliver(port, id_="d-2") == 202, "none of those was remembered"
        watcher.wait_for("looked at", times=3)


def test_many_deliveries_during_a_look_give_one_more(promoted: Loans) -> None:
    """The signer's lock is held here, so that the look which a finding starts waits, and deliveries pile up."""
    from aims_mlops.adapters.stores import open_store
    from aims_mlops.api.locking import lock_name

    with listening(promoted) as (watcher, port):
        steal(promoted)
        with open_store("sqlite:///aims.db", root=promoted.folder).lock(lock_name("loan")):
            assert deliver(port, id_="first") == 202
            time.sleep(3)
            assert [deliver(port, id_=f"more-{number}") for number in range(8)] == [202] * 8
            assert watcher.looks() == 1, "the look waits for a promotion under way"
        watcher.wait_for("looked at", times=3)
        time.sleep(3)
        assert watcher.looks() == 3


def test_whoever_hangs_up_or_dawdles_keeps_nobody_else_out(promoted: Loans) -> None:
    with listening(promoted) as (watcher, port):
        dawdling = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
        dawdling[0].sendall(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12")
        dawdling[0].close()
        assert deliver(port) == 202
        watcher.wait_for("looked at", times=2)
        for one in dawdling[1:]:
            one.close()
