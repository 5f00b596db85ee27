"""A small HTTP server that listens for webhooks: each genuine delivery calls a function, everything else is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any, Protocol

from aims_mlops.errors import UsageError

LARGEST = 1 << 20
"""Bytes that a delivery may have."""

AT_ONCE = 16
"""Connections that are served at once; more are closed."""

PATIENCE = 10.0
"""Seconds that a caller may take to say what it wants."""


class Webhook(Protocol):
    """Says whether a delivery is genuine."""

    def refusal(self, headers: Mapping[str, str], body: bytes, *, now: float) -> tuple[int, str] | None:
        """Return None for a genuine delivery, else an HTTP status and a sentence. Header names are in lower case."""
        ...


def parse_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT` or `[::1]:PORT`; raise `UsageError` for anything else."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"{text!r} is not an address to listen at", hint="write HOST:PORT, e.g. 127.0.0.1:8787")
    return host.removeprefix("[").removesuffix("]"), int(port)


@contextmanager
def listening(address: tuple[str, int], webhook: Webhook, delivered: Callable[[], None]) -> Iterator[int]:
    """Listen inside the `with`, and call `delivered` for each genuine delivery; yields the port.

    `delivered` must return at once. Raises `UsageError` where nobody can listen at the address.
    """
    try:
        server = _Server(address, webhook, delivered)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"nothing can listen at {address[0]}:{address[1]}: {error}", hint="name another one"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="aims-listener", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], webhook: Webhook, delivered: Callable[[], None]) -> None:
        if ":" in address[0]:
            import socket as sockets

            self.address_family = sockets.AF_INET6
        self.webhook, self.delivered = webhook, delivered
        self._free = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Serve in a thread, unless too many are served already."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Serve, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Say nothing: a caller that hangs up is nobody's error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE
    server_version = "aims-watch"
    sys_version = ""

    def do_POST(self) -> None:  # the standard library's name
        """Judge one delivery."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._answer(HTTPStatus.LENGTH_REQUIRED, "a delivery says how long it is")
        elif int(length) > LARGEST:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a delivery has no more than {LARGEST} bytes")
        else:
            self._judge(self.rfile.read(int(length)), int(length))

    def _judge(self, body: bytes, length: int) -> None:
        if len(body) != length:
            self._answer(HTTPStatus.BAD_REQUEST, "the delivery is cut off")
            return
        # What stands twice is put together, as HTTP has it: no signature covers that.
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        refused = self.server.webhook.refusal(headers, body, now=time.time())
        if refused is not None:
            self._answer(HTTPStatus(refused[0]), refused[1])
            return
        self.server.delivered()
        self._answer(HTTPStatus.ACCEPTED, "aims watch looks now")

    def _answer(self, status: HTTPStatus, text: str) -> None:
        content = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
        """Keep quiet: what counts is said by the look that follows."""
