"""One request over HTTP(S) to somebody outside: no redirects, no passwords, a short answer and a limited patience."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Self
from urllib.parse import urlsplit

from aims_mlops.errors import CannotDecide, UsageError

PATIENCE = 20.0
"""Seconds that an answer may take."""

LARGEST = 1 << 20
"""Bytes that an answer may have."""


@dataclass(frozen=True)
class Outside:
    """Somebody at an address; `who` is what they are called in messages: `witness`."""

    who: str
    place: str
    host: str
    port: int | None
    secure: bool
    path: str

    @classmethod
    def at(cls, address: str, *, who: str) -> Self:
        """Read an address; raise `UsageError` for one that is not http(s), or has more than a path."""
        parts = urlsplit(address)
        try:
            port = parts.port
        except ValueError:
            port = None
            parts = parts._replace(scheme="")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise UsageError(f"{address!r} is not the address of a {who}", hint="write https://HOST/PATH")
        return cls(who, address, parts.hostname, port, parts.scheme == "https", parts.path.rstrip("/"))

    def post(self, body: bytes, content_type: str, *, under: str = "") -> tuple[int, bytes]:
        """Send a body; return the status and the body of the answer. Raises `CannotDecide`."""
        connection = (
            HTTPSConnection(self.host, self.port, timeout=PATIENCE, context=ssl.create_default_context())
            if self.secure
            else HTTPConnection(self.host, self.port, timeout=PATIENCE)
        )
        try:
            connection.request("POST", (self.path + under) or "/", body, {"Content-Type": content_type})
            answer = connection.getresponse()
            content = answer.read(LARGEST + 1)
        except (OSError, HTTPException) as error:
            hint = "see that it runs, and that the address is right; nothing was changed"
            raise CannotDecide(f"the {self.who} {self.place} does not answer: {error}", hint=hint) from error
        finally:
            connection.close()
        if len(content) > LARGEST:
            what = f"the {self.who} {self.place} answered more than {LARGEST} bytes"
            raise CannotDecide(what, hint=f"is it a {self.who}?")
        return answer.status, content
