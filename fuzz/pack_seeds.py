"""A whole pack and the trust for it: the one that was released with the oldest version."""

from __future__ import annotations

from pathlib import Path

from aims_mlops.evidence.pack_index import INDEX, LEAVES
from aims_mlops.evidence.pack_trust import PackTrust

_RELEASED = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "released" / "0.1.0"
FILES = {
    path.relative_to(_RELEASED / "pack").as_posix(): path.read_bytes()
    for path in (_RELEASED / "pack").rglob("*")
    if path.is_file()
}
"""The pack's files by name."""
TRUST_FILE = (_RELEASED / "trust.json").read_bytes()
TRUST = PackTrust.from_bytes(TRUST_FILE)
PARTS = tuple(FILES[name] for name in sorted(FILES) if name in (INDEX, LEAVES) or name.startswith("proofs/"))
"""Files of the pack that a parser of ours reads, beside statements and notes, which have their own targets."""
