"""Where a private key is that is not `keys/PERSON.pem`: a URI in `keys/PERSON.uri`, and the kinds of URI there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from aims_mlops.errors import SigningError

LIMIT = 2048
"""How many bytes a reference may have."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of place for private keys: how its URIs look, and what has to be installed for it."""

    scheme: str
    place: str
    form: str
    pattern: re.Pattern[str]
    extra: str = ""


_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
KINDS = (
    Kind("file", "an encrypted file elsewhere", "file:PATH", re.compile(r"file:(?://(?=/))?(?P<path>[^?#]+)")),
    Kind(
        "hsm",
        "a PKCS#11 token",
        "hsm:[ID]?label=TOKEN",
        re.compile(r"hsm:(?P<id>[0-9]{1,9})?(?:\?label=(?P<label>[^&=#?]+))?"),
        "hsm",
    ),
    Kind(
        "hv",
        "Vault's transit engine",
        "hv:KEY/VERSION",
        re.compile(rf"hv:(?P<name>{_NAME})(?:/(?P<version>[1-9][0-9]*))?"),
        "vault",
    ),
    Kind("awskms", "AWS KMS", "awskms:KEY-ID, ARN or alias/NAME", re.compile(r"awskms:(?P<id>[\w:/+=,.@-]+)"), "aws"),
    Kind(
        "gcpkms",
        "Google Cloud KMS",
        "gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V",
        re.compile(
            r"gcpkms:(?P<id>projects/[\w.:-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+/cryptoKeyVersions/\d+)"
        ),
        "gcp",
    ),
    # The host is held to Key Vault's own: a token for Azure goes to whatever host stands here.
    Kind(
        "azurekms",
        "Azure Key Vault",
        "azurekms://VAULT.vault.azure.net/keys/KEY/VERSION",
        re.compile(
            r"azurekms://(?P<vault>[A-Za-z0-9-]+)\.vault\.azure\.net/keys/(?P<name>[A-Za-z0-9-]+)(?:/[0-9a-f]+)?"
        ),
        "azure",
    ),
)
"""All there are, in the words of securesystemslib."""


@dataclass(frozen=True, slots=True)
class KeyUri:
    """A URI of one of the kinds. Names a key and holds no secret: it may be printed, and committed."""

    text: str
    kind: Kind

    def __str__(self) -> str:
        return self.text

    def part(self, name: str) -> str:
        """Return a named part of it, empty where it has none."""
        match = self.kind.pattern.fullmatch(self.text)
        return (match and match[name]) or ""

    def file(self, folder: Path) -> Path:
        """Where the file of a `file:` URI lies; a relative one starts from the folder of the reference."""
        return folder / self.part("path")


def parse_uri(text: str, *, source: str) -> KeyUri:
    """Return the URI that was given; `source` says where, for the message.

    Raises `SigningError` for an unknown kind, and for a form that does not fit. Not checked: whether the key is there.
    """
    scheme = text.partition(":")[0]
    kind = next((kind for kind in KINDS if kind.scheme == scheme), None)
    if kind is None:
        raise SigningError(f"{source}: {text[:80]!r} says no kind of place that is known", hint=_all_kinds())
    if not kind.pattern.fullmatch(text):
        raise SigningError(
            f"{source}: {text[:80]!r} does not name a key in {kind.place}",
            hint=f"write it as {kind.form}, with nothing else: PINs, tokens and addresses come from the environment",
        )
    return KeyUri(text, kind)


def read_reference(path: Path) -> KeyUri:
    """Return the URI in a file of one line; raise `SigningError` where it is none, or cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
        text = content.decode("ascii").strip()
    except OSError as error:
        raise SigningError(f"{path} cannot be read ({error.strerror})", hint="put the reference back") from error
    except ValueError as error:
        raise SigningError(f"{path} is not a line of ASCII", hint=_all_kinds()) from error
    if len(content) > LIMIT:
        raise SigningError(f"{path} is longer than {LIMIT} bytes, and holds one URI", hint=_all_kinds())
    return parse_uri(text, source=str(path))


def _all_kinds() -> str:
    forms = (kind.form + (f" (pip install 'aims-mlops[{kind.extra}]')" if kind.extra else "") for kind in KINDS)
    return "one line with one of: " + "; ".join(forms)
