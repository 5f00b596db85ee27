"""The small HTTP server under `aims watch --listen` and `aims log witness --serve`: few connections, and no waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, socket
from typing import Any

from aims_mlops.errors import UsageError

AT_ONCE = 16
"""Connections that are served at once; more are closed."""

PATIENCE = 10.0
"""Seconds that a caller may take to say what it wants."""


def parse_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT` or `[::1]:PORT`; raise `UsageError` for anything else."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"{text!r} is not an address to listen at", hint="write HOST:PORT, e.g. 127.0.0.1:8787")
    return host.removeprefix("[").removesuffix("]"), int(port)


class BoundedServer(ThreadingHTTPServer):
    """Serves `AT_ONCE` connections, each in a thread of its own."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        """Listen at an address; raises `OSError` or `OverflowError` where nobody can."""
        if ":" in address[0]:
            self.address_family = AF_INET6
        self._free = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, handler)

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


@contextmanager
def served(address: tuple[str, int], make: Callable[[], BoundedServer], *, name: str) -> Iterator[int]:
    """Serve inside the `with`, in a thread of this name; yields the port.

    Raises `UsageError` where nobody can listen at the address.
    """
    try:
        server = make()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"nothing can listen at {address[0]}:{address[1]}: {error}", hint="name another one"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name=name, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
