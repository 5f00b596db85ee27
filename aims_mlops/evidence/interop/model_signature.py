"""A model's files signed as the OpenSSF model signing specification has it (v1.0), for `model_signing verify key`.

Written here rather than by the library: that one wants an unencrypted key file, and thirty packages. What it has to be:

1. A Sigstore bundle with a managed key. ECDSA P-256: the specification has no Ed25519.
2. `resources`: each file's path, `sha256` and digest, sorted by path. Nothing is ignored, so that a file that was
   added makes the verification fail.
3. The subject's digest is the SHA-256 of the files' raw digests in that order. It covers no name, and so is never our
   model digest: that is in the statements about the model.
4. `hint` is the hexadecimal SHA-256 of the public key's PEM text; model-signing compares it, unlike cosign's.
"""

from __future__ import annotations

import hashlib

from aims_mlops.errors import SigningError
from aims_mlops.evidence import manifest
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.interop.sigstore_bundle import bundle
from aims_mlops.evidence.statement import STATEMENT_TYPE
from aims_mlops.model.register import PublicKey

PREDICATE_TYPE = "https://model_signing/signature/v1.0"


def payload(name: str, files: bytes) -> bytes:
    """Return the statement over the files of a manifest, to be signed; raise `VerificationError` for any other text."""
    digests = manifest.parse(files)
    root = hashlib.sha256(b"".join(bytes.fromhex(digests[path]) for path in digests))
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": root.hexdigest()}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
                "resources": [
                    {"name": path, "algorithm": "sha256", "digest": digest} for path, digest in digests.items()
                ],
            },
        }
    )


def must_be_p256(key: PublicKey, person: str) -> None:
    """Raise `SigningError` for a key that the specification does not have."""
    if key.algorithm != "ecdsa-p256":
        raise SigningError(
            f"the key of {person!r} is {key.algorithm}, and a model signature is made with ecdsa-p256",
            hint="sign as somebody who has such a key: --as PERSON",
        )


def as_model_signature(signed: bytes, signature: bytes, *, pem: bytes) -> bytes:
    """Return the signature file over a `payload`; `pem` is the public key as `aims evidence export` writes it."""
    # The key id stays empty: model-signing itself writes none.
    return bundle(signed, signature, hint=hashlib.sha256(pem).hexdigest(), key_id="")
