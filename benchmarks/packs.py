"""What verifying a pack costs: `PYTHONPATH=. python benchmarks/packs.py`, or `make bench`. See README.md beside this.

A pack of 10 000 statements is made and written; then it is verified as `aims pack verify` does it, files and all, in
turns with the bare operations over the same bytes in memory: each signature, and SHA-256 of each file, each payload,
each leaf (twice: for the chain and for the tree) and each node of the tree that a proof needs. Processor time is
compared, the least of each, since other work on the machine only ever adds to it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key
from filling import Filler

from aims_mlops import api, pack_wiring
from aims_mlops.api import Pack
from aims_mlops.evidence.envelope import Envelope, pae
from aims_mlops.model.register import PublicKey
from tests.api.logs import LogWorld
from tests.api.world import FakeSigner
from tests.builders import key

LIMIT = 1.5
"""How many times the cost of the bare operations a verification should have at most."""

_Operation = Callable[[], object]


def main() -> int:
    """Measure, and print whether the limit is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        world = LogWorld(folder)
        made = _made(world, asked.size)
        place = folder / "pack"
        pack_wiring.write_pack(place, made.files)
        trust = api.pack_trust(world.services)
        print(f"packed {asked.size} statements in {time.perf_counter() - started:.1f} s, {len(made.files)} files")
        found = pack_wiring.verify_at(place, trust)
        assert found.exit_code == 0, found.troubles[:3]
        operations = _bare(made)
        ours, bare = [], []
        for _ in range(asked.rounds):
            ours.append(_seconds([lambda: pack_wiring.verify_at(place, trust)]))
            bare.append(_seconds(operations))
        world.close()
    ratio = min(ours) / min(bare)
    each = [f"{mine / its:.2f}" for mine, its in zip(ours, bare, strict=True)]
    print(f"verify {min(ours):.2f} s, bare {min(bare):.2f} s of processor time")
    print(f"ratio {ratio:.2f} (limit {LIMIT}); round by round {', '.join(each)}")
    print("within the limit" if ratio <= LIMIT else "NOT within the limit")
    return 0


def _made(world: LogWorld, size: int) -> Pack:
    Filler(world.store, FakeSigner("pipeline")).fill(size)
    audit = world.department("audit")
    world.checkpoint()
    api.cosign_at(world.services, audit)
    now = datetime.now(UTC)
    return api.build_pack(world.services, "income", now - timedelta(days=1), now + timedelta(days=1))


def _bare(made: Pack) -> list[_Operation]:
    """Return the operations, with all that they need in memory and keys loaded."""
    algorithm = ec.ECDSA(hashes.SHA256())
    known = {item.id: item for item in _keys()}
    loaded = {id_: load_der_public_key(item.spki) for id_, item in known.items()}
    hashed = list(made.files.values())
    operations: list[_Operation] = []
    for name, content in made.files.items():
        if not name.startswith("statements/"):
            continue
        envelope = Envelope.from_bytes(content)
        hashed.append(envelope.payload)
        for signature in envelope.signatures:
            public = next(loaded[id_] for id_ in loaded if str(id_) == signature.key_id)
            message = pae(envelope.payload)
            if isinstance(public, ec.EllipticCurvePublicKey):
                operations.append(partial(public.verify, signature.content, message, algorithm))
            elif isinstance(public, ed25519.Ed25519PublicKey):
                operations.append(partial(public.verify, signature.content, message))
    leaves = made.files["leaves.jsonl"].splitlines()
    hashed += leaves + leaves
    hashed += [b"\x01" + bytes(64)] * (2 * len(leaves))
    operations += [partial(hashlib.sha256, content) for content in hashed]
    return operations


def _keys() -> list[PublicKey]:
    return [key("pipeline").public]


def _seconds(operations: list[_Operation]) -> float:
    started = time.process_time()
    for operation in operations:
        operation()
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
