"""What is spoken about: a model version, and the place where it may be promoted to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from aims_mlops.errors import UsageError
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import to_text


@dataclass(frozen=True, slots=True)
class ModelRef:
    """How a caller names a version: by number or by alias."""

    name: str
    version: str | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name/3`, `name@alias` or `models:/…`; raise `UsageError` for anything else."""
        body = text.removeprefix("models:/")
        if match := re.fullmatch(r"([^/@]+)/([1-9][0-9]*)", body):
            return cls(match[1], version=match[2])
        if match := re.fullmatch(r"([^/@]+)@([\w-]+)", body):
            return cls(match[1], alias=match[2])
        raise UsageError(
            f"{text!r} does not name a model version",
            hint="write name/3, name@alias or models:/name/3",
        )


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version as the registry describes it. Nothing here is trusted but the identity."""

    registry_id: str
    workspace: str
    name: str
    version: str
    created_at: datetime
    source: str = ""
    run_id: str | None = None
    aliases: tuple[str, ...] = ()
    stage: str | None = None

    @property
    def label(self) -> str:
        """How people name it: `income/3`."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What evidence binds: one version of one registry, and the digest of its files' manifest."""

    registry_id: str
    workspace: str
    name: str
    version: str
    created_at: datetime
    digest: Digest

    @classmethod
    def of(cls, version: ModelVersion, digest: Digest) -> Self:
        """Bind a registry's version to the bytes that were found for it."""
        return cls(version.registry_id, version.workspace, version.name, version.version, version.created_at, digest)

    @property
    def label(self) -> str:
        """How people name it: `income/3`."""
        return f"{self.name}/{self.version}"

    def identity(self) -> dict[str, str]:
        """Return the header fields that tie a statement to this version (without the digest)."""
        return {
            "registryId": self.registry_id,
            "workspace": self.workspace,
            "model": self.name,
            "version": self.version,
            "versionCreatedAt": to_text(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class Target:
    """Where a promotion leads: exactly one of a protected alias, stage or registered model name."""

    kind: str
    value: str = field()

    def __post_init__(self) -> None:
        if self.kind not in ("alias", "stage", "name") or not self.value:
            raise UsageError(
                f"{self.kind}:{self.value} is not a target of a promotion",
                hint="write an alias such as champion, stage:Production, or name:prod.income",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `champion`, `alias:champion`, `stage:Production` or `name:prod.income`."""
        kind, colon, value = text.partition(":")
        return cls(kind, value) if colon else cls("alias", text)

    def to_wire(self) -> dict[str, str]:
        """Return the JSON form, e.g. `{"alias": "champion"}`."""
        return {self.kind: self.value}

    def __str__(self) -> str:
        return self.value if self.kind == "alias" else f"{self.kind}:{self.value}"
