"""Which statements are converted for other tools: trusted, of exactly this version, and the newest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.api.interop import FORMS
from aims_mlops.cli.evidence import FORMS as OFFERED
from aims_mlops.errors import NothingToDo, SigningError, UsageError, VerificationError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, Target
from tests.api.world import World
from tests.builders import CHAMPION, CREATED, key

INCOME = ModelRef("income", version="3")
FILES = hashlib.sha256(b"x").hexdigest().encode() + b"  MLmodel\n"
CHECK = {
    "check": {"id": "parity", "use": "fairness", "required": True},
    "outcome": "passed",
    "measures": [{"metric": "accuracy", "column": None, "outcome": "passed"}],
}


@pytest.fixture
def checked(world: World) -> World:
    """A world in which income/3 was checked, and judged for champion."""
    world.registry.add("income", "3", FILES)
    api.check(world.services, INCOME)
    api.gate(world.services, INCOME, CHAMPION)
    return world


def export(world: World, *forms: str) -> Mapping[str, bytes]:
    folder = world.folder / f"export-{len(list(world.folder.glob('export-*')))}"
    paths = api.export(world.services, INCOME, folder, forms=forms)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def predicates(files: Mapping[str, bytes], folder: str) -> list[dict[str, Any]]:
    """The predicates of what was exported into a folder, each opened with the pipeline's key."""
    found = []
    for name, content in files.items():
        if name.startswith(f"{folder}/") and name.endswith(".dsse.json"):
            envelope = Envelope.from_bytes(content)
            assert envelope.open_with([key("pipeline").public]) == (key("pipeline").public.id,)
            found.append(json.loads(envelope.payload)["predicate"])
    return found


def word_of(predicate: Mapping[str, Any]) -> str:
    (ours,) = [item for item in predicate["configuration"] if item["name"] == "check-result"]
    return str(ours["annotations"]["outcome"])


def test_the_command_line_offers_every_form() -> None:
    assert OFFERED == FORMS


def test_without_forms_the_export_is_as_it_was(checked: World) -> None:
    names = set(export(checked))

    assert not [name for name in names if "sigstore" in name or ("/" in name and not name.startswith("keys/"))]
    assert names < set(export(checked, *FORMS))


def test_each_form_has_its_files(checked: World) -> None:
    files = export(checked, *FORMS)
    plain = {name for name in files if name.endswith(".dsse.json")}

    assert {name.partition("/")[0] for name in plain if "/" in name} == {"test-result", "slsa-vsa"}
    assert "model.sig" in files
    assert {name.replace(".dsse.json", ".sigstore.json") for name in plain} == {
        name for name in files if name.endswith(".sigstore.json")
    }
    # Each converted statement is named as the envelope that it is made from, and that lies beside it.
    assert {name.rpartition("/")[2] for name in plain if "/" in name} <= {name for name in plain if "/" not in name}


def test_nothing_is_recorded_by_an_export(checked: World) -> None:
    before = list(checked.store.leaves())

    export(checked, *FORMS)

    assert list(checked.store.leaves()) == before


def test_the_newest_result_of_each_check_is_exported(checked: World) -> None:
    checked.say("check-result", {**CHECK, "outcome": "inconclusive"})
    other = {**CHECK, "check": {"id": "accuracy", "use": "fairness", "required": False}}
    checked.say("check-result", other)

    found = predicates(export(checked, "test-result"), "test-result")

    assert [(word_of(item), item["result"]) for item in found] == [("inconclusive", "FAILED"), ("passed", "PASSED")]


def test_the_newest_judgement_of_each_target_is_exported(checked: World) -> None:
    checked.say("check-result", {**CHECK, "outcome": "failed"})
    api.gate(checked.services, INCOME, CHAMPION)
    api.gate(checked.services, INCOME, Target.parse("stage:Production"))

    found = predicates(export(checked, "slsa-vsa"), "slsa-vsa")

    assert sorted(item["resourceUri"].split(":", 6)[6] for item in found) == ["3:alias:champion", "3:stage:Production"]
    assert {item["verificationResult"] for item in found} == {"FAILED"}


def test_what_nobody_trusted_signed_is_not_vouched_for(checked: World) -> None:
    checked.person = "colleague"
    checked.say("check-result", {**CHECK, "outcome": "failed"})
    checked.person = "pipeline"

    assert [word_of(item) for item in predicates(export(checked, "test-result"), "test-result")] == ["passed"]


def test_what_only_somebody_untrusted_signed_gives_nothing(world: World) -> None:
    world.registry.add("income", "3", FILES)
    world.person = "colleague"
    world.say("check-result", CHECK)
    world.say("gate-decision", {"act": "promote", "enforcedBy": "server", "verdict": "allowed"})

    for form in ("test-result", "slsa-vsa", "model-signature"):
        with pytest.raises(NothingToDo, match="signed by anyone trusted for it"):
            export(world, form)


def test_a_version_whose_number_was_used_again_gets_nothing_of_the_older_one(checked: World) -> None:
    held, files = checked.registry.held["income/3"]
    checked.registry.held["income/3"] = replace(held, created_at=CREATED.replace(year=2027)), files

    for form in ("test-result", "slsa-vsa", "model-signature"):
        with pytest.raises(NothingToDo, match="about income/3"):
            export(checked, form)


def test_a_removal_is_no_judgement(world: World) -> None:
    world.registry.add("income", "3", FILES)
    api.check(world.services, INCOME)
    removed = {"act": "remove", "to": {"alias": "champion"}, "on": None, "verdict": "allowed", "enforcedBy": "server"}
    world.say("gate-decision", removed)

    with pytest.raises(NothingToDo, match="no decision about income/3"):
        export(world, "slsa-vsa")


def test_an_ill_formed_result_stops_the_export_and_nothing_is_written(checked: World) -> None:
    checked.say("check-result", {"check": "parity"})

    with pytest.raises(VerificationError, match="ill-formed"):
        api.export(checked.services, INCOME, checked.folder / "out", forms=("test-result",))
    assert not (checked.folder / "out").exists()


def test_files_that_are_not_those_that_were_checked_are_not_signed(checked: World) -> None:
    checked.registry.add("income", "3", FILES.replace(b"MLmodel", b"another"))

    with pytest.raises(VerificationError, match=r"not those that were checked.*they are not signed"):
        export(checked, "model-signature")


def test_the_newest_result_says_which_files_were_checked(checked: World) -> None:
    checked.registry.add("income", "3", FILES.replace(b"MLmodel", b"another"))
    checked.say("check-result", {**CHECK, "check": {"id": "another", "use": "fairness", "required": True}})

    signed = json.loads(export(checked, "model-signature")["model.sig"])

    assert signed["verificationMaterial"]["publicKey"]["hint"] == hashlib.sha256(key("pipeline").public_pem).hexdigest()


def test_a_model_is_signed_by_a_key_that_the_project_lists(checked: World) -> None:
    checked.person = "stranger"

    with pytest.raises(SigningError, match="the key of 'stranger' is not among the keys"):
        export(checked, "model-signature")


def test_a_folder_with_something_in_it_is_left_alone(checked: World, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "model.sig").write_text("older")

    with pytest.raises(UsageError, match="never overwrites"):
        api.export(checked.services, INCOME, tmp_path / "full", forms=("model-signature",))
    assert (tmp_path / "full" / "model.sig").read_text() == "older"


def test_the_subject_of_what_is_exported_is_the_model_digest(checked: World) -> None:
    files = export(checked, "test-result", "slsa-vsa")

    for name, content in files.items():
        if "/" in name and name.endswith(".dsse.json"):
            (subject,) = json.loads(Envelope.from_bytes(content).payload)["subject"]
            assert subject == {"name": "MODEL.sha256", "digest": {"sha256": Digest.of(FILES).hex}}
