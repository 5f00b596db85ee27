"""MLflow's own pages before a guarded server: they work, and where the gate is shut they say why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bypass.browser import Browser, browser
from tests.bypass.conftest import USUAL, Guarded
from tests.bypass.scene import Scene

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group(f"bypass-{USUAL[0]}"),
    pytest.mark.parametrize("guarded", [pytest.param(USUAL[0], id=str(USUAL[0]))], indirect=True),
]


@pytest.fixture
def page(guarded: Guarded, tmp_path: Path) -> Iterator[Browser]:
    with browser(guarded.server.url, tmp_path) as opened:
        yield opened


def _keep(page: Browser, tmp_path: Path, name: str) -> None:
    """Keep a picture; AIMS_PICTURES names a folder for people who want to look at it."""
    folder = Path(os.environ.get("AIMS_PICTURES", tmp_path))
    page.picture(folder / name)
    assert (folder / name).stat().st_size > 0


def test_the_alias_dialog_shows_why_the_gate_is_shut(guarded: Guarded, page: Browser, tmp_path: Path) -> None:
    scene = Scene(guarded.server, "page-alias", guarded.evidence)
    made = scene.model()
    page.open(made.name, made.number)
    page.say_alias("champion")
    text = page.sees("[aims]")
    _keep(page, tmp_path, "alias-denied.png")
    assert "drift" in text
    assert "Loan Model Owner" in text
    assert not scene.probe()


def test_the_promote_dialog_shows_why_the_gate_is_shut(guarded: Guarded, page: Browser, tmp_path: Path) -> None:
    scene = Scene(guarded.server, "page-promote", guarded.evidence)
    made = scene.model()
    page.open(made.name, made.number)
    page.promote_into_new(scene.protected)
    page.sees("[aims]")
    _keep(page, tmp_path, "promote-denied.png")
    assert not scene.probe()


def test_the_alias_dialog_promotes_a_checked_version(guarded: Guarded, page: Browser, tmp_path: Path) -> None:
    scene = Scene(guarded.server, "page-allowed", guarded.evidence)
    made = scene.checked()
    page.open(made.name, made.number)
    page.say_alias("champion")
    page.gone("[role=dialog]")
    page.sees("@ champion")
    _keep(page, tmp_path, "alias-allowed.png")
    assert scene.client.get_registered_model(made.name).aliases == {"champion": made.number}
