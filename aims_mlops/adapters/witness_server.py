"""A small C2SP witness: it cosigns checkpoints of the logs that it knows, as long as each of them only grows.

What it saw of each log stands in one file, replaced as a whole and on the disk before an answer leaves. A witness that
forgot would cosign a second history: where the file is gone, it refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from aims_mlops.adapters.bounded_server import PATIENCE, BoundedServer, served
from aims_mlops.adapters.state_file import StateFile
from aims_mlops.errors import AimsError, StoreError
from aims_mlops.evidence.checkpoint import Sign, cosign
from aims_mlops.evidence.note import MAX_BYTES, VerifierKey
from aims_mlops.evidence.witnessing import Ruling, Seen, judge, seen_from_bytes, seen_to_bytes

_PATH = "/add-checkpoint"


class WitnessState(StateFile[dict[str, Seen]]):
    """What a witness saw of each log, in one file."""

    parse = staticmethod(seen_from_bytes)
    damaged = "what the witness saw was written over: put the file back from a backup, or use a new key with a new file"

    def make(self) -> None:
        """Make the file where there is none: a new witness has seen nothing."""
        with self._locked():
            if self.read() is None:
                self._replace(seen_to_bytes({}))

    def rule(self, body: bytes, logs: Mapping[str, Sequence[VerifierKey]]) -> Ruling:
        """Rule on a request, and remember what is to be cosigned: both in one turn, which others wait for."""
        with self._locked():
            seen = self.read()
            if seen is None:
                raise StoreError(f"{self.path} is gone: what this witness saw is forgotten", hint=self.damaged)
            ruling = judge(body, logs, seen)
            if ruling.seen is not None and seen.get(ruling.origin) != ruling.seen:
                self._replace(seen_to_bytes({**seen, ruling.origin: ruling.seen}))
        return ruling


class WitnessService:
    """What the server asks: a key that cosigns, the logs that are known, and what was seen of them."""

    def __init__(
        self, state: Path, *, key: VerifierKey, sign: Sign, logs: Sequence[VerifierKey], clock: Callable[[], float]
    ) -> None:
        """Make the state where it is new. A log's origin is the name of its key."""
        self.key, self._sign, self._clock = key, sign, clock
        self._logs: dict[str, list[VerifierKey]] = {}
        for log in logs:
            self._logs.setdefault(log.name, []).append(log)
        self._state = WitnessState(state)
        self._state.make()

    def answer(self, body: bytes) -> tuple[HTTPStatus, str, str]:
        """Return status, content type and text of the answer to a request."""
        try:
            ruling = self._state.rule(body, self._logs)
            text = ruling.text
            if ruling.note is not None:
                text = str(cosign(ruling.note, self.key, self._sign, time=int(self._clock())))
        except AimsError as error:
            return HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", f"{error}\n"
        return ruling.status, ruling.content_type, f"{text}\n"


@contextmanager
def witnessing(address: tuple[str, int], service: WitnessService, say: Callable[[str], None]) -> Iterator[int]:
    """Serve inside the `with`, and say a line for each answer; yields the port.

    Raises `UsageError` where nobody can listen at the address.
    """
    with served(address, lambda: _Server(address, service, say), name="aims-witness") as port:
        yield port


class _Server(BoundedServer):
    def __init__(self, address: tuple[str, int], service: WitnessService, say: Callable[[str], None]) -> None:
        self.service, self.say = service, say
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE
    server_version = "aims-witness"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the standard library's name
        """Answer one request."""
        length = self.headers.get("Content-Length", "")
        if self.path != _PATH:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", f"a witness has {_PATH} and nothing else\n")
        elif not (length.isascii() and length.isdigit()) or int(length) > 2 * MAX_BYTES:
            said = f"a request says how long it is, at most {2 * MAX_BYTES} bytes\n"
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain; charset=utf-8", said)
        else:
            body = self.rfile.read(int(length))
            status, kind, text = self.server.service.answer(body)
            first = body.partition(b"\n\n")[2].partition(b"\n")[0][:80].decode("utf-8", "backslashreplace")
            self.server.say(f"{status.value} {first!r}")
            self._answer(status, kind, text)

    def _answer(self, status: HTTPStatus, content_type: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        if status is not HTTPStatus.OK:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
        """Keep quiet: what counts is said above."""
