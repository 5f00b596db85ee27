"""A PKCS#11 token of SoftHSM with keys of several kinds, made for tests; mandatory where servers are demanded."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

P256, P384, RSA, ED25519, OTHER = 2, 3, 4, 5, 6
"""The ids of the keys on the token."""

_KINDS = {
    P256: "EC:prime256v1",
    P384: "EC:secp384r1",
    RSA: "rsa:2048",
    ED25519: "EC:edwards25519",
    OTHER: "EC:prime256v1",
}
_LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True)
class Token:
    """A token in a folder of its own."""

    folder: Path
    library: str
    label: str = "aims test"
    pin: str = "73-1604"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find the token."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"), "PYKCS11LIB": self.library}

    def uri(self, number: int = P256) -> str:
        """The URI of one of its keys, as it is written into a reference."""
        return f"hsm:{number}?label={self.label.replace(' ', '+')}"

    def run(self, *command: str) -> None:
        """Run a tool on the token."""
        environment = os.environ | self.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def add_key(self, number: int, kind: str) -> None:
        """Make a key pair on the token."""
        login = ("--token-label", self.label, "--login", "--pin", self.pin)
        self.run(
            "pkcs11-tool", "--module", self.library, *login, "--keypairgen", "--key-type", kind, "--id", f"{number:02x}"
        )


@cache
def shared_token() -> Token:
    """The one token of this process, with a key of each kind: its library is loaded once, with one configuration."""
    folder = Path(tempfile.mkdtemp(prefix="aims-token-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_token(folder / "softhsm", P256, P384, RSA, ED25519, OTHER)


def softhsm() -> str:
    """Where SoftHSM's library is; skip where it or a tool is not installed, or fail where servers are demanded."""
    library = next((path for path in _LIBRARIES if Path(path).exists()), None)
    if library is None or not (shutil.which("softhsm2-util") and shutil.which("pkcs11-tool")):
        if os.environ.get("AIMS_REQUIRE_SERVERS") == "1":
            pytest.fail("AIMS_REQUIRE_SERVERS=1, but softhsm2 and opensc are not installed")
        pytest.skip("softhsm2 and opensc are not installed")
    return library


def make_token(folder: Path, *numbers: int) -> Token:
    """Make a token with these keys; skip where SoftHSM is not installed, or fail where servers are demanded."""
    library = softhsm()
    (folder / "tokens").mkdir(parents=True)
    settings = f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    (folder / "softhsm2.conf").write_text(settings)
    token = Token(folder, library)
    pins = ("--pin", token.pin, "--so-pin", "9999-0000")
    token.run("softhsm2-util", "--init-token", "--free", "--label", token.label, *pins)
    for number in numbers:
        token.add_key(number, _KINDS[number])
    return token
