"""DSSE envelopes (Dead Simple Signing Envelope v1.0.2): strict reading, and verification over the received bytes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import MAX_BYTES, canonical, reject_constant, unique_keys
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def pae(payload: bytes, *, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return the pre-authentication encoding: the bytes that are signed (DSSE protocol.md)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


_loaded = lru_cache(maxsize=256)(load_der_public_key)
"""Keys by their DER: reading one costs half of what verifying with it does."""

_ECDSA = ec.ECDSA(hashes.SHA256())


def verify_signature(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether a key made a signature. The algorithm comes from the enrolled key, never from the envelope."""
    public = _loaded(key.spki)
    try:
        if (
            key.algorithm == "ecdsa-p256"
            and isinstance(public, ec.EllipticCurvePublicKey)
            and isinstance(public.curve, ec.SECP256R1)
        ):
            public.verify(signature, message, _ECDSA)
            return True
        if key.algorithm == "ed25519" and isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, message)
            return True
    except InvalidSignature:
        return False
    return False


def _unbase64(text: object) -> bytes:
    if not isinstance(text, str):
        raise VerificationError("envelope: base64 text expected")
    # DSSE protocol.md: signers may use the standard or the URL-safe alphabet, verifiers must accept either.
    standard = text.replace("-", "+").replace("_", "/")
    try:
        content = base64.b64decode(standard, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError("envelope: not base64") from error
    if base64.b64encode(content).decode() != standard:
        raise VerificationError("envelope: base64 with stray bits")
    return content


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature. The key id is an unauthenticated hint and decides nothing."""

    key_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload with its signatures, as received. Nothing in it is believed before `open_with`."""

    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def payload_digest(self) -> Digest:
        """The SHA-256 of the payload: the statement's digest, by which everything refers to it."""
        return Digest.of(self.payload)

    def to_bytes(self) -> bytes:
        """Write the envelope with standard base64."""
        return canonical(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [
                    {"keyid": signature.key_id, "sig": base64.b64encode(signature.content).decode()}
                    for signature in self.signatures
                ],
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read an envelope of our payload type; raise `VerificationError` for any other form."""
        if len(content) > 2 * MAX_BYTES:
            raise VerificationError(f"envelope: {len(content)} bytes, more than {2 * MAX_BYTES}")
        if (plain := _plain(content)) is not None:
            return cls(*plain)
        try:
            wire = json.loads(content.decode(), object_pairs_hook=unique_keys, parse_constant=reject_constant)
        except (ValueError, RecursionError) as error:
            raise VerificationError(f"envelope: not strict JSON ({type(error).__name__})") from error
        if not isinstance(wire, dict) or set(wire) != {"payload", "payloadType", "signatures"}:
            raise VerificationError("envelope: expected payload, payloadType and signatures")
        if wire["payloadType"] != PAYLOAD_TYPE:
            raise VerificationError(f"envelope: payload type is not {PAYLOAD_TYPE}")
        if not isinstance(wire["signatures"], list) or not wire["signatures"]:
            raise VerificationError("envelope: no signature")
        return cls(_unbase64(wire["payload"]), tuple(_signature(item) for item in wire["signatures"]))

    def open_with(self, keys: Iterable[PublicKey]) -> tuple[Digest, ...]:
        """Return the ids of those keys that signed the payload, each once however often it signed.

        What the payload says, and whether these keys may say it, is **not** checked here.
        """
        message = pae(self.payload)
        signed = (
            key.id
            for key in keys
            if any(verify_signature(key, signature.content, message) for signature in self.signatures)
        )
        return tuple(dict.fromkeys(signed))


_BEFORE, _END = b'{"payload":"', b'"}]}'
_BETWEEN = b'","payloadType":"%b","signatures":[{"keyid":"' % PAYLOAD_TYPE.encode()


def _plain(content: bytes) -> tuple[bytes, tuple[Signature]] | None:
    """Read the form that `to_bytes` gives an envelope with one signature; None for any other, strict or not.

    Nothing is in such a text that JSON could read otherwise: what is left between the marks is base64 and a key's id.
    """
    payload, between, rest = content.partition(_BETWEEN)
    key_id, mark, signature = rest.partition(b'","sig":"')
    if not (payload.startswith(_BEFORE) and between and mark and signature.endswith(_END) and _ID.fullmatch(key_id)):
        return None
    encoded, sig = payload[len(_BEFORE) :], signature[: -len(_END)]
    try:
        found, signed = binascii.a2b_base64(encoded, strict_mode=True), binascii.a2b_base64(sig, strict_mode=True)
    except binascii.Error:
        return None
    if binascii.b2a_base64(found, newline=False) != encoded or binascii.b2a_base64(signed, newline=False) != sig:
        return None
    return found, (Signature(key_id.decode(), signed),)


_ID = re.compile(rb"[A-Za-z0-9:+/=._-]*")


def _signature(wire: Any) -> Signature:
    if not isinstance(wire, Mapping) or not {"sig"} <= set(wire) <= {"sig", "keyid"}:
        raise VerificationError("envelope: a signature has sig and perhaps keyid")
    key_id = wire.get("keyid", "")
    if not isinstance(key_id, str):
        raise VerificationError("envelope: keyid is not text")
    return Signature(key_id, _unbase64(wire["sig"]))
