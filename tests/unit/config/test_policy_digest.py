from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aims_mlops.config import CheckTypes, load
from aims_mlops.evidence.canonical import canonical
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project

Read = Callable[[str | bytes], Project]


def digest(project: Project) -> Digest:
    return project.systems[0].policy.digest


def test_the_text_is_canonical_and_its_hash_is_the_digest(read: Read, base: str) -> None:
    policy = read(base).systems[0].policy
    assert canonical(json.loads(policy.text)) == policy.text
    assert Digest.of(policy.text) == policy.digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("champion", "best", id="the protected alias"),
        pytest.param('"prod.*"', '"live.*"', id="the protected names"),
        pytest.param("data/*.parquet", "data/x*.parquet", id="a path"),
        pytest.param("label: paid", "label: late", id="a label"),
        pytest.param("[sex]", "[race]", id="a sensitive column"),
        pytest.param("label: paid", "label: paid, positive: 2", id="the positive value"),
        pytest.param("label: paid", "label: paid, prediction: p", id="stored predictions"),
        pytest.param("label: paid", "label: paid, score: s", id="stored scores"),
        pytest.param("label: paid", f"label: paid, digest: sha256:{'0' * 64}", id="pinned data"),
        pytest.param("max: 0.10", "max: 0.11", id="a limit"),
        pytest.param("max: 0.10", "max: 0.10, warn: 0.05", id="a warning"),
        pytest.param("30d", "31d", id="the age of a result"),
        pytest.param("        max_age: 30d\n", "", id="no age of a result"),
        pytest.param(
            "        max_age: 30d\n", "        max_age: 30d\n        least: 31\n", id="an option left out before"
        ),
        pytest.param(
            "        max_age: 30d\n", "        max_age: 30d\n        required: false\n", id="no longer required"
        ),
        pytest.param(
            "        max_age: 30d\n", "        max_age: 30d\n        decide_on: point\n", id="decided on the point"
        ),
        pytest.param(
            "        max_age: 30d\n", "        max_age: 30d\n        allow_attached: true\n", id="attached data allowed"
        ),
        pytest.param(
            "        max_age: 30d\n",
            "        max_age: 30d\n        allow_stored_predictions: true\n",
            id="stored predictions allowed",
        ),
        pytest.param("id: gap", "id: gap2", id="the id of a check"),
        pytest.param("on: [now, then]", "on: [now]", id="the data of a check"),
        pytest.param("signed_by: not-owner", "signed_by: ann", id="who signs a record"),
        pytest.param("signed_by: not-owner", "required: false", id="a record no longer required"),
        pytest.param("id: peer-review", "id: drill", id="the kind of a record"),
        pytest.param("check-result: [robot]", "check-result: [robot, ann]", id="somebody more trusted"),
        pytest.param("check-result: [robot]", "check-result: []", id="nobody trusted"),
        pytest.param("kind: service", "kind: person", id="a service that becomes a person"),
        pytest.param("ben: {name: Ben}", "ben: {name: Ben, active: false}", id="a trusted person who left"),
        pytest.param("  loans:", "  loans2:", id="another system"),
    ],
)
def test_what_decides_changes_the_digest(read: Read, base: str, old: str, new: str) -> None:
    assert old in base
    assert digest(read(base)) != digest(read(base.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("name: Loans", "name: Credits", id="the system's name"),
        pytest.param("name: Ann", "name: Anna", id="a person's name"),
        pytest.param("ai@example.org", "risk@example.org", id="a contact"),
        pytest.param("owner: ann\n    deputy: ben", "owner: ben\n    deputy: ann", id="the owner"),
        pytest.param('controls: ["iso42001 A.6.2.4"]', "controls: []", id="controls"),
        pytest.param("schema: aims/1\n", "# a comment\n\nschema: aims/1\n", id="comments and lines"),
        pytest.param("max: 0.10", "max: 0.1", id="another spelling of a number"),
        pytest.param("max: 0.10", "max: 1.0e-1", id="a number with an exponent"),
        pytest.param("30d", "720h", id="the same span in hours"),
        pytest.param("        max_age: 30d\n", "        max_age: 30d\n        least: 30\n", id="a default written out"),
        pytest.param("every: 7d", "every: 8d", id="monitoring"),
        pytest.param("record: [ann, ben]", "record: [ben, ann]", id="the order of people"),
        pytest.param('[loans, "loans-*"]', "[loans]", id="the models that are claimed"),
        pytest.param(
            "  robot: {name: Robot, kind: service}\n",
            "  robot: {name: Robot, kind: service}\n  keeper: {name: K, kind: service}\nlog: {key: keeper}\n",
            id="who signs the log",
        ),
    ],
)
def test_what_does_not_decide_keeps_the_digest(read: Read, base: str, old: str, new: str) -> None:
    assert old in base
    assert digest(read(base)) == digest(read(base.replace(old, new, 1)))


def test_the_bytes_of_a_suite_are_part_of_it(read: Read, base: str, tmp_path: Path) -> None:
    before = digest(read(base))
    (tmp_path / "quality" / "now.json").write_text("{ }", encoding="utf-8")
    assert digest(read(base)) != before


def test_an_enrolled_key_is_part_of_it_and_is_trusted(read: Read, base: str, tmp_path: Path) -> None:
    before = digest(read(base))
    (tmp_path / "keys").mkdir()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "keys" / "ann.pub.pem").write_bytes(pem)
    project = read(base)
    assert digest(project) != before
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert project.systems[0].policy.trust == {"check-result": {}, "record": {Digest.of(spki): "ann"}}


def test_somebody_who_left_is_trusted_for_nothing(read: Read, base: str, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "keys" / "ann.pub.pem").write_bytes(pem)
    project = read(base.replace("    name: Ann\n", "    name: Ann\n    active: false\n"))
    assert project.systems[0].policy.trust["record"] == {}


def test_another_folder_keeps_the_digest(read: Read, base: str, checks: CheckTypes, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "quality").mkdir(parents=True)
    (elsewhere / "quality" / "now.json").write_text("{}", encoding="utf-8")
    (elsewhere / "aims.yaml").write_text(base, encoding="utf-8")
    assert digest(load(elsewhere / "aims.yaml", checks)) == digest(read(base))


def test_a_set_among_the_options_has_one_digest_in_every_process(tmp_path: Path, base: str) -> None:
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "now.json").write_text("{}", encoding="utf-8")
    text = base.replace("on: [now, then]", "on: [now, then]\n        words: [a, b, c, d, e, f]")
    (tmp_path / "aims.yaml").write_text(text, encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from importlib import util;"
        "spec = util.spec_from_file_location('fakes', sys.argv[1]); fakes = util.module_from_spec(spec);"
        "sys.modules['fakes'] = fakes; spec.loader.exec_module(fakes); from aims_mlops.config import load;"
        "checks = {'parity': fakes.Parity, 'suite': fakes.Suite};"
        "print(load(Path(sys.argv[2]), checks).systems[0].policy.digest)"
    )
    fakes = Path(__file__).with_name("conftest.py")
    found = {
        subprocess.run(
            [sys.executable, "-c", code, fakes, tmp_path / "aims.yaml"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def _shuffled(value: Any, order: Callable[[list[Any]], list[Any]]) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key], order) for key in order(list(value))}
    return [_shuffled(item, order) for item in value] if isinstance(value, list) else value


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_of_keys_never_changes_the_digest(read: Read, base: str, data: st.DataObject) -> None:
    plain = YAML(typ="safe", pure=True).load(base)
    shuffled = _shuffled(plain, lambda keys: data.draw(st.permutations(keys)))
    # JSON is YAML too: what is read is the value, not the form.
    assert digest(read(json.dumps(shuffled))) == digest(read(base))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=st.floats(0.001, 1), other=st.floats(0.001, 1))
def test_two_limits_have_one_digest_only_if_they_are_one_number(
    read: Read, base: str, one: float, other: float
) -> None:
    first, second = (digest(read(base.replace("max: 0.10", f"max: {number!r}"))) for number in (one, other))
    assert (first == second) == (one == other)
