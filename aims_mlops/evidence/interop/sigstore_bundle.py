"""A signed envelope as Sigstore bundle v0.3 for a managed key (sigstore/protobuf-specs, bundle.proto).

A bundle has exactly one signature, so that an envelope gives one bundle for each. There is no certificate and no entry
of a public log in it: whoever verifies it brings the public key. The `hint` is what cosign writes, the base64 of the
SHA-256 of the key's DER SubjectPublicKeyInfo; like a key id, it decides nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.envelope import PAYLOAD_TYPE, Envelope, pae, verify_signature
from aims_mlops.model.register import PublicKey

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def as_bundles(envelope: Envelope, keys: Iterable[PublicKey]) -> tuple[bytes, ...]:
    """Return a bundle for each signature that one of these keys made, in their order; other signatures have none."""
    known, message = tuple(keys), pae(envelope.payload)
    found = (
        (signature.content, next((key for key in known if verify_signature(key, signature.content, message)), None))
        for signature in envelope.signatures
    )
    return tuple(bundle(envelope.payload, content, hint=hint(key)) for content, key in found if key is not None)


def hint(key: PublicKey) -> str:
    """Return the hint by which cosign names a key."""
    return base64.b64encode(bytes.fromhex(key.id.hex)).decode()


def bundle(payload: bytes, signature: bytes, *, hint: str, key_id: str | None = None) -> bytes:
    """Return the JSON of a bundle over one signature."""
    signed: dict[str, Any] = {"sig": base64.b64encode(signature).decode()}
    return canonical(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [signed if key_id is None else {**signed, "keyid": key_id}],
            },
        }
    )
