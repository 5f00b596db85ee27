"""What a witness is asked, and what it answers (C2SP tlog-witness, add-checkpoint): it cosigns one history of a log.

A witness remembers, for each log, the newest checkpoint that it cosigned, and cosigns another only where that one is
its beginning. `judge` decides; whoever calls it keeps what was seen before the answer leaves, and one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical, parse
from aims_mlops.evidence.checkpoint import Checkpoint, read_hash, read_size, write_hash
from aims_mlops.evidence.log_proof import MOST_HASHES
from aims_mlops.evidence.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from aims_mlops.evidence.note import MAX_BYTES, Note, VerifierKey

SIZE_TYPE = "text/x.tlog.size"
"""The content type of an answer that says which size the witness saw last."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the size that the witness is thought to have seen, a proof from there, and a checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def to_bytes(self) -> bytes:
        """Write the body of the request."""
        lines = [f"old {self.old}", *map(write_hash, self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the body of a request; raise `VerificationError` for any other form. The checkpoint is not read yet."""
        if len(content) > 2 * MAX_BYTES:
            raise VerificationError(f"request: {len(content)} bytes, more than {2 * MAX_BYTES}")
        head, empty, checkpoint = content.partition(b"\n\n")
        first, *lines = head.decode("utf-8", "replace").split("\n")
        if not empty or not first.startswith("old "):
            raise VerificationError("request: an old size, a proof, an empty line and a checkpoint are expected")
        if len(lines) > MOST_HASHES:
            raise VerificationError(f"request: {len(lines)} hashes, more than {MOST_HASHES}")
        old = read_size(first.removeprefix("old "), what="request: old size")
        return cls(old, tuple(read_hash(line, what="request: a hash") for line in lines), checkpoint)


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest tree of a log that a witness cosigned."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Ruling:
    """An answer: its status, and its text; or, where it is 200, what to keep and then to cosign."""

    status: HTTPStatus
    text: str = ""
    origin: str = ""
    seen: Seen | None = None
    note: Note | None = None
    content_type: str = "text/plain; charset=utf-8"


def judge(body: bytes, logs: Mapping[str, Sequence[VerifierKey]], seen: Mapping[str, Seen]) -> Ruling:
    """Rule on a request. `logs` are the keys of each known log by its origin, `seen` what was cosigned before."""
    try:
        request = AddCheckpoint.from_bytes(body)
        note = Note.from_bytes(request.checkpoint)
    except VerificationError as error:
        return Ruling(HTTPStatus.BAD_REQUEST, str(error))
    origin = note.text.partition(b"\n")[0].decode()
    if origin not in logs:
        return Ruling(HTTPStatus.NOT_FOUND, f"the log {origin[:80]!r} is not known here")
    try:
        signed = bool(note.signed_by(logs[origin]))
    except VerificationError:
        signed = False
    if not signed:
        return Ruling(HTTPStatus.FORBIDDEN, f"no key that is known for the log {origin!r} signed this checkpoint")
    try:
        checkpoint = Checkpoint.from_text(note.text)
    except VerificationError as error:
        return Ruling(HTTPStatus.BAD_REQUEST, str(error))
    return _compare(request, checkpoint, note, seen.get(origin, Seen()))


def _compare(request: AddCheckpoint, checkpoint: Checkpoint, note: Note, last: Seen) -> Ruling:
    size, root = checkpoint.size, checkpoint.root
    if request.old > size:
        return Ruling(HTTPStatus.BAD_REQUEST, f"the old size {request.old} is above the checkpoint's {size}")
    if request.old != last.size:
        return _conflict(last)
    try:
        if last.size == 0:
            if request.proof or (size == 0 and root != EMPTY_ROOT):
                raise VerificationError("consistency: from no leaves there is nothing to prove")
        elif last.size == size and root != last.root:
            return _conflict(last)  # two histories of one log: this is what a witness is for
        else:
            verify_consistency(last.size, last.root, size, root, request.proof)
    except VerificationError as error:
        return Ruling(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    return Ruling(HTTPStatus.OK, origin=checkpoint.origin, seen=Seen(size, root), note=note)


def _conflict(last: Seen) -> Ruling:
    return Ruling(HTTPStatus.CONFLICT, str(last.size), content_type=SIZE_TYPE)


def seen_to_bytes(seen: Mapping[str, Seen]) -> bytes:
    """Write what a witness remembers, as canonical JSON."""
    logs = {origin: {"size": item.size, "root": item.root.hex()} for origin, item in seen.items()}
    return canonical({"v": 1, "logs": logs})


def seen_from_bytes(content: bytes) -> dict[str, Seen]:
    """Read what `seen_to_bytes` wrote; raise `VerificationError` for any other form."""
    wire: dict[str, Any] = parse(content, what="the witness's state")
    try:
        if wire["v"] != 1:
            raise ValueError("not of version 1")
        found = {origin: Seen(item["size"], bytes.fromhex(item["root"])) for origin, item in wire["logs"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise VerificationError(f"the witness's state: {error}") from error
    if any(type(item.size) is not int or item.size < 0 or len(item.root) != HASH_BYTES for item in found.values()):
        raise VerificationError("the witness's state: a size or a root is none")
    return found
