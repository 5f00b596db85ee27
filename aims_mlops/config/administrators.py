"""Whose word puts a configuration in force: public keys that a server is started with, never ones from aims.yaml."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from aims_mlops.config.files import KEY_BYTES
from aims_mlops.config.keys import public_key
from aims_mlops.errors import UsageError
from aims_mlops.evidence.configuration import Administrators
from aims_mlops.model.register import PublicKey

KEYS = "AIMS_ADMIN_KEYS"
THRESHOLD = "AIMS_ADMIN_THRESHOLD"


def administrators(environment: Mapping[str, str] | None = None) -> Administrators:
    """Read `AIMS_ADMIN_KEYS` (files, or folders of *.pub.pem) and `AIMS_ADMIN_THRESHOLD` (by default 1).

    One key in two files counts once. Raises `UsageError` for a variable that is not set, a file or folder that is not
    there or holds no public key, and a threshold that can not be reached.
    """
    variables = os.environ if environment is None else environment
    named = [text for text in variables.get(KEYS, "").split(os.pathsep) if text.strip()]
    if not named:
        raise UsageError(
            f"{KEYS} names no administrator's key: nobody's word could put a configuration in force",
            hint=f"set {KEYS} to the administrators' public keys: files, or a folder of *.pub.pem",
        )
    keys = {key.id: key for text in named for file in _files(Path(text).expanduser()) for key in (_key(file),)}
    return Administrators(tuple(keys.values()), _threshold(variables.get(THRESHOLD, ""), len(keys)))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = sorted(path.glob("*.pub.pem"))
    if not found:
        raise UsageError(f"{KEYS}: no *.pub.pem in the folder {path}", hint="put the administrators' public keys there")
    yield from found


def _key(file: Path) -> PublicKey:
    try:
        if file.exists() and not file.is_file():
            raise UsageError(f"{KEYS}: {file} is not a file", hint="name a public key in PEM form")
        with file.open("rb") as stream:
            return public_key(stream.read(KEY_BYTES))
    except OSError as error:
        raise UsageError(
            f"{KEYS}: {file} cannot be read: {error.strerror}", hint="name the administrators' public key files"
        ) from error
    except ValueError as error:
        hint = "name the .pub.pem file beside it" if "PRIVATE" in str(error) else "aims keys new PERSON makes one"
        raise UsageError(f"{KEYS}: {file}: {error}", hint=hint) from error


def _threshold(text: str, keys: int) -> int:
    given = text.strip() or "1"
    if not (given.isascii() and given.isdigit()) or int(given) < 1:
        raise UsageError(
            f"{THRESHOLD} is {given[:40]!r}, and has to be a whole number from 1", hint="set it, e.g. to 2"
        )
    if int(given) > keys:
        told = "1 key" if keys == 1 else f"{keys} different keys"
        raise UsageError(
            f"{THRESHOLD} is {int(given)}, but {KEYS} names {told}: no configuration could ever come into force",
            hint="name more administrators' keys, or lower the threshold",
        )
    return int(given)
