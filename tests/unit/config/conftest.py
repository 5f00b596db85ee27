from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field

from aims_mlops.config import CheckTypes, load
from aims_mlops.errors import ConfigError
from aims_mlops.model.register import Project
from aims_mlops.plugin import CheckContext, CheckOptions, DatasetName, FileName, Finding, Limit

BASE = """\
schema: aims/1
organisation: {name: Example, contact: ai@example.org}
people:
  ann:
    name: Ann
    keys: [keys/ann.pub.pem]
  ben: {name: Ben}
  robot: {name: Robot, kind: service}
signer: robot
trust:
  check-result: [robot]
  record: [ann, ben]
systems:
  loans:
    name: Loans
    owner: ann
    deputy: ben
    risk_class: high
    models: [loans, "loans-*"]
    promotion:
      aliases: [champion]
      registered_models: ["prod.*"]
    data:
      now: {path: "data/*.parquet", label: paid, sensitive: [sex]}
      then: {path: data/then.parquet}
    checks:
      - id: gap
        use: parity
        data: now
        limits:
          difference: {max: 0.10}
        max_age: 30d
        controls: ["iso42001 A.6.2.4"]
      - id: shape
        use: suite
        on: [now, then]
        file: quality/now.json
    records:
      - id: peer-review
        signed_by: not-owner
    monitor:
      - id: live
        use: parity
        data: then
        limits: {difference: {max: 0.2}}
        every: 7d
        window: file
"""


class ParityOptions(CheckOptions):
    data: DatasetName
    """The rows that are judged."""
    limits: dict[str, Limit]
    least: int = Field(default=30, gt=0)
    method: Literal["plain", "robust"] = "plain"


class SuiteOptions(CheckOptions):
    on: tuple[DatasetName, ...]
    file: FileName | None = None
    words: frozenset[str] = frozenset()


class Parity:
    use: ClassVar[str] = "parity"
    title: ClassVar[str] = "Gap between groups"
    extra: ClassVar[str | None] = "fairness"
    options: ClassVar[type[CheckOptions]] = ParityOptions

    def run(self, context: CheckContext) -> Finding:
        raise NotImplementedError


class Suite:
    use: ClassVar[str] = "suite"
    title: ClassVar[str] = "Expectations"
    extra: ClassVar[str | None] = None
    options: ClassVar[type[CheckOptions]] = SuiteOptions

    def run(self, context: CheckContext) -> Finding:
        raise NotImplementedError


@pytest.fixture
def base() -> str:
    return BASE


@pytest.fixture
def checks() -> CheckTypes:
    return {"parity": Parity, "suite": Suite}


@pytest.fixture
def read(tmp_path: Path, checks: CheckTypes) -> Callable[[str | bytes], Project]:
    """Loads a text as aims.yaml, beside a suite file."""
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "now.json").write_text("{}", encoding="utf-8")

    def reader(text: str | bytes) -> Project:
        path = tmp_path / "aims.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, checks)

    return reader


@pytest.fixture
def mistakes(read: Callable[[str | bytes], Project]) -> Callable[[str | bytes], str]:
    """Loads a text that has mistakes, and returns what was said of them."""

    def reader(text: str | bytes) -> str:
        with pytest.raises(ConfigError) as caught:
            read(text)
        assert caught.value.exit_code == 2
        return str(caught.value)

    return reader
