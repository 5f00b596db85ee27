"""A store that cannot be written: exit 3, the reason and the next step, and the log still holds."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from aims_mlops.adapters.sqlite_database import SqliteDatabase
from aims_mlops.model.digest import Digest
from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

COMMANDS = (("check", "loan/1", "--only", "drift"), ("gate", "loan/1", "--to", "champion"))


@pytest.fixture
def small_disk(loans: Loans, tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB that holds the project's store; aims.yaml names it there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted only by root")
    try:
        for path in loans.folder.glob("aims.db*"):
            shutil.copy(path, folder / path.name)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mirrored(loans: Loans, disk: Path) -> None:
    """Bring the store back into the project's folder, where the tests look at it."""
    for path in disk.glob("aims.db*"):
        shutil.copy(path, loans.folder / path.name)


def test_a_full_disk_is_said_and_the_log_still_holds(loans: Loans, small_disk: Path) -> None:
    before = loans.payloads()
    store = f"sqlite:///{small_disk}/aims.db"
    filler = small_disk / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(4096))
    for command in COMMANDS:
        said = loans.aims(*command, expect=3, AIMS_STORE=store)
        said.says("full", "then repeat")
        assert said.out == "" or "NOT RECORDED" in said.out
    filler.unlink()
    mirrored(loans, small_disk)
    loans.log_holds(more=0, before=before)
    loans.aims("gate", "loan/1", "--to", "champion", expect=0, AIMS_STORE=store).says("allowed for champion")


def test_a_read_only_store_is_said_and_the_log_still_holds(loans: Loans, small_disk: Path) -> None:
    before = loans.payloads()
    store = f"sqlite:///{small_disk}/aims.db"
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for command in (*COMMANDS, ("promote", "loan/1", "--to", "champion")):
        said = loans.aims(*command, expect=3, AIMS_STORE=store)
        said.says("give this user write access", "or name another store with AIMS_STORE")
        assert said.out == "" or "NOT RECORDED" in said.out
    loans.aims("evidence", "verify", "loan/1", expect=0, AIMS_STORE=store)
    assert loans.aliases() == {}
    loans.log_holds(more=0, before=before)


def test_a_locked_store_is_said_and_the_log_still_holds(loans: Loans) -> None:
    before = loans.payloads()
    patience = patch.dict(SqliteDatabase.__init__.__kwdefaults__, busy_seconds=0.3)
    with patience, closing(sqlite3.connect(loans.folder / "aims.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for command in COMMANDS:
            said = loans.aims(*command, expect=3)
            said.says("is locked: another process has been writing for more than 0.3 s", "then repeat")
            assert said.out == "" or "NOT RECORDED" in said.out
        other.execute("ROLLBACK")
    loans.log_holds(more=0, before=before)


def test_two_promotions_at_once_wait_for_each_other(loans: Loans, monkeypatch: pytest.MonkeyPatch) -> None:
    from aims_mlops.adapters import sqlite_database
    from aims_mlops.adapters.file_lock import file_lock

    before = loans.payloads()
    monkeypatch.setattr(sqlite_database, "LOCK_SECONDS", 0.3)
    name = f"promotion-{Digest.of(b'loan').short}"
    with file_lock(loans.folder / f"aims.db.{name}.lock", what="another run"):
        said = loans.aims("promote", "loan/1", "--to", "champion", expect=3)
    said.says("is locked: another process has held it for more than 0.3 s", "wait until the other run of aims is done")
    assert loans.aliases() == {}
    loans.log_holds(more=0, before=before)


def test_a_store_that_is_no_database_is_said(loans: Loans) -> None:
    before = loans.payloads()
    (loans.folder / "other.db").write_text("not a database at all, whatever its name says" * 40)
    for command in COMMANDS:
        said = loans.aims(*command, expect=3, AIMS_STORE="sqlite:///other.db")
        said.says("other.db is not an SQLite database", "AIMS_STORE names the wrong file")
    loans.log_holds(more=0, before=before)
