"""Makes what a release leaves behind: `python -m tests.vectors.build_released`, once for each version.

A statement, a log and a pack, signed by keys that are made here and forgotten when this ends. What is made is checked
in under `tests/vectors/released/VERSION` and never made again: tests/unit/test_released.py verifies it for ever.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from aims_mlops import api
from aims_mlops.adapters.pack_files import write_pack
from aims_mlops.api.services import own_version
from tests.builders import Key

RELEASED = Path(__file__).parent / "released"


@cache
def forgotten(_name: str, *, algorithm: str = "ecdsa-p256") -> Key:
    """Return a key of nobody: a new one for each name, whose private half is written nowhere."""
    if algorithm == "ed25519":
        return Key(ed25519.Ed25519PrivateKey.generate())
    return Key(ec.generate_private_key(ec.SECP256R1()))


def build(folder: Path) -> None:
    """Write statement, log and pack into a new folder, each with whom to trust."""
    from tests import builders
    from tests.api import logs, packs, world

    with ExitStack() as stack, tempfile.TemporaryDirectory() as work:
        for module in (builders, logs, world):
            stack.enter_context(patch.object(module, "key", forgotten))
        made, _foreign = packs.everything(Path(work))
        trust = api.pack_trust(made.services).to_bytes()
        first = next(row for row in api.list_evidence(made.services) if row.kind == "check-result")
        assert first.digest is not None
        content = made.store.envelope(first.digest)
        assert content is not None
        folder.mkdir(parents=True)
        (folder / "trust.json").write_bytes(trust)
        (folder / "statement.dsse.json").write_bytes(content)
        log = folder / "log"
        log.mkdir()
        (log / "leaves.jsonl").write_bytes(b"".join(leaf + b"\n" for leaf in made.store.leaves()))
        for number, note in enumerate(made.store.checkpoints()):
            (log / f"checkpoint-{number}.note").write_bytes(note)
        write_pack(folder / "pack", packs.packed(made).files)
        made.close()


def main() -> None:
    """Build for the version that is installed; refuse where it was built before."""
    folder = RELEASED / own_version()
    if folder.exists():
        sys.exit(f"{folder} is there: what was released is never made again")
    try:
        build(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


if __name__ == "__main__":
    main()
