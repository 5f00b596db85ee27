"""Who signs what must not be signed by him, and what is done to keys, aims.yaml and kept texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.statement import Statement
from aims_mlops.evidence.waiver_body import Answer
from aims_mlops.model.times import from_text, to_text
from tests.threats.on_statements import outsider
from tests.threats.world import World


def passing(world: World, **header: Any) -> Statement:
    """Return a new result that passes, as nobody measured it."""
    held = world.statement("check-result")
    body = json.loads(json.dumps(dict(held.body)))
    body["outcome"] = "passed"
    return replace(held, body=body, header=replace(held.header, nonce="1" * 32, **header))


def result_by(person: str) -> Callable[[World], None]:
    """Return the move of somebody in aims.yaml who signs a passing result."""
    return lambda world: world.append(world.signed(passing(world).to_bytes(), person))


def result_by_outsider(world: World) -> None:
    """Sign a passing result with a key that nobody enrolled."""
    payload, own = passing(world).to_bytes(), outsider()
    world.append(Envelope(payload, (Signature(str(own.public.id), own.sign(pae(payload))),)).to_bytes())


def decision_by_owner(world: World) -> None:
    """Sign a decision that allows the promotion, as the owner."""
    held = world.statement("gate-decision")
    made = replace(held, header=replace(held.header, nonce="2" * 32))
    world.append(world.signed(made.to_bytes(), "loan-owner"), "gate-decision")


def _answer(world: World, request: Statement, nonce: str) -> Statement:
    answer = Answer("approve", Envelope(request.to_bytes(), ()).payload_digest, "fine")
    return replace(request, body=answer.to_wire(), header=replace(request.header, nonce=nonce))


def approval_by_owner(world: World) -> None:
    """Approve the waiver that he asked for, without being trusted to."""
    made = _answer(world, world.statement("waiver"), "3" * 32)
    world.append(world.signed(made.to_bytes(), "loan-owner"), "waiver")


def approve_own(world: World) -> None:
    """Ask for a waiver and approve it too, trusted to approve those of others."""
    held = world.statement("waiver")
    asked = replace(held, header=replace(held.header, nonce="4" * 32))
    world.append(world.signed(asked.to_bytes(), "risk-officer"), "waiver")
    world.append(world.signed(_answer(world, asked, "5" * 32).to_bytes(), "risk-officer"), "waiver")


def endless_waiver(world: World) -> None:
    """Ask for a waiver of ten years, have it approved, and revoke the one that stands, so that it alone is left."""
    first = world.envelope(world.place("waiver")).payload_digest
    world.aims("--as", "risk-officer", "waive", "revoke", first.hex[:12], "--reason", "for a longer one", expect=0)
    held = world.statement("waiver")
    body = dict(held.body)
    body["expiresAt"] = f"{from_text(str(body['expiresAt'])) + timedelta(days=3650):%Y-%m-%dT%H:%M:%S.000Z}"
    asked = replace(held, body=body, header=replace(held.header, nonce="6" * 32))
    world.append(world.signed(asked.to_bytes(), "loan-owner"), "waiver")
    world.append(world.signed(_answer(world, asked, "7" * 32).to_bytes(), "risk-officer"), "waiver")


def of_another_registry(world: World) -> None:
    """Bring a true result of another registry, where the same files have the same name and version."""
    made = passing(world, registry_id="00000000-0000-4000-8000-000000000000")
    world.append(world.signed(made.to_bytes(), "pipeline"))


def of_another_version(world: World) -> None:
    """Write another version number into the failed result's neighbour, and chain anew."""
    place = world.place("check-result")
    held = world.envelope(place)
    payload = held.payload.replace(b'"version":"1"', b'"version":"2"')
    assert payload != held.payload
    world.forge(place, Envelope(payload, held.signatures).to_bytes(), payload)


def of_another_policy(world: World) -> None:
    """Write today's policy digest into an old pass, and chain anew."""
    place = world.place("check-result")
    held = world.envelope(place)
    then = str(Statement.from_bytes(held.payload).header.policy_digest)
    payload = held.payload.replace(then.encode(), b"sha256:" + b"0" * 64)
    world.forge(place, Envelope(payload, held.signatures).to_bytes(), payload)


def of_other_data(world: World) -> None:
    """Write another dataset's digest into an old pass, and chain anew."""
    place = world.place("check-result")
    held = world.envelope(place)
    (then, *_) = [str(use.digest) for use in Statement.from_bytes(held.payload).header.datasets]
    payload = held.payload.replace(then.encode(), b"sha256:" + b"1" * 64)
    world.forge(place, Envelope(payload, held.signatures).to_bytes(), payload)


def laxer_policy(world: World) -> None:
    """Raise the limit after the check failed."""
    world.edit("max_per_column: 0.000001", "max_per_column: 0.9")


def swap_text(kind: str) -> Callable[[World], None]:
    """Return the move that writes another text under the digest of a kept one: a laxer policy, another manifest."""

    def move(world: World) -> None:
        held = world.statement("check-result")
        digest = held.header.policy_digest if kind == "policy" else held.subject
        ((content,),) = world.sql("select content from aims_blob where digest = ?", str(digest))
        world.sql("update aims_blob set content = ? where digest = ?", bytes(content) + b"\n", str(digest))

    return move


def drop_text(world: World) -> None:
    """Delete the text of the policy that results were measured under."""
    digest = world.statement("check-result").header.policy_digest
    world.sql("delete from aims_blob where digest = ?", str(digest))


def put_key(person: str, content: bytes) -> Callable[[World], None]:
    """Return the move that puts another public file where a person's lies."""

    def move(world: World) -> None:
        (world.folder / "keys" / f"{person}.pub.pem").write_bytes(content)

    return move


def own_key(person: str) -> Callable[[World], None]:
    """Return the move that enrols the attacker's own key as a person's."""
    return put_key(person, outsider().public_pem)


def low_order_key() -> bytes:
    """Return the identity point as a public key: a fixed signature verifies on any message."""
    point = (1).to_bytes(32, "little")
    key = ed25519.Ed25519PublicKey.from_public_bytes(point)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem() -> bytes:
    """Return a private key in the clear."""
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def same_key_twice(world: World) -> None:
    """Enrol the owner's key as the risk officer's as well."""
    keys = world.folder / "keys"
    (keys / "risk-officer.pub.pem").write_bytes((keys / "loan-owner.pub.pem").read_bytes())


def log_key_signs_evidence(world: World) -> None:
    """Let the log's key sign results too."""
    world.edit("check-result: [pipeline, former]", "check-result: [pipeline, former, the-log]")


def witness_twice(world: World) -> None:
    """Count one witness's key as two witnesses, to reach a quorum of two."""
    from aims_mlops.evidence.note import VerifierKey

    twin = VerifierKey("aims-witness/other", world.witness_key.kind, world.witness_key.key)
    world.edit(f"witnesses: ['{world.witness_key}']", f"witnesses: ['{world.witness_key}', '{twin}']\n  quorum: 2")


def _term(world: World, term: str) -> None:
    """Write a term of the pipeline's key into aims.yaml."""
    world.edit("keys: [keys/pipeline.pub.pem]", f"keys: [{{file: keys/pipeline.pub.pem, {term}}}]")


def _moment(ago: timedelta) -> str:
    return to_text(datetime.now(UTC) - ago)


def stolen_and_revoked(world: World) -> None:
    """Sign with a stolen key, dated before it was found to be stolen and revoked: the witness saw no such thing."""
    _term(world, f"revoked: {{at: {_moment(timedelta(0))}, reason: compromised}}")
    early = datetime.now(UTC) - timedelta(hours=1)
    world.append(world.signed(passing(world, measured_at=early, signed_at=early).to_bytes(), "pipeline"))


def ended(world: World) -> None:
    """Go on signing with a key that was rotated out."""
    _term(world, f"to: {_moment(timedelta(0))}")
    now = datetime.now(UTC) + timedelta(seconds=1)
    world.append(world.signed(passing(world, measured_at=now, signed_at=now).to_bytes(), "pipeline"))


def not_yet(world: World) -> None:
    """Sign with a key that is valid from tomorrow on."""
    _term(world, f"from: {_moment(timedelta(days=-1))}")


def measured_tomorrow(world: World) -> None:
    """Sign a result that is measured tomorrow, so that it is not stale for as long."""
    late = datetime.now(UTC) + timedelta(days=1)
    world.append(world.signed(passing(world, measured_at=late, signed_at=late).to_bytes(), "pipeline"))
