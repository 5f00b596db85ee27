"""Where an answer goes: held to before anything is done, and given to a script that was refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param("nonsense", "--output-file 'nonsense' is not FORMAT=PATH", id="no format"),
        pytest.param("json=", "--output-file 'json=' is not FORMAT=PATH", id="no path"),
        pytest.param("xml=out", "--output-file 'xml=out' is not FORMAT=PATH", id="another format"),
        pytest.param("json=gone/out.json", "gone/out.json cannot be written", id="a folder that is not there"),
        pytest.param("json=data", "--output-file data cannot be written", id="a folder in place of a file"),
    ],
)
def test_an_output_file_that_cannot_be_is_refused_before_anything_is_done(loans: Loans, given: str, says: str) -> None:
    before = loans.payloads()
    for command in (
        ("promote", "loan/1", "--to", "champion"),
        ("gate", "loan/1", "--to", "champion"),
        ("check", "loan/1"),
        ("evidence", "list"),
    ):
        said = loans.aims(*command, "--output-file", "json=good.json", "--output-file", given, expect=2)
        said.says("error:", "hint:", says)
        assert said.out == ""
    assert loans.aliases() == {}
    assert loans.payloads() == before
    assert not (loans.folder / "good.json").exists()


def test_a_refused_promotion_gives_its_decision_to_a_script_that_asked_for_json(loans: Loans, tmp_path: Path) -> None:
    loans.edit("{demographic_parity_difference: {max: 0.2}}", "{demographic_parity_difference: {max: 0.9}}")
    written = tmp_path / "decision.json"
    promote = ("promote", "loan/1", "--to", "champion")
    denied = loans.aims(*promote, "--format", "json", "--output-file", f"json={written}", expect=1)
    decision = denied.json
    assert (decision["schema"], decision["verdict"], decision["exit_code"]) == ("aims.gate/1", "denied", 1)
    assert decision["decision"] == loans.payloads()[-1]
    assert {item["id"] for item in decision["requirements"] if item["status"] == "stale"} >= {"parity"}
    assert json.loads(written.read_text()) == decision
    assert "parity is stale" in denied.err
    plain = loans.aims(*promote, expect=1)
    assert plain.out == ""
    assert "parity is stale" in plain.err
    assert loans.aliases() == {}


def test_a_refused_promotion_answers_a_script_with_the_exit_code_of_its_decision(loans: Loans) -> None:
    (loans.model / "more.py").write_text("print('hello')\n")
    denied = loans.aims("promote", "loan/1", "--to", "champion", "--format", "json", expect=4)
    assert (denied.json["verdict"], denied.json["exit_code"]) == ("denied", 4)
    assert loans.aliases() == {}
