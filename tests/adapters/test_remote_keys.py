"""References to keys elsewhere, and keys in Vault and AWS KMS against servers that stand in for them."""

from __future__ import annotations

import base64
import json
import logging
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aims_mlops.adapters.key_files import FileSigner, new_key, read_public_key
from aims_mlops.adapters.key_uris import KINDS, LIMIT, parse_uri, read_reference
from aims_mlops.adapters.signers import choose_signer, list_keys
from aims_mlops.adapters.uri_signer import UriSigner, add_key
from aims_mlops.errors import SigningError
from aims_mlops.evidence.envelope import verify_signature
from aims_mlops.model.register import Person, Project

GCP = "gcpkms:projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
AZURE = "azurekms://example.vault.azure.net/keys/pipeline/0123456789abcdef0123456789abcdef"


def secret() -> bytes:
    pytest.fail("nothing here has a passphrase or a PIN")


def signer(folder: Path, uri: str) -> UriSigner:
    return UriSigner(folder, "pipeline", parse_uri(uri, source="test"), secret=secret)


def enrol(folder: Path, uri: str, person: str = "pipeline") -> str:
    return add_key(folder, person, uri, secret=secret)[2]


def holds(folder: Path, uri: str, algorithm: str = "ecdsa-p256") -> None:
    """Hold a key to what a signer must do."""
    made, key = signer(folder, uri), read_public_key(folder / "pipeline.pub.pem")
    assert (key.algorithm, made.key_id) == (algorithm, key.id)
    for message in (b"message", b""):
        assert verify_signature(key, made.sign(message), message)
    assert made.key_id == key.id


# References


@pytest.mark.parametrize(
    "text",
    [
        "file:elsewhere/pipeline.pem", "file:///run/secrets/pipeline.pem", "hsm:", "hsm:2",
        "hsm:2?label=YubiKey+PIV+%23158",
        "hv:pipeline", "hv:pipeline/3", "awskms:1234abcd-12ab-34cd-56ef-1234567890ab", "awskms:alias/aims/pipeline",
        "awskms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", GCP, AZURE,
    ],
)  # fmt: skip
def test_a_uri_of_each_form_names_a_key(text: str) -> None:
    assert str(parse_uri(text, source="test")) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("hsm:two", id="an id that is no number"),
        pytest.param("hsm:2?label=a&pin=1234", id="a PIN"),
        pytest.param("hsm:2?module=/tmp/evil.so", id="a library to load"),
        pytest.param("hv:../sys/raw/1", id="a path in Vault"),
        pytest.param("hv:pipeline/latest", id="no number of a version"),
        pytest.param("gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k", id="no version"),
        pytest.param("azurekms://vault.example.org/keys/pipeline/1", id="a host that is not Azure's"),
        pytest.param("azurekms://example.vault.azure.net@evil.example/keys/pipeline", id="a host behind a name"),
        pytest.param("awskms:", id="nothing"),
        pytest.param("file:", id="no file"),
        pytest.param("hsm:2\nhsm:3", id="two lines"),
    ],
)
def test_a_uri_with_anything_else_in_it_is_refused(text: str) -> None:
    with pytest.raises(SigningError, match="does not name a key in ") as caught:
        parse_uri(text, source="keys/pipeline.uri")
    assert str(caught.value).startswith(f"keys/pipeline.uri: {text!r}")
    assert "PINs, tokens and addresses come from the environment" in caught.value.hint


@pytest.mark.parametrize("text", ["", "pipeline.pem", "gnupg:0123", "https://vault.example.org", "HSM:2"])
def test_an_unknown_kind_of_place_is_answered_with_all_there_are(text: str) -> None:
    with pytest.raises(SigningError) as caught:
        parse_uri(text, source="keys/pipeline.uri")
    assert str(caught.value) == f"keys/pipeline.uri: {text!r} says no kind of place that is known"
    for kind in KINDS:
        assert kind.form in caught.value.hint
        assert not kind.extra or f"pip install 'aims-mlops[{kind.extra}]'" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"hsm:\xff", "is not a line of ASCII", id="not ASCII"),
        pytest.param(b"hsm:2?label=" + b"x" * LIMIT, f"is longer than {LIMIT} bytes", id="too long"),
        pytest.param(None, "cannot be read (Is a directory)", id="a folder"),
    ],
)
def test_a_reference_that_is_no_line_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "pipeline.uri"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(SigningError) as caught:
        read_reference(path)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "module", "extra"),
    [
        pytest.param("hsm:2", "pkcs11", "hsm", id="hsm"),
        pytest.param("hv:pipeline/1", "hvac", "vault", id="hv"),
        pytest.param("awskms:alias/pipeline", "boto3", "aws", id="awskms"),
        pytest.param(GCP, "google.cloud.kms", "gcp", id="gcpkms"),
        pytest.param(AZURE, "azure.keyvault.keys", "azure", id="azurekms"),
    ],
)
def test_a_missing_library_is_answered_with_the_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SigningError, match=r"the library for keys in .* is not installed") as caught:
        signer(tmp_path, uri).check()
    assert caught.value.hint == f"pip install 'aims-mlops[{extra}]'"
    with pytest.raises(SigningError, match="is not installed"):
        enrol(tmp_path, uri)
    assert not list(tmp_path.iterdir())


# Whose key signs


def project(root: Path, *people: str) -> Project:
    known = [Person(id_, id_, keys=(read_public_key(root / "keys" / f"{id_}.pub.pem"),)) for id_ in people]
    return Project(root / "aims.yaml", "Example", "", tuple(known), (), signer=None)


def test_a_file_elsewhere_signs_from_where_the_reference_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE", "correct horse")
    monkeypatch.delenv("AIMS_SIGNER", raising=False)
    private, public = new_key(tmp_path / "keys", "pipeline", passphrase=b"correct horse")
    private.rename(tmp_path / "moved.pem")
    (tmp_path / "keys" / "pipeline.uri").write_text("file:../moved.pem\n")
    made = choose_signer(project(tmp_path, "pipeline"))
    assert isinstance(made, FileSigner)
    assert verify_signature(read_public_key(public), made.sign(b"x"), b"x")
    assert [row.where for row in list_keys(project(tmp_path, "pipeline"))] == ["file:../moved.pem"]
    (tmp_path / "moved.pem").chmod(0o644)
    with pytest.raises(SigningError, match=r"moved\.pem can be read by others"):
        choose_signer(project(tmp_path, "pipeline"))


def test_a_file_elsewhere_is_enrolled_with_its_passphrase(tmp_path: Path) -> None:
    private, public = new_key(tmp_path / "made", "pipeline", passphrase=b"correct horse", algorithm="ed25519")
    add_key(tmp_path / "keys", "pipeline", f"file:{private}", secret=lambda: b"correct horse")
    assert (tmp_path / "keys" / "pipeline.pub.pem").read_bytes() == public.read_bytes()
    with pytest.raises(SigningError, match="wrong passphrase"):
        add_key(tmp_path / "keys", "other", f"file:{private}", secret=lambda: b"battery staple")


def test_of_a_file_and_a_reference_neither_is_taken_unasked(tmp_path: Path) -> None:
    new_key(tmp_path / "keys", "pipeline", passphrase=b"correct horse")
    (tmp_path / "keys" / "pipeline.uri").write_text("hsm:2\n")
    with pytest.raises(SigningError) as caught:
        choose_signer(project(tmp_path, "pipeline"), person="pipeline")
    assert str(caught.value).startswith("two private keys of 'pipeline', and nothing says which: ")
    assert [row.where for row in list_keys(project(tmp_path, "pipeline"))] == ["keys/pipeline.pem, hsm:2"]


def test_a_reference_counts_among_the_keys_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIMS_SIGNER", raising=False)
    for person in ("pipeline", "risk-officer"):
        new_key(tmp_path / "keys", person, passphrase=b"correct horse")
    (tmp_path / "keys" / "pipeline.pem").unlink()
    (tmp_path / "keys" / "pipeline.uri").write_text("hsm:2\n")
    given = project(tmp_path, "pipeline", "risk-officer")
    with pytest.raises(SigningError, match=r"several could sign \(pipeline, risk-officer\)"):
        choose_signer(given)
    (tmp_path / "keys" / "risk-officer.pem").unlink()
    assert repr(choose_signer(given)) == "UriSigner('pipeline', 'hsm:2')"


# Vault: its HTTP interface as hvac asks for it, played by a small server


class Vault(BaseHTTPRequestHandler):
    """The two routes of the transit engine that are used, with real keys. Not Vault."""

    keys: ClassVar[dict[str, dict[str, Any]]] = {}
    delay: ClassVar[float] = 0

    def do_GET(self) -> None:
        time.sleep(self.delay)
        name = self.path.removeprefix("/v1/transit/keys/")
        if self.headers["X-Vault-Token"] != "hvs.test":
            self._answer(403, {"errors": ["permission denied"]})
        elif name in self.keys:
            versions = {version: {"public_key": _told(key)} for version, key in self.keys[name].items()}
            self._answer(
                200, {"data": {"keys": {v: k if k["public_key"] else 1764300000 for v, k in versions.items()}}}
            )
        else:
            self._answer(404, {"errors": []})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.keys[self.path.removeprefix("/v1/transit/sign/")][str(asked["key_version"])]
        message = base64.b64decode(asked["hash_input"] if "hash_input" in asked else asked["input"])
        made = (
            key.sign(message) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(message, ec.ECDSA(SHA256()))
        )
        self._answer(200, {"data": {"signature": f"vault:v1:{base64.b64encode(made).decode()}"}})

    def _answer(self, status: int, wire: dict[str, Any]) -> None:
        content = json.dumps(wire).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_PUT = do_POST  # noqa: N815  # http.server looks for these names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in http.server
        """Stay quiet."""


def _told(key: Any) -> str:
    """A public key as Vault writes it: Ed25519 as base64 of the raw key, others in PEM, symmetric ones not at all."""
    if key is None:
        return ""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Vault]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vault)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.test")
    monkeypatch.setattr(Vault, "keys", {
        "curve": {"1": ec.generate_private_key(ec.SECP256R1()), "10": ec.generate_private_key(ec.SECP256R1())},
        "edwards": {"2": ed25519.Ed25519PrivateKey.generate()},
        "rsa": {"1": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
        "aes": {"1": None},
    })  # fmt: skip
    yield Vault
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("given", "written", "algorithm"),
    [
        pytest.param("hv:curve", "hv:curve/10", "ecdsa-p256", id="the newest version, by number"),
        pytest.param("hv:curve/1", "hv:curve/1", "ecdsa-p256", id="a version that was turned since"),
        pytest.param("hv:edwards", "hv:edwards/2", "ed25519", id="Ed25519"),
    ],
)
def test_a_key_in_vault_signs(vault: type[Vault], tmp_path: Path, given: str, written: str, algorithm: str) -> None:
    assert enrol(tmp_path, given) == written
    holds(tmp_path, written, algorithm)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        pytest.param("hv:curve/2", "no version 2 of the key 'curve'; there are 1, 10", id="no such version"),
        pytest.param("hv:none", "Vault's transit engine did not answer as needed", id="no such key"),
        pytest.param("hv:aes", "Vault's transit engine did not answer as needed", id="a key that only encrypts"),
        pytest.param("hv:rsa", "a key of the kind RSA; only ECDSA P-256 and Ed25519 keys can sign", id="RSA"),
    ],
)
def test_a_key_in_vault_that_cannot_sign_is_said(vault: type[Vault], tmp_path: Path, uri: str, says: str) -> None:
    with pytest.raises(SigningError, match=says):
        enrol(tmp_path, uri)
    assert not list(tmp_path.iterdir())


def test_a_vault_that_refuses_or_is_away_is_said(
    vault: type[Vault], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    enrol(tmp_path, "hv:curve/1")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.wrong")
    with pytest.raises(SigningError, match="permission denied") as caught:
        signer(tmp_path, "hv:curve/1").sign(b"x")
    assert "update transit/sign/KEY" in caught.value.hint
    monkeypatch.setattr("aims_mlops.adapters.key_backends.PATIENCE", 0.2)
    monkeypatch.setattr(Vault, "delay", 1)
    with pytest.raises(SigningError, match="timed out"):
        signer(tmp_path, "hv:curve/1").sign(b"x")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    with pytest.raises(SigningError, match="did not answer as needed") as caught:
        signer(tmp_path, "hv:curve/1").sign(b"x")
    assert caught.value.hint.startswith("see VAULT_ADDR and VAULT_TOKEN")
    assert "hvs." not in caplog.text + str(caught.value)


def test_a_key_that_was_exchanged_behind_its_name_does_not_sign(vault: type[Vault], tmp_path: Path) -> None:
    enrol(tmp_path, "hv:curve/1")
    made = signer(tmp_path, "hv:curve/1")
    made.sign(b"x")
    vault.keys["curve"]["1"] = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(SigningError, match="what it signed does not verify with"):
        made.sign(b"x")
    with pytest.raises(SigningError, match="is another key than"):
        signer(tmp_path, "hv:curve/1").sign(b"x")


# AWS KMS: moto's server


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def kms(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of moto's KMS, to which the environment leads too."""
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": moto,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return boto3.client("kms")


def sign_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto do what AWS does with `MessageType: DIGEST`; moto takes the digest for the message, and hashes it."""
    from moto.kms.utils import ECDSAPrivateKey

    def sign(self: Any, message: bytes, signing_algorithm: str) -> bytes:
        made: bytes = self.private_key.sign(message, ec.ECDSA(Prehashed(SHA256())))
        return made

    monkeypatch.setattr(ECDSAPrivateKey, "sign", sign)


def key_id(kms: Any, spec: str) -> str:
    return str(kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec=spec)["KeyMetadata"]["KeyId"])


@pytest.mark.filterwarnings("default")
@pytest.mark.xdist_group("moto-kms")
class TestAws:
    def test_a_key_in_kms_signs(self, kms: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sign_digests(monkeypatch)
        key = key_id(kms, "ECC_NIST_P256")
        kms.create_alias(AliasName="alias/pipeline", TargetKeyId=key)
        for place, uri in enumerate((f"awskms:{key}", "awskms:alias/pipeline")):
            folder = tmp_path / str(place)
            assert enrol(folder, uri) == uri
            holds(folder, uri)

    def test_a_signature_that_does_not_verify_is_not_handed_on(self, kms: Any, tmp_path: Path) -> None:
        uri = f"awskms:{key_id(kms, 'ECC_NIST_P256')}"
        enrol(tmp_path, uri)
        with pytest.raises(SigningError, match="what it signed does not verify with"):
            signer(tmp_path, uri).sign(b"moto hashes the digest once more")

    @pytest.mark.parametrize(
        ("spec", "kind"),
        [pytest.param("RSA_2048", "RSA", id="RSA"), pytest.param("ECC_NIST_P384", "secp384r1", id="P-384")],
    )
    def test_other_kinds_of_keys_do_not_sign(self, kms: Any, tmp_path: Path, spec: str, kind: str) -> None:
        with pytest.raises(
            SigningError, match=f"a key of the kind {kind}; only ECDSA P-256 keys can sign from AWS KMS"
        ):
            enrol(tmp_path, f"awskms:{key_id(kms, spec)}")

    def test_another_key_behind_the_alias_does_not_sign(self, kms: Any, tmp_path: Path) -> None:
        one, two = key_id(kms, "ECC_NIST_P256"), key_id(kms, "ECC_NIST_P256")
        kms.create_alias(AliasName="alias/turned", TargetKeyId=one)
        enrol(tmp_path, "awskms:alias/turned")
        kms.update_alias(AliasName="alias/turned", TargetKeyId=two)
        with pytest.raises(SigningError, match=r"is another key than .*: expected key id sha256:.*, found sha256:"):
            signer(tmp_path, "awskms:alias/turned").sign(b"x")

    def test_a_key_that_is_not_there_and_a_kms_that_is_away_are_said(
        self, kms: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uri = f"awskms:{key_id(kms, 'ECC_NIST_P256')}"
        enrol(tmp_path, uri)
        with pytest.raises(SigningError, match="NotFoundException") as caught:
            enrol(tmp_path, "awskms:alias/none", "other")
        assert "kms:GetPublicKey and kms:Sign" in caught.value.hint
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(SigningError, match="Could not connect to the endpoint URL"):
            signer(tmp_path, uri).sign(b"x")
