"""An aims.yaml with mistakes: exit 2, every mistake at its line and column, and nothing is touched."""

from __future__ import annotations

import re

import pytest

from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

SECOND_CLAIM = """\
  mortgages:
    name: Mortgages
    owner: loan-owner
    models: ["lo*"]
    promotion: {aliases: [champion]}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(
            "min_group_size: 100",
            "min_grp_size: 100",
            ("unknown key 'min_grp_size'", "did you mean 'min_group_size'"),
            id="an unknown key",
        ),
        pytest.param(
            "min_group_size: 100",
            "min_group_size: many",
            ("expected a whole number, got", "write a number, without quotes"),
            id="a wrong type",
        ),
        pytest.param(
            "  loans:\n", SECOND_CLAIM + "  loans:\n", ("loan", "mortgages"), id="two systems claim one model"
        ),
        pytest.param("owner: loan-owner", "owner: nobody", ("nobody",), id="an owner who is not there"),
        pytest.param("schema: aims/1", "schema: [aims/1", (), id="no YAML at all"),
    ],
)
def test_mistakes_are_named_with_line_column_and_hint(loans: Loans, old: str, new: str, says: tuple[str, ...]) -> None:
    before = loans.payloads()
    loans.edit(old, new)
    for command in (
        ("config", "validate"),
        ("check", "loan/1"),
        ("gate", "loan/1", "--to", "champion"),
        ("promote", "loan/1", "--to", "champion"),
    ):
        said = loans.aims(*command, expect=2).says("hint:", *says)
        assert re.search(r"^error: aims\.yaml:\d+:\d+: ", said.err), said.err
        assert said.out == ""
    assert loans.aliases() == {}
    assert loans.payloads() == before


def test_a_folder_without_aims_yaml_says_how_to_begin(loans: Loans) -> None:
    (loans.folder / "aims.yaml").unlink()
    said = loans.aims("gate", "loan/1", "--to", "champion", expect=2)
    said.says("aims.yaml", "aims init")


def test_two_systems_whose_globs_meet_at_a_model_are_refused_at_the_gate(loans: Loans) -> None:
    before = loans.payloads()
    loans.edit("models: [loan]", 'models: ["l*n"]')
    loans.edit("  loans:\n", SECOND_CLAIM + "  loans:\n")
    says = "2 systems claim the model 'loan': mortgages, loans", "let exactly one system in aims.yaml claim it"
    loans.aims("check", "loan/1", expect=2).says(*says)
    loans.aims("gate", "loan/1", "--to", "champion", expect=1).says("denied", "claimed is missing", *says)
    loans.log_holds(more=1, before=before)
