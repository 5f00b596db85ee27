"""The tutorial's project: made once by running the tutorial itself, then copied for each how-to."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Step, differs, script
from tests.e2e.conftest import BIN, Income, environment_without_secrets

TUTORIAL = ROOT / "docs" / "tutorial" / "first-promotion.md"


@dataclass(frozen=True)
class Run:
    """What came of running a document."""

    steps: list[Step]
    said: list[str]
    codes: list[int]

    def hold(self) -> None:
        """Hold every step to its exit code and to what the document shows of it."""
        for step, said, code in zip(self.steps, self.said, self.codes, strict=True):
            assert code == step.exit_code, f"$ {step.command}\nexited with {code}, not {step.exit_code}:\n{said}"
            assert not differs(step, said), f"$ {step.command}\ndid not say {differs(step, said)!r}, but:\n{said}"


def run_document(
    path: Path,
    project: Income,
    out: Path,
    *,
    left_out: set[str] | None = None,
    before: dict[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run a document's commands in a project's folder, in one shell."""
    out.mkdir(parents=True)
    text, steps = script(path, out, left_out=left_out or set(), before=before or {})
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=project.folder,
        env={**project.environment, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert (out / f"{len(steps) - 1}.code").exists(), done.stderr
    said = [(out / f"{number}.txt").read_text(encoding="utf-8") for number in range(len(steps))]
    codes = [int((out / f"{number}.code").read_text()) for number in range(len(steps))]
    return Run(steps, said, codes)


@dataclass(frozen=True)
class Tutorial:
    """The project as the tutorial leaves it, and how the tutorial ran."""

    project: Income
    run: Run


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Tutorial:
    """Follow the tutorial in an empty folder."""
    base = tmp_path_factory.mktemp("tutorial")
    folder = base / "project"
    folder.mkdir()
    kept = environment_without_secrets()
    environment = kept | {"AIMS_KEY_PASSPHRASE": "only for this test", "PATH": f"{BIN}:{kept['PATH']}"}
    project = Income(folder, environment)
    install = {step.command for step in _installs()}
    return Tutorial(project, run_document(TUTORIAL, project, base / "out", left_out=install))


def _installs() -> list[Step]:
    from tests.docs.blocks import commands

    return [step for step in commands(TUTORIAL) if step.command.startswith("pip install ")]
