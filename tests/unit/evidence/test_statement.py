"""Statements: written, read again, and refused where they are not exactly ours."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.statement import KINDS, MANIFEST, Header, Statement, predicate_type
from tests.builders import DATA, MODEL_FILES, NOW, dataset, header, other, result

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


def wire(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(result().to_bytes())
    return {**made, **changes}


def predicate(**changes: Any) -> dict[str, Any]:
    return {**wire()["predicate"], **changes}


def with_header(**changes: Any) -> dict[str, Any]:
    return wire(predicate=predicate(header={**wire()["predicate"]["header"], **changes}))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_and_read_again(kind: str) -> None:
    said = other(kind)

    assert predicate_type(kind) == f"urn:aims-mlops:{kind}:v1"
    assert Statement.from_bytes(said.to_bytes()) == said


@pytest.mark.parametrize("kind", ["", "approval", "check-result:v1", "urn:aims-mlops:waiver:v1"])
def test_a_kind_that_is_none_has_no_predicate_type(kind: str) -> None:
    with pytest.raises(ValueError, match="is not a kind of statement"):
        predicate_type(kind)


@given(
    name=TEXT,
    version=st.none() | TEXT,
    system=st.none() | TEXT,
    body=st.dictionaries(TEXT.filter(lambda key: key != "header"), TEXT | st.none() | st.integers(0, 99), max_size=3),
    millis=st.integers(0, 10**12),
)
def test_a_statement_survives_writing_and_reading(
    name: str, version: str | None, system: str | None, body: dict[str, Any], millis: int
) -> None:
    moment = NOW - timedelta(milliseconds=millis)
    said = Statement(
        "record", DATA, header(model=name, version=version, system=system, measured_at=moment, supersedes=DATA), body
    )

    assert Statement.from_bytes(said.to_bytes()) == said


def test_a_statement_about_no_model_survives_too() -> None:
    bare = header(model=None, version=None, version_created_at=None, system=None, policy_digest=None, datasets=())
    said = Statement("key-event", DATA, bare, {"key": "new"}, subject_name="KEY")

    assert Statement.from_bytes(said.to_bytes()) == said


def test_the_wire_form_is_an_in_toto_statement_with_one_subject() -> None:
    said = wire()

    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "urn:aims-mlops:check-result:v1"
    assert said["subject"] == [{"name": MANIFEST, "digest": {"sha256": MODEL_FILES.hex}}]
    assert said["predicate"]["header"]["datasets"] == [dataset().to_wire()]
    assert set(said["predicate"]["header"]) == {
        "registryId",
        "workspace",
        "model",
        "version",
        "versionCreatedAt",
        "system",
        "policyDigest",
        "datasets",
        "tool",
        "libraries",
        "nonce",
        "supersedes",
        "measuredAt",
        "signedAt",
    }


def test_a_body_cannot_take_the_place_of_the_header() -> None:
    forged = replace(result(), body={**result().body, "header": {"model": "another"}})

    assert Statement.from_bytes(forged.to_bytes()).header == result().header


def test_parts_of_a_millisecond_are_cut_off() -> None:
    said = result(measured_at=NOW + timedelta(microseconds=999))

    assert Statement.from_bytes(said.to_bytes()).header.measured_at == NOW


def test_fields_of_later_versions_are_let_pass_and_not_believed() -> None:
    later = with_header(region="north")
    later["subject"][0]["uri"] = "somewhere"
    later["subject"][0]["digest"]["sha512"] = "0"
    later["note"] = "more"

    assert Statement.from_bytes(canonical(later)) == result()


def test_nan_has_no_place_in_a_statement() -> None:
    with pytest.raises(ValueError, match="no canonical JSON form"):
        replace(result(), body={"value": float("nan")}).to_bytes()


def test_only_the_canonical_form_is_read() -> None:
    with pytest.raises(VerificationError, match="statement: not in canonical form"):
        Statement.from_bytes(json.dumps(wire()).encode())


def test_unknown_fields_of_the_header_wire_are_ignored() -> None:
    assert Header.from_wire({**header().to_wire(), "extra": 1}) == header()


SUBJECT = wire()["subject"][0]
MALFORMED = [
    ("another type", wire(_type="https://in-toto.io/Statement/v0.1"), "_type is not"),
    ("no type", {key: value for key, value in wire().items() if key != "_type"}, "KeyError"),
    ("an unknown kind", wire(predicateType="urn:aims-mlops:approval:v1"), "'approval' is not a kind"),
    ("another version of the kind", wire(predicateType="urn:aims-mlops:record:v2"), "is not a kind"),
    ("the kind alone", wire(predicateType="record"), "unknown predicate type"),
    ("a kind that is no text", wire(predicateType=1), "text expected, got int"),
    ("no subject", wire(subject=[]), "not enough values"),
    ("two subjects", wire(subject=[SUBJECT, SUBJECT]), "too many values"),
    ("a subject that is text", wire(subject=["model"]), "TypeError"),
    ("a subject without digest", wire(subject=[{"name": MANIFEST}]), "KeyError"),
    ("a subject without name", wire(subject=[{"digest": SUBJECT["digest"]}]), "KeyError"),
    ("a short digest", wire(subject=[{"name": "m", "digest": {"sha256": "ab"}}]), "not a digest"),
    ("a digest in capitals", wire(subject=[{"name": "m", "digest": {"sha256": "AB" * 32}}]), "not a digest"),
    ("a digest that is no text", wire(subject=[{"name": "m", "digest": {"sha256": 1}}]), "TypeError"),
    ("no predicate", wire(predicate=None), "object expected, got NoneType"),
    ("pairs in place of the predicate", wire(predicate=[["header", {}]]), "object expected, got list"),
    ("no header", wire(predicate={}), "KeyError"),
    ("a header that is text", wire(predicate=predicate(header="header")), "TypeError"),
    ("no registry", with_header(registryId=None), "text expected, got NoneType"),
    ("a version as a number", with_header(version=3), "text expected, got int"),
    ("a day as time", with_header(measuredAt="2026-11-21"), "not a time"),
    ("a time with an offset", with_header(signedAt="2026-11-21T20:31:34.123+00:00"), "not a time"),
    ("a day that is none", with_header(signedAt="2026-02-30T20:31:34.123Z"), "ValueError"),
    ("a policy that is no digest", with_header(policyDigest="mine"), "not a digest"),
    ("pairs in place of the tool", with_header(tool=[["a", "b"]]), "object expected, got list"),
    ("libraries as text", with_header(libraries="fairlearn"), "object expected, got str"),
    ("datasets as text", with_header(datasets="evaluation"), "TypeError"),
    ("a dataset without rows", with_header(datasets=[{"name": "a", "digest": str(DATA), "kind": "f"}]), "KeyError"),
    ("rows that are no number", with_header(datasets=[{**dataset().to_wire(), "rows": None}]), "TypeError"),
    ("a supersedes that is no digest", with_header(supersedes="x"), "not a digest"),
]


@pytest.mark.parametrize(("value", "words"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_anything_but_a_statement_of_ours_is_refused(value: dict[str, Any], words: str) -> None:
    with pytest.raises(VerificationError) as caught:
        Statement.from_bytes(canonical(value))
    assert str(caught.value).startswith("statement: ")
    assert words in str(caught.value)
