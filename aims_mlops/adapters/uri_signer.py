"""Signs with a key that is kept in a token, a vault or a KMS, and enrols such a key."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from aims_mlops.adapters.key_backends import SecretRefused, check_installed, read_key, sign_with
from aims_mlops.adapters.key_files import (
    keys_folder_ready,
    known_key,
    private_path,
    public_half,
    public_path,
    read_public_key,
    reference_path,
    refuse_other_names,
    refuse_taken,
)
from aims_mlops.adapters.key_uris import KeyUri, parse_uri
from aims_mlops.adapters.private_files import write_public
from aims_mlops.errors import SigningError, UsageError
from aims_mlops.evidence.envelope import verify_signature
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey


class UriSigner:
    """`ports.Signer` with a private key that stays where a URI says. It is asked for when something is first signed."""

    def __init__(self, folder: Path, person: str, uri: KeyUri, *, secret: Callable[[], bytes]) -> None:
        """Take the folder of the public key and the person whose key it is; `secret` is asked at most once."""
        self._person = person
        self._uri = uri
        self._public = public_path(folder, person)
        self._secret = cache(secret)
        self._opened: tuple[PublicKey, Callable[[bytes], bytes]] | None = None
        self._refused: SecretRefused | None = None

    def __repr__(self) -> str:
        return f"UriSigner({self._person!r}, {self._uri.text!r})"

    def __reduce__(self) -> str:
        raise TypeError("a signer is not copied to another process: it may hold a PIN")

    @property
    def person(self) -> str:
        """The id in aims.yaml of whose key this is."""
        return self._person

    @property
    def key_id(self) -> Digest:
        """SHA-256 of the public key's DER form, from the public file; `SigningError` where that is missing.

        Once something was signed it is the key's that signs: both were compared then.
        """
        return read_public_key(self._public).id if self._opened is None else self._opened[0].id

    def check(self) -> None:
        """Raise `SigningError` where the library for this kind of place is missing. Connects to nothing."""
        check_installed(self._uri)

    def sign(self, message: bytes) -> bytes:
        """Sign some bytes: ECDSA over SHA-256 in DER form, or Ed25519.

        Raises `SigningError` where the key is away, is of another kind or another than the public file, where the PIN
        is wrong (it is not tried a second time), and for a signature that does not verify.
        """
        if self._refused is not None:
            raise SecretRefused(str(self._refused), hint=self._refused.hint)
        try:
            if self._opened is None:
                self._opened = self._open()
            key, sign = self._opened
            signature = sign(message)
        except SecretRefused as error:
            self._refused = error
            raise
        if not verify_signature(key, signature, message):
            raise SigningError(
                f"{self._uri}: what it signed does not verify with {self._public} (key id {key.id})",
                hint="nothing was recorded; see whether the name leads to another key since, and enrol that one",
            )
        return signature

    def _open(self) -> tuple[PublicKey, Callable[[bytes], bytes]]:
        enrolled = read_public_key(self._public)
        _, found = _supported(self._uri, self._secret)
        if found != enrolled:
            raise SigningError(
                f"{self._uri} is another key than {self._public}: expected key id {enrolled.id}, found {found.id}",
                hint="put the right URI or public key there; a new key is enrolled in aims.yaml first",
            )
        return enrolled, sign_with(self._uri, load_der_public_key(enrolled.spki), self._secret)


def add_key(folder: Path, person: str, text: str, *, secret: Callable[[], bytes]) -> tuple[Path, Path, str]:
    """Enrol a key that exists elsewhere; return the paths of its reference and its public file, and the URI written.

    Reads the public key there; signs nothing. A public file that is there already must be of that key. Never
    overwrites. Raises `UsageError` for a name that is taken or no id, `SigningError` for everything else.
    """
    refuse_other_names(person)
    reference, public = reference_path(folder, person), public_path(folder, person)
    refuse_taken(reference, private_path(folder, person))
    uri = parse_uri(text, source="--uri")
    if uri.kind.scheme == "file":
        text, key = uri.text, public_half(uri.file(folder), person, passphrase=secret)
    else:
        check_installed(uri)
        text, key = _supported(uri, cache(secret))
    there = read_public_key(public) if public.exists() else key
    if there != key:
        raise UsageError(
            f"{public} is there already, and of another key: its key id is {there.id}, that of {uri} is {key.id}",
            hint=f"move it away first, if {person!r} is to sign with this one: mv {public} {public}.old",
        )
    with keys_folder_ready(folder):
        write_public(reference, f"{text}\n".encode())
        if not public.exists():
            try:
                write_public(public, _pem(key))
            except OSError:
                reference.unlink()  # made a moment ago
                raise
    return reference, public, text


def _supported(uri: KeyUri, secret: Callable[[], bytes]) -> tuple[str, PublicKey]:
    text, found = read_key(uri, secret)
    key = known_key(found)
    # Of those places, securesystemslib signs with Ed25519 in Vault alone.
    if key is None or (key.algorithm == "ed25519" and uri.kind.scheme != "hv"):
        kind = getattr(getattr(found, "curve", None), "name", "") or type(found).__name__.lstrip("_")
        can = "ECDSA P-256 and Ed25519 keys" if uri.kind.scheme == "hv" else "ECDSA P-256 keys"
        raise SigningError(
            f"{uri}: a key of the kind {kind.removesuffix('PublicKey')}; only {can} can sign from {uri.kind.place}",
            hint="make a key on P-256 (secp256r1, NIST P-256) there, and name that one",
        )
    return text, key


def _pem(key: PublicKey) -> bytes:
    return load_der_public_key(key.spki).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
