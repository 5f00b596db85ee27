"""Public keys as they are enrolled: what kind they are is read from the key itself, once, here."""

from __future__ import annotations

from aims_mlops.evidence.ed25519 import refuse_weak
from aims_mlops.model.register import PublicKey


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
        refuse_weak(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
        return PublicKey(spki, "ed25519")
    kind = type(key).__name__.lstrip("_").removesuffix("PublicKey")
    name = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else kind
    raise ValueError(f"a key of the kind {name}; ECDSA P-256 and Ed25519 are supported")
