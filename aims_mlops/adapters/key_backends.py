"""Reads public keys from where private keys are kept, and opens signers there: through securesystemslib, one at a time.

What is different between the places is here; that a key is the enrolled one and that its signatures verify is held in
`uri_signer`, alike for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import Any, Protocol

from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from aims_mlops.adapters.key_uris import KeyUri
from aims_mlops.errors import SigningError

PATIENCE = 6
"""Seconds to wait for an answer, where a client takes such a limit from us: AWS, and Vault for the public key."""

Secret = Callable[[], bytes]
"""Returns the PIN of a token."""


class SecretRefused(SigningError):
    """A wrong PIN. To try it again locks the token, so whoever catches this must not."""


class Remote(Protocol):
    """A signer of securesystemslib."""

    def sign(self, payload: bytes) -> Any:
        """Return a signature."""
        ...


@dataclass(frozen=True)
class Backend:
    """How one kind of place is asked: the library that it needs, what that raises, and what to do then."""

    library: str
    raises: tuple[tuple[str, tuple[str, ...]], ...]
    hint: str
    read: Callable[[KeyUri, Secret], tuple[str, object]]
    """Returns the URI with everything in it that was left open, and the public key of `cryptography`."""
    open: Callable[[KeyUri, object, Secret], Remote]


def check_installed(uri: KeyUri) -> None:
    """Raise `SigningError` where the library for this kind of place is missing. Connects to nothing."""
    try:
        import_module(BACKENDS[uri.kind.scheme].library)
    except ImportError as error:
        raise SigningError(
            f"{uri}: the library for keys in {uri.kind.place} is not installed ({error})",
            hint=f"pip install 'aims-mlops[{uri.kind.extra}]'",
        ) from error


def read_key(uri: KeyUri, secret: Secret) -> tuple[str, object]:
    """Return the URI with everything that was left open in it, and the public key there; raise `SigningError`."""
    with _asking(uri) as backend:
        return backend.read(uri, secret)


def sign_with(uri: KeyUri, public_key: object, secret: Secret) -> Callable[[bytes], bytes]:
    """Return what signs bytes with the key there: ECDSA over SHA-256 in DER form, or Ed25519.

    Both raise `SigningError`. Not checked: that the key there is the one given, and that the signature is one.
    """
    with _asking(uri) as backend:
        remote = backend.open(uri, public_key, secret)

    def sign(message: bytes) -> bytes:
        with _asking(uri):
            return bytes.fromhex(remote.sign(message).signature)

    return sign


# A login in PKCS#11 belongs to the whole process: two sessions at a time log each other in and out.
_ONE_AT_A_TIME = Lock()


@contextmanager
def _asking(uri: KeyUri) -> Iterator[Backend]:
    check_installed(uri)
    backend = BACKENDS[uri.kind.scheme]
    from securesystemslib.exceptions import Error

    known = tuple(getattr(import_module(module), name) for module, names in backend.raises for name in names)
    try:
        if uri.kind.scheme == "hsm":
            with _ONE_AT_A_TIME:
                yield backend
        else:
            yield backend
    except (*known, Error, ValueError, KeyError, TypeError) as error:  # the last three: an answer of another shape
        said = type(error).__name__
        if said in _PIN:
            raise SecretRefused(f"{uri}: {_PIN[said][0]}", hint=_PIN[said][1]) from error
        first = next(iter(str(error).splitlines()), "") or said
        raise SigningError(
            f"{uri}: {uri.kind.place} did not answer as needed: {first[:300]}", hint=backend.hint
        ) from error


_WHERE = "see AIMS_KEY_PASSPHRASE, AIMS_KEY_PASSPHRASE_FILE or the keyring"
_PIN = {
    "PinIncorrect": ("wrong PIN", f"{_WHERE}; a token locks itself after a few wrong ones"),
    "PinInvalid": ("this cannot be the token's PIN", _WHERE),
    "PinLenRange": ("the PIN has a wrong length", _WHERE),
    "PinLocked": ("the token has locked itself after wrong PINs", "its security officer sets a new PIN"),
}


def _ambient(uri: KeyUri, public_key: object, secret: Secret) -> Remote:
    """Open a signer that takes its credentials from the environment, or asks for the PIN."""
    from securesystemslib.signer import Signer, SSlibKey

    remote: Remote = Signer.from_priv_key_uri(uri.text, SSlibKey.from_crypto(public_key), lambda _: secret().decode())
    return remote


def _public(key: Any) -> object:
    return load_pem_public_key(key.keyval["public"].encode())


def _read_token(uri: KeyUri, secret: Secret) -> tuple[str, object]:
    from securesystemslib.signer import HSMSigner

    number = uri.part("id")
    label = dict(_query(uri.text)).get("label")
    found, key = HSMSigner.import_(int(number) if number else None, label, lambda _: secret().decode())
    return found, _public(key)


def _query(text: str) -> list[tuple[str, str]]:
    from urllib.parse import parse_qsl

    return parse_qsl(text.partition("?")[2])


def _read_vault(uri: KeyUri, _secret: Secret) -> tuple[str, object]:
    # securesystemslib reads the newest version and Ed25519 alone; it signs with any version, and with P-256 as well.
    import hvac

    name = uri.part("name")
    versions = hvac.Client(timeout=PATIENCE).secrets.transit.read_key(name)["data"]["keys"]
    version = uri.part("version") or max(versions, key=int)
    if version not in versions:
        raise ValueError(f"no version {version} of the key {name!r}; there are {', '.join(sorted(versions, key=int))}")
    text = versions[version]["public_key"]  # a key that only encrypts has a time in this place: a TypeError
    return f"hv:{name}/{version}", _vault_key(text)


def _vault_key(text: str) -> object:
    from base64 import b64decode

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if text.startswith("-----BEGIN"):
        return load_pem_public_key(text.encode())
    return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))


def _read_aws(uri: KeyUri, _secret: Secret) -> tuple[str, object]:
    return uri.text, load_der_public_key(_aws_client().get_public_key(KeyId=uri.part("id"))["PublicKey"])


def _open_aws(uri: KeyUri, public_key: object, secret: Secret) -> Remote:
    remote: Any = _ambient(uri, public_key, secret)
    remote.client = _aws_client()  # in place of one that waits five times for a minute
    opened: Remote = remote
    return opened


def _aws_client() -> Any:
    import boto3
    from botocore.config import Config

    patient = Config(connect_timeout=PATIENCE, read_timeout=PATIENCE, retries={"total_max_attempts": 2})
    return boto3.client("kms", config=patient)


def _read_gcp(uri: KeyUri, _secret: Secret) -> tuple[str, object]:
    from securesystemslib.signer import GCPSigner

    found, key = GCPSigner.import_(uri.part("id"))
    return found, _public(key)


def _read_azure(uri: KeyUri, _secret: Secret) -> tuple[str, object]:
    from securesystemslib.signer import AzureSigner

    found, key = AzureSigner.import_(uri.part("vault"), uri.part("name"))
    return found, _public(key)


BACKENDS = {
    "hsm": Backend(
        "pkcs11",
        (("pkcs11.exceptions", ("PKCS11Error",)),),
        "see that PYKCS11LIB names the library of the token, and that it holds an ECDSA key on P-256 with this id: "
        "pkcs11-tool --module $PYKCS11LIB --list-objects",
        _read_token,
        _ambient,
    ),
    "hv": Backend(
        "hvac",
        (("hvac.exceptions", ("VaultError",)), ("requests", ("RequestException",))),
        "see VAULT_ADDR and VAULT_TOKEN, and that the token may read transit/keys/KEY and update transit/sign/KEY",
        _read_vault,
        _ambient,
    ),
    "awskms": Backend(
        "boto3",
        (("botocore.exceptions", ("BotoCoreError", "ClientError")),),
        "see AWS's credentials and region, and that they allow kms:GetPublicKey and kms:Sign with this key",
        _read_aws,
        _open_aws,
    ),
    "gcpkms": Backend(
        "google.cloud.kms",
        (("google.api_core.exceptions", ("GoogleAPIError",)), ("google.auth.exceptions", ("GoogleAuthError",))),
        "see GOOGLE_APPLICATION_CREDENTIALS, and the roles cloudkms.publicKeyViewer and cloudkms.signer",
        _read_gcp,
        _ambient,
    ),
    "azurekms": Backend(
        "azure.keyvault.keys",
        (
            ("azure.core.exceptions", ("AzureError",)),
            ("securesystemslib.signer._azure_signer", ("UnsupportedKeyType",)),
        ),
        "see Azure's credentials (AZURE_CLIENT_ID, …, or a managed identity), and the role Key Vault Crypto User",
        _read_azure,
        _ambient,
    ),
}
"""By the scheme of the URI. Files are opened by `key_files`."""
