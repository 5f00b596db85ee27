"""SHA-256 digests, the only identity that evidence knows."""

from __future__ import annotations

import hashlib
import re
from typing import Self

_FORM = re.compile(r"sha256:[0-9a-f]{64}\Z")


class Digest(str):
    """A digest as it is written everywhere: `sha256:` and 64 lower-case hexadecimal digits."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take a digest's text; raise `ValueError` for any other form."""
        if not _FORM.match(text):
            raise ValueError(f"not a digest: {text[:80]!r} (expected sha256: and 64 lower-case hex digits)")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return the digest of some bytes."""
        return str.__new__(cls, "sha256:" + hashlib.sha256(content).hexdigest())

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Return the digest with these 64 hexadecimal digits."""
        return cls("sha256:" + text)

    @property
    def hex(self) -> str:
        """The 64 digits alone, as in-toto and `sha256sum` write them."""
        return self[7:]

    @property
    def short(self) -> str:
        """The first 12 digits, for people. Never compare these."""
        return self[7:19]
