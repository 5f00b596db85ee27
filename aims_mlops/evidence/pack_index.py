"""The index of a pack: a signed statement of every file in it, and of every place of the log that belongs to it.

Its subject is the SHA-256 of the list as `sha256sum` writes it, sorted by name. That list is no file of the pack:
whoever has the pack can write it. The envelope is in the one form in which we write them, so that no byte is free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.record import Trust
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import from_text, to_text

INDEX = "index.json"
"""The name of the index's own file, the only one that it does not list."""

SUBJECT = "SHA256SUMS"
"""The name of the index's subject."""

LEAVES = "leaves.jsonl"
"""The file of the leaves' bytes, a line each."""

FOLDERS = ("statements", "proofs", "checkpoints", "consistency", "policies", "models", "keys")
"""The folders of a pack."""

_NAME = re.compile(r"(?:[a-z]+/)?[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_DECIMALS = 8
_LARGEST = 2**53 - 1


def statement_file(seq: int, kind: str) -> str:
    """Return the name of a statement's file."""
    return f"statements/{seq:0{_DECIMALS}d}-{kind}.dsse.json"


def proof_file(seq: int) -> str:
    """Return the name of the file of a leaf's proof."""
    return f"proofs/{seq:0{_DECIMALS}d}.tlog-proof"


def checkpoint_file(size: int, *, number: int = 0) -> str:
    """Return the name of a checkpoint's file; `number` tells several of one size apart."""
    return f"checkpoints/{size:0{_DECIMALS}d}{f'-{number}' if number else ''}.note"


def consistency_file(old: int, new: int) -> str:
    """Return the name of the file of the hashes that prove one checkpoint a beginning of the next."""
    return f"consistency/{old:0{_DECIMALS}d}-{new:0{_DECIMALS}d}.txt"


def policy_file(digest: Digest) -> str:
    """Return the name of a policy's text."""
    return f"policies/{digest.hex}.json"


def manifest_file(digest: Digest) -> str:
    """Return the name of a model's manifest."""
    return f"models/{digest.hex}.sha256"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a pack: its digest, and how many bytes it has."""

    digest: Digest
    size: int

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Describe some bytes."""
        return cls(Digest.of(content), len(content))


@dataclass(frozen=True, slots=True)
class PackLog:
    """The log as the packer saw it, and the checkpoint that the proofs lead to; `root` is None without one."""

    origin: str | None
    size: int
    root: str | None
    seen: int
    """How many leaves the log had when the pack was made."""


@dataclass(frozen=True, slots=True)
class PackIndex:
    """What a pack is about and all that is in it. Leaves are named by their place in the log, ascending."""

    system: str
    start: datetime
    end: datetime
    """The period: from the first moment to just before the second, by the store's clock."""
    log: PackLog
    period: tuple[int, ...]
    """Leaves of the system's statements that were recorded in the period."""
    before: tuple[int, ...]
    """Leaves of older statements that these rest on."""
    others: tuple[int, ...]
    """Leaves about the same files whose statements belong to another system: only the leaves are here."""
    files: Mapping[str, FileEntry]

    @property
    def own(self) -> tuple[int, ...]:
        """The leaves whose statements are to be in the pack, ascending."""
        return tuple(sorted((*self.period, *self.before)))

    @property
    def leaves(self) -> tuple[int, ...]:
        """All leaves of the pack, ascending."""
        return tuple(sorted((*self.period, *self.before, *self.others)))

    @property
    def subject(self) -> Digest:
        """The digest of the list of files."""
        lines = (f"{entry.digest.hex}  {name}\n" for name, entry in sorted(self.files.items()))
        return Digest.of("".join(lines).encode())

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the statement."""
        return {
            "system": self.system,
            "period": {"from": to_text(self.start), "to": to_text(self.end)},
            "log": {"origin": self.log.origin, "size": self.log.size, "root": self.log.root, "seen": self.log.seen},
            "leaves": {"period": list(self.period), "before": list(self.before), "others": list(self.others)},
            "files": [
                {"name": name, "sha256": entry.digest.hex, "size": entry.size}
                for name, entry in sorted(self.files.items())
            ],
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Read the body; raise `VerificationError` for any other form."""
        try:
            log, leaves, period = wire["log"], wire["leaves"], wire["period"]
            entries = [(_name(item["name"]), _entry(item)) for item in wire["files"]]
            if [name for name, _ in entries] != sorted({name for name, _ in entries}):
                raise ValueError("the files are not in order, each once")
            made = cls(
                system=_text(wire["system"]),
                start=from_text(period["from"]),
                end=from_text(period["to"]),
                log=PackLog(_optional(log["origin"]), _size(log["size"]), _optional(log["root"]), _size(log["seen"])),
                period=_places(leaves["period"]),
                before=_places(leaves["before"]),
                others=_places(leaves["others"]),
                files=dict(entries),
            )
            if len(set(made.leaves)) != len(made.leaves):
                raise ValueError("a leaf is named twice")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise VerificationError(f"index: {type(error).__name__}: {error}") from error
        return made


def open_index(content: bytes) -> tuple[Envelope, Statement, PackIndex]:
    """Read the bytes of an index; raise `VerificationError`. Whether its signature holds is **not** looked at."""
    envelope = Envelope.from_bytes(content)
    if envelope.to_bytes() != content or len(envelope.signatures) != 1:
        raise VerificationError("index: the envelope is not in the form in which it was written: a byte was changed")
    statement = Statement.from_bytes(envelope.payload)
    if statement.kind != "pack" or statement.subject_name != SUBJECT:
        raise VerificationError(f"index: a {statement.kind} about {statement.subject_name}, not a pack's index")
    index = PackIndex.from_wire(statement.body)
    if index.subject != statement.subject:
        raise VerificationError("index: its subject is not the list of its files")
    if statement.header.system != index.system:
        raise VerificationError("index: header and body name two systems")
    return envelope, statement, index


def signer_of(envelope: Envelope, statement: Statement, trust: Trust, *, newest: datetime | None) -> str | None:
    """Return who signed an index; None where it is nobody who is trusted for packs, or not with the key that it names.

    Elsewhere the name of the key is a hint and may be anything. Here it would be bytes that nobody holds to anything.
    An index is in no log: when it was signed, only whoever has the key says. So a key that was revoked, whenever and
    for whatever reason, signs none; and a key with an end none that has a leaf of that time or later. `newest` is when
    the newest of the pack's leaves was recorded, None where it has none. An index of older leaves alone, signed with a
    key after its end, is **not** told from one that was signed before.
    """
    signed = trust.signed(statement, envelope, captured_at=statement.header.signed_at)
    for key, person in signed.keys.items():
        if str(key) == envelope.signatures[0].key_id:
            term = trust.keys[key].term
            ended = term.end is not None and newest is not None and newest >= term.end
            return None if term.revoked is not None or ended else person
    return None


def is_name(name: str) -> bool:
    """Whether a file of a pack may have this name: plain ASCII, at most one folder deep."""
    return _NAME.fullmatch(name) is not None


def _name(value: object) -> str:
    name = _text(value)
    if not is_name(name) or name == INDEX:
        raise ValueError(f"{name[:80]!r} is no name of a file in a pack")
    return name


def _entry(wire: Mapping[str, Any]) -> FileEntry:
    return FileEntry(Digest.from_hex(_text(wire["sha256"])), _size(wire["size"]))


def _places(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise TypeError("a list of places expected")
    places = tuple(_size(item) for item in value)
    if list(places) != sorted(places):
        raise ValueError("the places are not in order")
    return places


def _size(value: object) -> int:
    # `True` is a number in Python.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise ValueError("a whole number expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, got {type(value).__name__}")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)
