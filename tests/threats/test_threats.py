"""Each attack of the table, on a copy of one world, found by a real command in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.threats.attacks import ATTACKS, Attack
from tests.threats.world import World, build, reached

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("threats")]


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world that is copied for each attack."""
    folder = tmp_path_factory.mktemp("threats")
    yield build(folder / "world")
    shutil.rmtree(folder)


@pytest.mark.parametrize("command", sorted({attack.command for attack in ATTACKS}), ids=" ".join)
def test_without_an_attack_all_is_well(untouched: World, tmp_path: Path, command: tuple[str, ...]) -> None:
    world = untouched.twin(tmp_path / "world")
    with reached(world):
        said = world.aims(*command, expect=5 if command[-1] == "loan/2" else 0)
    assert "✗" not in said.text


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_it_is_found(untouched: World, tmp_path: Path, attack: Attack) -> None:
    world = untouched.twin(tmp_path / "world")
    attack.does(world)
    with reached(world):
        said = world.aims(*attack.command, expect=attack.code)
    said.says(attack.says)
    if attack.word:
        said.says(f"{'!' if attack.word in ('observed', 'stale') else '✗'} {attack.word}")
