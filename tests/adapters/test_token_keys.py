"""Keys in a PKCS#11 token: SoftHSM, for real."""

from __future__ import annotations

import logging
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from aims_mlops.adapters import key_backends
from aims_mlops.adapters.key_files import new_key, read_public_key
from aims_mlops.adapters.key_uris import parse_uri
from aims_mlops.adapters.signers import choose_signer
from aims_mlops.adapters.uri_signer import UriSigner, add_key
from aims_mlops.errors import ExitCode, SigningError, UsageError
from aims_mlops.evidence.envelope import verify_signature
from aims_mlops.model.register import Person, Project
from tests.adapters.tokens import ED25519, OTHER, P256, P384, RSA, Token, shared_token

pytestmark = pytest.mark.xdist_group("token")


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> Token:
    for name, value in shared_token().environment.items():
        monkeypatch.setenv(name, value)
    return shared_token()


def signer(folder: Path, token: Token, number: int = P256, pin: str | None = None) -> UriSigner:
    uri = parse_uri(token.uri(number), source="test")
    return UriSigner(folder, "pipeline", uri, secret=(pin or token.pin).encode)


def enrolled(folder: Path, token: Token, uri: str = "") -> str:
    return add_key(folder, "pipeline", uri or token.uri(), secret=token.pin.encode)[2]


def test_a_key_on_a_token_is_enrolled_and_signs_what_its_public_half_verifies(token: Token, tmp_path: Path) -> None:
    reference, public, uri = add_key(tmp_path, "pipeline", token.uri(), secret=token.pin.encode)
    assert (reference, public) == (tmp_path / "pipeline.uri", tmp_path / "pipeline.pub.pem")
    assert reference.read_text() == f"{uri}\n" == f"{token.uri()}\n"
    key, made = read_public_key(public), signer(tmp_path, token)
    signature = made.sign(b"message")
    assert (made.person, made.key_id, key.algorithm) == ("pipeline", key.id, "ecdsa-p256")
    assert verify_signature(key, signature, b"message")
    assert not verify_signature(key, signature, b"massage")
    assert signature[0] == 0x30, "DER"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_what_a_token_signed(token: Token, tmp_path: Path) -> None:
    enrolled(tmp_path, token)
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(signer(tmp_path, token).sign(b"message"))
    command = ["openssl", "dgst", "-sha256", "-verify", "pipeline.pub.pem", "-signature", "signature", "message"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "Verified OK\n"


def test_what_a_uri_leaves_open_is_written_into_the_reference(token: Token, tmp_path: Path) -> None:
    assert enrolled(tmp_path, token, "hsm:") == token.uri(P256)


def test_a_public_key_that_is_there_already_must_be_the_tokens(token: Token, tmp_path: Path) -> None:
    enrolled(tmp_path, token)
    (tmp_path / "pipeline.uri").unlink()
    before = (tmp_path / "pipeline.pub.pem").read_bytes()
    enrolled(tmp_path, token)
    assert (tmp_path / "pipeline.pub.pem").read_bytes() == before
    (tmp_path / "pipeline.uri").unlink()
    with pytest.raises(UsageError, match=r"pipeline\.pub\.pem is there already, and of another key") as caught:
        enrolled(tmp_path, token, token.uri(OTHER))
    assert str(read_public_key(tmp_path / "pipeline.pub.pem").id) in str(caught.value)
    assert not (tmp_path / "pipeline.uri").exists()


@pytest.mark.parametrize("taken", ["pipeline.uri", "pipeline.pem"])
def test_a_reference_is_never_overwritten_and_stands_beside_no_file(token: Token, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match="is there already, and a key is never overwritten"):
        enrolled(tmp_path, token)
    assert [path.name for path in tmp_path.iterdir()] == [taken]


def test_no_key_file_is_made_beside_a_reference(token: Token, tmp_path: Path) -> None:
    enrolled(tmp_path, token)
    (tmp_path / "pipeline.pub.pem").unlink()
    with pytest.raises(UsageError, match=r"pipeline\.uri is there already"):
        new_key(tmp_path, "pipeline", passphrase=b"x")


def test_a_wrong_pin_is_said_without_it_and_not_tried_twice(
    token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    enrolled(tmp_path, token)
    caplog.set_level(logging.DEBUG)
    made = signer(tmp_path, token, pin="55-0000")
    with pytest.raises(SigningError) as caught:
        made.sign(b"x")
    assert str(caught.value) == f"{token.uri()}: wrong PIN"
    assert caught.value.hint.startswith(
        "see AIMS_KEY_PASSPHRASE, AIMS_KEY_PASSPHRASE_FILE or the keyring; a token locks"
    )
    assert caught.value.exit_code is ExitCode.USAGE
    monkeypatch.setitem(key_backends.BACKENDS, "hsm", None)  # asking the token again would fail loudly
    with pytest.raises(SigningError, match="wrong PIN"):
        made.sign(b"x")
    assert "55-0000" not in caplog.text + str(caught.value) + caught.value.hint + repr(made)


def test_the_pin_is_asked_for_once_and_only_when_something_is_signed(token: Token, tmp_path: Path) -> None:
    enrolled(tmp_path, token)
    asked: list[int] = []

    def pin() -> bytes:
        asked.append(1)
        return token.pin.encode()

    made = UriSigner(tmp_path, "pipeline", parse_uri(token.uri(), source="test"), secret=pin)
    made.check()
    assert (made.key_id, asked) == (read_public_key(tmp_path / "pipeline.pub.pem").id, [])
    made.sign(b"one")
    made.sign(b"two")
    assert asked == [1]


def test_another_key_than_the_enrolled_one_does_not_sign(token: Token, tmp_path: Path) -> None:
    enrolled(tmp_path, token)
    add_key(tmp_path, "other", token.uri(OTHER), secret=token.pin.encode)
    expected, found = (read_public_key(tmp_path / f"{who}.pub.pem").id for who in ("pipeline", "other"))
    with pytest.raises(SigningError) as caught:
        signer(tmp_path, token, OTHER).sign(b"x")
    assert str(caught.value) == (
        f"{token.uri(OTHER)} is another key than {tmp_path}/pipeline.pub.pem: expected key id {expected}, found {found}"
    )
    assert "enrolled in aims.yaml first" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "says"),
    [
        pytest.param(
            P384, "a key of the kind secp384r1; only ECDSA P-256 keys can sign from a PKCS#11 token", id="P-384"
        ),
        pytest.param(RSA, "could not find ECDSA key", id="RSA"),
        pytest.param(ED25519, "could not find ECDSA key", id="Ed25519"),
        pytest.param(99, "could not find ECDSA key", id="none with this id"),
    ],
)
def test_a_key_of_another_kind_neither_signs_nor_is_enrolled(
    token: Token, tmp_path: Path, number: int, says: str
) -> None:
    enrolled(tmp_path, token)
    with pytest.raises(SigningError, match=says) as caught:
        signer(tmp_path, token, number).sign(b"x")
    assert "P-256" in caught.value.hint
    with pytest.raises(SigningError, match=says):
        add_key(tmp_path, "other", token.uri(number), secret=token.pin.encode)
    assert not list(tmp_path.glob("other*"))


def test_a_token_that_is_not_there_is_named(token: Token, tmp_path: Path) -> None:
    enrolled(tmp_path, token)
    made = UriSigner(tmp_path, "pipeline", parse_uri("hsm:2?label=gone", source="test"), secret=token.pin.encode)
    with pytest.raises(SigningError) as caught:
        made.sign(b"x")
    assert str(caught.value) == (
        "hsm:2?label=gone: a PKCS#11 token did not answer as needed: No PKCS#11 token found for label gone"
    )
    assert caught.value.hint.startswith("see that PYKCS11LIB names the library of the token")


def test_without_the_name_of_the_library_nothing_is_loaded(
    token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(tmp_path, token)
    monkeypatch.delenv("PYKCS11LIB")
    with pytest.raises(SigningError, match="PYKCS11LIB environment variable must be set"):
        signer(tmp_path, token).sign(b"x")


def test_the_folder_of_a_servers_keys_may_hold_a_reference(
    token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE", token.pin)
    enrolled(tmp_path / "srv", token)
    key = read_public_key(tmp_path / "srv" / "pipeline.pub.pem")
    given = Project(tmp_path / "aims.yaml", "Example", "", (Person("pipeline", "Pipeline", keys=(key,)),), ())
    made = choose_signer(given, tmp_path / "srv", person="pipeline")
    assert verify_signature(key, made.sign(b"rehearsal"), b"rehearsal")


def test_a_person_at_a_terminal_is_asked_for_the_pin_by_its_name(
    token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AIMS_KEY_PASSPHRASE", "AIMS_KEY_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    enrolled(tmp_path / "keys", token)
    key = read_public_key(tmp_path / "keys" / "pipeline.pub.pem")
    given = Project(tmp_path / "aims.yaml", "Example", "", (Person("pipeline", "Pipeline", keys=(key,)),), ())
    asked: list[str] = []

    def prompt(text: str) -> str:
        asked.append(text)
        return token.pin

    assert verify_signature(key, choose_signer(given, person="pipeline", prompt=prompt).sign(b"x"), b"x")
    assert asked == ["PIN of the key of pipeline"]


def test_threads_sign_with_one_token_without_logging_each_other_out(token: Token, tmp_path: Path) -> None:
    enrolled(tmp_path, token)
    key = read_public_key(tmp_path / "pipeline.pub.pem")
    signers = [signer(tmp_path, token) for _ in range(4)]
    messages = [str(number).encode() for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        signed = list(pool.map(lambda item: signers[item[0] % 4].sign(item[1]), enumerate(messages)))
    assert all(verify_signature(key, signature, message) for signature, message in zip(signed, messages, strict=True))


def test_a_signer_neither_shows_nor_hands_on_its_pin(token: Token, tmp_path: Path) -> None:
    enrolled(tmp_path, token)
    made = signer(tmp_path, token)
    made.sign(b"x")
    assert repr(made) == f"UriSigner('pipeline', '{token.uri()}')"
    with pytest.raises(TypeError, match="a signer is not copied to another process"):
        pickle.dumps(made)
