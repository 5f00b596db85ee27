"""What is done to statements and their signatures."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.model.digest import Digest
from tests.builders import Key
from tests.threats.world import World

FAILED = 2
"""The place of the result that failed."""

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Wire = dict[str, Any]


def outsider() -> Key:
    """Return a key that nobody enrolled."""
    return Key(ed25519.Ed25519PrivateKey.generate())


def wire(world: World, seq: int = FAILED) -> Wire:
    """Return an envelope as it is written."""
    found: Wire = json.loads(world.envelope(seq).to_bytes())
    return found


def written(made: Wire) -> bytes:
    """Write an envelope's JSON."""
    return json.dumps(made).encode()


def better(world: World) -> bytes:
    """Return the failed result's payload, with another outcome."""
    payload = world.envelope(FAILED).payload
    assert b'"outcome":"failed"' in payload
    return payload.replace(b'"outcome":"failed"', b'"outcome":"passed"')


def edit_row(world: World) -> None:
    """Write `passed` into the row of the failed result."""
    world.put_row(FAILED, Envelope(better(world), world.envelope(FAILED).signatures).to_bytes())


def edit_and_chain(world: World) -> None:
    """Write `passed`, then chain the log and its head anew to fit."""
    payload = better(world)
    world.forge(FAILED, Envelope(payload, world.envelope(FAILED).signatures).to_bytes(), payload)


def flip_signature(world: World) -> None:
    """Change the last byte of a signature, and chain anew."""
    held = world.envelope(FAILED)
    (one,) = held.signatures
    spoilt = Signature(one.key_id, one.content[:-1] + bytes([one.content[-1] ^ 1]))
    world.forge(FAILED, Envelope(held.payload, (spoilt,)).to_bytes())


def re_encode(world: World) -> None:
    """Write the same JSON with blanks, and chain anew."""
    held = world.envelope(FAILED)
    payload = json.dumps(json.loads(held.payload)).encode()
    world.forge(FAILED, Envelope(payload, held.signatures).to_bytes(), payload)


def swap_key_id(world: World) -> None:
    """Name another person's key beside the signature, and chain anew: the hint decides nothing, the log remembers."""
    made = wire(world)
    made["signatures"][0]["keyid"] = str(world.key("risk-officer").public.id)
    world.forge(FAILED, written(made))


def sign_in_anothers_name(world: World) -> None:
    """Sign a better result with an own key, under the key id of the pipeline."""
    payload, own = better(world), outsider()
    named = Signature(str(world.key("pipeline").public.id), own.sign(pae(payload)))
    world.forge(FAILED, Envelope(payload, (named,)).to_bytes(), payload)


def bring_the_key(world: World) -> None:
    """Sign with an own key, and put that key into the envelope."""
    payload, own = better(world), outsider()
    made = json.loads(Envelope(payload, (Signature("", own.sign(pae(payload))),)).to_bytes())
    made["signatures"][0]["publicKey"] = own.public_pem.decode()
    world.forge(FAILED, written(made), payload)


def confuse_algorithms(world: World) -> None:
    """Make a 64-byte signature of Ed25519 pass for the P-256 key of the pipeline, and say which algorithm it is."""
    payload, own = better(world), outsider()
    made = json.loads(Envelope(payload, (Signature("", own.sign(pae(payload))),)).to_bytes())
    made["signatures"][0]["alg"] = "ed25519"
    world.forge(FAILED, written(made), payload)


def take_signatures_away(world: World) -> None:
    """Leave no signature at all, and chain anew."""
    made = wire(world)
    made["signatures"] = []
    world.forge(FAILED, written(made))


def other_payload_type(world: World) -> None:
    """Declare the payload something else, and chain anew."""
    made = wire(world)
    made["payloadType"] = "application/json"
    world.forge(FAILED, written(made))


def url_safe(world: World) -> None:
    """Spell the payload with the other alphabet of base64, which DSSE allows, and with a stray bit; chain anew."""
    made = wire(world)
    payload = base64.b64decode(made["payload"])
    made["payload"] = base64.urlsafe_b64encode(payload).decode()
    world.forge(FAILED, json.dumps(made, indent=1).encode())


def stray_bits(world: World) -> None:
    """Set a bit of the signature's base64 that decodes to nothing, and chain anew."""
    made = wire(world)
    # Any signature with padding has such bits: where this one has none, a second one is put beside it.
    made["signatures"].append({"keyid": "", "sig": "AB=="})
    world.forge(FAILED, written(made))


def mirror_signature(world: World) -> None:
    """Put (r, n - s) in the place of (r, s): it verifies too. Chain anew."""
    held = world.envelope(FAILED)
    (one,) = held.signatures
    r, s = decode_dss_signature(one.content)
    twin = Signature(one.key_id, encode_dss_signature(r, _P256_ORDER - s))
    assert held.open_with([world.key("pipeline").public]) == Envelope(held.payload, (twin,)).open_with(
        [world.key("pipeline").public]
    ), "ECDSA takes both"
    world.forge(FAILED, Envelope(held.payload, (twin,)).to_bytes())


def other_leaf_type(world: World) -> None:
    """File an intent as a promotion: the leaf says another kind than the statement. Chain anew."""
    leaves = world.leaves()
    leaves[0] = replace(leaves[0], type="urn:aims-mlops:promotion:v1")
    world.chain(leaves)


def insider(change: Callable[[Wire], bytes]) -> Callable[[World], None]:
    """Return the move of somebody with the pipeline's key who signs a payload that two readers may read in two ways."""

    def move(world: World) -> None:
        body: Wire = json.loads(world.envelope(FAILED).payload)
        body["predicate"]["header"]["nonce"] = "0" * 32
        world.append(world.signed(change(body), "pipeline"))

    move.__doc__ = change.__doc__
    return move


def _text(body: Wire) -> str:
    return canonical(body).decode()


@insider
def duplicate_key(body: Wire) -> bytes:
    """Sign `outcome` twice: readers that take the last see a pass."""
    text = _text(body).replace('"outcome":"failed","', '"outcome":"failed","outcome":"passed","')
    assert text.count('"outcome":"passed"') > _text(body).count('"outcome":"passed"')
    return text.encode()


@insider
def not_a_number(body: Wire) -> bytes:
    """Sign a NaN, which compares as no reader expects."""
    return _text(body).replace('"outcome":"failed","', '"outcome":"failed","p":NaN,"', 1).encode()


@insider
def escaped_letters(body: Wire) -> bytes:
    """Sign a text in which letters are escaped, so that a search does not find them."""
    text = _text(body).replace('"outcome":"failed"', '"outcome":"\\u0066ailed"')
    assert "\\u0066" in text
    return text.encode()


@insider
def deep_nesting(body: Wire) -> bytes:
    """Sign lists in lists that no parser survives."""
    nested = "[" * 100_000 + "]" * 100_000
    return _text(body).replace('"outcome":"failed","', f'"outcome":"failed","p":{nested},"', 1).encode()


@insider
def unknown_predicate(body: Wire) -> bytes:
    """Sign a kind of statement that there is none of."""
    return _text(body | {"predicateType": "https://example.org/check/v1"}).encode()


@insider
def two_subjects(body: Wire) -> bytes:
    """Sign a second subject beside the first: generic verifiers take a match with any."""
    more = {"name": "MODEL.sha256", "digest": {"sha256": Digest.of(b"another model").hex}}
    return _text(body | {"subject": [*body["subject"], more]}).encode()


@insider
def other_statement_type(body: Wire) -> bytes:
    """Sign another layer in the place of an in-toto statement."""
    return _text(body | {"_type": "https://in-toto.io/Statement/v0.1"}).encode()
