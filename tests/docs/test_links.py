"""Links lead somewhere, and what is fenced can be read as what it says it is."""

from __future__ import annotations

import ast
import io
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.blocks import ROOT, blocks, documents, name_of

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?s)```.*?```|`[^`\n]*`")


def links(path: Path) -> list[str]:
    return _LINK.findall(_CODE.sub("", path.read_text(encoding="utf-8")))


def anchors(path: Path) -> set[str]:
    """The anchors that headings of a file get, as Git forges make them."""
    text = re.sub(r"(?s)```.*?```", "", path.read_text(encoding="utf-8"))
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title.lower())).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    for link in links(path):
        place, _, anchor = link.partition("#")
        if "://" in place:
            assert place.startswith("https://"), link
            continue
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=name_of)
def test_every_page_is_found_from_the_index(path: Path) -> None:
    seen, waiting = set(), [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link]
    assert path in seen


def _yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


READERS: dict[str, Callable[[str], Any]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": _yaml,
    "python": ast.parse,
}


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_block_can_be_read_as_what_it_says(path: Path) -> None:
    for block in blocks(path):
        if block.language in READERS:
            READERS[block.language](block.text)


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_fence_is_closed_and_of_a_known_kind(path: Path) -> None:
    fences = re.findall(r"(?m)^ *```.*$", path.read_text(encoding="utf-8"))
    assert len(fences) == 2 * len(blocks(path))
    known = {"", "text", "bash", "console", "sql", *READERS}
    assert {block.language for block in blocks(path)} <= known
