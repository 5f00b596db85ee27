"""What messages tell people to type can be typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from aims_mlops.cli import cli

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for part in ("aims_mlops", "checks", "hooks") for path in sorted((ROOT / part).rglob("*.py"))]
PROSE = {"is", "knows", "itself", "cannot", "can"}
"""Words that follow the product's name in a sentence."""


def said(path: Path) -> Iterator[str]:
    """Yield the texts of a module that are not docstrings."""
    tree = ast.parse(path.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_message_names_is_there(path: Path) -> None:
    for text in said(path):
        for word, then in re.findall(r"(?<![\w/.-])aims ([a-z]+)(?: ([a-z]+))?", text):
            command = cli.commands.get(word)
            assert command is not None or word in PROSE, f"aims {word}: {text!r}"
            if isinstance(command, click.Group) and then:
                assert then in command.commands, f"aims {word} {then}: {text!r}"
