"""What `aims evidence verify` shows, in the terminal and as JSON."""

from __future__ import annotations

from typing import Any

from aims_mlops.api import Verification
from aims_mlops.views.layout import Line, Lines
from aims_mlops.views.words import count


def verification_wire(found: Verification) -> dict[str, Any]:
    """Return `aims.verification/1`: what was walked and opened, and everything that does not hold."""
    return {
        "schema": "aims.verification/1",
        "model": found.model,
        "digest": found.digest,
        "leaves": found.leaves,
        "statements": found.opened,
        "erased": found.erased,
        "note": found.note,
        "exit_code": int(found.exit_code),
        "observations": [{"where": item.where, "what": item.what} for item in found.observations],
        "troubles": [{"word": item.word, "where": item.where, "what": item.what} for item in found.troubles],
    }


def verification_table(found: Verification) -> Lines:
    """Return every trouble, a line each, and a summary last."""
    lines = [
        Line(((f"✗ {item.word:10}  ", "red"), (f"{item.where}  ", "bold")), ((item.what, ""),))
        for item in found.troubles
    ]
    lines += [
        Line((("! observed    ", "yellow"), (f"{item.where}  ", "bold")), ((item.what, ""),))
        for item in found.observations
    ]
    about = f"{found.model}: " if found.model else ""
    leaves = "1 leaf" if found.leaves == 1 else f"{found.leaves} leaves"
    erased = f", {found.erased} erased" if found.erased else ""
    walked = f"{leaves} walked, {count(found.opened, 'statement')} opened{erased}"
    if found.troubles:
        summary = f"{about}DOES NOT VERIFY: {count(len(found.troubles), 'trouble')}; {walked}"
    elif found.opened:
        files = f", its files are still {found.digest.short}" if found.digest else ""
        note = f"; {found.note}" if found.note else ""
        summary = f"{about}verified: {walked}{files}{note}"
    else:
        summary = f"{about}nothing to verify: {walked}"
    return Lines((*lines, Line(body=((summary, "bold"),))))
