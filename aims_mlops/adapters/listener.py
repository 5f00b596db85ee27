"""A small HTTP server that listens for webhooks: each genuine delivery calls a function, everything else is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from aims_mlops.adapters.bounded_server import PATIENCE, BoundedServer, served

LARGEST = 1 << 20
"""Bytes that a delivery may have."""


class Webhook(Protocol):
    """Says whether a delivery is genuine."""

    def refusal(self, headers: Mapping[str, str], body: bytes, *, now: float) -> tuple[int, str] | None:
        """Return None for a genuine delivery, else an HTTP status and a sentence. Header names are in lower case."""
        ...


@contextmanager
def listening(address: tuple[str, int], webhook: Webhook, delivered: Callable[[], None]) -> Iterator[int]:
    """Listen inside the `with`, and call `delivered` for each genuine delivery; yields the port.

    `delivered` must return at once. Raises `UsageError` where nobody can listen at the address.
    """
    with served(address, lambda: _Server(address, webhook, delivered), name="aims-listener") as port:
        yield port


class _Server(BoundedServer):
    def __init__(self, address: tuple[str, int], webhook: Webhook, delivered: Callable[[], None]) -> None:
        self.webhook, self.delivered = webhook, delivered
        super().__init__(address, _Handler)


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
