"""Stamps of local files: they stand until somebody writes, whatever is done to hide it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aims_mlops.errors import RegistryError, VerificationError
from aims_mlops_hooks.mlflow.stamps import stamps


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    (place / "data").mkdir(parents=True)
    (place / "MLmodel").write_bytes(b"flavors")
    (place / "data" / "w").write_bytes(b"weights")
    return place


def test_stamps_stand_as_long_as_nobody_writes(folder: Path) -> None:
    first = stamps(folder)
    (folder / "MLmodel").read_bytes()
    list(folder.rglob("*"))
    assert stamps(folder) == first
    assert hash(first) == hash(stamps(folder))


def same_size_and_time(folder: Path) -> None:
    file = folder / "data" / "w"
    before = file.stat()
    file.write_bytes(b"WEIGHTS")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(folder: Path) -> None:
    other = folder.parent / "other"
    other.write_bytes(b"weights")
    other.replace(folder / "data" / "w")


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda folder: (folder / "MLmodel").write_bytes(b"another"),
    "same size and time": same_size_and_time,
    "replaced by the same bytes": replaced,
    "a new file": lambda folder: (folder / "data" / "x").touch(),
    "a new folder": lambda folder: (folder / "y").mkdir(),
    "gone": lambda folder: (folder / "data" / "w").unlink(),
    "other rights": lambda folder: (folder / "MLmodel").chmod(0o600),
    "renamed": lambda folder: (folder / "data").rename(folder / "date"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen(folder: Path, change: str) -> None:
    first = stamps(folder)
    CHANGES[change](folder)
    assert stamps(folder) != first


def test_a_link_is_refused(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(VerificationError, match="is a link or a special file") as caught:
        stamps(folder)
    assert caught.value.hint == "log the model again from plain files"


def test_a_folder_that_is_a_link_or_missing_is_refused(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(VerificationError):
        stamps(folder.parent / "link")
    with pytest.raises(RegistryError, match="cannot be looked at: No such file or directory"):
        stamps(folder / "nowhere")
