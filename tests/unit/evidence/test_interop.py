"""Other tools' forms: every field is one of their specification's, and nothing becomes better than it was."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.errors import SigningError, VerificationError
from aims_mlops.evidence import predicates
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.envelope import Envelope, pae, verify_signature
from aims_mlops.evidence.interop import in_toto_test_result as test_result_form
from aims_mlops.evidence.interop import model_signature, sigstore_bundle, slsa_vsa
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import Statement
from aims_mlops.gate import decide
from aims_mlops.model.bypass import Bypass, Word
from aims_mlops.model.decision import ANONYMOUS, Actor, Refusal
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import CheckResult, Finding, Measure
from aims_mlops.model.outcome import Outcome, Status, Verdict
from tests.builders import (
    CHAMPION,
    MODEL_FILES,
    NOW,
    REGISTRY,
    check_spec,
    dataset,
    header,
    human,
    key,
    policy,
    question,
    record,
    result,
    sign_bytes,
    version,
    view,
)

PIPELINE = Actor("pipeline", "signature")
DESCRIPTOR = {"name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations"}
"""The fields of a ResourceDescriptor (in-toto/attestation, spec/v1/resource_descriptor.md)."""


def measured(*outcomes: Outcome) -> Record:
    """A check result with a measure of each outcome, as `aims check` writes it."""
    measures = tuple(
        Measure(f"metric_{place}", outcome, 0.5, "sex" if place else None, counts={"Female": None, "Male": 4321})
        for place, outcome in enumerate(outcomes)
    )
    found = Finding.of(measures, rows=14652, libraries={})
    made = CheckResult("parity", "fairness", True, found, NOW, (dataset(),))
    body = predicates.check_result(made, check_spec(), options={}, seed=1, isolation=None, policy=policy().digest)
    return record(Statement("check-result", MODEL_FILES, header(), json.loads(canonical(body))))


def decided(*records: Record, **changes: Any) -> Record:
    """A gate decision over these records, as the gate writes it; `changes` are of its body."""
    decision = decide(question(), view(*records), now=NOW, enforced_by="server")
    body = json.loads(canonical(predicates.gate_decision(decision, actor=PIPELINE)))
    tool = {"name": "aims-mlops", "version": "0.1.0"}
    made = header(datasets=(), tool=tool)
    return record(Statement("gate-decision", MODEL_FILES, made, {**body, **changes}), seq=7)


def waived(**changes: Any) -> Record:
    """A decision that a waiver made."""
    made = decided(record(result("failed")))
    requirements = json.loads(canonical(list(made.statement.body["requirements"])))
    for item in requirements:
        if item["id"] == "parity":
            item |= {"status": "waived", "waiver": str(Digest.of(b"waiver"))}
    open_ = {"verdict": "allowed_by_waiver", "exitCode": 0, "requirements": requirements}
    return replace(made, statement=replace(made.statement, body={**made.statement.body, **open_, **changes}))


def read(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The statement and its predicate, each held to its fields and to canonical form."""
    wire = json.loads(content)
    assert canonical(wire) == content
    assert set(wire) == {"_type", "subject", "predicateType", "predicate"}
    assert wire["_type"] == "https://in-toto.io/Statement/v1"
    assert wire["subject"] == [{"name": "MODEL.sha256", "digest": {"sha256": MODEL_FILES.hex}}]
    return wire, wire["predicate"]


def hold_descriptors(descriptors: list[dict[str, Any]]) -> None:
    for item in descriptors:
        assert set(item) <= DESCRIPTOR
        assert {"name", "uri", "digest"} & set(item)


# in-toto test-result v0.1


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome.PASSED, "PASSED"),
        (Outcome.WARNED, "WARNED"),
        (Outcome.FAILED, "FAILED"),
        (Outcome.INCONCLUSIVE, "FAILED"),
        (Outcome.ERROR, "FAILED"),
    ],
)
def test_an_outcome_becomes_one_of_three_words_and_is_kept(outcome: Outcome, said: str) -> None:
    made = measured(outcome)

    wire, predicate = read(test_result_form.as_test_result(made))

    assert wire["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert set(predicate) == {"result", "configuration", "passedTests", "warnedTests", "failedTests"}
    assert predicate["result"] == said
    assert predicate[f"{said.lower()}Tests"] == ["metric_0"]
    assert ours(predicate)["annotations"]["outcome"] == outcome.value
    hold_descriptors(predicate["configuration"])


def ours(predicate: Mapping[str, Any]) -> dict[str, Any]:
    """The descriptor of our own statement."""
    (found,) = [item for item in predicate["configuration"] if item["name"] == "check-result"]
    return dict(found)


def test_each_measure_is_a_test_and_the_unsure_ones_are_named() -> None:
    made = measured(Outcome.PASSED, Outcome.WARNED, Outcome.INCONCLUSIVE, Outcome.ERROR, Outcome.FAILED)

    _, predicate = read(test_result_form.as_test_result(made))

    assert predicate["result"] == "FAILED"
    assert predicate["passedTests"] == ["metric_0"]
    assert predicate["warnedTests"] == ["metric_1(sex)"]
    assert predicate["failedTests"] == ["metric_2(sex)", "metric_3(sex)", "metric_4(sex)"]
    assert ours(predicate)["annotations"]["inconclusiveTests"] == ["metric_2(sex)"]
    assert ours(predicate)["annotations"]["errorTests"] == ["metric_3(sex)"]


def test_it_names_the_policy_the_data_and_our_statement_by_their_digests() -> None:
    made = measured(Outcome.PASSED)

    _, predicate = read(test_result_form.as_test_result(made))

    digests = {item["name"]: item["digest"] for item in predicate["configuration"]}
    assert digests == {
        "policy": {"sha256": policy().digest.hex},
        "evaluation": {"sha256": dataset().digest.hex},
        "check-result": {"sha256": made.payload.hex},
    }
    assert ours(predicate)["uri"] == "urn:aims-mlops:check-result:v1"
    assert ours(predicate)["mediaType"] == "application/vnd.in-toto+json"


def test_no_count_leaves_with_it() -> None:
    said = test_result_form.as_test_result(measured(Outcome.PASSED)).decode()

    assert not [text for text in ("4321", "14652", "Female", "counts", "rows") if text in said]


def test_a_block_that_says_more_than_the_outcome_is_not_believed() -> None:
    made = measured(Outcome.FAILED)
    body = {**made.statement.body, "testResult": {"result": "PASSED"}}

    _, predicate = read(test_result_form.as_test_result(with_body(made, body)))

    assert predicate["result"] == "FAILED"


@given(word=st.text())
def test_no_other_word_ever_passes(word: str) -> None:
    made = measured(Outcome.PASSED)

    _, predicate = read(test_result_form.as_test_result(with_body(made, {**made.statement.body, "outcome": word})))

    assert predicate["result"] == {"passed": "PASSED", "warned": "WARNED"}.get(word, "FAILED")


def with_body(made: Record, body: Mapping[str, Any]) -> Record:
    return replace(made, statement=replace(made.statement, body=body))


@pytest.mark.parametrize(
    "change",
    [{"measures": None}, {"measures": [5]}, {"measures": [{}]}, {"check": []}, {"check": {}}, {"outcome": []}],
    ids=str,
)
def test_an_ill_formed_result_is_refused(change: dict[str, Any]) -> None:
    made = measured(Outcome.PASSED)

    with pytest.raises(VerificationError, match=r"the check-result .* at leaf 0 is ill-formed"):
        test_result_form.as_test_result(with_body(made, {**made.statement.body, **change}))


# SLSA verification summary v1


VSA_REQUIRED = {"verifier", "timeVerified", "resourceUri", "policy", "verificationResult", "verifiedLevels"}
VSA_OPTIONAL = {"inputAttestations", "dependencyLevels", "slsaVersion"}
"""The fields of SLSA's verification_summary/v1, docs/spec/v1.1/verification_summary.md."""


def summary(made: Record) -> dict[str, Any]:
    wire, predicate = read(slsa_vsa.as_verification_summary(made))
    assert wire["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert set(predicate) >= VSA_REQUIRED
    assert set(predicate) <= VSA_REQUIRED | VSA_OPTIONAL
    assert set(predicate["verifier"]) == {"id", "version"}
    assert ":" in predicate["verifier"]["id"]
    assert ":" in predicate["resourceUri"]
    assert "uri" in predicate["policy"]
    assert all("digest" in item for item in predicate["inputAttestations"])
    hold_descriptors([predicate["policy"], *predicate["inputAttestations"]])
    assert not [level for level in predicate["verifiedLevels"] if level.startswith("SLSA_")]
    assert (predicate["verificationResult"] == "FAILED") == (predicate["verifiedLevels"] == ["FAILED"])
    return predicate


def test_an_allowed_decision_passes() -> None:
    evidence = record(result())
    made = decided(evidence)

    predicate = summary(made)

    assert predicate["verificationResult"] == "PASSED"
    assert predicate["verifiedLevels"] == ["MODEL_GATE_ALLOWED", "MODEL_GATE_ENFORCED_BY_SERVER"]
    assert predicate["slsaVersion"] == "1.1"
    assert predicate["timeVerified"] == "2026-11-21T19:31:34.123Z"
    assert predicate["policy"] == {
        "name": "policy",
        "uri": "urn:aims-mlops:policy:income",
        "digest": {"sha256": policy().digest.hex},
    }
    named = {item["name"]: item["digest"]["sha256"] for item in predicate["inputAttestations"]}
    assert named == {"gate-decision": made.payload.hex, "parity": evidence.payload.hex}


@pytest.mark.parametrize("outcome", ["failed", "inconclusive", "error"])
def test_a_decision_that_kept_the_gate_shut_fails(outcome: str) -> None:
    assert summary(decided(record(result(outcome))))["verifiedLevels"] == ["FAILED"]
    assert summary(decided())["verifiedLevels"] == ["FAILED"]


def test_a_waiver_passes_and_is_seen() -> None:
    predicate = summary(waived())

    assert predicate["verificationResult"] == "PASSED"
    assert predicate["verifiedLevels"] == ["MODEL_GATE_ALLOWED_BY_WAIVER", "MODEL_GATE_ENFORCED_BY_SERVER"]
    decision = predicate["inputAttestations"][0]
    assert decision["annotations"]["verdict"] == "allowed_by_waiver"
    assert decision["annotations"]["waived"] == ["parity"]
    waiver = predicate["inputAttestations"][-1]
    assert (waiver["name"], waiver["uri"]) == ("waiver of parity", "urn:aims-mlops:waiver:v1")
    assert waiver["digest"] == {"sha256": Digest.of(b"waiver").hex}


def test_a_waived_requirement_is_seen_whatever_the_verdict_calls_it() -> None:
    assert summary(waived(verdict="allowed"))["verifiedLevels"][0] == "MODEL_GATE_ALLOWED_BY_WAIVER"


@given(
    verdict=st.sampled_from([*Verdict, "", "Allowed"]),
    code=st.sampled_from([0, 1, 3, 4]),
    statuses=st.lists(st.sampled_from(list(Status)), max_size=3),
    by=st.sampled_from(["client", "server"]),
)
def test_only_an_open_verdict_over_open_requirements_passes(
    verdict: str, code: int, statuses: list[Status], by: str
) -> None:
    requirements = [
        {
            "id": f"r{n}",
            "kind": "check",
            "required": True,
            "status": status.value,
            "evidence": None,
            "waiver": None,
        }
        for n, status in enumerate(statuses)
    ]
    made = decided(verdict=str(verdict), exitCode=code, requirements=requirements, enforcedBy=by)

    predicate = summary(made)

    passes = verdict in ("allowed", "allowed_by_waiver") and code == 0 and bool(statuses)
    passes = passes and all(status.open for status in statuses)
    assert (predicate["verificationResult"] == "PASSED") == passes
    plain = verdict == "allowed" and Status.WAIVED not in statuses
    assert ("MODEL_GATE_ALLOWED" in predicate["verifiedLevels"]) == (passes and plain)
    assert (f"MODEL_GATE_ENFORCED_BY_{by.upper()}" in predicate["verifiedLevels"]) == passes


def test_the_resource_is_the_place_that_was_judged_and_no_other() -> None:
    def place(**changes: Any) -> str:
        return str(summary(decided(record(result()), **changes))["resourceUri"])

    assert place() == f"urn:aims-mlops:target:{REGISTRY}:default:income:3:alias:champion"
    copy = {"workspace": "w", "model": "prod:income", "version": "1", "createdAt": "2026-11-21T00:00:00.000Z"}
    places = {
        place(),
        place(to={"stage": "champion"}),
        place(to={"name": "prod.income"}),
        place(on=copy),
        place(to={"alias": "income:3:alias:champion"}),
    }
    assert len(places) == 5
    assert place(on=copy).endswith(":w:prod%3Aincome:1:alias:champion")


def test_what_judged_no_version_has_no_summary() -> None:
    refused = Refusal("income", "rename", CHAMPION, "no", "ask")
    found = Bypass(Word.UNRECORDED, version(), CHAMPION, "seen", "logged", "hint", Digest.of(b"finding"))
    bodies = [
        predicates.removal(CHAMPION, actor=PIPELINE, at=NOW, enforced_by="server"),
        predicates.refusal(refused, actor=ANONYMOUS, at=NOW, enforced_by="server"),
        predicates.enforcement("restore", found, actor=PIPELINE, at=NOW),
        {**decided(record(result())).statement.body, "enforcedBy": "watch"},
        {},
    ]
    for body in bodies:
        made = record(Statement("gate-decision", MODEL_FILES, header(), body))
        assert not slsa_vsa.is_judgement(made)
        with pytest.raises(VerificationError, match="judged no version"):
            slsa_vsa.as_verification_summary(made)


@pytest.mark.parametrize(
    "change",
    [
        {"to": {"alias": "champion", "stage": "Production"}},
        {"to": None},
        {"to": {"alias": None}},
        {"requirements": None},
        {"requirements": [{}]},
        {
            "requirements": [
                {"id": "a", "kind": "check", "required": True, "status": "fine", "evidence": None, "waiver": None}
            ]
        },
    ],
    ids=[
        "two targets",
        "no target",
        "a target of no name",
        "no requirements",
        "an empty requirement",
        "an unknown status",
    ],
)
def test_an_ill_formed_decision_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match=r"the gate-decision .* at leaf 7 is ill-formed"):
        slsa_vsa.as_verification_summary(decided(record(result()), **change))


def test_a_decision_without_policy_says_so() -> None:
    made = decided()
    alone = replace(made.statement.header, policy_digest=None, system=None)

    predicate = summary(replace(made, statement=replace(made.statement, header=alone)))

    assert predicate["policy"] == {"name": "policy", "uri": "urn:aims-mlops:policy"}


# Sigstore bundle v0.3


def test_a_bundle_has_one_signature_and_cosigns_hint() -> None:
    envelope = sign_bytes(human().to_bytes(), ("pipeline", "officer"))
    keys = [key(name).public for name in ("officer", "pipeline", "owner")]

    made = [json.loads(content) for content in sigstore_bundle.as_bundles(envelope, keys)]

    assert len(made) == 2
    for bundle, name in zip(made, ("pipeline", "officer"), strict=True):
        assert set(bundle) == {"mediaType", "verificationMaterial", "dsseEnvelope"}
        assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
        digest = hashlib.sha256(key(name).public.spki).digest()
        hint = base64.b64encode(digest).decode()
        assert bundle["verificationMaterial"] == {"publicKey": {"hint": hint}, "tlogEntries": []}
        assert len(bundle["dsseEnvelope"]["signatures"]) == 1
        opened = Envelope.from_bytes(json.dumps(bundle["dsseEnvelope"]).encode())
        assert opened.payload == envelope.payload
        assert opened.open_with([key(name).public]) == (key(name).public.id,)


def test_a_signature_of_an_unknown_key_has_no_bundle() -> None:
    envelope = sign_bytes(human().to_bytes(), ("pipeline", "stranger"))

    assert len(sigstore_bundle.as_bundles(envelope, [key("pipeline").public])) == 1
    assert sigstore_bundle.as_bundles(envelope, [key("owner").public]) == ()


# OpenSSF model signature


FILES = b"".join(
    hashlib.sha256(path).hexdigest().encode() + b"  " + path + b"\n" for path in (b"MLmodel", b"a-b", b"a/b")
)


def test_a_model_signature_has_the_fields_of_the_specification() -> None:
    wire = json.loads(model_signature.payload("income", FILES))

    assert wire["predicateType"] == "https://model_signing/signature/v1.0"
    assert wire["predicate"]["serialization"] == {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    resources = wire["predicate"]["resources"]
    assert [item["name"] for item in resources] == ["MLmodel", "a-b", "a/b"]
    assert {item["algorithm"] for item in resources} == {"sha256"}
    root = hashlib.sha256(b"".join(bytes.fromhex(item["digest"]) for item in resources)).hexdigest()
    assert wire["subject"] == [{"name": "income", "digest": {"sha256": root}}]
    assert root != Digest.of(FILES).hex


def test_a_model_signature_verifies_and_names_the_pem() -> None:
    signer = key("pipeline")
    payload = model_signature.payload("income", FILES)

    made = json.loads(model_signature.as_model_signature(payload, signer.sign(pae(payload)), pem=signer.public_pem))

    assert made["verificationMaterial"]["publicKey"]["hint"] == hashlib.sha256(signer.public_pem).hexdigest()
    (signature,) = made["dsseEnvelope"]["signatures"]
    assert signature["keyid"] == ""
    assert verify_signature(signer.public, base64.b64decode(signature["sig"]), pae(payload))


def test_a_text_that_is_no_manifest_is_not_signed() -> None:
    with pytest.raises(VerificationError, match="manifest"):
        model_signature.payload("income", b"something else")


def test_only_p256_signs_a_model() -> None:
    model_signature.must_be_p256(key("pipeline").public, "pipeline")
    with pytest.raises(SigningError, match="'pipeline' is ed25519"):
        model_signature.must_be_p256(key("pipeline", algorithm="ed25519").public, "pipeline")


# None of them comes back


def test_nothing_that_is_exported_is_a_statement_of_ours() -> None:
    exported = [
        test_result_form.as_test_result(measured(Outcome.PASSED)),
        slsa_vsa.as_verification_summary(decided(record(result()))),
        model_signature.payload("income", FILES),
    ]
    for content in exported:
        with pytest.raises(VerificationError, match=r"unknown predicate type|not a kind"):
            Statement.from_bytes(content)
