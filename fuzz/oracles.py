"""What a value is held to after its bytes were taken: each raises `AssertionError` where a mutation was accepted."""

from __future__ import annotations

import json
from typing import Any

from aims_mlops.errors import VerificationError
from aims_mlops.evidence import waiver_body
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.checkpoint import SignedCheckpoint
from aims_mlops.evidence.configuration import MAIN, Bundle, PolicyBody
from aims_mlops.evidence.configuration import manifest as configuration_manifest
from aims_mlops.evidence.envelope import Envelope, verify_signature
from aims_mlops.evidence.log import Walk
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.note import Note, VerifierKey
from aims_mlops.evidence.pack_index import INDEX, PackIndex, signer_of
from aims_mlops.evidence.pack_trust import PackTrust
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import Statement
from aims_mlops.evidence.witnessing import Ruling, Seen, seen_from_bytes, seen_to_bytes
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey
from fuzz.log_seeds import CHECKPOINTS, LOG_KEY, PROOF, WITNESS_KEY
from fuzz.pack_seeds import FILES, PARTS, TRUST
from fuzz.seeds import ENVELOPES, KEYS, LOG, NAMES, PAYLOADS, SIGNATURES, SIGNED_CONFIGURATIONS, YAML
from tests.builders import MODEL_FILES, key


def signed_by_nobody(_content: bytes, envelope: Envelope) -> None:
    """An envelope opens with somebody's key only where its payload is one that was signed."""
    assert envelope.payload in PAYLOADS or not envelope.open_with(KEYS), "a payload that nobody signed verifies"


def one_statement(content: bytes, statement: Statement) -> None:
    """Other bytes are another statement: no signature of a seed covers them, and nothing is lost in what is known."""
    assert Statement.from_bytes(statement.to_bytes()) == statement, "read again, it is another statement"
    for envelope in ENVELOPES:
        moved = Envelope(content, envelope.signatures)
        assert content in PAYLOADS or not moved.open_with(KEYS), "a signature covers a statement that nobody signed"


def written_as_read(content: bytes, value: Any) -> None:
    """There is one way to write a value: two different bytes are never the same value."""
    assert value.to_bytes() == content, "the same value, written in another way"


def whole_log(content: bytes, walked: Walk) -> None:
    """A log without fault is the log that was written, leaf by leaf."""
    assert walked.faults or tuple(content.split(b"\n")) == LOG.rows, "a log that nobody wrote holds"


def the_same_envelope(content: bytes, opened: object) -> None:
    """Beside its leaf, only the envelope that was appended is a record; everything else is a fault."""
    assert not isinstance(opened, Record) or content in LOG.envelopes.values(), "another envelope stands for the leaf"


def the_same_manifest(content: bytes, files: dict[str, str]) -> None:
    """A manifest that is read is written back byte by byte."""
    written = b"".join(f"{digest}  {path}\n".encode() for path, digest in files.items())
    assert written == content, "the same files, written in another way"


def made_of_its_files(_content: bytes, body: PolicyBody) -> None:
    """A configuration's digest is that of its files, and aims.yaml is among them."""
    assert Digest.of(configuration_manifest(body.files)) == body.configuration, "a digest of something else"
    assert MAIN in body.files, "no aims.yaml"
    assert PolicyBody.from_wire(json.loads(canonical(body.to_wire()))) == body, "read again, it is another body"


def one_configuration(content: bytes, loaded: tuple[Bundle, Any]) -> None:
    """Other bytes are another configuration: what administrators signed does not cover them."""
    assert content in YAML or loaded[0].digest not in SIGNED_CONFIGURATIONS, "a configuration that nobody signed"


def one_key(_content: bytes, enrolled: PublicKey) -> None:
    """A key that reads is one that was meant, or one that no signature of theirs verifies with."""
    for name in NAMES:
        mine = enrolled.id == key(name).public.id
        assert mine or not verify_signature(enrolled, SIGNATURES[name], b"message"), "another key verifies"


def allowed_by_a_pass(_content: bytes, found: tuple[Statement, Decision]) -> None:
    """The gate opens for a statement only where that says, of this check and these files, that it passed."""
    statement, decision = found
    if decision.allowed:
        assert statement.body["outcome"] in ("passed", "warned"), "allowed by something that is no pass"
        assert statement.body["check"]["id"] == "parity", "allowed by another check"
        assert (statement.subject, statement.header.model, statement.header.version) == (MODEL_FILES, "income", "3")


def no_better(_content: bytes, found: tuple[Statement, bytes]) -> None:
    """What other tools read is never better than what was said, and never a statement of ours."""
    statement, made = found
    predicate = json.loads(made)["predicate"]
    if statement.kind == "check-result":
        assert predicate["result"] == {"passed": "PASSED", "warned": "WARNED"}.get(statement.body["outcome"], "FAILED")
    elif predicate["verificationResult"] == "PASSED":
        assert statement.body["verdict"] in ("allowed", "allowed_by_waiver"), "a denial passes"
    try:
        Statement.from_bytes(made)
    except VerificationError:
        return
    raise AssertionError("it reads as a statement of ours")


def one_waiver(_content: bytes, body: waiver_body.WaiverBody) -> None:
    """What is understood of a waiver is written and read again without loss."""
    assert waiver_body.read(json.loads(canonical(body.to_wire()))) == body, "read again, it is another body"


def signed_as_written(content: bytes, note: Note) -> None:
    """There is one way to write a note, and known keys sign only the texts that they signed."""
    written_as_read(content, note)
    try:
        signers = note.signed_by((LOG_KEY, WITNESS_KEY))
    except VerificationError:
        return
    known = {checkpoint.to_text() for checkpoint in CHECKPOINTS.values()}
    assert note.text in known or not signers, "a text that nobody signed verifies"


def signed_by_the_log(_content: bytes, opened: SignedCheckpoint) -> None:
    """A checkpoint that opens is one that the log's key signed."""
    assert opened.checkpoint == CHECKPOINTS.get(opened.size), "a checkpoint that the log never signed"


def the_same_proof(_content: bytes, proof: LogProof) -> None:
    """A proof for an envelope is the one proof: nothing else in it leads to the root."""
    found, meant = (proof.index, proof.hashes, proof.leaf), (PROOF.index, PROOF.hashes, PROOF.leaf)
    assert found == meant, "another proof of the same envelope"


def one_history(_content: bytes, ruling: Ruling) -> None:
    """A witness cosigns only what the log's key signed, and never goes back."""
    assert ruling.seen is not None
    meant = CHECKPOINTS.get(ruling.seen.size)
    assert meant is not None, "a size that the log never signed"
    assert ruling.seen.root == meant.root, "a root that the log never signed"


def remembered(_content: bytes, seen: dict[str, Seen]) -> None:
    """What a witness remembers is written and read again without loss."""
    assert seen_from_bytes(seen_to_bytes(seen)) == seen, "read again, it is another state"


def one_spelling(content: bytes, key: VerifierKey) -> None:
    """There is one way to spell a verifier key."""
    assert str(key).encode() == content, "the same key, spelled in another way"


def nothing_stored(content: bytes, status: int) -> None:
    """A server answers every body with a code of its own, and stores only what somebody signed."""
    assert status < 500 or status == 503, f"the server answered {status}"
    if status == 201:
        assert Envelope.from_bytes(content).payload in PAYLOADS, "stored, and nobody signed it"


def the_same_pack(content: bytes, _report: object) -> None:
    """A pack is valid with the bytes that it was made of, and with no others."""
    assert content in PARTS, "a pack that nobody made is valid"


def one_index(content: bytes, opened: tuple[Envelope, Statement, PackIndex]) -> None:
    """An index has one spelling, and a trusted signature only where its payload is the one that was signed."""
    envelope, statement, index = opened
    assert envelope.to_bytes() == content, "the same index, spelled in another way"
    assert index.subject == statement.subject, "an index about other files than it lists"
    assert content == FILES[INDEX] or signer_of(envelope, statement, TRUST.trust, newest=None) is None, (
        "an index that nobody signed is taken"
    )


def no_more_trust(_content: bytes, trust: PackTrust) -> None:
    """What is read is written and read again as the same; a key is known by its own digest only."""
    assert PackTrust.from_bytes(trust.to_bytes()).log_keys == trust.log_keys, "read again, it is another log"
    assert all(key.id == id_ for id_, key in trust.trust.keys.items()), "a key under another's id"
