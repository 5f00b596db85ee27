"""The reference is complete: every key, variable, field, check, status and kind of statement has its row."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from aims_mlops import api, wiring
from aims_mlops.adapters.sql_tables import ENVELOPE
from aims_mlops.api import (
    ApplyReport,
    CoverageReport,
    Flip,
    Replay,
    ReplayReport,
    SystemCoverage,
    Trouble,
    Verification,
    VersionCoverage,
)
from aims_mlops.api.covering import VersionId
from aims_mlops.api.waiving import NEXT
from aims_mlops.cli import cli
from aims_mlops.config.grammar import BUILT_IN, CheckEntry, MonitorEntry
from aims_mlops.errors import ExitCode
from aims_mlops.evidence.coverage import Standing, cover
from aims_mlops.evidence.log import Head, Leaf
from aims_mlops.evidence.pack_compare import compare_packs
from aims_mlops.evidence.replay import Sample, replay_body
from aims_mlops.evidence.statement import KINDS
from aims_mlops.evidence.waiver_body import ACTS, Refused
from aims_mlops.evidence.waivers import Ground, State, waivers
from aims_mlops.model.decision import RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Outcome, Status, Verdict
from aims_mlops.views import anchors, checkpoints, packing
from aims_mlops.views.applying import apply_wire
from aims_mlops.views.covering import coverage_wire
from aims_mlops.views.replaying import replay_wire
from aims_mlops.views.then import then_wire
from aims_mlops.views.verification import verification_wire
from aims_mlops.views.waiving import waivers_wire
from aims_mlops.views.wire import check_report
from aims_mlops.views.wire import decision as decision_wire
from docs import generate
from tests.api.configurations import bundle, load
from tests.api.logs import LogWorld
from tests.api.packs import everything, packed, verified, written
from tests.builders import CHAMPION, NOW, failing, policy, record, result, version, waiver_answer, waiver_request
from tests.docs.blocks import ROOT, documents, name_of
from tests.docs.conftest import Tutorial
from tests.unit.views import examples

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PREDICATES = DOCS / "predicates"
CHECKS = sorted(wiring.checks())


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def rows(path: Path, heading: str = "") -> set[str]:
    """The words in code in the first cells of the tables of a page, or of the part below one heading."""
    page = read(path)
    if heading:
        (page,) = re.findall(rf"(?ms)^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page)
    first = re.findall(r"(?m)^\| ([^|]*) \|", page)
    return {word for cell in first for word in re.findall(r"`([^`]+)`", cell)}


FOR_TESTS = {f"AIMS_{name}" for name in ("TEST_POSTGRES", "TEST_MYSQL", "BYPASS", "REQUIRE_SERVERS", "SHARED")}
FOR_TESTS |= {"AIMS_SLOW_SECONDS"}
"""Variables of this repository's own tests."""


@pytest.mark.parametrize("path", generate.documents(), ids=name_of)
def test_a_generated_part_is_up_to_date(path: Path) -> None:
    assert generate.render(read(path)) == read(path), "make docs"


def test_each_part_is_in_some_document() -> None:
    pages = "".join(read(path) for path in generate.documents())
    assert {part for part in generate.makers() if f"<!-- generated: {part} -->" not in pages} == set()


def keys(made: dict[str, Any]) -> Iterator[str]:
    """Every key of the schema of aims.yaml that is not an option of a check."""
    own = {"data-quality", "drift", "fairness", "performance"}
    for name, node in made["$defs"].items():
        if name in ("Limit", "Expectation"):
            continue
        use = node.get("properties", {}).get("use", {}).get("const")
        common = {*CheckEntry.model_fields, *MonitorEntry.model_fields} if use in own else None
        yield from (key for key in node.get("properties", {}) if common is None or key in common)
    yield from made["properties"]


def test_each_key_of_aims_yaml_has_a_row() -> None:
    told = {place.rpartition(".")[2] for place in rows(REFERENCE / "aims-yaml.md")}
    assert set(keys(wiring.config_schema())) - told == set()
    assert all(f"`{word}`" in read(REFERENCE / "aims-yaml.md") for word in BUILT_IN)


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_has_a_page_with_every_option(name: str) -> None:
    page = REFERENCE / "checks" / f"{name}.md"
    assert set(wiring.checks()[name].options.model_fields) <= rows(page, "Options")
    assert {outcome.value for outcome in Outcome} <= rows(page, "Outcomes")
    for heading in ("How it judges", "What it does not say", "When it fails"):
        assert f"\n## {heading}\n" in read(page)


def test_each_check_is_in_the_catalogue() -> None:
    assert set(CHECKS) <= rows(ROOT / "checks" / "README.md")


def variables(folder: Path) -> set[str]:
    """The AIMS_* variables that Python files name."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        found.update(re.findall(r"\bAIMS_[A-Z][A-Z_]*[A-Z]\b", read(path)))
    return found


def test_each_variable_has_a_row_and_no_other_is_promised() -> None:
    page = REFERENCE / "environment.md"
    used = set().union(*(variables(ROOT / name) for name in ("aims_mlops", "checks", "hooks")))
    assert rows(page) == used
    for path in DOCS.rglob("*.md"):
        named = set(re.findall(r"\bAIMS_[A-Z_]+\b", read(path)))
        assert named <= used | FOR_TESTS, path


def known_commands() -> set[str]:
    found = set()
    for name, command in cli.commands.items():
        found.add(name)
        found.update(f"{name} {child}" for child in getattr(command, "commands", {}))
    return found


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_no_document_names_a_command_that_is_not_there(path: Path) -> None:
    known = known_commands()
    groups = {name.partition(" ")[0] for name in known if " " in name}
    for first, second in re.findall(r"(?:`|\$ |^)aims ([a-z]+)(?: ([a-z-]+))?", read(path), re.MULTILINE):
        assert first in known, f"aims {first}"
        assert first not in groups or not second or f"{first} {second}" in known, f"aims {first} {second}"


def test_each_exit_code_has_a_row() -> None:
    codes = re.findall(r"(?m)^\| \*\*([0-9])\*\* \|", read(REFERENCE / "exit-codes.md"))
    assert codes == [str(code.value) for code in ExitCode]


def test_each_status_word_is_explained_with_its_exit_code() -> None:
    page = read(DOCS / "how-to" / "when-the-gate-says-no.md")
    told = dict(re.findall(r"(?m)^\| `([a-z]+)` \| ([0-9]) \|", page))
    assert told == {status.value: str(status.exit_code.value) for status in Status}


def test_each_field_of_the_answers_has_a_row() -> None:
    page = REFERENCE / "json.md"
    check = check_report(examples.income())
    gate = decision_wire(examples.decision(RequirementStatus("parity", "check", Status.PASSED)))
    trouble = Trouble("hole", "head", "its tail is cut off")
    verification = verification_wire(Verification(1, 1, "income/1", Digest.of(b""), (trouble,)))
    drift = check_report(examples.report(examples.drift()))
    measures = [measure for result in check["results"] + drift["results"] for measure in result["measures"]]
    assert {key for measure in measures for key in measure} == rows(page, "measure")
    assert set(check) | set(check["results"][0]) == rows(page, "aims.check/1")
    assert set(gate) | set(gate["requirements"][0]) == rows(page, "aims.gate/1")
    assert set(verification) | set(verification["troubles"][0]) == rows(page, "aims.verification/1")
    assert set(check["model"]) == rows(page, "model")
    assert all(f"`{word.value}`" in read(page) for words in (Outcome, Verdict) for word in words)


def test_each_field_of_the_ledger_has_a_row() -> None:
    named = VersionId("default", "income", "3", version().created_at)
    row = VersionCoverage(named, None, (), cover(policy(), ()))
    wire = coverage_wire(CoverageReport((SystemCoverage("income", policy().digest, (row,)),)))
    (one,) = wire["systems"]
    (told,) = one["versions"]
    fields = set(wire) | set(one) | set(told) | set(told["requirements"][0])
    assert fields == rows(REFERENCE / "json.md", "aims.coverage/1")
    assert all(f"`{word.value}`" in read(REFERENCE / "json.md") for word in Standing)


def test_each_field_of_a_replay_has_a_row() -> None:
    sample = Sample(1, 1, 1, 1, None)
    wire = replay_wire(ReplayReport(sample, (Replay(record(result()), came_out=True),)))
    assert set(wire) | set(wire["replays"][0]) == rows(REFERENCE / "json.md", "aims.replay/1")
    body = replay_body(record(result()), came_out=True, reason="", differing=(), changed=(), sample=sample)
    assert set(body) == rows(PREDICATES / "record.md", "Replays")


def test_each_field_of_an_applied_configuration_has_a_row() -> None:
    standing = Flip(version(), CHAMPION, None, None)
    packed = bundle()
    report = ApplyReport(packed, load(packed), 1, None, None, (standing,), None, None, 0, 1, in_force=False)
    wire = apply_wire(report)
    assert set(wire) | set(wire["standing"][0]) == rows(REFERENCE / "json.md", "aims.apply/1")


def test_each_field_of_a_waiver_has_a_row() -> None:
    request = waiver_request(failing())
    said = [record(item, payload=Digest.of(item.to_bytes())) for item in (request, waiver_answer("approve", request))]
    (waiver,) = waivers(said, Ground(None, "is missing now", (), (), "owner", NOW))
    wire = waivers_wire([waiver])
    assert set(wire) | set(wire["waivers"][0]) == rows(REFERENCE / "json.md", "aims.waivers/1")
    bodies = [item.statement.body for item in said] + [Refused("approve", "unknown", "no").to_wire()]
    page = read(PREDICATES / "waiver.md")
    assert {name for body in bodies for name in body} == set(re.findall(r"(?m)^\| `([A-Za-z]+)` \|", page))
    assert all(f"`{act}`" in page for act in ACTS)
    assert all(f"`{cause}`" in page for cause in NEXT)
    assert all(f"`{state.value.replace(' ', '_')}`" in read(REFERENCE / "json.md") for state in State)


def test_each_field_of_an_answer_about_the_log_has_a_row(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    (digest,) = world.write()
    witness, made = world.department("audit"), world.checkpoint()
    cosigned = api.cosign_at(world.services, witness)
    proved = api.prove_logged(world.services, digest)
    wires = [
        checkpoints.checkpoint_wire(made),
        checkpoints.log_wire(world.verify()),
        checkpoints.proof_wire(proved, "one.tlog-proof"),
        checkpoints.cosigned_wire([cosigned], {}, 0),
        anchors.stamps_wire([], {}, 0),
        anchors.given_wire(None, [], {}, size=1, code=0),
    ]
    world.close()
    page = read(REFERENCE / "json.md")
    assert {key for wire in wires for key in wire} <= rows(REFERENCE / "json.md", "aims.log/1")
    inner = {*wires[1]["checkpoints"][0], *wires[1]["tiles"], *wires[3]["cosigned"][0]}
    assert all(f"`{key}`" in page for key in inner)


def test_each_field_of_packs_and_of_what_stood_then_is_told(tmp_path: Path) -> None:
    world, _ = everything(tmp_path)
    made = packed(world)
    found = verified(*written(made, tmp_path, world))
    compared = packing.comparison_wire(compare_packs(found, found), "old", "new")
    wires = [packing.pack_wire(made, "pack"), packing.report_wire(found, "pack"), compared]
    assert {key for wire in wires for key in wire} == rows(REFERENCE / "json.md", "aims.pack/1")
    then = then_wire(api.system_then(world.services, "income", world.now))
    told = rows(REFERENCE / "json.md", "aims.system-then/1")
    assert {*then, *then["stood"][0]} == told
    page = read(REFERENCE / "json.md")
    inner = {*then["stood"][0]["requirements"][0], *wires[0]["log"], *wires[0]["statements"]}
    assert all(f"`{key}`" in page for key in inner)
    assert set(made.index.to_wire()) == rows(PREDICATES / "pack.md")
    world.close()


def test_each_kind_of_statement_has_a_row_and_each_that_is_used_a_page() -> None:
    page = read(PREDICATES / "README.md")
    told = re.findall(r"(?m)^\| `([a-z-]+)` \| (\[written\]|\[read\]|reserved)", page)
    assert {kind for kind, _ in told} == set(KINDS)
    used = {kind for kind, word in told if word != "reserved"}
    assert used == {path.stem for path in PREDICATES.glob("*.md")} - {"README"}
    source = "".join(read(path) for path in (ROOT / "aims_mlops" / "api").glob("*.py"))
    written = set(re.findall(r'Said\(\s*"([a-z-]+)"', source))
    assert written == {kind for kind, word in told if word == "[written]"}


def test_each_field_of_a_leaf_and_of_the_head_is_told() -> None:
    digest = Digest.of(b"")
    leaf = Leaf(0, digest, "urn:aims-mlops:record:v1", digest, digest, digest, "2026-11-21T20:31:34.123Z")
    assert set(json.loads(leaf.to_bytes())) == rows(PREDICATES / "README.md", "The leaf")
    assert set(json.loads(Head(0, digest).to_bytes())) == {"leaf", "seq", "v"}


@pytest.mark.slow
@pytest.mark.xdist_group("tutorial")
def test_each_field_of_the_statements_of_the_tutorial_has_a_row(tutorial: Tutorial) -> None:
    engine = create_engine(f"sqlite:///{tutorial.project.folder}/aims.db")
    with engine.connect() as connection:
        stored = [bytes(content) for (content,) in connection.execute(select(ENVELOPE.c.envelope))]
    engine.dispose()
    kinds = set()
    for content in stored:
        statement = json.loads(base64.b64decode(json.loads(content)["payload"]))
        kind = statement["predicateType"].split(":")[2]
        kinds.add(kind)
        assert set(statement) == rows(PREDICATES / "README.md", "The statement")
        body = statement["predicate"]
        assert set(body["header"]) == rows(PREDICATES / "README.md", "The header")
        assert set(body) - {"header"} == rows(PREDICATES / f"{kind}.md")
    assert kinds == {"intent", "check-result", "gate-decision", "promotion"}
