"""Valid notes, checkpoints, proofs and requests to a witness, over the log of `seeds`, as the code writes them."""

from __future__ import annotations

from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import Checkpoint, cosign
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.note import COSIGNATURE, ED25519, VerifierKey
from aims_mlops.evidence.witnessing import AddCheckpoint, Seen, seen_to_bytes
from fuzz.seeds import LOG
from tests.builders import key

ORIGIN = "aims-mlops/6f2c1f1e-0a44-4d5e-9f0a-3f3b1f2a7c11"
_SIGNER, _WITNESS = key("log", algorithm="ed25519"), key("witness", algorithm="ed25519")
LOG_KEY = VerifierKey(ORIGIN, ED25519, _SIGNER.public)
WITNESS_KEY = VerifierKey("witness.example.org", COSIGNATURE, _WITNESS.public)
_TREE = Tree(LOG.rows)
OLD, _SIZE = 1, len(LOG.rows)
"""How many leaves the witness has seen, and how many there are."""

CHECKPOINTS = {size: Checkpoint(ORIGIN, size, merkle.root(_TREE, size)) for size in (OLD, _SIZE)}
"""What the log's key signed, by size. Nothing else opens."""
_OLDEST, _NEWEST = (checkpoint.sign(LOG_KEY, _SIGNER.sign) for checkpoint in CHECKPOINTS.values())
_COSIGNED = _NEWEST.with_signatures([cosign(_NEWEST, WITNESS_KEY, _WITNESS.sign, time=1_700_000_000)])
NOTES = tuple(note.to_bytes() for note in (_OLDEST, _COSIGNED))
_INDEX = 1
PROOF = LogProof(_INDEX, tuple(merkle.prove_inclusion(_TREE, _INDEX, _SIZE)), NOTES[1], LOG.rows[_INDEX])
PROVED = LOG.envelopes[Leaf.from_bytes(PROOF.leaf).payload]
"""The envelope that the proof is for."""
SEEN = {ORIGIN: Seen(OLD, CHECKPOINTS[OLD].root)}
REQUESTS = (
    AddCheckpoint(OLD, (), NOTES[0]).to_bytes(),
    AddCheckpoint(OLD, tuple(merkle.prove_consistency(_TREE, OLD, _SIZE)), NOTES[1]).to_bytes(),
)
STATE = seen_to_bytes({**SEEN, "another/log": Seen()})
VERIFIER_KEYS = tuple(str(item).encode() for item in (LOG_KEY, WITNESS_KEY))
