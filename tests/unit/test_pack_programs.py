"""The program of the standard library that every pack has: its own cryptography and trees, held to published cases."""

from __future__ import annotations

import ast
import base64
import importlib.util
import json
import os
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import aims_mlops
from aims_mlops.evidence import merkle
from aims_mlops.evidence.ed25519 import refuse_weak

PROGRAM = Path(aims_mlops.__file__).parent / "pack_files" / "verify.py"
SHARED = Path(os.environ.get("AIMS_SHARED", "shared"))
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pack_verify", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VERIFY: Any = load()
SEEDED = random.Random(20261128)


def test_it_is_one_readable_file_for_python_3_8_and_the_standard_library() -> None:
    source = PROGRAM.read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    assert source.count("\n") <= 400
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "base64", "datetime", "hashlib", "json", "re", "sys", "pathlib", "typing"}


def p256() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    private = ec.derive_private_key(SEEDED.randrange(1, N), ec.SECP256R1())
    raw = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return private, raw[1:]


@pytest.mark.parametrize("number", range(12))
def test_p256_agrees_with_a_library_on_random_keys(number: int) -> None:
    private, raw = p256()
    message = SEEDED.randbytes(number * 37)
    signature = private.sign(message, ec.ECDSA(hashes.SHA256()))
    assert VERIFY.p256_verifies(raw, signature, message)
    assert not VERIFY.p256_verifies(raw, signature, message + b"x")
    assert not VERIFY.p256_verifies(p256()[1], signature, message)
    place = SEEDED.randrange(len(signature))
    assert not VERIFY.p256_verifies(
        raw, signature[:place] + bytes([signature[place] ^ 4]) + signature[place + 1 :], message
    )


def strange(signature: bytes) -> dict[str, bytes]:
    r, s = decode_dss_signature(signature)
    return {
        "r is zero": encode_dss_signature(0, s),
        "s is zero": encode_dss_signature(r, 0),
        "r is beyond the order": encode_dss_signature(r + N, s),
        "s is the order": encode_dss_signature(r, N),
        "the twin": encode_dss_signature(r, N - s),
        "nothing": b"",
        "a byte": b"\x30",
        "one number": b"\x30" + signature[1:4] + signature[4 : 4 + signature[3]],
        "more behind it": signature + b"\x00",
        "a length in two bytes": b"\x30\x81" + signature[1:],
        "a zero before r": bytes([0x30, signature[1] + 1, 2, signature[3] + 1, 0]) + signature[4:],
        "raw": r.to_bytes(32, "big") + s.to_bytes(32, "big"),
        "negative r": encode_dss_signature(r, s)[:4] + b"\xff" + encode_dss_signature(r, s)[5:],
    }


def test_p256_takes_no_form_that_a_library_refuses() -> None:
    private, raw = p256()
    for name, signature in strange(private.sign(b"m", ec.ECDSA(hashes.SHA256()))).items():
        try:
            private.public_key().verify(signature, b"m", ec.ECDSA(hashes.SHA256()))
            taken = True
        except InvalidSignature:
            taken = False
        assert VERIFY.p256_verifies(raw, signature, b"m") == taken, name


@pytest.mark.parametrize("raw", [bytes(64), b"\xff" * 64, bytes(63), b"\x01" * 64], ids=len)
def test_a_point_that_is_none_of_the_curve_verifies_nothing(raw: bytes) -> None:
    private, _ = p256()
    assert not VERIFY.p256_verifies(raw, private.sign(b"m", ec.ECDSA(hashes.SHA256())), b"m")


def test_the_dsse_vector_verifies() -> None:
    path = SHARED / "data" / "conformance" / "dsse_vector.json"
    if not path.exists():
        pytest.skip("the shared folder with published cases is not here (AIMS_SHARED)")
    vector = json.loads(path.read_text())
    raw = b"".join(int(vector["key"][name]).to_bytes(32, "big") for name in ("x", "y"))
    both = base64.b64decode(vector["envelope"]["signatures"][0]["sig"])
    signature = encode_dss_signature(int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big"))
    assert VERIFY.p256_verifies(raw, signature, vector["pae"].encode())
    assert not VERIFY.p256_verifies(raw, both, vector["pae"].encode())


@pytest.mark.parametrize("number", range(6))
def test_ed25519_agrees_with_a_library_on_random_keys(number: int) -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(SEEDED.randbytes(32))
    raw, message = private.public_key().public_bytes_raw(), SEEDED.randbytes(number * 53)
    signature = private.sign(message)
    assert VERIFY.ed25519_verifies(raw, signature, message)
    assert not VERIFY.ed25519_verifies(raw, signature, message + b"x")
    place = SEEDED.randrange(64)
    assert not VERIFY.ed25519_verifies(
        raw, signature[:place] + bytes([signature[place] ^ 8]) + signature[place + 1 :], message
    )


def test_ed25519_agrees_with_a_library_on_the_published_edge_cases() -> None:
    path = SHARED / "vectors" / "cctv" / "ed25519vectors.json"
    if not path.exists():
        pytest.skip("the shared folder with published cases is not here (AIMS_SHARED)")
    cases = json.loads(path.read_text())
    assert len(cases) == 914
    refused = 0
    for case in cases:
        raw, signature, message = bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode()
        try:
            refuse_weak(raw)
        except ValueError:
            refused += 1
            with pytest.raises(ValueError):
                VERIFY.ed_key(raw)
            continue
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
            taken = True
        except InvalidSignature:
            taken = False
        assert VERIFY.ed25519_verifies(raw, signature, message) == taken, case["number"]
    assert refused > 100


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 13])
def test_its_trees_are_those_of_rfc_6962(size: int) -> None:
    tree = merkle.Tree(b"%d" % number for number in range(size))
    root = merkle.root(tree, size)
    for index in range(size):
        leaf = merkle.leaf_hash(b"%d" % index)
        proof = merkle.prove_inclusion(tree, index, size)
        assert VERIFY.climb(index, size - 1, proof, leaf)[1] == root
        for wrong in (proof[1:], [*proof, leaf]):
            if wrong != proof:
                with pytest.raises(ValueError):
                    VERIFY.climb(index, size - 1, wrong, leaf)
    for old in range(1, size):
        proof, before = merkle.prove_consistency(tree, old, size), merkle.root(tree, old)
        assert VERIFY.consistent(old, before, size, root, proof)
        assert not VERIFY.consistent(old, root, size, root, proof)


def test_base64_has_one_spelling() -> None:
    assert VERIFY.unbase64("-_-_") == base64.b64decode("+/+/")
    for text in ("ZGR=", "Z", "Zg", "Z g=", "Zg==\n"):
        with pytest.raises(ValueError):
            VERIFY.unbase64(text)
