"""The page and the suite say the same: each row of the threat table names attacks that there are, with their words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.threats.attacks import ATTACKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "threats.md"
NAMED = {attack.id: attack for attack in ATTACKS}


def rows() -> list[list[str]]:
    """Return the cells of each row of the threat table."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## The threat table\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    header, _, *found = lines
    assert header == ["attack", "named", "detected by", "word and exit code", "not detected when"]
    return found


def test_every_attack_has_a_name_of_its_own_and_stands_in_one_row() -> None:
    assert len(NAMED) == len(ATTACKS) >= 40
    told = [name for row in rows() for name in re.findall(r"`([^`]+)`", row[1])]
    assert sorted(told) == sorted(NAMED)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_names_commands_words_and_exit_codes_as_they_are_tested(row: list[str]) -> None:
    assert len(row) == 5
    attacks = [NAMED[name] for name in re.findall(r"`([^`]+)`", row[1])]
    assert attacks
    commands = {" ".join(attack.command[: 1 if attack.command[0] == "gate" else 2]) for attack in attacks}
    assert set(re.findall(r"`aims ([a-z ]+)`", row[2])) == commands
    words = {(attack.word, str(attack.code)) for attack in attacks if attack.word}
    assert set(re.findall(r"`([a-z]+)` ([0-9])", row[3])) == words
    assert {str(attack.code) for attack in attacks} <= set(re.findall(r"[0-9]", row[3]))
    assert row[4].strip()


def test_all_but_a_few_attacks_are_evidence_that_does_not_verify() -> None:
    codes = [attack.code for attack in ATTACKS]
    assert codes.count(4) >= 40
    assert {code for code in codes if code != 4} == {0, 1, 2, 5}


def test_the_page_says_in_plain_words_what_can_not_be_detected() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## What can not be detected\n")[2].partition("\n## ")[0]
    assert section.count("\n- **") >= 10
