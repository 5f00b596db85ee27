"""Whose keys a server is started with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aims_mlops.config import administrators
from aims_mlops.errors import UsageError
from tests.builders import key


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for name in ("ann", "ben"):
        (tmp_path / f"{name}.pub.pem").write_bytes(key(name).public_pem)
    (tmp_path / "notes.txt").write_text("no key")
    return tmp_path


def read(*paths: object, threshold: str | None = None) -> tuple[set[str], int]:
    environment = {"AIMS_ADMIN_KEYS": os.pathsep.join(map(str, paths))}
    environment |= {} if threshold is None else {"AIMS_ADMIN_THRESHOLD": threshold}
    found = administrators(environment)
    assert len(found.keys) == len({item.id for item in found.keys})
    return {str(item.id) for item in found.keys}, found.threshold


def ids(*names: str) -> set[str]:
    return {str(key(name).public.id) for name in names}


def test_files_and_folders_are_read_and_one_key_is_enough_by_default(keys: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "more"
    elsewhere.mkdir()
    (elsewhere / "eve.pub.pem").write_bytes(key("eve", algorithm="ed25519").public_pem)
    assert read(keys / "ann.pub.pem") == (ids("ann"), 1)
    assert read(keys) == (ids("ann", "ben"), 1)
    found, threshold = read(keys, elsewhere / "eve.pub.pem", threshold="3")
    assert (len(found), threshold) == (3, 3)


def test_a_key_in_two_files_counts_once(keys: Path) -> None:
    (keys / "again.pub.pem").write_bytes(key("ann").public_pem)
    assert read(keys, keys / "ann.pub.pem") == (ids("ann", "ben"), 1)
    with pytest.raises(UsageError, match="AIMS_ADMIN_THRESHOLD is 3, but AIMS_ADMIN_KEYS names 2 different keys"):
        read(keys, keys / "ann.pub.pem", threshold="3")


@pytest.mark.parametrize("value", ["", " ", os.pathsep])
def test_no_key_at_all_is_an_error(value: str) -> None:
    with pytest.raises(UsageError, match="AIMS_ADMIN_KEYS names no administrator's key") as caught:
        administrators({"AIMS_ADMIN_KEYS": value})
    assert "public keys" in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_file_that_is_missing_is_named(keys: Path) -> None:
    with pytest.raises(UsageError, match=r"nobody\.pub\.pem cannot be read: No such file"):
        read(keys / "nobody.pub.pem")


def test_a_folder_without_keys_is_named(keys: Path) -> None:
    (keys / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no \*\.pub\.pem in the folder .*empty"):
        read(keys / "empty")


def test_a_private_key_is_refused_and_its_public_half_is_named(keys: Path) -> None:
    private = key("ann").private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (keys / "ann.pem").write_bytes(private)
    with pytest.raises(UsageError, match=r"ann\.pem: this is a PRIVATE key") as caught:
        read(keys / "ann.pem")
    assert ".pub.pem" in caught.value.hint


def test_what_is_no_key_is_refused(keys: Path) -> None:
    with pytest.raises(UsageError, match=r"notes\.txt: not a public key in PEM form"):
        read(keys / "notes.txt")
    os.mkfifo(keys / "pipe.pub.pem")
    with pytest.raises(UsageError, match=r"pipe\.pub\.pem is not a file"):
        read(keys)


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "²", "1_0"])
def test_a_threshold_that_is_no_number_from_one_is_refused(keys: Path, value: str) -> None:
    with pytest.raises(UsageError, match=r"AIMS_ADMIN_THRESHOLD is .* whole number from 1"):
        read(keys, threshold=value)
