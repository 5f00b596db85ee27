"""Asking a C2SP witness over HTTP(S): one request, one short answer, no redirects and no passwords."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from aims_mlops.errors import CannotDecide, UsageError

PATIENCE = 20.0
"""Seconds that a witness may take."""

LARGEST = 1 << 20
"""Bytes that an answer may have."""


class WitnessClient:
    """`ports.Witness` at a submission prefix, e.g. `https://witness.example.org/aims`."""

    def __init__(self, address: str) -> None:
        """Connect to nothing yet; raise `UsageError` for an address that is not http(s), or has more than a path."""
        parts = urlsplit(address)
        try:
            port = parts.port
        except ValueError:
            port = None
            parts = parts._replace(scheme="")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise UsageError(f"{address!r} is not the address of a witness", hint="write https://HOST/PATH")
        self._host, self._port, self._secure = parts.hostname, port, parts.scheme == "https"
        self._path = parts.path.rstrip("/") + "/add-checkpoint"
        self.place = address

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the answer. Raises `CannotDecide`."""
        connection = (
            HTTPSConnection(self._host, self._port, timeout=PATIENCE, context=ssl.create_default_context())
            if self._secure
            else HTTPConnection(self._host, self._port, timeout=PATIENCE)
        )
        try:
            connection.request("POST", self._path, request, {"Content-Type": "text/plain; charset=utf-8"})
            answer = connection.getresponse()
            content = answer.read(LARGEST + 1)
        except (OSError, HTTPException) as error:
            hint = "see that it runs, and that the address is right; nothing was changed"
            raise CannotDecide(f"the witness {self.place} does not answer: {error}", hint=hint) from error
        finally:
            connection.close()
        if len(content) > LARGEST:
            raise CannotDecide(f"the witness {self.place} answered more than {LARGEST} bytes", hint="is it a witness?")
        return answer.status, content
