"""Signed notes: the published ones verify, and nothing that was changed does."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.ed25519 import enrolled, raw_of
from aims_mlops.evidence.note import COSIGNATURE, ED25519, MAX_BYTES, Note, NoteSignature, VerifierKey
from tests.builders import key
from tests.unit.evidence.published_notes import (
    CT_CHECKPOINT,
    CT_KEY,
    EXAMPLE_KEY,
    EXAMPLE_NOTE,
    GO_KEY,
    GO_NOTE,
    SUM_CHECKPOINT,
    SUM_KEY,
    WITNESS_KEY,
)

PUBLISHED = [
    pytest.param(EXAMPLE_NOTE, EXAMPLE_KEY, id="the specification's example"),
    pytest.param(GO_NOTE, GO_KEY, id="Go's example"),
    pytest.param(SUM_CHECKPOINT, SUM_KEY, id="a checkpoint of sum.golang.org"),
    pytest.param(CT_CHECKPOINT, CT_KEY, id="a checkpoint of a certificate log"),
    pytest.param(CT_CHECKPOINT, WITNESS_KEY, id="a witness's cosignature of it"),
]
ALICE, BOB = key("alice", algorithm="ed25519"), key("bob", algorithm="ed25519")
ALICE_KEY = VerifierKey("example.org/alice", ED25519, ALICE.public)
BOB_KEY = VerifierKey("example.org/bob", ED25519, BOB.public)
TEXT = b"a text\n\nof two paragraphs\n"


def signed(*signers: Any, text: bytes = TEXT) -> Note:
    known = {"alice": (ALICE_KEY, ALICE), "bob": (BOB_KEY, BOB)}
    return Note(text, tuple(NoteSignature.of(known[who][0], known[who][1].sign(text)) for who in signers))


@pytest.mark.parametrize(("content", "vkey"), PUBLISHED)
def test_a_published_note_verifies(content: str, vkey: str) -> None:
    known = VerifierKey.parse(vkey)
    note = Note.from_bytes(content.encode())
    assert set(note.signed_by([known])) == {known}
    assert note.to_bytes() == content.encode()
    assert str(known) == vkey


@pytest.mark.parametrize(("content", "vkey"), PUBLISHED)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_mutated_note_never_verifies(content: str, vkey: str, data: st.DataObject) -> None:
    known = VerifierKey.parse(vkey)
    raw = bytearray(content.encode())
    signature = next(line for line in content.splitlines() if line.startswith(f"— {known.name} "))
    end = raw.index(b"\n\n") + 1
    start = raw.index(signature.encode())
    # The text and this key's own line; what other lines say is not looked at.
    places = [*range(end), *range(start, start + len(signature.encode()))]
    place = data.draw(st.sampled_from(places))
    raw[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(VerificationError):
        assert Note.from_bytes(bytes(raw)).signed_by([known]) == {}


def test_a_witness_says_when_it_looked() -> None:
    known = VerifierKey.parse(WITNESS_KEY)
    signature = Note.from_bytes(CT_CHECKPOINT.encode()).signed_by([known])[known]
    assert signature.time == 0x6A122120


def test_unknown_keys_are_ignored_and_known_ones_found() -> None:
    note = signed("alice", "bob")
    assert set(note.signed_by([ALICE_KEY])) == {ALICE_KEY}
    assert set(note.signed_by([ALICE_KEY, BOB_KEY])) == {ALICE_KEY, BOB_KEY}
    assert note.signed_by([VerifierKey("example.org/carol", ED25519, ALICE.public)]) == {}
    assert note.signed_by([VerifierKey(ALICE_KEY.name, COSIGNATURE, ALICE.public)]) == {}


def test_a_key_that_signed_twice_counts_once() -> None:
    assert len(signed("alice", "alice", "alice").signed_by([ALICE_KEY, BOB_KEY])) == 1


def test_a_bad_signature_of_a_known_key_makes_the_note_worthless() -> None:
    note = signed("alice", "bob")
    other = signed("bob", text=b"another text\n").signatures
    with pytest.raises(VerificationError, match=r"the signature of example\.org/bob does not hold"):
        Note(note.text, (*note.signatures, *other)).signed_by([ALICE_KEY, BOB_KEY])
    assert set(Note(note.text, (*note.signatures, *other)).signed_by([ALICE_KEY])) == {ALICE_KEY}


@pytest.mark.parametrize("time", [b"", b"\x00" * 8, b"\xff" * 8])
def test_a_cosignature_needs_its_time(time: bytes) -> None:
    witness = VerifierKey("w", COSIGNATURE, ALICE.public)
    assert not witness.verifies(TEXT, time + (ALICE.sign(TEXT) if len(time) == 8 else b""))


LINE = "— example.org/alice " + base64.b64encode(b"1234signature").decode()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param("text\n", "an empty line and signatures", id="no signature"),
        pytest.param("text\n\n", "an empty line and signatures", id="no line below"),
        pytest.param(f"text\n\n{LINE}", "each line ended", id="the last line is not ended"),
        pytest.param(f"text\n\n{LINE}\nmore\n", "not a signature", id="something else below"),
        pytest.param(f"text\n\n{LINE.replace('—', '-')}\n", "not a signature", id="another dash"),
        pytest.param(f"text\n\n{LINE.replace('alice', 'al ice')}\n", "not a signature", id="a blank in the name"),
        pytest.param(f"text\n\n{LINE.replace('alice', 'al+ice')}\n", "not a signature", id="a plus in the name"),
        pytest.param(f"text\n\n{LINE} \n", "not a signature", id="a blank at the end"),
        pytest.param(f"te\txt\n\n{LINE}\n", "control character", id="a tabulator"),
        pytest.param(f"text\r\n\r\n{LINE}\r\n", "control character", id="carriage returns"),
        pytest.param("text\n\n— alice MTIzNA==\n", "without content", id="a key id and nothing more"),
        pytest.param("text\n\n— alice MTIzNHN=\n", "stray bits", id="stray bits"),
        pytest.param("text\n\n— alice MTIzN\n", "not base64", id="too little"),
        pytest.param("text\n\n" + f"{LINE}\n" * 65, "65 signatures", id="too many"),
        pytest.param("x" * MAX_BYTES + f"\n\n{LINE}\n", "bytes, more than", id="too long"),
    ],
)
def test_another_form_is_refused(content: str, what: str) -> None:
    with pytest.raises(VerificationError, match=what):
        Note.from_bytes(content.encode())


def test_a_note_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(VerificationError, match="not UTF-8"):
        Note.from_bytes(f"text\n\n{LINE}\n".encode().replace(b"text", b"te\xff"))


def test_sixteen_signatures_are_read() -> None:
    assert len(Note.from_bytes(("text\n\n" + f"{LINE}\n" * 16).encode()).signatures) == 16


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("example.com/foo", r"NAME\+ID\+BASE64", id="a name alone"),
        pytest.param(EXAMPLE_KEY.replace("530d903a", "530d903b"), "the id of this key", id="another id"),
        pytest.param(EXAMPLE_KEY.replace("530d903a", "530D903A"), "the id of this key", id="capitals in the id"),
        pytest.param(EXAMPLE_KEY.replace("foo", "bar"), "the id of this key", id="another name"),
        pytest.param(EXAMPLE_KEY.replace("+Ae", "+Be"), "type 0x05", id="another type"),
        pytest.param(EXAMPLE_KEY[:-4], "31 bytes|30 bytes|29 bytes", id="too short"),
        pytest.param(EXAMPLE_KEY[:-1] + "!", "not base64", id="no base64"),
        pytest.param("a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "no blanks", id="a blank"),
        pytest.param("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "no blanks", id="no name"),
        pytest.param("x+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "small order", id="small order"),
    ],
)
def test_another_verifier_key_is_refused(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        VerifierKey.parse(text)


def test_a_raw_key_is_what_stands_in_its_der_form() -> None:
    assert enrolled(raw_of(ALICE.public)) == ALICE.public
    with pytest.raises(ValueError, match="not an Ed25519 key"):
        raw_of(key("alice").public)
    with pytest.raises(ValueError, match="not an Ed25519 key"):
        VerifierKey("alice", ED25519, key("alice").public)
