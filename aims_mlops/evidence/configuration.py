"""The configuration as signed bytes: aims.yaml with every file that it names and that decides, and what is said of it.

The configuration's digest is the SHA-256 of its manifest: the RFC 8785 JSON of the names, as written in aims.yaml, and
the SHA-256 of each file's bytes. Nothing of the place where it was read is in it, so that it is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical, parse
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey

MAIN = "aims.yaml"
"""The name in a bundle of the file that names the others, whatever it is called on the disk."""

SUBJECT = "configuration.json"
"""Name of the subject of a `policy` statement: the configuration's manifest."""

_SCHEMA = "aims.configuration/1"
_LARGEST = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Bundle:
    """The bytes of a configuration's files, by their names as written in aims.yaml."""

    files: Mapping[str, bytes]

    @property
    def digests(self) -> dict[str, Digest]:
        """The SHA-256 of each file, sorted by name."""
        return {name: Digest.of(self.files[name]) for name in sorted(self.files)}

    @property
    def manifest(self) -> bytes:
        """The text whose SHA-256 is `digest`."""
        return manifest(self.digests)

    @property
    def digest(self) -> Digest:
        """The configuration's digest."""
        return Digest.of(self.manifest)


@dataclass(frozen=True, slots=True)
class Administrators:
    """Whose word counts: `threshold` of these keys have to sign a configuration before it is in force."""

    keys: tuple[PublicKey, ...]
    threshold: int = 1


def manifest(files: Mapping[str, Digest]) -> bytes:
    """Return the canonical text of the pairs of name and digest."""
    return canonical({"schema": _SCHEMA, "files": {name: str(digest) for name, digest in files.items()}})


@dataclass(frozen=True, slots=True)
class PolicyBody:
    """The body of a `policy` statement: an administrator's word that a configuration is to be in force."""

    sequence: int
    """1, 2, 3, …: the highest that enough administrators signed is in force."""
    previous: Digest | None
    """The configuration that was in force when it was signed; None for the first."""
    configuration: Digest
    files: Mapping[str, Digest]
    """Where each file's bytes are found in the store, by name."""
    systems: Mapping[str, Digest]
    """The policy digest of each system as the signer's aims-mlops read it."""

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "sequence": self.sequence,
            "previous": self.previous,
            "configuration": self.configuration,
            "files": [{"name": name, "digest": self.files[name]} for name in sorted(self.files)],
            "systems": dict(self.systems),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Read the JSON form; raise `VerificationError` for any other, and where the files are not its own."""
        try:
            files = {_text(item["name"]): Digest(item["digest"]) for item in wire["files"]}
            body = cls(
                sequence=_sequence(wire["sequence"]),
                previous=None if wire["previous"] is None else Digest(wire["previous"]),
                configuration=Digest(wire["configuration"]),
                files=files,
                systems={_text(name): Digest(digest) for name, digest in wire["systems"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise VerificationError(f"policy: {type(error).__name__}: {error}") from error
        if len(files) != len(wire["files"]) or MAIN not in files:
            raise VerificationError(f"policy: its files are not named once each, with {MAIN} among them")
        if Digest.of(manifest(files)) != body.configuration:
            raise VerificationError("policy: its configuration is not made of its files")
        return body


def _sequence(value: object) -> int:
    # `True` is a number in Python, and JSON's numbers are exact only so far.
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST:
        raise ValueError("sequence is a whole number from 1 to 2^53 - 1")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, got {type(value).__name__}")
    return value


@dataclass(frozen=True, slots=True)
class Pinned:
    """The newest configuration that a server saw in force. Kept outside the store; moves forward only."""

    registry_id: str
    sequence: int
    configuration: Digest

    def to_bytes(self) -> bytes:
        """Return the canonical JSON of the pin file."""
        told = {"registry": self.registry_id, "sequence": self.sequence, "configuration": str(self.configuration)}
        return canonical({"v": 1, **told})

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a pin file; raise `VerificationError` for any other form."""
        wire = parse(content, what="pin")
        try:
            if set(wire) != {"v", "registry", "sequence", "configuration"} or _sequence(wire["v"]) != 1:
                raise ValueError("not a pin of version 1")
            return cls(_text(wire["registry"]), _sequence(wire["sequence"]), Digest(wire["configuration"]))
        except (TypeError, ValueError) as error:
            raise VerificationError(f"pin: {error}") from error
