"""Opening one place of the log: the five steps, each broken by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.log import Fault, Leaf, walk
from aims_mlops.evidence.record import EvidenceView, Record, Trust, open_leaf
from aims_mlops.model.digest import Digest
from tests.builders import (
    DATA,
    NOW,
    REGISTRY,
    Entry,
    entry,
    key,
    log,
    other,
    person,
    policy,
    result,
    signed,
    trust,
)


def leaf_of(item: Entry) -> Leaf:
    return Leaf.from_bytes(log(item).rows[0])


GOOD = entry(result())
LEAF = leaf_of(GOOD)
BYTES = GOOD.envelope.to_bytes()


def opened(leaf: Leaf = LEAF, envelope: bytes | None = BYTES) -> Record | Fault:
    return open_leaf(leaf, envelope, trust())


def test_a_sound_leaf_opens_to_what_was_said_and_by_whom() -> None:
    keys = {key("pipeline").public.id: "pipeline"}
    assert opened() == Record(0, result_digest(), NOW.replace(minute=1), result(), "pipeline", keys)


def result_digest() -> Digest:
    return Digest.of(result().to_bytes())


def test_a_lost_envelope_is_a_hole() -> None:
    assert opened(envelope=None) == Fault("hole", 0, "the statement of leaf 0 is gone")


def resealed(payload: bytes) -> tuple[Leaf, bytes]:
    """A leaf that agrees with any payload's envelope, as someone with a trusted key could make it."""
    envelope = Envelope(payload, (Signature("", key("pipeline").sign(pae(payload))),))
    content = envelope.to_bytes()
    return replace(LEAF, payload=envelope.payload_digest, envelope=Digest.of(content)), content


@pytest.mark.parametrize(
    ("leaf", "envelope", "words"),
    [
        (LEAF, signed(result(), "owner").to_bytes(), "the envelope is not the one that was appended"),
        (LEAF, BYTES + b"\n", "the envelope is not the one that was appended"),
        (replace(LEAF, envelope=Digest.of(b"{}")), b"{}", "envelope: expected payload, payloadType and signatures"),
        (replace(LEAF, payload=DATA), BYTES, "the payload is not the one that was appended"),
        (*resealed(b"no statement"), "statement: not strict JSON"),
        (*resealed(b"{}"), "statement: KeyError"),
        (replace(LEAF, type="urn:aims-mlops:record:v1"), BYTES, "the statement is not about what the leaf says"),
        (replace(LEAF, subject=DATA), BYTES, "the statement is not about what the leaf says"),
        (replace(LEAF, captured_at="yesterday"), BYTES, "not a time: 'yesterday'"),
    ],
    ids=[
        "an envelope signed by another",
        "one byte more",
        "no envelope",
        "another payload",
        "a payload that is no JSON",
        "a payload that is no statement",
        "another kind",
        "another subject",
        "a time that is none",
    ],
)
def test_what_was_changed_is_named(leaf: Leaf, envelope: bytes, words: str) -> None:
    fault = opened(leaf, envelope)

    assert isinstance(fault, Fault)
    assert (fault.kind, fault.seq) == ("tampered", 0)
    assert fault.what.startswith(f"leaf 0: {words}")


@pytest.mark.parametrize(
    ("names", "signer"),
    [
        (("pipeline",), "pipeline"),
        (("owner",), None),
        (("stranger",), None),
        (("stranger", "pipeline"), "pipeline"),
    ],
    ids=["a trusted key", "a key trusted for other kinds", "a key that nobody knows", "one trusted of two"],
)
def test_only_a_key_trusted_for_the_kind_makes_a_signer(names: tuple[str, ...], signer: str | None) -> None:
    item = entry(result(), *names)

    read = open_leaf(leaf_of(item), item.envelope.to_bytes(), trust())

    assert isinstance(read, Record)
    assert read.signer == signer


def test_a_kind_that_the_policy_trusts_nobody_for_has_no_signer() -> None:
    item = entry(other("halt"))

    read = open_leaf(leaf_of(item), item.envelope.to_bytes(), trust())

    assert isinstance(read, Record)
    assert read.signer is None


def test_a_trusted_key_that_is_not_enrolled_signs_for_nobody() -> None:
    signed_by = Trust(policy().trust, {}).signed(GOOD.statement, GOOD.envelope, captured_at=NOW)

    assert (signed_by.people, signed_by.lapsed) == ((), {})


def test_one_person_with_two_keys_counts_once() -> None:
    second = key("pipeline-2").public
    pipeline = person("pipeline", kind="service", keys=(key("pipeline").public, second))
    both = Trust(
        {"check-result": {item.id: "pipeline" for item in pipeline.keys}}, {item.id: item for item in pipeline.keys}
    )

    found = both.signed(result(), signed(result(), "pipeline", "pipeline-2"), captured_at=NOW)

    assert (found.people, len(found.keys)) == (("pipeline",), 2)


def test_a_view_holds_the_size_the_head_and_all_faults() -> None:
    stored = log(GOOD, entry(result(nonce="2")))
    walked = walk(stored.rows, registry_id="another", head=stored.head)
    lost = Fault("hole", 1, "gone")

    view = EvidenceView.of(walked, (), (lost,))

    assert (view.size, view.faults[-1], len(view.faults)) == (2, lost, 2)
    assert view.head == Digest.of(stored.rows[1])


def test_a_view_of_an_empty_log_has_no_head() -> None:
    view = EvidenceView.of(walk([], registry_id=REGISTRY, head=None), (), ())

    assert (view.size, view.head, view.faults) == (0, None, ())
