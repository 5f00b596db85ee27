"""in-toto statements of predicate types that are not ours, made from a statement of ours, and their descriptors.

Each has the one subject of the statement that it is made from, and names that statement by its digest. None is a
statement of ours: `Statement.from_bytes` refuses it, so that it can never come back as evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from aims_mlops.errors import UsageError, VerificationError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.envelope import PAYLOAD_TYPE
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import STATEMENT_TYPE, Header, predicate_type
from aims_mlops.model.digest import Digest


def statement(of: Record, kind: str, predicate: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of a statement of the predicate type `kind` about the same subject."""
    subject = {"name": of.statement.subject_name, "digest": {"sha256": of.statement.subject.hex}}
    return canonical(
        {"_type": STATEMENT_TYPE, "subject": [subject], "predicateType": kind, "predicate": dict(predicate)}
    )


def said(digest: Digest, name: str, annotations: Mapping[str, Any], *, kind: str = "") -> dict[str, Any]:
    """Describe a statement of ours. The media type says what its digest is of: the payload, not the envelope."""
    made = {"name": name, "digest": {"sha256": digest.hex}, "mediaType": PAYLOAD_TYPE, "annotations": dict(annotations)}
    return {**made, "uri": predicate_type(kind)} if kind else made


def policy(header: Header) -> dict[str, Any]:
    """Describe the policy of a statement; without a digest where none governed."""
    described: dict[str, Any] = {"name": "policy", "uri": urn("policy", *([header.system] if header.system else []))}
    if header.policy_digest is not None:
        described["digest"] = {"sha256": header.policy_digest.hex}
    return described


def urn(*parts: str) -> str:
    """Return a URI of ours; each part is escaped, so that two lists of parts never give the same."""
    return ":".join(("urn:aims-mlops", *(quote(part, safe="") for part in parts)))


@contextmanager
def reading(of: Record) -> Iterator[None]:
    """Turn a body of an unexpected shape into a `VerificationError`: a trusted key may have signed anything."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, UsageError) as error:
        what = f"the {of.statement.kind} {of.payload.short} at leaf {of.seq} is ill-formed"
        raise VerificationError(f"{what} ({type(error).__name__}: {error})", hint="aims evidence show") from error
