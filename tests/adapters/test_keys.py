"""Key files, passphrases, and whose key signs."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from aims_mlops.adapters import key_files
from aims_mlops.adapters.key_files import Algorithm, FileSigner, new_key, read_public_key
from aims_mlops.adapters.passphrases import read_passphrase
from aims_mlops.adapters.signers import choose_signer, keys_folder, list_keys
from aims_mlops.errors import ExitCode, SigningError, UsageError
from aims_mlops.evidence.envelope import verify_signature
from aims_mlops.model.register import Person, Project

PASSPHRASE = b"correct horse"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIMS_KEY_PASSPHRASE", "AIMS_KEY_PASSPHRASE_FILE", "AIMS_SIGNER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def signer(folder: Path, person: str = "pipeline", passphrase: bytes = PASSPHRASE) -> FileSigner:
    return FileSigner(folder, person, passphrase=lambda: passphrase)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_key_is_private_behind_its_passphrase_and_its_public_half_is_open(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        private, public = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    finally:
        os.umask(before)
    assert (private, public) == (folder / "pipeline.pem", folder / "pipeline.pub.pem")
    assert (mode(folder), mode(private), mode(public)) == (0o700, 0o600, 0o644)
    assert private.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ed25519"])
def test_a_signature_verifies_with_the_public_file_and_over_nothing_else(folder: Path, algorithm: Algorithm) -> None:
    _, public = new_key(folder, "pipeline", passphrase=PASSPHRASE, algorithm=algorithm)
    key = read_public_key(public)
    made = signer(folder)
    signature = made.sign(b"message")
    assert key.algorithm == algorithm
    assert made.key_id == key.id
    assert made.person == "pipeline"
    assert verify_signature(key, signature, b"message")
    assert not verify_signature(key, signature, b"massage")
    assert len(signature) == 64 if algorithm == "ed25519" else signature[0] == 0x30


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_the_key_and_verifies_the_signature(folder: Path, tmp_path: Path) -> None:
    private, public = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(signer(folder).sign(b"message"))
    command = ["openssl", "dgst", "-sha256", "-verify", str(public), "-signature", "signature", "message"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "Verified OK\n"
    derived = subprocess.run(
        ["openssl", "pkey", "-in", private, "-passin", "stdin", "-pubout"],
        input=PASSPHRASE + b"\n", capture_output=True, check=True,
    )  # fmt: skip
    assert derived.stdout == public.read_bytes()


@pytest.mark.parametrize(
    "taken",
    [pytest.param("pipeline.pem", id="the private file"), pytest.param("pipeline.pub.pem", id="the public file")],
)
def test_a_key_is_never_overwritten(folder: Path, taken: str) -> None:
    folder.mkdir()
    (folder / taken).write_text("mine")
    with pytest.raises(UsageError) as caught:
        new_key(folder, "pipeline", passphrase=PASSPHRASE)
    assert str(caught.value) == f"{folder / taken} is there already, and a key is never overwritten"
    assert caught.value.hint == f"sign with it, or move it away first: mv {folder / taken} {folder / taken}.old"
    assert (folder / taken).read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == {taken}


def test_a_link_that_leads_nowhere_takes_a_keys_name_too(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "pipeline.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is there already"):
        new_key(folder, "pipeline", passphrase=PASSPHRASE)
    assert not (tmp_path / "elsewhere").exists()


def test_half_a_pair_is_taken_back_when_the_other_half_cannot_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(key_files, "write_public", full)
    with pytest.raises(SigningError) as caught:
        new_key(folder, "pipeline", passphrase=PASSPHRASE)
    assert str(caught.value) == f"the key cannot be written in {folder}: No space left on device"
    assert {path.name for path in folder.iterdir()} == {".gitignore"}


def test_an_empty_passphrase_is_refused(folder: Path) -> None:
    with pytest.raises(SigningError) as caught:
        new_key(folder, "pipeline", passphrase=b"")
    assert str(caught.value) == "an empty passphrase protects nothing"
    assert caught.value.hint == "choose a passphrase and repeat"
    assert not folder.exists()


@pytest.mark.parametrize("person", ["", "../evil", "Pipeline", "a b", "-x", "pipeline\n", "x.pub"])
def test_a_name_that_is_no_id_makes_no_file(folder: Path, person: str) -> None:
    with pytest.raises(UsageError) as caught:
        new_key(folder, person, passphrase=PASSPHRASE)
    assert str(caught.value) == f"{person!r} is not an id"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, "*.pem\n!*.pub.pem\n!.gitignore\n", id="there was none"),
        pytest.param("*.bak", "*.bak\n*.pem\n!*.pub.pem\n!.gitignore\n", id="other rules stay"),
        pytest.param("*.pem\n!*.pub.pem\n!.gitignore\nx\n", "*.pem\n!*.pub.pem\n!.gitignore\nx\n", id="rules there"),
        pytest.param(
            "!*.pub.pem\n*.pem\n", "!*.pub.pem\n*.pem\n*.pem\n!*.pub.pem\n!.gitignore\n", id="rules in a wrong order"
        ),
    ],
)
def test_the_ignore_file_gets_the_rules_that_it_lacks(folder: Path, before: str | None, after: str) -> None:
    folder.mkdir()
    if before is not None:
        (folder / ".gitignore").write_text(before)
    new_key(folder, "pipeline", passphrase=PASSPHRASE)
    assert (folder / ".gitignore").read_text() == after


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_would_take_the_public_key_and_leave_the_private_one(folder: Path, tmp_path: Path) -> None:
    new_key(folder, "pipeline", passphrase=PASSPHRASE)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    command = ["git", "ls-files", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["keys/.gitignore", "keys/pipeline.pub.pem"]


def test_a_key_is_opened_only_when_something_is_signed_and_only_once(folder: Path) -> None:
    new_key(folder, "pipeline", passphrase=PASSPHRASE)
    asked: list[int] = []

    def passphrase() -> bytes:
        asked.append(1)
        return PASSPHRASE

    made = FileSigner(folder, "pipeline", passphrase=passphrase)
    assert made.key_id == read_public_key(folder / "pipeline.pub.pem").id
    assert asked == []
    made.sign(b"one")
    made.sign(b"two")
    assert asked == [1]


def test_a_signer_neither_shows_nor_hands_on_its_secret(folder: Path) -> None:
    new_key(folder, "pipeline", passphrase=PASSPHRASE)
    made = signer(folder)
    made.sign(b"one")
    assert repr(made) == f"FileSigner('pipeline', '{folder}/pipeline.pem')"
    with pytest.raises(TypeError, match="a signer is not copied to another process"):
        pickle.dumps(made)


def test_a_missing_key_says_whose_and_where(folder: Path) -> None:
    with pytest.raises(SigningError) as caught:
        signer(folder).sign(b"x")
    assert str(caught.value) == f"no private key of 'pipeline' at hand: {folder}/pipeline.pem is missing"
    assert caught.value.hint == "aims keys new pipeline, or put the key file there"
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_wrong_passphrase_is_said_without_it(folder: Path) -> None:
    new_key(folder, "pipeline", passphrase=PASSPHRASE)
    with pytest.raises(SigningError) as caught:
        signer(folder, passphrase=b"battery staple").sign(b"x")
    assert str(caught.value) == f"{folder}/pipeline.pem: wrong passphrase, or the file is damaged"
    assert caught.value.hint == ("see AIMS_KEY_PASSPHRASE, AIMS_KEY_PASSPHRASE_FILE or the keyring, or type it again")


@pytest.mark.parametrize(
    ("bits", "does"),
    [
        pytest.param(0o644, "read", id="all may read"),
        pytest.param(0o640, "read", id="the group may read"),
        pytest.param(0o620, "changed", id="the group may write"),
        pytest.param(0o602, "changed", id="others may write"),
    ],
)
def test_a_key_that_others_can_reach_does_not_sign(folder: Path, bits: int, does: str) -> None:
    private, _ = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    private.chmod(bits)
    with pytest.raises(SigningError) as caught:
        signer(folder).sign(b"x")
    assert str(caught.value) == f"{private} can be {does} by others (mode {bits:04o})"
    assert caught.value.hint == f"chmod 600 {private}; if others may have seen it, make a new key"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("linked", [pytest.param(False, id="the file"), pytest.param(True, id="a link to the file")])
def test_a_key_of_another_user_does_not_sign(folder: Path, *, linked: bool) -> None:
    private, _ = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    if linked:
        private.rename(folder / "mine.pem")
        private.symlink_to("mine.pem")
    os.chown(private, 65534, 65534, follow_symlinks=False)
    with pytest.raises(SigningError) as caught:
        signer(folder).sign(b"x")
    assert str(caught.value) == f"{private} belongs to another user (id 65534, this is 0)"
    assert caught.value.hint == f"run as that user, or chown 0 {private}"


def test_a_link_of_ones_own_is_followed_as_mounted_secrets_need_it(folder: Path) -> None:
    private, public = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    private.rename(folder / "data")
    private.symlink_to("data")
    assert verify_signature(read_public_key(public), signer(folder).sign(b"x"), b"x")


def test_a_pipe_in_the_place_of_a_key_does_not_hold_the_run(folder: Path) -> None:
    private, _ = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    private.unlink()
    os.mkfifo(private, 0o600)
    with pytest.raises(SigningError, match="is not a regular file"):
        signer(folder).sign(b"x")


def test_a_key_without_passphrase_does_not_sign(folder: Path) -> None:
    private, _ = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    plain = ec.generate_private_key(ec.SECP256R1())
    private.write_bytes(plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SigningError) as caught:
        signer(folder).sign(b"x")
    assert str(caught.value) == f"{private} is not a private key behind a passphrase (encrypted PKCS#8)"
    assert caught.value.hint.startswith("openssl pkcs8 -topk8")


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(rsa.generate_private_key(public_exponent=65537, key_size=2048), id="RSA"),
        pytest.param(ec.generate_private_key(ec.SECP384R1()), id="P-384"),
    ],
)
def test_other_kinds_of_keys_do_not_sign(folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    private, public = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    locked = BestAvailableEncryption(PASSPHRASE)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(SigningError) as caught:
        signer(folder).sign(b"x")
    assert str(caught.value) == f"{private}: only ECDSA P-256 and Ed25519 keys can sign"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(SigningError) as caught:
        read_public_key(public)
    assert str(caught.value) == f"{public}: only ECDSA P-256 and Ed25519 keys can sign"


def test_a_private_and_a_public_file_of_two_keys_do_not_sign_together(folder: Path) -> None:
    private, public = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    _, other = new_key(folder, "other", passphrase=PASSPHRASE)
    public.write_bytes(other.read_bytes())
    with pytest.raises(SigningError) as caught:
        signer(folder).sign(b"x")
    assert str(caught.value) == f"{private} and {public} are not of the same key"
    assert caught.value.hint == f"put the right public key there: openssl pkey -in {private} -pubout -out {public}"


def test_a_public_file_that_is_missing_or_no_key_is_said(folder: Path) -> None:
    _, public = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    public.write_text("-----BEGIN PUBLIC KEY-----\n")
    with pytest.raises(SigningError, match="is not a public key in PEM form"):
        _ = signer(folder).key_id
    public.unlink()
    with pytest.raises(SigningError, match=r"pipeline\.pub\.pem is missing"):
        _ = signer(folder).key_id


# Passphrases


def test_the_environment_gives_the_passphrase_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE", "from the environment")
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE_FILE", str(tmp_path / "missing"))
    assert read_passphrase("pipeline") == b"from the environment"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["no line end", "a line end", "a line end of Windows"])
def test_a_file_gives_the_passphrase_without_its_line_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: bytes
) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(b" from a file " + end)
    path.chmod(0o600)
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE_FILE", str(path))
    assert read_passphrase("pipeline") == b" from a file "


def test_a_passphrase_file_that_others_can_read_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(b"secret")
    path.chmod(0o644)
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE_FILE", str(path))
    with pytest.raises(SigningError) as caught:
        read_passphrase("pipeline")
    assert str(caught.value) == f"{path} can be read by others (mode 0644)"


HINT = "set AIMS_KEY_PASSPHRASE, name a file (mode 0600) in AIMS_KEY_PASSPHRASE_FILE, or put it into the keyring"


def test_a_passphrase_file_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE_FILE", str(tmp_path / "gone"))
    with pytest.raises(SigningError) as caught:
        read_passphrase("pipeline")
    assert str(caught.value) == f"AIMS_KEY_PASSPHRASE_FILE names {tmp_path}/gone, which is missing"
    assert caught.value.hint == HINT


def test_an_empty_passphrase_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE", "")
    with pytest.raises(SigningError) as caught:
        read_passphrase("pipeline", prompt=lambda _: "typed")
    assert (str(caught.value), caught.value.hint) == ("AIMS_KEY_PASSPHRASE is empty", HINT)


class KeyringError(Exception):
    """As in the keyring package."""


def install_keyring(monkeypatch: pytest.MonkeyPatch, entries: dict[tuple[str, str], str] | None) -> None:
    def get_password(service: str, person: str) -> str | None:
        if entries is None:
            raise KeyringError("locked")
        return entries.get((service, person))

    module, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    vars(module).update(get_password=get_password, errors=errors)
    vars(errors).update(KeyringError=KeyringError)
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_the_keyring_gives_the_passphrase_of_this_person(monkeypatch: pytest.MonkeyPatch) -> None:
    install_keyring(monkeypatch, {("aims-mlops", "pipeline"): "from the keyring"})
    assert read_passphrase("pipeline") == b"from the keyring"
    with pytest.raises(SigningError, match="no passphrase for the key of 'risk-officer'"):
        read_passphrase("risk-officer")


def test_a_keyring_that_stays_locked_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    install_keyring(monkeypatch, None)
    with pytest.raises(SigningError, match="no passphrase for the key of 'pipeline'"):
        read_passphrase("pipeline")


@pytest.mark.parametrize(("terminal", "typed"), [(True, b"typed"), (False, None)], ids=["a terminal", "no terminal"])
def test_a_person_is_asked_only_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool, typed: bytes | None
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: terminal))
    asked: list[str] = []

    def prompt(text: str) -> str:
        asked.append(text)
        return "typed"

    if typed is None:
        with pytest.raises(SigningError) as caught:
            read_passphrase("pipeline", prompt=prompt)
        assert str(caught.value) == "no passphrase for the key of 'pipeline', and no terminal to ask at"
        assert caught.value.hint == HINT
        assert asked == []
    else:
        assert read_passphrase("pipeline", prompt=prompt) == typed
        assert asked == ["Passphrase of the key of pipeline"]


# Whose key signs


def project(root: Path, *people: str, signer: str | None = None) -> Project:
    """Return a project whose people have the keys that lie in its folder, as the configuration reads them."""
    known = [
        Person(id_, id_.title(), keys=(read_public_key(path),) if path.exists() else ())
        for id_ in people
        for path in [root / "keys" / f"{id_}.pub.pem"]
    ]
    return Project(root / "aims.yaml", "Example", "", tuple(known), (), signer=signer)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for person in ("pipeline", "risk-officer", "income-owner"):
        new_key(tmp_path / "keys", person, passphrase=PASSPHRASE)
    return tmp_path


def test_the_one_named_signs_before_the_environments_before_the_projects(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = project(root, "pipeline", "risk-officer", "income-owner", signer="pipeline")
    assert choose_signer(given).person == "pipeline"
    monkeypatch.setenv("AIMS_SIGNER", "risk-officer")
    assert choose_signer(given).person == "risk-officer"
    assert choose_signer(given, person="income-owner").person == "income-owner"
    monkeypatch.setenv("AIMS_SIGNER", "")
    assert choose_signer(given).person == "pipeline"


def test_the_chosen_signer_signs_with_the_passphrase_of_the_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = project(root, "pipeline", signer="pipeline")
    made = choose_signer(given)
    monkeypatch.setenv("AIMS_KEY_PASSPHRASE", PASSPHRASE.decode())
    assert verify_signature(given.people[0].keys[0], made.sign(b"x"), b"x")


def test_the_only_private_key_at_hand_signs_where_nobody_is_named(root: Path) -> None:
    for person in ("risk-officer", "income-owner"):
        (root / "keys" / f"{person}.pem").unlink()
    assert choose_signer(project(root, "pipeline", "risk-officer")).person == "pipeline"


def test_of_several_keys_none_is_taken_unasked(root: Path) -> None:
    with pytest.raises(SigningError) as caught:
        choose_signer(project(root, "pipeline"))
    assert str(caught.value) == "several could sign (income-owner, pipeline, risk-officer), and nothing says who"
    assert caught.value.hint == "use --as PERSON, AIMS_SIGNER, or `signer:` in aims.yaml"


def test_without_any_key_the_way_to_make_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(SigningError) as caught:
        choose_signer(project(tmp_path, "pipeline"))
    assert str(caught.value) == f"nobody to sign: no private key in {tmp_path}/keys, and aims.yaml has no `signer:`"
    assert caught.value.hint == "aims keys new PERSON makes one; PERSON is an id under `people:`"


def test_nobody_stands_in_for_a_chosen_person_whose_key_is_missing(root: Path) -> None:
    (root / "keys" / "pipeline.pem").unlink()
    with pytest.raises(SigningError) as caught:
        choose_signer(project(root, "pipeline", "risk-officer", signer="pipeline"))
    assert str(caught.value) == f"no private key of 'pipeline' at hand: {root}/keys/pipeline.pem is missing"
    assert caught.value.hint == "aims keys new pipeline, or put the key file there"


def test_somebody_unknown_to_the_project_does_not_sign(root: Path) -> None:
    with pytest.raises(SigningError) as caught:
        choose_signer(project(root, "pipeline", "risk-officer"), person="income-owner")
    assert str(caught.value) == "aims.yaml names no person 'income-owner'"
    assert caught.value.hint == "it names pipeline, risk-officer: use one, or add 'income-owner' to `people:`"


def test_a_key_that_the_project_does_not_list_for_the_person_does_not_sign(root: Path) -> None:
    given = project(root, "pipeline", "risk-officer", signer="pipeline")
    people = (replace(given.people[0], keys=given.people[1].keys), given.people[1])
    with pytest.raises(SigningError) as caught:
        choose_signer(replace(given, people=people))
    assert str(caught.value) == (
        f"{root}/keys/pipeline.pub.pem is not among the keys that aims.yaml lists for 'pipeline'"
    )
    assert caught.value.hint == (
        "list it: keys: [keys/pipeline.pub.pem] under people.pipeline, and have the policy applied anew"
    )


def test_a_key_that_others_can_read_is_found_before_a_long_run_begins(root: Path) -> None:
    (root / "keys" / "pipeline.pem").chmod(0o644)
    with pytest.raises(SigningError, match=r"can be read by others \(mode 0644\)"):
        choose_signer(project(root, "pipeline", signer="pipeline"))


def test_the_list_of_keys_says_whose_they_are_and_which_can_sign_here(root: Path) -> None:
    (root / "keys" / "risk-officer.pem").unlink()
    rows = list_keys(project(root, "pipeline", "risk-officer"))
    assert [(row.person, row.algorithm, row.private, row.listed) for row in rows] == [
        ("pipeline", "ecdsa-p256", True, True),
        ("risk-officer", "ecdsa-p256", False, True),
        ("income-owner", "ecdsa-p256", True, False),
    ]
    assert rows[0].key_id == read_public_key(root / "keys" / "pipeline.pub.pem").id


def test_a_project_without_keys_has_an_empty_list(tmp_path: Path) -> None:
    assert list_keys(project(tmp_path, "pipeline")) == ()
    assert keys_folder(project(tmp_path)) == tmp_path / "keys"


def test_an_ed25519_key_that_another_tool_made_signs_too(folder: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    private, public = new_key(folder, "pipeline", passphrase=PASSPHRASE)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE)))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert signer(folder).sign(b"x") == key.sign(b"x")
