"""Weak Ed25519 public keys, as published: 914 edge cases of C2SP's CCTV (ed25519vectors, CC0), by their distinct keys.

A key that is of low order, or not written in its one form, is refused at enrolment whatever signature comes with it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aims_mlops.config import public_key
from aims_mlops.evidence.ed25519 import enrolled

SHARED = Path(os.environ.get("AIMS_SHARED", Path(__file__).parents[4] / "shared"))
PUBLISHED = SHARED / "vectors" / "cctv" / "ed25519vectors.json"

WEAK = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)
"""Flagged `low_order_A`, some of them `non_canonical_A` as well."""

OTHERS = (
    "015ff595e4e0add00dde896efa66ea4f6848c4396410c693c92232aa64861d4f",
    "10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f",
    "6718d0a3d58deaeaefa655eae3f119071deaa2cfebfd0ca28b670f879d657086",
    "86e72f5c2a7215151059aa151c0ee6f8e2155d301402f35d7498f078629a8f79",
    "dd1483c5304d412c1f29547640a5c2950222ee8931b7ed1c72602b7afa7024e0",
    "eca00a6a1b1f522ff2217691059915b097b73bc69bef396c36ddcd559b79e2b0",
    "ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076",
    "fe894df18abf1c20088bfbe6c9ad45d42ec20663eaf7111eaea1d851da0d7f89",
)
"""Keys of the cases about signatures alone: some have a component of low order, which no list of keys can tell."""


def pem(raw: bytes) -> bytes:
    key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("key", WEAK)
def test_a_weak_key_is_refused_as_a_person_s_and_as_a_witness_s(key: str) -> None:
    for read in (lambda raw: public_key(pem(raw)), enrolled):
        with pytest.raises(ValueError, match=r"small order|not in its canonical form"):
            read(bytes.fromhex(key))


@pytest.mark.parametrize("key", OTHERS)
def test_any_other_key_is_enrolled(key: str) -> None:
    assert public_key(pem(bytes.fromhex(key))) == enrolled(bytes.fromhex(key))


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the shared folder with published cases is not here (AIMS_SHARED)")
def test_these_are_all_keys_of_the_published_cases() -> None:
    cases = json.loads(PUBLISHED.read_text())
    flagged = {case["key"] for case in cases if {"low_order_A", "non_canonical_A"} & set(case["flags"] or ())}

    assert len(cases) == 914
    assert flagged == set(WEAK)
    assert {case["key"] for case in cases} == set(WEAK) | set(OTHERS)
