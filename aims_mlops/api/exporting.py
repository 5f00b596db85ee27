"""`aims evidence export`: a copy of what is recorded about a version, for people without this software."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

from aims_mlops.api.interop import converted
from aims_mlops.api.known_walk import KnownWalk
from aims_mlops.api.looking import walk_log
from aims_mlops.api.services import Services, trust_of
from aims_mlops.errors import NothingToDo, UsageError, VerificationError
from aims_mlops.evidence.log import Fault
from aims_mlops.evidence.record import Record, open_leaf
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey
from aims_mlops.model.subject import ModelRef, ModelVersion


def export(services: Services, ref: ModelRef, folder: Path, *, forms: Iterable[str] = ()) -> list[Path]:
    """Write what is recorded about a version into a new folder, to be checked with openssl and sha256sum.

    Envelopes by digest, the manifest of what was checked last (`MODEL.sha256`; earlier ones under their digest), the
    policy texts, the leaves, and the public keys; `forms` adds copies for other tools (see `interop`). Refuses a
    folder that has anything in it, and a log that does not hold: half of a record is none.
    """
    version = services.registry.resolve(ref, services.store.registry_id())
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty: an export never overwrites", hint="name a new folder with -o")
    walked = walk_log(services, whole=True)
    records = _records(services, walked, version)
    if not records:
        raise NothingToDo(f"nothing is recorded about {version.label}", hint=f"aims check {version.label}")
    files: dict[str, bytes] = {"leaves.jsonl": b"\n".join(r.leaf.to_bytes() for r in walked.leaves) + b"\n"}
    newest = max((r for r in records if r.statement.kind == "check-result"), key=lambda r: r.seq, default=records[-1])
    for record in records:
        subject, policy = record.statement.subject, record.statement.header.policy_digest
        files[f"{record.payload.hex}.dsse.json"] = services.store.envelope(record.payload) or b""
        name = "MODEL" if subject == newest.statement.subject else f"MODEL-{subject.short}"
        files |= _blob(services, subject, f"{name}.sha256")
        files |= _blob(services, policy, f"policy-{policy and policy.short}.json")
    for person in services.project.people:
        for key in person.keys:
            files[f"keys/{person.id}-{key.id.short}.pub.pem"] = pem(key)
    files |= converted(services, version, records, files, forms, pem=pem)
    return [_write(folder / name, content) for name, content in files.items()]


def _records(services: Services, walked: KnownWalk, version: ModelVersion) -> list[Record]:
    if walked.faults:
        raise VerificationError(f"the log does not hold: {walked.faults[0].what}", hint="aims evidence verify")
    trust = trust_of(services)
    excused = walked.excused
    there = [read.leaf for read in walked.leaves if read.leaf.seq not in excused]
    opened = [open_leaf(leaf, services.store.envelope(leaf.payload), trust) for leaf in there]
    faults = [item for item in opened if isinstance(item, Fault)]
    if faults:
        raise VerificationError(f"the log does not hold: {faults[0].what}", hint="aims evidence verify")
    named = (version.name, version.version)
    return [
        item
        for item in opened
        if isinstance(item, Record) and (item.statement.header.model, item.statement.header.version) == named
    ]


def _blob(services: Services, digest: Digest | None, name: str) -> dict[str, bytes]:
    content = None if digest is None else services.store.blob(digest)
    return {} if content is None else {name: content}


def pem(key: PublicKey) -> bytes:
    """Write a public key as OpenSSL reads it."""
    text = base64.b64encode(key.spki).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n".encode()


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
