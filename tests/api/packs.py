"""Packs of a small world: what to put into its log, how to pack it, and how each of the three verifies it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from aims_mlops import api
from aims_mlops.adapters.pack_files import open_pack, write_pack
from aims_mlops.api import Pack
from aims_mlops.evidence.pack import PackReport, verify_pack
from aims_mlops.evidence.pack_trust import PackTrust
from tests.api.logs import LogWorld

PROGRAMS = Path(api.__file__).parents[1] / "pack_files"
"""The verifiers as this version ships them."""


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
