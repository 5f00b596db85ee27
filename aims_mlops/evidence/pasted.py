"""A checkpoint as people hand it on: in a mail, quoted, with lines around it. Pure.

Only what surrounds it is forgiven. The note that is found is verified like any other.
"""

from __future__ import annotations

import email
import email.policy
import re

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.note import MAX_BYTES

_QUOTED = re.compile(r"^(?:[ \t]*>)+ ?|^[ \t]+")
_SIGNATURE = "\u2014 "


def pasted(content: bytes, *, origin: str) -> bytes:
    """Return the one checkpoint of a log that a text has in it; raise `VerificationError` for none or several."""
    if len(content) > 2 * MAX_BYTES:
        raise VerificationError(f"{len(content)} bytes are too many for a message with a checkpoint")
    found = _found(content.decode("utf-8", "replace"), origin) or _found(_mail(content), origin)
    if len(found) != 1:
        many = "no checkpoint" if not found else f"{len(found)} different checkpoints"
        raise VerificationError(f"the text has {many} of the log {origin!r} in it")
    return found.pop()


def _found(text: str, origin: str) -> set[bytes]:
    lines = [_QUOTED.sub("", line).rstrip() for line in text.splitlines()]
    notes = set()
    for start, line in enumerate(lines):
        if line != origin:
            continue
        empty = next((at for at in range(start, len(lines)) if not lines[at]), len(lines))
        end = empty + 1
        while end < len(lines) and lines[end].startswith(_SIGNATURE):
            end += 1
        if end > empty + 1:
            notes.add("".join(f"{part}\n" for part in lines[start:end]).encode())
    return notes


def _mail(content: bytes) -> str:
    """Return the text of a mail as it lies on a disk, whatever it was encoded in; empty where it is none."""
    read = email.message_from_bytes(content, policy=email.policy.default)
    try:
        body = read.get_body(("plain",))
        said = "" if body is None else body.get_content()
    except (LookupError, ValueError, KeyError, AttributeError):
        return ""
    return said if isinstance(said, str) else ""
