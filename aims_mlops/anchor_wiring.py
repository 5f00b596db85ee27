"""Builds what anchors the log outside: time stamp authorities, repositories, the way to who is sent checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aims_mlops.model.register import Project, Recipient
    from aims_mlops.ports import CheckpointKeeper, TimestampAuthority


def authorities(of: Project) -> tuple[TimestampAuthority, ...]:
    """Return the time stamp authorities of aims.yaml. Reads no file and connects to nothing yet."""
    from aims_mlops.adapters.timestamp_authority import TimestampAuthority as Authority

    settings = () if of.log is None else of.log.timestamps
    return tuple(Authority(address, of.root / roots) for address, roots in settings)


def git_anchor(folder: Path) -> CheckpointKeeper:
    """Return the git repository at a folder as a place for checkpoints; raise `UsageError` where there is none."""
    from aims_mlops.adapters.git_anchor import GitAnchor

    return GitAnchor(folder)


def send_checkpoint(recipient: Recipient, note: bytes, *, origin: str, size: int) -> None:
    """Send a checkpoint to one of the recipients of aims.yaml; raise `CannotDecide` where it is not taken."""
    from aims_mlops.adapters.checkpoint_sender import send

    send(recipient, note, origin=origin, size=size)
