"""Where the passphrase of a key comes from. Never from the command line, where every process can read it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from aims_mlops.adapters.private_files import read_private
from aims_mlops.errors import SigningError

SERVICE = "aims-mlops"
"""The service name in the keyring; the user name there is the person's id."""

Prompt = Callable[[str], str]
"""Asks a person at the terminal without showing what is typed."""

_HINT = "set AIMS_KEY_PASSPHRASE, name a file (mode 0600) in AIMS_KEY_PASSPHRASE_FILE, or put it into the keyring"


def read_passphrase(person: str, *, prompt: Prompt | None = None, word: str = "passphrase") -> bytes:
    """Return the passphrase of a person's key: from AIMS_KEY_PASSPHRASE, a file, the keyring, or a prompt.

    `word` says what is asked for where it is not a passphrase: the PIN of a token comes from the same places.

    The first source that is there counts, and a wrong or empty one is not passed over. The prompt is used only where
    standard input is a terminal. Raises `SigningError` where there is none.
    """
    if (given := os.environ.get("AIMS_KEY_PASSPHRASE")) is not None:
        return _not_empty(given.encode(), "AIMS_KEY_PASSPHRASE")
    if (named := os.environ.get("AIMS_KEY_PASSPHRASE_FILE")) is not None:
        return _from_file(Path(named))
    if (kept := _from_keyring(person)) is not None:
        return _not_empty(kept.encode(), f"the keyring's entry {SERVICE}/{person}")
    if prompt is not None and sys.stdin is not None and sys.stdin.isatty():
        # Not capitalize(), which would write "Pin".
        return _not_empty(prompt(f"{word[0].upper()}{word[1:]} of the key of {person}").encode(), f"the {word}")
    raise SigningError(f"no {word} for the key of {person!r}, and no terminal to ask at", hint=_HINT)


def _not_empty(passphrase: bytes, source: str) -> bytes:
    if not passphrase:
        raise SigningError(f"{source} is empty", hint=_HINT)
    return passphrase


def _from_file(path: Path) -> bytes:
    try:
        content = read_private(path)
    except FileNotFoundError as error:
        raise SigningError(f"AIMS_KEY_PASSPHRASE_FILE names {path}, which is missing", hint=_HINT) from error
    # An editor ends a file with one line end, which is not part of what was meant.
    return _not_empty(content.removesuffix(b"\n").removesuffix(b"\r"), str(path))


def _from_keyring(person: str) -> str | None:
    try:
        keyring = import_module("keyring")
        errors = import_module("keyring.errors")
    except ImportError:
        return None
    try:
        kept = keyring.get_password(SERVICE, person)
    except errors.KeyringError:
        # No keyring on this machine, or it stays locked: then it holds nothing for us.
        return None
    return None if kept is None else str(kept)
