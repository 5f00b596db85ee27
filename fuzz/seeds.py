"""Valid inputs, as the code itself writes and signs them; keys are made from names, as in the tests."""

from __future__ import annotations

from collections.abc import Iterator

from aims_mlops.evidence import predicates
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.configuration import MAIN, Bundle, Pinned, PolicyBody
from aims_mlops.evidence.configuration import manifest as configuration_manifest
from aims_mlops.evidence.statement import Statement
from aims_mlops.evidence.waiver_body import Answer, Refused
from aims_mlops.gate import decide
from aims_mlops.model.decision import Actor
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import CheckResult, Finding, Measure
from aims_mlops.model.outcome import Outcome
from tests import builders
from tests.builders import (
    MODEL_FILES,
    NOW,
    REGISTRY,
    entry,
    failing,
    header,
    human,
    key,
    log,
    record,
    result,
    signed,
    waiver_request,
)

NAMES = ("pipeline", "officer", "owner", "colleague")
KEYS = tuple(key(name).public for name in NAMES)
TRUST = builders.trust()


def _statements() -> Iterator[Statement]:
    measures = (Measure("accuracy", Outcome.PASSED, 0.9, "sex", (0.8, 0.95), counts={"Female": 120, "Male": None}),)
    found = Finding.of(measures, rows=240, libraries={"fairlearn": "0.13.0"})
    made = CheckResult(
        "parity", "fairness", required=True, finding=found, measured_at=NOW, datasets=(builders.dataset(),)
    )
    spec = builders.check_spec()
    body = predicates.check_result(made, spec, options={}, seed=7, isolation="process", policy=builders.policy().digest)
    tool = {"name": "aims-mlops", "version": "0.1.0"}
    yield Statement("check-result", MODEL_FILES, header(tool=tool), body)
    for checked in (record(result()), record(result("failed"))):
        decision = decide(builders.question(), builders.view(checked), now=NOW, enforced_by="server")
        decided = predicates.gate_decision(decision, actor=Actor("pipeline", "signature"))
        yield Statement("gate-decision", MODEL_FILES, header(datasets=(), tool=tool), decided)
    yield human()


STATEMENTS = tuple(_statements())
ENVELOPES = (*(signed(statement) for statement in STATEMENTS), signed(human(), "officer", "owner"))
PAYLOADS = frozenset(envelope.payload for envelope in ENVELOPES)
LOG = log(*(entry(statement) for statement in (result(), result("failed"), human())))


KEY_FILES = {f"keys/{name}.pub.pem": key(name).public_pem for name in NAMES}
SIGNATURES = {name: key(name).sign(b"message") for name in NAMES}
YAML = (
    b"""\
schema: aims/1
organisation: {name: Example Lending, contact: ai@example.org}
people:
  holder: {name: Model Owner, keys: [keys/owner.pub.pem]}
  pipeline: {name: Pipeline, kind: service, keys: [keys/pipeline.pub.pem]}
trust: {check-result: [pipeline], gate-decision: [pipeline], promotion: [pipeline]}
systems:
  income:
    name: Income estimator
    owner: holder
    models: [income, "credit-*"]
    promotion: {aliases: [champion], stages: [Production], registered_models: ["prod.*"]}
    data:
      evaluation: {path: data/evaluation.parquet, label: approved, sensitive: [sex]}
    checks:
      - {id: parity, use: fairness, data: evaluation, max_age: 30d, metrics: {demographic_parity_ratio: {min: 0.8}}}
""",
)
SIGNED_CONFIGURATIONS = frozenset(Bundle({**KEY_FILES, MAIN: content}).digest for content in YAML)
_DIGESTS = {name: Digest.of(content) for name, content in {**KEY_FILES, MAIN: YAML[0]}.items()}
POLICY = PolicyBody(
    2, Digest.of(b"1"), Digest.of(configuration_manifest(_DIGESTS)), _DIGESTS, {"income": Digest.of(b"p")}
)
PINNED = Pinned(REGISTRY, 2, Digest.of(b"configuration"))
FILES = b"".join(
    f"{Digest.of(name.encode()).hex}  {name}\n".encode() for name in ("MLmodel", "code/a.py", "model.skops")
)
PAYLOAD_SEEDS = tuple(sorted(PAYLOADS))
JUDGED = tuple(item.to_bytes() for item in STATEMENTS if item.kind != "gate-decision")
"""What the gate looks at."""
WAIVERS = tuple(
    canonical(body)
    for body in (
        waiver_request(failing()).body,
        Answer("approve", Digest.of(b"request"), "").to_wire(),
        Answer("revoke", Digest.of(b"request"), "it got worse").to_wire(),
        Refused("approve", "self-approval", "asked for it", "parity", Digest.of(b"request")).to_wire(),
    )
)
EXPORTED = tuple(item.to_bytes() for item in STATEMENTS if item.kind != "record")
"""What has a form in other tools."""
