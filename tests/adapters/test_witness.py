"""Our witness and our client over a real socket: each answer of the protocol, and that nothing is forgotten."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from aims_mlops.adapters.bounded_server import AT_ONCE, PATIENCE
from aims_mlops.adapters.witness_client import WitnessClient
from aims_mlops.adapters.witness_server import WitnessService, witnessing
from aims_mlops.errors import CannotDecide, UsageError, VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import Checkpoint, open_checkpoint
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.note import COSIGNATURE, ED25519, Note, NoteSignature, VerifierKey
from aims_mlops.evidence.witnessing import AddCheckpoint, seen_from_bytes
from tests.builders import key

ORIGIN = "aims-mlops/a-log"
LOG, AUDIT = key("log", algorithm="ed25519"), key("audit", algorithm="ed25519")
LOG_KEY, AUDIT_KEY = VerifierKey(ORIGIN, ED25519, LOG.public), VerifierKey("w/audit", COSIGNATURE, AUDIT.public)
TREE = Tree(b"leaf %d" % number for number in range(60))
FORK = Tree(b"leaf %d" % (number if number < 9 else -number) for number in range(60))


@contextmanager
def served(state: Path, said: list[str] | None = None) -> Iterator[WitnessClient]:
    service = WitnessService(state, key=AUDIT_KEY, sign=AUDIT.sign, logs=[LOG_KEY], clock=lambda: 1_795_000_000.9)
    with witnessing(("127.0.0.1", 0), service, (said if said is not None else []).append) as port:
        yield WitnessClient(f"http://127.0.0.1:{port}")


def note(size: int, tree: Tree = TREE, *, origin: str = ORIGIN, signer: str = "log") -> Note:
    made = Checkpoint(origin, size, merkle.root(tree, size))
    who = key(signer, algorithm="ed25519")
    return made.sign(VerifierKey(origin, ED25519, who.public), who.sign)


def request(old: int, size: int, tree: Tree = TREE, **changes: str) -> bytes:
    proof = merkle.prove_consistency(tree, old, size) if old <= size else []
    return AddCheckpoint(old, tuple(proof), note(size, tree, **changes).to_bytes()).to_bytes()


def test_a_cosignature_comes_back_and_verifies(tmp_path: Path) -> None:
    said: list[str] = []
    with served(tmp_path / "seen.json", said) as client:
        status, answer = client.add_checkpoint(request(0, 20))
    assert status == 200
    line = NoteSignature.parse(answer.decode().removesuffix("\n"))
    content = note(20).with_signatures([line]).to_bytes()
    assert open_checkpoint(content, origin=ORIGIN, keys=[LOG_KEY]).witnesses([AUDIT_KEY]) == ("w/audit",)
    assert line.time == 1_795_000_000
    assert said == [f"200 {ORIGIN!r}"]


def test_each_refusal_has_its_number(tmp_path: Path) -> None:
    with served(tmp_path / "seen.json") as client:
        assert client.add_checkpoint(request(0, 20))[0] == 200
        assert client.add_checkpoint(b"hello")[0] == 400
        assert client.add_checkpoint(request(30, 20))[0] == 400
        assert client.add_checkpoint(request(20, 30, signer="stranger"))[0] == 403
        assert client.add_checkpoint(request(20, 30, origin="aims-mlops/another"))[0] == 404
        assert client.add_checkpoint(request(10, 30)) == (409, b"20\n")
        assert client.add_checkpoint(request(20, 20, FORK)) == (409, b"20\n")
        assert client.add_checkpoint(request(20, 30, FORK))[0] == 422
        assert client.add_checkpoint(request(20, 30))[0] == 200


def test_a_witness_that_starts_again_has_forgotten_nothing(tmp_path: Path) -> None:
    state = tmp_path / "seen.json"
    with served(state) as client:
        client.add_checkpoint(request(0, 20))
    with served(state) as client:
        assert client.add_checkpoint(request(0, 30, FORK)) == (409, b"20\n")
        assert client.add_checkpoint(request(10, 10)) == (409, b"20\n")
        assert client.add_checkpoint(request(20, 30))[0] == 200
    assert seen_from_bytes(state.read_bytes())[ORIGIN].size == 30


def test_a_witness_whose_memory_is_taken_away_cosigns_nothing(tmp_path: Path) -> None:
    state = tmp_path / "seen.json"
    with served(state) as client:
        client.add_checkpoint(request(0, 20))
        state.unlink()
        status, answer = client.add_checkpoint(request(0, 30, FORK))
        assert (status, b"is gone" in answer) == (500, True)
        state.write_bytes(b"{}")
        assert client.add_checkpoint(request(0, 30, FORK))[0] == 500
    with pytest.raises(VerificationError, match="the witness's state"), served(state):
        pass


def test_of_two_histories_at_the_same_moment_one_is_cosigned(tmp_path: Path) -> None:
    answers: list[int] = []
    with served(tmp_path / "seen.json") as client:
        place = client.place
        start = threading.Barrier(8)

        def race(tree: Tree) -> None:
            start.wait()
            answers.append(WitnessClient(place).add_checkpoint(request(0, 20, tree))[0])

        threads = [threading.Thread(target=race, args=(tree,)) for tree in (TREE, FORK) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [200, *[409] * 7]


def asked(client: WitnessClient, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
    connection = HTTPConnection(client.place.removeprefix("http://"), timeout=10)
    try:
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_anything_else_is_refused(tmp_path: Path) -> None:
    with served(tmp_path / "seen.json") as client:
        assert asked(client, "POST", "/", {"Content-Length": "0"}) == 404
        assert asked(client, "POST", "/add-checkpoint", {}) == 400
        assert asked(client, "POST", "/add-checkpoint", {"Content-Length": "99999999"}) == 400
        assert asked(client, "GET", "/add-checkpoint", {}) == 501
        assert client.add_checkpoint(request(0, 20))[0] == 200


@pytest.mark.parametrize(
    "address",
    ["witness.example.org", "ftp://example.org", "https://", "https://a:b@example.org", "http://h?x=1", "http://h:x"],
)
def test_another_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a witness"):
        WitnessClient(address)


def test_a_witness_that_is_away_is_said(tmp_path: Path) -> None:
    with served(tmp_path / "seen.json") as client:
        pass
    with pytest.raises(CannotDecide, match="does not answer"):
        client.add_checkpoint(b"")


def test_nobody_can_listen_where_somebody_does(tmp_path: Path) -> None:
    with served(tmp_path / "one.json") as client:
        port = int(client.place.rpartition(":")[2])
        service = WitnessService(tmp_path / "two.json", key=AUDIT_KEY, sign=AUDIT.sign, logs=[], clock=lambda: 0.0)
        with (
            pytest.raises(UsageError, match="nothing can listen at 127"),
            witnessing(("127.0.0.1", port), service, print),
        ):
            pass


def test_a_witness_serves_so_many_callers_at_once_and_no_more(tmp_path: Path) -> None:
    with served(tmp_path / "seen.json") as client, ExitStack() as open_:
        address = "127.0.0.1", int(client.place.rpartition(":")[2])
        idle = [open_.enter_context(socket.create_connection(address, timeout=PATIENCE)) for _ in range(AT_ONCE)]
        with pytest.raises(CannotDecide, match="does not answer"):  # who came first was accepted first
            client.add_checkpoint(request(0, 20))
        for one in idle:
            one.close()
        assert eventually(lambda: client.add_checkpoint(request(0, 20))[0]) == 200


def eventually(ask: Callable[[], int]) -> int:
    """Return the first answer: room is made a moment after a caller has gone."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except CannotDecide:
            if time.monotonic() > until:
                raise
