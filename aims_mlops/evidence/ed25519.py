"""Raw Ed25519 public keys: their form as DER, and which of them prove nothing."""

from __future__ import annotations

from aims_mlops.model.register import PublicKey

RAW_BYTES = 32
"""Length of a raw public key (RFC 8032)."""

_P = 2**255 - 19
_ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER = frozenset({0, 1, _P - 1, _ORDER_EIGHT, _P - _ORDER_EIGHT})
"""The y coordinates of the eight points whose order divides eight (RFC 8032, edwards25519)."""

_DER = bytes.fromhex("302a300506032b6570032100")
"""What DER SubjectPublicKeyInfo has before the raw key (RFC 8410)."""


def refuse_weak(raw: bytes) -> None:
    """Raise `ValueError` for a key of small order or in a non-canonical form.

    A library may accept one fixed signature of such a key for any message.
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _P:
        raise ValueError("an Ed25519 key that is not in its canonical form")
    if y in _SMALL_ORDER:
        raise ValueError("an Ed25519 key of small order: a signature of it proves nothing")


def enrolled(raw: bytes) -> PublicKey:
    """Return a raw key as keys are kept everywhere else; raise `ValueError` for a weak one."""
    if len(raw) != RAW_BYTES:
        raise ValueError(f"an Ed25519 key of {len(raw)} bytes, not {RAW_BYTES}")
    refuse_weak(raw)
    return PublicKey(_DER + raw, "ed25519")


def raw_of(key: PublicKey) -> bytes:
    """Return the raw form of an enrolled key; raise `ValueError` for a key of another kind."""
    if key.algorithm != "ed25519" or not key.spki.startswith(_DER) or len(key.spki) != len(_DER) + RAW_BYTES:
        raise ValueError("not an Ed25519 key")
    return key.spki[len(_DER) :]
