"""Checkpoints and proof files: whose they are, what they prove, and everything that they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aims_mlops.errors import VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import Checkpoint, SignedCheckpoint, cosign, open_checkpoint
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.note import COSIGNATURE, ED25519, Note, VerifierKey
from tests.builders import Log, entry, key, log, result
from tests.unit.evidence.published_notes import CT_CHECKPOINT, CT_KEY, SUM_CHECKPOINT, SUM_KEY, WITNESS_KEY

ORIGIN = "aims-mlops/6f2c1f1e-0a44-4d5e-9f0a-3f3b1f2a7c11"
SIGNER = key("log", algorithm="ed25519")
LOG_KEY = VerifierKey(ORIGIN, ED25519, SIGNER.public)
WITNESSES = [key(f"witness {number}", algorithm="ed25519") for number in range(3)]
KNOWN = [VerifierKey(f"w{number}", COSIGNATURE, item.public) for number, item in enumerate(WITNESSES)]
TREE = Tree(b"leaf %d" % number for number in range(7))
CHECKPOINT = Checkpoint(ORIGIN, 7, merkle.root(TREE, 7))
NOTE = CHECKPOINT.sign(LOG_KEY, SIGNER.sign)


def opened(content: bytes) -> SignedCheckpoint:
    return open_checkpoint(content, origin=ORIGIN, keys=[LOG_KEY])


def test_a_published_checkpoint_is_opened() -> None:
    found = open_checkpoint(
        SUM_CHECKPOINT.encode(), origin="go.sum database tree", keys=[VerifierKey.parse(SUM_KEY)]
    ).checkpoint
    assert (found.size, found.root.hex()[:8], found.extensions) == (35225469, "bede53e8", ())


def test_a_published_cosignature_counts() -> None:
    known = VerifierKey.parse(CT_KEY)
    found = open_checkpoint(CT_CHECKPOINT.encode(), origin=known.name, keys=[known])
    assert found.witnesses([VerifierKey.parse(WITNESS_KEY)]) == ("remora.n621.de",)


def test_what_was_signed_comes_back() -> None:
    found = opened(NOTE.to_bytes())
    assert found == SignedCheckpoint(CHECKPOINT, NOTE)
    longer = replace(CHECKPOINT, extensions=("one more", "and another"))
    assert opened(longer.sign(LOG_KEY, SIGNER.sign).to_bytes()).checkpoint == longer


def test_the_origin_has_to_be_the_log_and_the_key_its_own() -> None:
    other = replace(CHECKPOINT, origin="aims-mlops/another")
    with pytest.raises(VerificationError, match=r"of the log 'aims-mlops/another', not of 'aims-mlops/6f2c"):
        opened(other.sign(LOG_KEY, SIGNER.sign).to_bytes())
    stranger = key("stranger", algorithm="ed25519")
    with pytest.raises(VerificationError, match="not signed by a key of the log"):
        opened(CHECKPOINT.sign(VerifierKey(ORIGIN, ED25519, stranger.public), stranger.sign).to_bytes())
    with pytest.raises(VerificationError, match="does not hold"):
        opened(CHECKPOINT.sign(LOG_KEY, stranger.sign).to_bytes())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"\n7\n", b"\n07\n", id="a leading zero"),
        pytest.param(b"\n7\n", b"\n+7\n", id="a sign"),
        pytest.param(b"\n7\n", b"\n-7\n", id="a negative size"),
        pytest.param(b"\n7\n", "\n\u0667\n".encode(), id="a digit of another script"),
        pytest.param(b"\n7\n", b"\n9223372036854775808\n", id="more than 63 bits"),
        pytest.param(b"\n7\n", b"\n7\n\n", id="an empty line"),
        pytest.param(b"\n7\n", b"\n", id="no size"),
        pytest.param(ORIGIN.encode() + b"\n", b"\n", id="no origin"),
    ],
)
def test_another_form_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(VerificationError, match="checkpoint: "):
        Checkpoint.from_text(CHECKPOINT.to_text().replace(old, new))


def test_a_root_of_another_length_is_refused() -> None:
    with pytest.raises(VerificationError, match="a hash of 31 bytes"):
        Checkpoint.from_text(replace(CHECKPOINT, root=CHECKPOINT.root[:31]).to_text())


def test_each_witness_counts_once_and_only_where_it_is_known() -> None:
    lines = [cosign(NOTE, known, item.sign, time=5) for known, item in zip(KNOWN, WITNESSES, strict=True)]
    again = cosign(NOTE, KNOWN[0], WITNESSES[0].sign, time=6)
    note = NOTE.with_signatures([*lines, again, lines[1]])
    assert len(note.signatures) == 5
    found = opened(Note.from_bytes(note.to_bytes()).to_bytes())
    assert found.witnesses(KNOWN) == ("w0", "w1", "w2")
    assert found.witnesses(KNOWN[:1]) == ("w0",)
    two_names = [KNOWN[0], VerifierKey("second-name", COSIGNATURE, WITNESSES[0].public)]
    second = cosign(NOTE, two_names[1], WITNESSES[0].sign, time=5)
    assert len(opened(note.with_signatures([second]).to_bytes()).witnesses(two_names)) == 1


def test_a_cosignature_of_another_checkpoint_is_found() -> None:
    other = replace(CHECKPOINT, size=6).sign(LOG_KEY, SIGNER.sign)
    note = NOTE.with_signatures([cosign(other, KNOWN[0], WITNESSES[0].sign, time=5)])
    with pytest.raises(VerificationError, match="the signature of w0 does not hold"):
        opened(note.to_bytes()).witnesses(KNOWN)


# Proof files


def whole() -> Log:
    return log(*(entry(result(nonce=str(number))) for number in range(5)))


def proof(index: int = 2, size: int = 5) -> tuple[LogProof, bytes]:
    held = whole()
    tree = Tree(held.rows)
    signed = Checkpoint(ORIGIN, size, merkle.root(tree, size)).sign(LOG_KEY, SIGNER.sign)
    made = LogProof(index, tuple(merkle.prove_inclusion(tree, index, size)), signed.to_bytes(), held.rows[index])
    return made, list(held.envelopes.values())[index]


def test_a_proof_comes_back_from_its_file_and_verifies() -> None:
    for index in range(5):
        made, envelope = proof(index)
        read = LogProof.from_bytes(made.to_bytes())
        assert read == made
        assert read.verify(envelope, origin=ORIGIN, keys=[LOG_KEY]).size == 5


def test_a_proof_is_of_one_envelope() -> None:
    made, _ = proof(2)
    _, other = proof(3)
    with pytest.raises(VerificationError, match="not of this envelope"):
        made.verify(other, origin=ORIGIN, keys=[LOG_KEY])


def test_a_leaf_does_not_stand_at_another_place() -> None:
    held = whole()
    tree = Tree([held.rows[1], held.rows[0], *held.rows[2:]])
    signed = Checkpoint(ORIGIN, 5, merkle.root(tree, 5)).sign(LOG_KEY, SIGNER.sign)
    made = LogProof(0, tuple(merkle.prove_inclusion(tree, 0, 5)), signed.to_bytes(), held.rows[1])
    with pytest.raises(VerificationError, match="leaf 1 stands at place 0"):
        made.verify(list(held.envelopes.values())[1], origin=ORIGIN, keys=[LOG_KEY])


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        pytest.param(b"@v1", b"@v2", "does not begin with", id="another version"),
        pytest.param(b"index 2", b"index 02", "leading zeros", id="a leading zero"),
        pytest.param(b"index 2", b"index 3", "inclusion", id="another index"),
        pytest.param(b"index 2\n", b"", "says no index", id="no index"),
        pytest.param(b"extra ", b"extra x", "base64", id="broken extra data"),
        pytest.param(b"\n\n" + ORIGIN.encode(), b"\nAAAA\n\n" + ORIGIN.encode(), "3 bytes", id="a short hash"),
        pytest.param(b"\n5\n", b"\n6\n", "does not hold", id="another size"),
    ],
)
def test_a_changed_proof_does_not_verify(old: bytes, new: bytes, what: str) -> None:
    made, envelope = proof(2)
    content = made.to_bytes()
    assert content.count(old) == 1
    with pytest.raises(VerificationError, match=what):
        LogProof.from_bytes(content.replace(old, new)).verify(envelope, origin=ORIGIN, keys=[LOG_KEY])


def test_a_proof_without_its_leaf_proves_nothing() -> None:
    made, envelope = proof(2)
    with pytest.raises(VerificationError, match="inclusion"):
        replace(made, leaf=b"").verify(envelope, origin=ORIGIN, keys=[LOG_KEY])
    too_many = replace(made, hashes=made.hashes * 30).to_bytes()
    with pytest.raises(VerificationError, match="hashes, more than 63"):
        LogProof.from_bytes(too_many)
    with pytest.raises(VerificationError, match="bytes, more than"):
        LogProof.from_bytes(b"x" * 300_000)
