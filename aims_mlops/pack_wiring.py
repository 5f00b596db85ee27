"""Opens and writes packs on the disk: the part of `wiring` that an auditor needs, who has no aims.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aims_mlops.errors import UsageError

if TYPE_CHECKING:
    from aims_mlops.evidence.pack import PackReport
    from aims_mlops.evidence.pack_trust import PackTrust


def trust_from(files: Sequence[Path]) -> PackTrust | None:
    """Read trust files, of several what they say together; None where none is given. Raises `CannotDecide`."""
    from aims_mlops.evidence.pack_trust import PackTrust, united

    return united([PackTrust.from_bytes(path.read_bytes()) for path in files]) if files else None


def verify_at(path: Path, trust: PackTrust | None, *, brought: Mapping[str, bytes] | None = None) -> PackReport:
    """Verify the pack in a folder or a ZIP file; raise `UsageError` where it is neither."""
    from aims_mlops.adapters.pack_files import open_pack
    from aims_mlops.evidence.pack import verify_pack

    try:
        with open_pack(path) as found:
            return verify_pack(found.names, found.read, trust, odd=found.odd, brought=brought)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})", hint="may you read all of it?") from error


def write_pack(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a pack as a folder, or as a ZIP file where the name ends so; raise `UsageError` where one is there."""
    from aims_mlops.adapters.pack_files import write_pack as write

    write(path, files)
