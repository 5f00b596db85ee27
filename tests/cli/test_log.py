"""`aims log` from the command line: a key of its own, a real witness in a process of its own, and a forged log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aims_mlops.adapters.stores import open_store
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.note import VerifierKey
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.ports import Entry
from tests.builders import result, signed
from tests.cli.loans import AIMS_YAML, EARLIER, Loans

pytestmark = pytest.mark.slow

SECTION = """\
  the-log: {name: Log of evidence, kind: service, keys: [keys/the-log.pub.pem]}
  audit: {name: Internal audit, kind: service, keys: [keys/audit.pub.pem]}

log:
  key: the-log
  witnesses: []

signer: pipeline
"""


@pytest.fixture
def loans(tmp_path: Path) -> Loans:
    """A project without any model: the log is what counts here."""
    made = Loans(tmp_path / "project")
    made.folder.mkdir()
    made.write(AIMS_YAML)
    store = open_store("sqlite:///aims.db", root=made.folder)
    for number in range(EARLIER):
        said = result(nonce=str(number), registry_id=store.registry_id())
        envelope = signed(said)
        store.append(
            Entry(envelope.to_bytes(), envelope.payload_digest, predicate_type(said.kind), said.subject, model="income")
        )
    store.close()
    return made


def keep_a_log(loans: Loans) -> None:
    loans.edit("\nsigner: pipeline\n", SECTION)
    for person in ("the-log", "audit"):
        loans.aims("keys", "new", person, "--ed25519", expect=0)


def test_without_a_section_it_says_what_to_add(loans: Loans) -> None:
    loans.aims("log", "checkpoint", expect=2).says("does not say who signs the log's checkpoints", "log: {key: NAME}")
    loans.edit("\nsigner: pipeline\n", SECTION)
    loans.aims("log", "verify", expect=2).says("'the-log' has no Ed25519 key", "aims keys new the-log --ed25519")
    loans.aims("keys", "new", "the-log", expect=0)
    loans.aims("log", "checkpoint", expect=2).says("has no Ed25519 key")


def test_sign_verify_and_prove(loans: Loans, tmp_path: Path) -> None:
    keep_a_log(loans)
    loans.aims("log", "verify", expect=5).says(f"UNWITNESSED: {EARLIER} leaves")
    made = loans.aims("log", "checkpoint", "--format", "json", expect=0).json
    assert (made["schema"], made["size"], made["before"]) == ("aims.log/1", EARLIER, 0)
    loans.aims("log", "checkpoint", expect=5).says("no leaf is new")
    found = loans.aims("log", "verify", "--format", "json", expect=5).json
    assert (found["unwitnessed"], found["troubles"]) == (EARLIER, [])

    kept = tmp_path / "kept.checkpoint"
    kept.write_text(made["note"])
    loans.aims("log", "verify", "--checkpoint", str(kept), expect=0).says(f"compared up to {EARLIER} leaves")

    (digest, *_) = [row["digest"] for row in loans.aims("evidence", "list", "--format", "json", expect=0).json]
    proof = tmp_path / "one.tlog-proof"
    loans.aims("log", "prove", digest, "-o", str(proof), expect=0).says("leaf 0 is in the checkpoint", "unwitnessed")
    ((envelope,),) = loans.sql("select envelope from aims_envelope where payload = ?", digest)
    known = VerifierKey.parse(made["keys"][0])
    assert LogProof.from_bytes(proof.read_bytes()).verify(envelope, origin=known.name, keys=[known]).size == EARLIER
    loans.aims("log", "prove", "12345678", "-o", str(proof), expect=2).says("no statement in the log")


def test_an_edited_leaf_is_never_signed_over(loans: Loans) -> None:
    keep_a_log(loans)
    loans.aims("log", "checkpoint", expect=0)
    ((content,),) = loans.sql("select leaf from aims_leaf where seq = 1")
    changed = content.replace(Leaf.from_bytes(content).captured_at[:4].encode(), b"2020")
    loans.sql("update aims_leaf set leaf = ? where seq = 1", changed)
    loans.aims("log", "checkpoint", expect=4).says("the log was rewritten, or forked from an old copy")
    loans.aims("log", "verify", expect=4).says(
        "DOES NOT VERIFY", "tampered", f"checkpoint of {EARLIER} (store, outside)"
    )


def test_a_witness_in_a_process_of_its_own(loans: Loans) -> None:
    keep_a_log(loans)
    key = loans.aims("log", "verify", "--format", "json", expect=5).json["keys"][0]
    loans.aims("log", "checkpoint", expect=0)
    loans.aims("log", "witness", expect=2).says("name the witnesses' URLs, or --serve")
    loans.aims("log", "witness", "--serve", "127.0.0.1:0", "--key", "audit", expect=2).says("--state")
    serve = ["log", "witness", "--serve", "127.0.0.1:0", "--state", "seen.json", "--key", "audit"]
    loans.aims(*serve, "--log", "no-key", expect=2).says("--log: 'no-key' is not a verifier key")
    loans.aims("keys", "new", "pipeline", expect=0)
    loans.aims(*serve[:-1], "pipeline", "--log", key, expect=2).says(
        "'pipeline' cannot cosign as 'aims-witness/pipeline'"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "aims_mlops", *serve, "--log", key],
        cwd=loans.folder,
        env=loans.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        witness_key = process.stdout.readline().strip()
        port = process.stderr.readline().partition(" at port ")[2].partition(";")[0]
        url = f"http://127.0.0.1:{port}"
        loans.aims("log", "witness", url, expect=2).says("aims.yaml trusts no witness")
        loans.edit("witnesses: []", f"witnesses: ['{witness_key}']")
        loans.aims("log", "witness", url, expect=0).says("witnessed: 1 of 1 needed")
        loans.aims("log", "verify", expect=0).says(f"witnessed up to {EARLIER} leaves")
        loans.aims("log", "witness", url, "http://127.0.0.1:9", expect=3).says("does not answer", "witnessed: 1 of 1")
    finally:
        os.kill(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "witness stopped" in said
