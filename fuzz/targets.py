"""The table of parsers. Another one is another entry in `TARGETS`: its seeds, how it reads, and what it is held to."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aims_mlops import wiring
from aims_mlops.api.evidence import says
from aims_mlops.config import load_bundle
from aims_mlops.config.keys import public_key
from aims_mlops.errors import CannotDecide, ConfigError, ExitCode, VerificationError
from aims_mlops.evidence import manifest, waiver_body, witnessing
from aims_mlops.evidence.canonical import canonical, parse
from aims_mlops.evidence.checkpoint import SignedCheckpoint, open_checkpoint
from aims_mlops.evidence.configuration import MAIN, Bundle, Pinned, PolicyBody
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.interop.in_toto_test_result import as_test_result
from aims_mlops.evidence.interop.slsa_vsa import as_verification_summary, is_judgement
from aims_mlops.evidence.log import Head, Leaf, walk
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.note import Note, VerifierKey
from aims_mlops.evidence.pack import PackReport, verify_pack
from aims_mlops.evidence.pack_index import INDEX, open_index
from aims_mlops.evidence.pack_trust import PackTrust
from aims_mlops.evidence.record import open_leaf
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from fuzz import log_seeds, oracles, pack_seeds, seeds
from fuzz.target import Target
from tests.builders import REGISTRY, ask, record

# How bytes are read


def _place(content: bytes) -> object:
    return open_leaf(Leaf.from_bytes(seeds.LOG.rows[0]), content, seeds.TRUST)


def _asked(content: bytes) -> tuple[Statement, Decision]:
    statement = Statement.from_bytes(content)
    if statement.kind not in ("check-result", "record"):
        raise VerificationError("not asked of this one")
    return statement, ask(record(statement))


def _said(content: bytes) -> str:
    return says(record(Statement.from_bytes(content)))


def _exported(content: bytes) -> tuple[Statement, bytes]:
    statement = Statement.from_bytes(content)
    made = record(statement)
    if statement.kind == "check-result":
        return statement, as_test_result(made)
    if statement.kind != "gate-decision" or not is_judgement(made):
        raise VerificationError("not exported")
    return statement, as_verification_summary(made)


def _configured(content: bytes) -> tuple[Bundle, Any]:
    packed = Bundle({**seeds.KEY_FILES, MAIN: content})
    return packed, load_bundle(packed, wiring.checks())


def _checkpoint(content: bytes) -> SignedCheckpoint:
    return open_checkpoint(content, origin=log_seeds.ORIGIN, keys=[log_seeds.LOG_KEY])


def _proved(content: bytes) -> LogProof:
    proof = LogProof.from_bytes(content)
    proof.verify(log_seeds.PROVED, origin=log_seeds.ORIGIN, keys=[log_seeds.LOG_KEY])
    return proof


def _pack(content: bytes) -> PackReport:
    """Verify the released pack with these bytes in the place of the part that they are most like: by how they begin."""
    place = next((name for name in sorted(pack_seeds.FILES) if _begins_alike(pack_seeds.FILES[name], content)), INDEX)
    files = {**pack_seeds.FILES, place: content}
    report = verify_pack(files, files.__getitem__, pack_seeds.TRUST)
    if report.exit_code != ExitCode.OK:
        raise VerificationError("not valid")
    return report


def _begins_alike(one: bytes, other: bytes) -> bool:
    return one in pack_seeds.PARTS and one[:300] == other[:300]


def _witnessed(content: bytes) -> witnessing.Ruling:
    ruling = witnessing.judge(content, {log_seeds.ORIGIN: [log_seeds.LOG_KEY]}, log_seeds.SEEN)
    if ruling.status != HTTPStatus.OK:
        raise VerificationError(ruling.text)
    return ruling


@cache
def _client() -> Any:
    from tests.api.world import World
    from tests.serving import application

    return application(World(Path(tempfile.mkdtemp(prefix="aims-fuzz-")))).test_client()


def _handed_in(content: bytes) -> int:
    client = _client()
    asked = client.post("/aims/api/v1/envelope-digests", data=content, content_type="application/json").status_code
    assert asked < 500, f"the server answered {asked}"
    return int(client.post("/aims/api/v1/envelopes", data=content, content_type="application/json").status_code)


TARGETS: Sequence[Target] = (
    Target(
        "envelope",
        [e.to_bytes() for e in seeds.ENVELOPES],
        Envelope.from_bytes,
        hold=oracles.signed_by_nobody,
        json=True,
    ),
    Target("statement", seeds.PAYLOAD_SEEDS, Statement.from_bytes, hold=oracles.one_statement, json=True),
    Target("leaf", seeds.LOG.rows, Leaf.from_bytes, hold=oracles.written_as_read, json=True),
    Target("head", [Head(0, Digest.of(b"x")).to_bytes()], Head.from_bytes, hold=oracles.written_as_read, json=True),
    Target("pin", [seeds.PINNED.to_bytes()], Pinned.from_bytes, hold=oracles.written_as_read, json=True),
    Target(
        "log",
        [b"\n".join(seeds.LOG.rows)],
        lambda content: walk(content.split(b"\n"), registry_id=REGISTRY, head=seeds.LOG.head),
        refusals=(),
        hold=oracles.whole_log,
    ),
    Target(
        "place",
        [seeds.LOG.envelopes[Leaf.from_bytes(seeds.LOG.rows[0]).payload]],
        _place,
        (),
        oracles.the_same_envelope,
        json=True,
    ),
    Target("manifest", [seeds.FILES], manifest.parse, hold=oracles.the_same_manifest),
    Target(
        "policy",
        [canonical(seeds.POLICY.to_wire())],
        lambda content: PolicyBody.from_wire(parse(content, what="policy")),
        hold=oracles.made_of_its_files,
        json=True,
    ),
    Target("aims-yaml", seeds.YAML, _configured, (ConfigError,), oracles.one_configuration),
    Target("public-key", list(seeds.KEY_FILES.values()), public_key, (ValueError,), oracles.one_key),
    Target("gate", seeds.JUDGED, _asked, hold=oracles.allowed_by_a_pass, json=True),
    Target("list", seeds.PAYLOAD_SEEDS, _said, json=True),
    Target("other-tools", seeds.EXPORTED, _exported, hold=oracles.no_better, json=True),
    Target(
        "waiver",
        seeds.WAIVERS,
        lambda content: waiver_body.read(parse(content, what="waiver")),
        hold=oracles.one_waiver,
        json=True,
    ),
    Target("note", log_seeds.NOTES, Note.from_bytes, hold=oracles.signed_as_written),
    Target("checkpoint", log_seeds.NOTES, _checkpoint, hold=oracles.signed_by_the_log),
    Target("proof", [log_seeds.PROOF.to_bytes()], _proved, hold=oracles.the_same_proof),
    Target("pack", pack_seeds.PARTS, _pack, hold=oracles.the_same_pack),
    Target("pack-index", [pack_seeds.FILES[INDEX]], open_index, hold=oracles.one_index, json=True),
    Target(
        "pack-trust", [pack_seeds.TRUST_FILE], PackTrust.from_bytes, (CannotDecide,), oracles.no_more_trust, json=True
    ),
    Target("witness", log_seeds.REQUESTS, _witnessed, hold=oracles.one_history),
    Target("witness-state", [log_seeds.STATE], witnessing.seen_from_bytes, hold=oracles.remembered, json=True),
    Target(
        "verifier-key",
        log_seeds.VERIFIER_KEYS,
        lambda content: VerifierKey.parse(content.decode()),
        (ValueError,),
        oracles.one_spelling,
    ),
    Target("http", [e.to_bytes() for e in seeds.ENVELOPES], _handed_in, (), oracles.nothing_stored, json=True),
)
