"""Public keys as they are enrolled: what kind they are is read from the key itself, once, here."""

from __future__ import annotations

from aims_mlops.model.register import PublicKey

_P = 2**255 - 19
_ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER = frozenset({0, 1, _P - 1, _ORDER_EIGHT, _P - _ORDER_EIGHT})
"""The y coordinates of the eight points whose order divides eight (RFC 8032, edwards25519)."""


def public_key(content: bytes) -> PublicKey:
    """Read a PEM public key, ECDSA P-256 or Ed25519; raise `ValueError` that says why it cannot be enrolled.

    An Ed25519 key of small order or in a non-canonical form is refused: a library may accept one fixed signature of
    it for any message. The bytes kept are DER SubjectPublicKeyInfo, written anew from the parsed key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    if b"PRIVATE KEY" in content:
        raise ValueError("this is a PRIVATE key")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not a public key in PEM form") from error
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return PublicKey(spki, "ecdsa-p256")
    if isinstance(key, ed25519.Ed25519PublicKey):
        _refuse_weak(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
        return PublicKey(spki, "ed25519")
    kind = type(key).__name__.lstrip("_").removesuffix("PublicKey")
    name = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else kind
    raise ValueError(f"a key of the kind {name}; ECDSA P-256 and Ed25519 are supported")


def _refuse_weak(raw: bytes) -> None:
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _P:
        raise ValueError("an Ed25519 key that is not in its canonical form")
    if y in _SMALL_ORDER:
        raise ValueError("an Ed25519 key of small order: a signature of it proves nothing")
