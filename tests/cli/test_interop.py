"""`aims evidence export --as`: what openssl, jq and OpenSSF's own command line say of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.loans import Loans

FORMS = ("test-result", "slsa-vsa", "model-signature", "sigstore")

OPENSSL = """
set -euo pipefail
type=$(jq -j .dsseEnvelope.payloadType "$1")
jq -j .dsseEnvelope.payload "$1" | base64 -d > payload
jq -j '.dsseEnvelope.signatures[0].sig' "$1" | base64 -d > signature
{ printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c < payload)"; cat payload; } > signed
openssl dgst -sha256 -verify "$2" -signature signature signed
# The hint is the key's, as cosign writes it.
hint=$(jq -r .verificationMaterial.publicKey.hint "$1")
test "$(openssl pkey -pubin -in "$2" -outform DER | openssl dgst -sha256 -binary | base64)" = "$hint"
"""


def export(loans: Loans, *forms: str, expect: int = 0) -> Path:
    options = [word for form in forms for word in ("--as", form)]
    loans.aims("evidence", "export", "loan/1", "-o", "out", *options, expect=expect)
    return loans.folder / "out"


def pipeline(folder: Path) -> Path:
    (found,) = (folder / "keys").glob("pipeline-*.pub.pem")
    return found


def needs(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def test_every_bundle_verifies_with_openssl_from_itself_alone(loans: Loans, tmp_path: Path) -> None:
    needs("openssl", "jq", "bash")
    folder = export(loans, *FORMS)
    bundles = sorted(folder.rglob("*.sigstore.json"))
    assert len(bundles) == len(list(folder.rglob("*.dsse.json"))) == 11

    def verify(bundle: Path) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-c", OPENSSL, "verify", str(bundle), str(pipeline(folder))]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    for bundle in bundles:
        done = verify(bundle)
        assert (done.returncode, done.stdout) == (0, "Verified OK\n"), done.stderr
    wire = json.loads(bundles[0].read_text())
    wire["dsseEnvelope"]["payload"] = json.loads(bundles[1].read_text())["dsseEnvelope"]["payload"]
    (tmp_path / "mixed.json").write_text(json.dumps(wire))
    assert "Verification failure" in (refused := verify(tmp_path / "mixed.json")).stdout + refused.stderr
    assert refused.returncode != 0


@pytest.mark.slow
def test_openssfs_own_command_accepts_the_model_and_refuses_another(loans: Loans, tmp_path: Path) -> None:
    """The locked environment of the tests has model-signing (the extra `oms`), so that nothing is fetched here."""
    command = Path(sys.executable).parent / "model_signing"
    assert command.exists(), "make dev"
    folder = export(loans, "model-signature")

    def verify(model: Path, key: Path | None = None) -> tuple[int, str]:
        public = key or pipeline(folder)
        arguments = ["verify", "key", str(model), "--signature", str(folder / "model.sig"), "--public_key", str(public)]
        done = subprocess.run([str(command), *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def changed(name: str, file: str, content: str | None) -> Path:
        model = shutil.copytree(loans.model, tmp_path / name)
        if content is None:
            (model / file).unlink()
        else:
            (model / file).parent.mkdir(exist_ok=True)
            (model / file).write_text(content)
        return model

    assert verify(loans.model) == (0, "Verification succeeded\n")
    assert verify(shutil.copytree(loans.model, tmp_path / "renamed"))[0] == 0
    for model, said in [
        (changed("edited", "MLmodel", "flavors: {}\n"), "Hash mismatch for 'MLmodel'"),
        (changed("more", "code/extra.py", "import os\n"), "Extra files found"),
        (changed("fewer", "requirements.txt", None), "Missing files"),
    ]:
        code, text = verify(model)
        assert code == 1, text
        assert said in text.replace("\\", ""), text  # a list as Python shows it: quoted as its bytes happen to need it
    (other,) = (folder / "keys").glob("risk-officer-*.pub.pem")
    code, text = verify(loans.model, other)
    assert code == 1
    assert "Key mismatch" in text


def test_files_that_changed_since_are_not_signed(loans: Loans) -> None:
    (loans.model / "extra").write_text("x")

    said = loans.aims("evidence", "export", "loan/1", "-o", "out", "--as", "model-signature", expect=4)

    said.says("the files of loan/1 are not those that were checked", "they are not signed", "aims evidence verify")
    assert not (loans.folder / "out").exists()


def test_an_ed25519_key_signs_no_model(loans: Loans) -> None:
    (loans.folder / "keys" / "risk-officer.pem").unlink()
    (loans.folder / "keys" / "risk-officer.pub.pem").unlink()
    loans.aims("keys", "new", "--ed25519", "risk-officer", expect=0)

    said = loans.aims(
        "--as", "risk-officer", "evidence", "export", "loan/1", "-o", "out", "--as", "model-signature", expect=2
    )

    said.says("the key of 'risk-officer' is ed25519", "--as PERSON")


def test_whoever_exports_signs_and_the_one_who_measured_is_named(loans: Loans) -> None:
    loans.aims("--as", "loan-owner", "evidence", "export", "loan/1", "-o", "out", "--as", "slsa-vsa", expect=0)

    (path,) = (loans.folder / "out" / "slsa-vsa").glob("*.dsse.json")
    from aims_mlops.adapters.key_files import read_public_key
    from aims_mlops.evidence.envelope import Envelope

    envelope = Envelope.from_bytes(path.read_bytes())
    owner = read_public_key(loans.folder / "keys" / "loan-owner.pub.pem")
    assert envelope.open_with([owner]) == (owner.id,)
    predicate = json.loads(envelope.payload)["predicate"]
    assert predicate["verifier"]["id"].endswith(":pipeline")


def test_a_form_that_is_not_there_is_a_mistake(loans: Loans) -> None:
    loans.aims("evidence", "export", "loan/1", "-o", "out", "--as", "spdx", expect=2).says("'spdx' is not one of")


def test_without_a_passphrase_only_what_needs_no_signature_is_exported(loans: Loans) -> None:
    loans.passphrase = None

    loans.aims("evidence", "export", "loan/1", "-o", "one", "--as", "sigstore", expect=0)
    loans.aims("evidence", "export", "loan/1", "-o", "two", "--as", "test-result", expect=2)
    assert not (loans.folder / "two").exists()
