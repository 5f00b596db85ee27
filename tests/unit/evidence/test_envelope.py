"""DSSE: what is signed, what is read, and whose signature counts."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import MAX_BYTES
from aims_mlops.evidence.envelope import PAYLOAD_TYPE, Envelope, Signature, pae, verify_signature
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey
from tests.builders import Key, key, result, sign_bytes, signed

SHARED = Path(os.environ.get("AIMS_SHARED", Path(__file__).parents[4] / "shared"))
VECTOR = SHARED / "data" / "conformance" / "dsse_vector.json"
PIPELINE = key("pipeline").public


def wire(**changes: Any) -> bytes:
    made: dict[str, Any] = json.loads(signed(result()).to_bytes())
    return json.dumps({**made, **changes}).encode()


# The published vector


@pytest.fixture
def vector() -> dict[str, Any]:
    if not VECTOR.exists():
        pytest.skip(f"the DSSE vector is not here: {VECTOR.name} (set AIMS_SHARED)")
    loaded: dict[str, Any] = json.loads(VECTOR.read_text())
    return loaded


def vector_key(vector: dict[str, Any]) -> Key:
    private = ec.derive_private_key(int(vector["key"]["d"]), ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    assert (numbers.x, numbers.y) == (int(vector["key"]["x"]), int(vector["key"]["y"]))
    return Key(private)


def test_the_published_pre_authentication_encoding_is_ours(vector: dict[str, Any]) -> None:
    assert pae(vector["body"].encode(), payload_type=vector["payloadType"]) == vector["pae"].encode()


def test_the_published_signature_verifies(vector: dict[str, Any]) -> None:
    raw = base64.b64decode(vector["envelope"]["signatures"][0]["sig"])
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    message = pae(vector["body"].encode(), payload_type=vector["payloadType"])

    assert verify_signature(vector_key(vector).public, der, message)
    # The vector has r||s; what we sign and accept is DER, as openssl does.
    assert not verify_signature(vector_key(vector).public, raw, message)
    assert vector_key(vector).sign(message) == der


def test_the_published_envelope_is_refused_for_its_payload_type(vector: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match="payload type is not application/vnd"):
        Envelope.from_bytes(json.dumps(vector["envelope"]).encode())


def test_lengths_are_of_bytes_not_of_letters() -> None:
    assert pae("é".encode(), payload_type="ü") == "DSSEv1 2 ü 2 é".encode()
    assert pae(b"") == b"DSSEv1 28 application/vnd.in-toto+json 0 "


@given(first=st.tuples(st.text(), st.binary()), second=st.tuples(st.text(), st.binary()))
def test_two_payloads_never_have_one_encoding(first: tuple[str, bytes], second: tuple[str, bytes]) -> None:
    encoded = [pae(payload, payload_type=kind) for kind, payload in (first, second)]

    assert (encoded[0] == encoded[1]) == (first == second)


# Reading


def test_an_envelope_is_read_as_it_was_written() -> None:
    envelope = signed(result(), "pipeline", "officer")

    assert Envelope.from_bytes(envelope.to_bytes()) == envelope
    assert envelope.payload_digest == Digest.of(result().to_bytes())


@given(payload=st.binary(max_size=60), contents=st.lists(st.binary(min_size=1, max_size=70), min_size=1, max_size=3))
def test_both_base64_alphabets_are_accepted(payload: bytes, contents: list[bytes]) -> None:
    envelope = Envelope(payload, tuple(Signature(f"k{n}", content) for n, content in enumerate(contents)))
    urlsafe = {
        "payload": base64.urlsafe_b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": f"k{n}", "sig": base64.urlsafe_b64encode(content).decode()} for n, content in enumerate(contents)
        ],
    }

    assert Envelope.from_bytes(json.dumps(urlsafe).encode()) == envelope
    assert Envelope.from_bytes(envelope.to_bytes()) == envelope


def test_the_key_id_may_be_absent() -> None:
    sig = base64.b64encode(b"signature").decode()

    assert Envelope.from_bytes(wire(signatures=[{"sig": sig}])).signatures == (Signature("", b"signature"),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not strict JSON"),
        (b"\xff", "not strict JSON"),
        (b"[]", "expected payload, payloadType and signatures"),
        (b"null", "expected payload, payloadType and signatures"),
        (b"[" * 100_000, "not strict JSON"),
        (b'{"payload": NaN}', "not strict JSON"),
        (wire().replace(b'"payload":', b'"payload": "", "payload":', 1), "not strict JSON"),
        (wire(extra=1), "expected payload, payloadType and signatures"),
        (wire(payloadType="application/json"), "payload type is not"),
        (wire(payloadType=None), "payload type is not"),
        (wire(signatures=[]), "no signature"),
        (wire(signatures={}), "no signature"),
        (wire(signatures=None), "no signature"),
        (wire(signatures=["sig"]), "a signature has sig and perhaps keyid"),
        (wire(signatures=[{}]), "a signature has sig and perhaps keyid"),
        (wire(signatures=[{"keyid": "a"}]), "a signature has sig and perhaps keyid"),
        (wire(signatures=[{"sig": "YQ==", "cert": ""}]), "a signature has sig and perhaps keyid"),
        (wire(signatures=[{"sig": "YQ==", "keyid": None}]), "keyid is not text"),
        (wire(signatures=[{"sig": 5}]), "base64 text expected"),
        (wire(payload=None), "base64 text expected"),
        (wire(payload="YQ="), "not base64"),
        (wire(payload="YQ"), "not base64"),
        (wire(payload="Y Q=="), "not base64"),
        (wire(payload="YQ==\n"), "not base64"),
        (wire(payload="YÄ=="), "not base64"),
        (wire(payload="YR=="), "base64 with stray bits"),
        (b" " * (2 * MAX_BYTES + 1), f"{2 * MAX_BYTES + 1} bytes, more than {2 * MAX_BYTES}"),
    ],
    ids=[
        "empty",
        "no text",
        "a list",
        "null",
        "nested deeply",
        "NaN",
        "a key twice",
        "an unknown field",
        "another payload type",
        "no payload type",
        "no signature",
        "signatures as an object",
        "signatures as null",
        "a signature as text",
        "an empty signature",
        "a signature without content",
        "an unknown field of a signature",
        "a key id that is no text",
        "a number as signature",
        "no payload",
        "half padding",
        "no padding",
        "a space inside",
        "a line end behind",
        "a letter of no alphabet",
        "stray bits",
        "too large",
    ],
)
def test_anything_but_a_plain_envelope_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(VerificationError) as caught:
        Envelope.from_bytes(content)
    assert str(caught.value).startswith("envelope: ")
    assert words in str(caught.value)


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_otherwise(content: bytes) -> None:
    try:
        Envelope.from_bytes(content)
    except VerificationError:
        return
    raise AssertionError("random bytes are no envelope")


# Whose signature counts


def test_the_keys_that_signed_are_named_each_once() -> None:
    envelope = signed(result(), "pipeline", "officer", "pipeline")
    keys = [key(name).public for name in ("officer", "owner", "pipeline", "officer")]

    assert len(envelope.signatures) == 3
    assert envelope.open_with(keys) == (key("officer").public.id, key("pipeline").public.id)


def test_no_key_opens_nothing() -> None:
    assert signed(result()).open_with([]) == ()


def test_the_key_id_is_only_a_hint() -> None:
    (signature,) = signed(result()).signatures
    wrong_hint = Envelope(result().to_bytes(), (Signature(str(key("owner").public.id), signature.content),))
    right_hint = Envelope(result().to_bytes(), (Signature(str(PIPELINE.id), key("owner").sign(b"else")),))

    assert wrong_hint.open_with([PIPELINE, key("owner").public]) == (PIPELINE.id,)
    assert right_hint.open_with([PIPELINE, key("owner").public]) == ()


def test_a_signature_over_another_payload_type_does_not_count() -> None:
    payload = result().to_bytes()
    foreign = key("pipeline").sign(pae(payload, payload_type="application/json"))

    assert Envelope(payload, (Signature("", foreign),)).open_with([PIPELINE]) == ()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_changed_payload_or_signature_never_verifies(data: st.DataObject) -> None:
    envelope = sign_bytes(b"some payload", ("pipeline",))
    (signature,) = envelope.signatures
    part = data.draw(st.sampled_from(("payload", "signature")))
    held = envelope.payload if part == "payload" else signature.content
    at, byte = data.draw(st.integers(0, len(held) - 1)), data.draw(st.integers(1, 255))
    edited = held[:at] + bytes([held[at] ^ byte]) + held[at + 1 :]
    changed = (
        Envelope(edited, envelope.signatures)
        if part == "payload"
        else Envelope(envelope.payload, (Signature("", edited),))
    )

    assert changed.open_with([PIPELINE]) == ()


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ed25519"])
def test_both_algorithms_verify_and_refuse(algorithm: str) -> None:
    made = key("someone", algorithm=algorithm)

    assert made.public.algorithm == algorithm
    assert verify_signature(made.public, made.sign(b"message"), b"message")
    assert not verify_signature(made.public, made.sign(b"message"), b"massage")
    assert not verify_signature(made.public, b"", b"message")


def test_the_algorithm_is_of_the_enrolled_key_alone() -> None:
    p256, ed = key("a"), key("a", algorithm="ed25519")

    assert not verify_signature(PublicKey(p256.public.spki, "ed25519"), p256.sign(b"m"), b"m")
    assert not verify_signature(PublicKey(ed.public.spki, "ecdsa-p256"), ed.sign(b"m"), b"m")
    assert not verify_signature(PublicKey(p256.public.spki, "rsa"), p256.sign(b"m"), b"m")


def test_another_curve_is_not_p256() -> None:
    private = ec.derive_private_key(5, ec.SECP384R1())
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    assert not verify_signature(PublicKey(spki, "ecdsa-p256"), private.sign(b"m", ec.ECDSA(hashes.SHA256())), b"m")


# Without our software

AUDITORS_LINES = """
set -eu
PT=$(jq -r .payloadType e.json); jq -r .payload e.json | base64 -d >payload
jq -r .signatures[0].sig e.json | base64 -d >sig
{ printf 'DSSEv1 %d %s %d ' ${#PT} "$PT" $(wc -c <payload); cat payload; } >pae
"""
PREPARE_WITHOUT_JQ = """
set -eu
field() { grep -o "\\"$1\\":\\"[^\\"]*\\"" e.json | cut -d'"' -f4; }
PT=$(field payloadType); field payload | base64 -d >payload; field sig | base64 -d >sig
{ printf 'DSSEv1 %d %s %d ' ${#PT} "$PT" $(wc -c <payload); cat payload; } >pae
"""
VERIFY = {
    "ecdsa-p256": "openssl dgst -sha256 -verify pub.pem -signature sig pae",
    "ed25519": "openssl pkeyutl -verify -pubin -inkey pub.pem -rawin -in pae -sigfile sig",
}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ed25519"])
def test_openssl_verifies_what_we_signed_and_refuses_an_edit(algorithm: str, tmp_path: Path) -> None:
    made, payload = key("someone", algorithm=algorithm), result().to_bytes()
    envelope = Envelope(payload, (Signature(str(made.public.id), made.sign(pae(payload))),))
    (tmp_path / "pub.pem").write_bytes(made.public_pem)
    prepare = AUDITORS_LINES if shutil.which("jq") else PREPARE_WITHOUT_JQ

    def run(edited: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / "e.json").write_bytes(envelope.to_bytes())
        lines = f"{prepare}\n{edited}\n{VERIFY[algorithm]}"
        return subprocess.run(["bash", "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=False)

    verified, refused = run(), run("printf x >>pae")

    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.strip() in ("Verified OK", "Signature Verified Successfully")
    assert refused.returncode != 0
    assert (tmp_path / "payload").read_bytes() == payload


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_key_id_is_what_openssl_and_sha256sum_say(tmp_path: Path) -> None:
    (tmp_path / "pub.pem").write_bytes(key("someone").public_pem)
    line = "openssl pkey -pubin -in pub.pem -outform DER | sha256sum"

    said = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert said.split()[0] == key("someone").public.id.hex
