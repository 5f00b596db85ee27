"""The loan project, built once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.loans import Loans, build


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loans]:
    """The project that everything is copied from."""
    folder = tmp_path_factory.mktemp("loans")
    yield build(folder / "template")
    shutil.rmtree(folder)


@pytest.fixture
def loans(template: Loans, tmp_path: Path) -> Loans:
    """A project of this test's own: loan/1 is registered, checked and allowed, and nothing is promoted."""
    return template.copy(tmp_path / "project")
