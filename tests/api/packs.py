"""Packs of a small world: what to put into its log, how to pack it, and how each of the three verifies it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from aims_mlops import api
from aims_mlops.adapters.pack_files import open_pack, write_pack
from aims_mlops.api import Pack
from aims_mlops.evidence.pack import PackReport, verify_pack
from aims_mlops.evidence.pack_trust import PackTrust
from tests.api.logs import LogWorld
from tests.api.test_waiving import REF, Limping
from tests.builders import CHAMPION, policy, system

PROGRAMS = Path(api.__file__).parents[1] / "pack_files"
"""The verifiers as this version ships them."""


def later(world: LogWorld) -> float:
    """Return a time for a witness's clock at which all that is written in a test has been written."""
    return (world.now + timedelta(days=30)).timestamp()


def everything(folder: Path) -> tuple[LogWorld, int]:
    """A log with each kind of statement that this version writes, and one of another system; return its place."""
    other = system(replace(policy(), system="credit"), id="credit", models=("credit",))
    world = LogWorld(folder, systems=(system(), other))
    audit = world.department("audit", now=later(world))
    world.checks = {"fairness": Limping}
    api.check(world.services, REF)  # intent and result
    world.person = "owner"
    asked = api.request_waiver(
        world.services, REF, "parity", reason="it is mended", expires_at=world.now + timedelta(days=9)
    )
    world.person = "officer"
    api.approve_waiver(world.services, asked.record.payload.short, reason="seen")
    world.person = "pipeline"
    api.promote(world.services, REF, CHAMPION, reason="release")
    world.person = "owner"
    replayed = {"record": "aims:replay", "sample": {}, "cameOut": True}
    world.say("record", replayed)
    world.person = "pipeline"
    world.say("bypass-finding", {"word": "unproved", "to": {"alias": "champion"}, "finding": "f"})
    world.registry.add("credit", "1", b"the other system's model")
    world.systems = world.systems[::-1]
    place = len(list(world.store.leaves()))
    world.say("check-result", {"outcome": "passed"}, model="credit", version="1")
    world.systems = world.systems[::-1]
    world.checkpoint()
    api.cosign_at(world.services, audit)
    return world, place


@dataclass(frozen=True)
class Said:
    """What a verifier answered."""

    code: int
    text: str


def period(world: LogWorld) -> tuple[datetime, datetime]:
    """Return a period that has all of a world's log."""
    return world.now - timedelta(days=365), world.now + timedelta(days=1)


def packed(world: LogWorld, system: str = "income") -> Pack:
    """Pack all of a world's log."""
    return api.build_pack(world.services, system, *period(world))


def written(made: Pack, folder: Path, world: LogWorld) -> tuple[Path, Path]:
    """Write a pack into a new folder, and the trust beside it; return both paths."""
    write_pack(folder / "pack", made.files)
    trust = folder / "trust.json"
    trust.write_bytes(api.pack_trust(world.services).to_bytes())
    return folder / "pack", trust


def verified(path: Path, trust: Path | None) -> PackReport:
    """Verify with this version."""
    believed = None if trust is None else PackTrust.from_bytes(trust.read_bytes())
    with open_pack(path) as found:
        return verify_pack(found.names, found.read, believed, odd=found.odd)


def run(*command: str | Path) -> Said:
    """Run a verifier, with nothing of this environment."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    return Said(done.returncode, done.stdout + done.stderr)


def by_python(path: Path, trust: Path | None, *, program: Path = PROGRAMS / "verify.py") -> Said:
    """Verify with the program of the standard library."""
    return run(sys.executable, "-I", "-S", program, path, *(() if trust is None else ("--trust", trust)))


def by_shell(path: Path, trust: Path | None, *, program: Path = PROGRAMS / "verify.sh") -> Said:
    """Verify with the shell's program."""
    return run("bash", program, path, *(() if trust is None else ("--trust", trust)))
