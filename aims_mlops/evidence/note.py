"""Signed notes (C2SP signed-note v1.0.0): a text, and lines that say who signed it.

1. The text ends in a newline; the last empty line sets it apart from the signatures. UTF-8, and no control character
   but the newline.
2. Key name and key id name a key together. A signature of an unknown key is no signature and no mistake.
3. A signature of a known key that does not hold makes the whole note worthless: somebody tampered with it.
4. However often a key signed, it signed once.

Two kinds of signature: Ed25519 over the text (0x01), and a witness's cosignature with its time (0x04, C2SP
tlog-cosignature v1).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.ed25519 import enrolled, raw_of
from aims_mlops.evidence.envelope import verify_signature
from aims_mlops.model.register import PublicKey

ED25519, COSIGNATURE = 0x01, 0x04
"""The signature types, as the specification numbers them."""

MAX_BYTES = 100_000
"""More than a note of ours with sixteen signatures of any kind ever needs."""

MAX_SIGNATURES = 64
"""The specification wants sixteen or more to be read."""

_KEY_ID_BYTES, _TIME_BYTES = 4, 8
_NAME = re.compile(r"[^\s+]+")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")


def unbase64(text: str, *, what: str) -> bytes:
    """Read standard base64 that is spelled as anybody would write it; raise `VerificationError` otherwise."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError(f"{what}: not base64") from error
    if base64.b64encode(content).decode() != text:
        raise VerificationError(f"{what}: base64 with stray bits")
    return content


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name, for one type of signature."""

    name: str
    kind: int
    key: PublicKey

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None or not self.name.isprintable():
            raise ValueError(f"{self.name[:80]!r} is not a key's name: no blanks and no +")
        if self.kind not in (ED25519, COSIGNATURE):
            raise ValueError(f"a key for signatures of type {self.kind:#04x}; 0x01 and 0x04 are supported")
        raw_of(self.key)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME+ID+BASE64`; raise `ValueError` that says what is wrong with it."""
        name, _, rest = text.partition("+")
        key_id, plus, encoded = rest.partition("+")  # base64 may have a + as well
        if not plus:
            raise ValueError(f"{text[:80]!r} is not a verifier key: NAME+ID+BASE64")
        try:
            content = unbase64(encoded, what="a verifier key")
        except VerificationError as error:
            raise ValueError(str(error)) from error
        found = cls(name, content[0] if content else 0, enrolled(content[1:]))
        if found.id.hex() != key_id:
            raise ValueError(f"the id of this key of {name} is {found.id.hex()}, not {key_id[:20]!r}")
        return found

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self._typed).decode()}"

    @property
    def id(self) -> bytes:
        """The four bytes that a signature names this key by, with its name. A hint: the key itself is known."""
        return hashlib.sha256(self.name.encode() + b"\n" + self._typed).digest()[:_KEY_ID_BYTES]

    @property
    def _typed(self) -> bytes:
        return bytes([self.kind]) + raw_of(self.key)

    def verifies(self, text: bytes, content: bytes) -> bool:
        """Whether the bytes after the key id are this key's signature of a text."""
        if self.kind == ED25519:
            return verify_signature(self.key, content, text)
        time = content[:_TIME_BYTES]
        if len(content) <= _TIME_BYTES or time[0] > 0x7F:  # the time must not exceed 2**63 - 1
            return False
        return verify_signature(self.key, content[_TIME_BYTES:], cosigned_message(text, int.from_bytes(time)))


def cosigned_message(text: bytes, time: int) -> bytes:
    """Return what a witness signs: that it saw this text at a time, in seconds since 1970."""
    return b"cosignature/v1\ntime %d\n%b" % (time, text)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line below a note: who claims to have signed, and what follows the key id."""

    name: str
    key_id: bytes
    content: bytes

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line without its newline; raise `VerificationError` for any other form."""
        found = _LINE.fullmatch(line)
        if found is None:
            raise VerificationError("note: a line below the text is not a signature")
        content = unbase64(found[2], what="note: a signature")
        if len(content) <= _KEY_ID_BYTES:
            raise VerificationError("note: a signature without content")
        return cls(found[1], content[:_KEY_ID_BYTES], content[_KEY_ID_BYTES:])

    @classmethod
    def of(cls, key: VerifierKey, signature: bytes, *, time: int | None = None) -> Self:
        """Return the line of a key's raw signature; a cosignature has the time that was signed."""
        stamp = b"" if time is None else time.to_bytes(_TIME_BYTES)
        return cls(key.name, key.id, stamp + signature)

    def __str__(self) -> str:
        return f"— {self.name} {base64.b64encode(self.key_id + self.content).decode()}"

    @property
    def time(self) -> int:
        """What a cosignature says its time is. Has no meaning for other types, and none before it is verified."""
        return int.from_bytes(self.content[:_TIME_BYTES])


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its signatures, as received. Nothing in it is believed before `signed_by`."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a note; raise `VerificationError` for any other form."""
        if len(content) > MAX_BYTES:
            raise VerificationError(f"note: {len(content)} bytes, more than {MAX_BYTES}")
        if _CONTROL.search(content):
            raise VerificationError("note: a control character")
        text, empty, below = content.rpartition(b"\n\n")
        try:
            lines = below.decode().split("\n")
            text.decode()
        except UnicodeDecodeError as error:
            raise VerificationError("note: not UTF-8") from error
        if not empty or lines.pop() or not lines:
            raise VerificationError("note: a text, an empty line and signatures are expected, each line ended")
        if len(lines) > MAX_SIGNATURES:
            raise VerificationError(f"note: {len(lines)} signatures, more than {MAX_SIGNATURES}")
        return cls(text + b"\n", tuple(NoteSignature.parse(line) for line in lines))

    def to_bytes(self) -> bytes:
        """Write the note; reading it gives the same back."""
        return self.text + b"\n" + "".join(f"{signature}\n" for signature in self.signatures).encode()

    def with_signatures(self, signatures: Iterable[NoteSignature]) -> Self:
        """Return the note with more signatures, each once."""
        return replace(self, signatures=tuple(dict.fromkeys((*self.signatures, *signatures))))

    def signed_by(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, NoteSignature]:
        """Return those keys that signed the text, each with the first of its signatures.

        Raises `VerificationError` where a signature in the name of one of these keys does not hold. What the text
        says, and whether these keys may say it, is **not** checked here.
        """
        known = {(key.name, key.id): key for key in keys}
        found: dict[VerifierKey, NoteSignature] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue
            if not key.verifies(self.text, signature.content):
                raise VerificationError(f"note: the signature of {key.name} does not hold")
            found.setdefault(key, signature)
        return found
