"""Key pairs in files: PKCS#8 behind a passphrase, and the public half beside it. A key is never made unasked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from aims_mlops.adapters.private_files import read_private, write_private, write_public
from aims_mlops.errors import SigningError, UsageError
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey

Algorithm = Literal["ecdsa-p256", "ed25519"]
_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_PERSON = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
_IGNORED = ("*.pem", "!*.pub.pem", "!.gitignore")


def private_path(folder: Path, person: str) -> Path:
    """Where a person's private key lies."""
    return folder / f"{person}.pem"


def public_path(folder: Path, person: str) -> Path:
    """Where a person's public key lies."""
    return folder / f"{person}.pub.pem"


def reference_path(folder: Path, person: str) -> Path:
    """Where it is said, by URI, that a person's private key lies somewhere else."""
    return folder / f"{person}.uri"


def new_key(folder: Path, person: str, *, passphrase: bytes, algorithm: Algorithm = "ecdsa-p256") -> tuple[Path, Path]:
    """Make a key pair for a person and return the paths of its private and its public file.

    The folder gets mode 0700 where it is made here, and a `.gitignore` for the private files. Never overwrites.
    Raises `UsageError` for a name that is not an id or is taken, and `SigningError` for an empty passphrase or a
    folder that cannot be written. Not checked: whether aims.yaml knows the person.
    """
    refuse_other_names(person)
    if not passphrase:
        raise SigningError("an empty passphrase protects nothing", hint="choose a passphrase and repeat")
    private, public = private_path(folder, person), public_path(folder, person)
    refuse_taken(private, public, reference_path(folder, person))
    key: _PrivateKey = (
        ec.generate_private_key(ec.SECP256R1()) if algorithm == "ecdsa-p256" else ed25519.Ed25519PrivateKey.generate()
    )
    with keys_folder_ready(folder):
        _write_pair(key, private, public, passphrase=passphrase)
    return private, public


def refuse_other_names(person: str) -> None:
    """Raise `UsageError` for a name that is not an id, and so might lead out of the folder."""
    if not _PERSON.match(person):
        raise UsageError(
            f"{person!r} is not an id", hint="use the person's id in aims.yaml: a-z, 0-9, - and _, e.g. income-owner"
        )


@contextmanager
def keys_folder_ready(folder: Path) -> Iterator[None]:
    """Make the folder and its `.gitignore`, let the block write there; raise `SigningError` where that fails."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _ignore_private_files(folder / ".gitignore")
        yield
    except OSError as error:
        raise SigningError(
            f"the key cannot be written in {folder}: {error.strerror}", hint="see that the folder can be written"
        ) from error


def _write_pair(key: _PrivateKey, private: Path, public: Path, *, passphrase: bytes) -> None:
    write_private(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)))
    try:
        write_public(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except OSError:
        private.unlink()  # made a moment ago, and nothing was signed with it
        raise


def refuse_taken(*paths: Path) -> None:
    """Raise `UsageError` where one of the names is taken, even by a link that leads nowhere."""
    for path in paths:
        if os.path.lexists(path):
            raise UsageError(
                f"{path} is there already, and a key is never overwritten",
                hint=f"sign with it, or move it away first: mv {path} {path}.old",
            )


def _ignore_private_files(path: Path) -> None:
    """Make git leave private keys alone; keeps what is there, and adds what the last word of it does not say."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rules = [line.strip() for line in lines if line.strip() in _IGNORED]
    if tuple(rules[-len(_IGNORED) :]) != _IGNORED:
        path.write_text("\n".join([*lines, *_IGNORED]) + "\n", encoding="utf-8")


def read_public_key(path: Path) -> PublicKey:
    """Return the public key in a PEM file; raise `SigningError` for anything but P-256 or Ed25519."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except FileNotFoundError as error:
        raise SigningError(
            f"{path} is missing", hint=f"write it from the private key: openssl pkey -in KEY.pem -pubout -out {path}"
        ) from error
    except (OSError, ValueError) as error:
        raise SigningError(f"{path} is not a public key in PEM form", hint="put the right file back") from error
    known = known_key(key)
    if known is None:
        raise SigningError(
            f"{path}: only ECDSA P-256 and Ed25519 keys can sign", hint="make another key: aims keys new PERSON"
        )
    return known


def known_key(key: object) -> PublicKey | None:
    """Return a public key of `cryptography` as ours; None for anything but ECDSA P-256 and Ed25519."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "ed25519")
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return PublicKey(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "ecdsa-p256")
    return None


class FileSigner:
    """`ports.Signer` with a private key in a file. The key is decrypted when something is first signed."""

    def __init__(
        self, folder: Path, person: str, *, passphrase: Callable[[], bytes], private: Path | None = None
    ) -> None:
        """Take the folder of the key files and the person whose key it is; `passphrase` is asked at most once.

        `private` is where the private file lies, if not in the folder.
        """
        self._person = person
        self._private = private or private_path(folder, person)
        self._public = public_path(folder, person)
        self._passphrase = passphrase
        self._unlocked: _PrivateKey | None = None
        self._open_id: Digest | None = None

    def __repr__(self) -> str:
        return f"FileSigner({self._person!r}, {str(self._private)!r})"

    def __reduce__(self) -> str:
        raise TypeError("a signer is not copied to another process: it may hold an open key")

    @property
    def person(self) -> str:
        """The id in aims.yaml of whose key this is."""
        return self._person

    @property
    def key_id(self) -> Digest:
        """SHA-256 of the public key's DER form, from the public file; `SigningError` where that is missing.

        Once the key is open it is the open key's: both were compared then.
        """
        return read_public_key(self._public).id if self._open_id is None else self._open_id

    def sign(self, message: bytes) -> bytes:
        """Sign some bytes: ECDSA over SHA-256 in DER form, or Ed25519.

        Raises `SigningError` where the key is missing, others can read it, the passphrase is wrong, or the private
        and the public file do not belong together.
        """
        from securesystemslib.signer import CryptoSigner

        if self._unlocked is None:
            self._unlocked = self._unlock()
        return bytes.fromhex(CryptoSigner(self._unlocked).sign(message).signature)

    def check(self) -> None:
        """Raise `SigningError` where the private file is missing or others can read it. Decrypts nothing."""
        _read(self._private, self._person)

    def _unlock(self) -> _PrivateKey:
        key = _decrypt(self._private, self._person, self._passphrase)
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if spki != read_public_key(self._public).spki:
            raise SigningError(
                f"{self._private} and {self._public} are not of the same key",
                hint=f"put the right public key there: openssl pkey -in {self._private} -pubout -out {self._public}",
            )
        self._open_id = Digest.of(spki)
        return key


def public_half(private: Path, person: str, *, passphrase: Callable[[], bytes]) -> PublicKey:
    """Open a private file and return its public key; raise `SigningError` as signing does."""
    key = known_key(_decrypt(private, person, passphrase).public_key())
    assert key is not None, "no other kind is decrypted"
    return key


def _read(private: Path, person: str) -> bytes:
    try:
        return read_private(private)
    except FileNotFoundError as error:
        raise SigningError(
            f"no private key of {person!r} at hand: {private} is missing",
            hint=f"aims keys new {person}, or put the key file there",
        ) from error


def _decrypt(private: Path, person: str, passphrase: Callable[[], bytes]) -> _PrivateKey:
    content = _read(private, person)
    # PKCS#8 says by its label whether it is encrypted; that a passphrase is at hand must not decide it.
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in content:
        raise SigningError(
            f"{private} is not a private key behind a passphrase (encrypted PKCS#8)",
            hint=f"openssl pkcs8 -topk8 -v2 aes-256-cbc -in {private} -out NEW.pem, then put NEW.pem there",
        )
    try:
        key = load_pem_private_key(content, passphrase())
    except (ValueError, TypeError) as error:
        raise SigningError(
            f"{private}: wrong passphrase, or the file is damaged",
            hint="see AIMS_KEY_PASSPHRASE, AIMS_KEY_PASSPHRASE_FILE or the keyring, or type it again",
        ) from error
    if isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) and known_key(key.public_key()):
        return key
    raise SigningError(f"{private}: only ECDSA P-256 and Ed25519 keys can sign", hint=f"aims keys new {person}")
