"""What is spoken about: a model version, and the place where it may be promoted to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from aims_mlops.errors import UsageError
from aims_mlops.model.digest import Digest


@dataclass(frozen=True, slots=True)
class ModelRef:
    """How a caller names a version: by number or by alias."""

    name: str
    version: str | None = None
    alias: str | None = None

    def __post_init__(self) -> None:
        # A registry that reads names out of URIs drops such characters: the judged model would not be the copied one.
        if self.name != self.name.strip() or any(not c.isprintable() or c in "?#%" for c in self.name):
            raise UsageError(
                f"the model name {self.name!r} has spaces around it, control characters, or one of ? # %",
                hint="a model of such a name cannot be promoted: register it under a plain name",
            )

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
    location: str | None = field(default=None, compare=False)
    """Where the registry says that the files are, if it said it."""

    @property
    def label(self) -> str:
        """How people name it: `income/3`."""
        return f"{self.name}/{self.version}"

    @property
    def copied_from(self) -> ModelRef | None:
        """The registered version that this is a copy of, by its source; None where it is none.

        A source that names an alias is none: an alias moves.
        """
        try:
            ref = ModelRef.parse(self.source) if self.source.startswith("models:/") else None
        except UsageError:
            return None
        return ref if ref is not None and ref.version is not None else None


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered model as a whole, where no version of it is spoken of."""

    registry_id: str
    workspace: str
    name: str

    @property
    def version(self) -> None:
        """No version; named so that a statement's header can be made from it as from a version."""

    @property
    def created_at(self) -> None:
        """No version, no time of creation."""


@dataclass(frozen=True, slots=True)
class WholeRegistry:
    """A registry, where no model of it is spoken of. Shaped as a version, so that a header can be made from it."""

    registry_id: str
    workspace: str = "default"

    @property
    def name(self) -> None:
        """No model."""

    @property
    def version(self) -> None:
        """No version."""

    @property
    def created_at(self) -> None:
        """No version, no time of creation."""


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


@dataclass(frozen=True, slots=True)
class Target:
    """Where a promotion leads: exactly one of a protected alias, stage or registered model name."""

    kind: str
    value: str

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
