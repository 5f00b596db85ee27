"""Evidence signed with a key in a PKCS#11 token, through the command line as a person and as a pipeline use it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aims_mlops.adapters.key_files import read_public_key
from aims_mlops.evidence.envelope import Envelope, pae, verify_signature
from tests.adapters.tokens import OTHER, P256, P384, Token, make_token, shared_token
from tests.cli.loans import Loans

pytestmark = pytest.mark.xdist_group("token")


@pytest.fixture
def token(loans: Loans, monkeypatch: pytest.MonkeyPatch) -> Token:
    """The pipeline's key is on this token, and no longer in a file; its PIN is in the environment."""
    token = shared_token()
    for name, value in token.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("pipeline.pem", "pipeline.pub.pem"):
        (loans.folder / "keys" / name).rename(loans.folder / name)
    loans.keep_drift_alone()
    loans.passphrase = token.pin
    said = loans.aims("keys", "new", "pipeline", "--uri", token.uri(), expect=0)
    said.says("pipeline.uri (hsm:2?label=aims+test)", "no key was made, and nothing was signed with it")
    return token


def test_a_pipeline_checks_gates_and_promotes_with_a_key_that_never_leaves_its_token(
    loans: Loans, token: Token
) -> None:
    # Both keys count, so that what the file signed before still verifies.
    (loans.folder / "pipeline.pub.pem").rename(loans.folder / "keys" / "earlier.pub.pem")
    loans.edit("keys: [keys/pipeline.pub.pem]", "keys: [keys/pipeline.pub.pem, keys/earlier.pub.pem]")
    before = loans.payloads()
    loans.aims("check", "loan/1", expect=0)
    loans.aims("gate", "loan/1", "--to", "champion", expect=0)
    loans.aims("promote", "loan/1", "--to", "champion", "--reason", "signed by a token", expect=0)
    assert loans.aliases() == {"champion": "1"}
    loans.log_holds(more=5, before=before)
    loans.aims("evidence", "export", "loan/1", "-o", "exported", expect=0)
    key = read_public_key(loans.folder / "keys" / "pipeline.pub.pem")
    signed = [Envelope.from_bytes(path.read_bytes()) for path in (loans.folder / "exported").glob("*.dsse.json")]
    by_token = [one for one in signed if verify_signature(key, one.signatures[0].content, pae(one.payload))]
    assert len(by_token) >= 2, "the result and the decisions"


def test_the_list_of_keys_says_where_each_private_half_is(loans: Loans, token: Token) -> None:
    rows = {row["person"]: row for row in loans.aims("keys", "list", "--format", "json", expect=0).json}
    assert (rows["pipeline"]["where"], rows["pipeline"]["private"]) == ("hsm:2?label=aims+test", True)
    assert (rows["loan-owner"]["where"], rows["loan-owner"]["private"]) == ("keys/loan-owner.pem", True)
    (loans.folder / "keys" / "pipeline.uri").unlink()
    rows = {row["person"]: row for row in loans.aims("keys", "list", "--format", "json", expect=0).json}
    assert (rows["pipeline"]["where"], rows["pipeline"]["private"]) == ("", False)


def test_a_person_signs_with_a_token_where_the_project_names_another(loans: Loans, token: Token) -> None:
    keys = loans.folder / "keys"
    (keys / "pipeline.uri").rename(keys / "risk-officer.uri")
    (keys / "risk-officer.pem").unlink()
    (keys / "pipeline.pub.pem").replace(keys / "risk-officer.pub.pem")
    (loans.folder / "pipeline.pub.pem").rename(keys / "pipeline.pub.pem")
    before = loans.payloads()
    loans.aims("--as", "risk-officer", "check", "loan/1", expect=0)
    assert len(loans.payloads()) == len(before) + 2  # the intent and the result
    # The policy trusts the pipeline alone for results: the signature is the officer's, and counts for nothing.
    loans.aims("evidence", "verify", expect=4).says("untrusted")


def wrong_pin(loans: Loans, token: Token) -> None:
    loans.passphrase = "00-0000"


def no_pin(loans: Loans, token: Token) -> None:
    loans.passphrase = None


def no_such_token(loans: Loans, token: Token) -> None:
    (loans.folder / "keys" / "pipeline.uri").write_text("hsm:2?label=elsewhere\n")


def another_key(loans: Loans, token: Token) -> None:
    (loans.folder / "keys" / "pipeline.uri").write_text(f"{token.uri(OTHER)}\n")


def another_kind(loans: Loans, token: Token) -> None:
    (loans.folder / "keys" / "pipeline.uri").write_text(f"{token.uri(P384)}\n")


def file_too(loans: Loans, token: Token) -> None:
    shutil.copy(loans.folder / "keys" / "loan-owner.pem", loans.folder / "keys" / "pipeline.pem")


def unknown_place(loans: Loans, token: Token) -> None:
    (loans.folder / "keys" / "pipeline.uri").write_text("gnupg:0123\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(wrong_pin, ("label=aims+test: wrong PIN", "AIMS_KEY_PASSPHRASE_FILE"), id="wrong PIN"),
        pytest.param(no_pin, ("no PIN for the key of 'pipeline', and no terminal to ask at",), id="no PIN"),
        pytest.param(no_such_token, ("No PKCS#11 token found", "PYKCS11LIB"), id="a token that is not there"),
        pytest.param(
            another_key, ("is another key than", "expected key id sha256:", "found sha256:"), id="another key"
        ),
        pytest.param(another_kind, ("a key of the kind secp384r1", "make a key on P-256"), id="a key of another kind"),
        pytest.param(
            file_too, ("two private keys of 'pipeline'", "move the one away"), id="a file beside the reference"
        ),
        pytest.param(
            unknown_place,
            (
                "'gnupg:0123' says no kind of place that is known",
                "hsm:[ID]?label=TOKEN (pip install 'aims-mlops[hsm]')",
            ),
            id="an unknown kind of place",
        ),
    ],
)
def test_a_token_that_cannot_sign_is_said_and_nothing_is_recorded(
    loans: Loans, token: Token, spoil: Callable[[Loans, Token], None], says: tuple[str, ...]
) -> None:
    before = loans.payloads()
    spoil(loans, token)
    said = loans.aims("check", "loan/1", expect=2).says(*says)
    assert token.pin not in said.text
    loans.aims("gate", "loan/1", "--to", "champion", expect=2).says(*says)
    assert loans.payloads() == before


@pytest.mark.slow
def test_a_token_that_was_taken_away_is_said_and_nothing_is_recorded(loans: Loans, tmp_path: Path) -> None:
    token = make_token(tmp_path / "softhsm", P256)
    loans.keep_drift_alone()
    for name in ("pipeline.pem", "pipeline.pub.pem"):
        (loans.folder / "keys" / name).unlink()

    def aims(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = loans.environment(**token.environment, AIMS_KEY_PASSPHRASE=token.pin)
        command = [sys.executable, "-m", "aims_mlops", *arguments]
        return subprocess.run(
            command, cwd=loans.folder, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    assert aims("keys", "new", "pipeline", "--uri", token.uri()).returncode == 0
    shutil.rmtree(token.folder / "tokens")
    (token.folder / "tokens").mkdir()
    before = loans.payloads()
    done = aims("gate", "loan/1", "--to", "champion")
    assert done.returncode == 2, done.stderr
    assert "No PKCS#11 token found for label aims test" in done.stderr
    assert "PYKCS11LIB" in done.stderr
    assert loans.payloads() == before


def test_a_key_in_a_file_elsewhere_is_enrolled_and_signs(loans: Loans, tmp_path: Path) -> None:
    loans.keep_drift_alone()
    (loans.folder / "keys" / "pipeline.pem").rename(tmp_path / "secret.pem")
    said = loans.aims("keys", "new", "pipeline", "--uri", f"file:{tmp_path}/secret.pem", expect=0)
    said.says("pipeline.uri")
    loans.aims("check", "loan/1", expect=0)
    loans.aims("keys", "list", expect=0).says(f"file:{tmp_path}/secret.pem")


def test_a_uri_and_a_kind_of_new_key_contradict_each_other(loans: Loans) -> None:
    loans.aims("keys", "new", "pipeline", "--uri", "hsm:", "--ed25519", expect=2).says("a key that is there already")
    loans.aims("keys", "new", "nobody", "--uri", "hsm:", expect=2).says("aims.yaml names no person 'nobody'")
