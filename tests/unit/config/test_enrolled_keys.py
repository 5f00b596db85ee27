from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from aims_mlops.config import public_key
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project

Read = Callable[[str | bytes], Project]
Mistakes = Callable[[str | bytes], str]
P = 2**255 - 19


def pem(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def ed25519_pem(y: int) -> bytes:
    return pem(ed25519.Ed25519PublicKey.from_public_bytes(y.to_bytes(32, "little")))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    return folder


def test_both_kinds_of_key_are_enrolled_with_the_digest_of_their_der_form(read: Read, base: str, keys: Path) -> None:
    first, second = (
        ec.generate_private_key(ec.SECP256R1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
    )
    (keys / "ann.pub.pem").write_bytes(pem(first))
    (keys / "ben.pub.pem").write_bytes(b"words before it\n" + pem(second))
    project = read(base.replace("{name: Ben}", "{name: Ben, keys: [keys/ben.pub.pem]}"))
    found = [(key.algorithm, key.id) for person in project.people for key in person.keys]
    der = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in (first, second)]
    assert found == [("ecdsa-p256", Digest.of(der[0])), ("ed25519", Digest.of(der[1]))]


def test_a_private_key_is_refused_without_showing_it(base: str, mistakes: Mistakes, keys: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (keys / "ann.pub.pem").write_bytes(content)
    said = mistakes(base)
    assert said == (
        "aims.yaml:6:12: keys/ann.pub.pem: this is a PRIVATE key\n"
        "  hint: name the .pub.pem file beside it, and see that the private one was not committed"
    )
    assert content.splitlines()[1].decode() not in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "not a public key in PEM form", id="empty"),
        pytest.param(b"ssh-ed25519 AAAA ann", "not a public key in PEM form", id="an OpenSSH key"),
        pytest.param(
            pem(ec.generate_private_key(ec.SECP384R1()).public_key()),
            "a key of the kind secp384r1; ECDSA P-256 and Ed25519 are supported",
            id="another curve",
        ),
        pytest.param(
            pem(rsa.generate_private_key(65537, 2048).public_key()),
            "a key of the kind RSA; ECDSA P-256 and Ed25519 are supported",
            id="RSA",
        ),
        pytest.param(b"x" * 64_001, "has more than 64000 bytes", id="no key at all"),
    ],
)
def test_what_is_no_public_key_of_ours_is_a_mistake(
    base: str, mistakes: Mistakes, keys: Path, content: bytes, said: str
) -> None:
    (keys / "ann.pub.pem").write_bytes(content)
    assert mistakes(base).startswith("aims.yaml:6:12: ")
    assert said in mistakes(base)


def test_a_folder_a_pipe_and_a_broken_link_are_no_key_files(base: str, mistakes: Mistakes, keys: Path) -> None:
    file = keys / "ann.pub.pem"
    file.mkdir()
    assert "the file keys/ann.pub.pem is not a file" in mistakes(base)
    file.rmdir()
    os.mkfifo(file)
    assert "the file keys/ann.pub.pem is not a file" in mistakes(base)
    file.unlink()
    file.symlink_to(keys / "gone")
    assert "the file keys/ann.pub.pem does not exist" in mistakes(base)


@pytest.mark.parametrize("second", ["ben", "ann"])
def test_one_key_is_enrolled_once(base: str, mistakes: Mistakes, keys: Path, second: str) -> None:
    content = pem(ec.generate_private_key(ec.SECP256R1()).public_key())
    (keys / "ann.pub.pem").write_bytes(content)
    (keys / "copy.pub.pem").write_bytes(content)
    text = (
        base.replace("{name: Ben}", "{name: Ben, keys: [keys/copy.pub.pem]}")
        if second == "ben"
        else base.replace("[keys/ann.pub.pem]", "[keys/ann.pub.pem, keys/copy.pub.pem]")
    )
    assert "the key keys/copy.pub.pem is enrolled for 'ann' already\n  hint: each person signs with" in mistakes(text)


def _small_order() -> list[int]:
    """Return the y of the points whose order divides eight: points multiplied by the rest of the group's order."""
    d, prime_order = -121665 * pow(121666, -1, P) % P, 2**252 + 27742317777372353535851937790883648493

    def add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
        (x1, y1), (x2, y2) = p, q
        t = d * x1 * x2 * y1 * y2
        return (
            (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P,
            (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P,
        )

    found = set()
    for y in range(2, 60):
        square = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
        if x * x % P != square:
            continue
        total, power = (0, 1), (x, y)
        for bit in range(prime_order.bit_length()):
            total = add(total, power) if prime_order >> bit & 1 else total
            power = add(power, power)
        found.add(total[1])
    return sorted(found)


def test_ed25519_keys_of_small_order_are_refused() -> None:
    ys = _small_order()
    assert len(ys) == 5
    for y in ys:
        for sign in (0, 2**255):
            with pytest.raises(ValueError, match="small order"):
                public_key(ed25519_pem(y + sign))


@pytest.mark.parametrize("y", [P, P + 1, P + 18], ids=["zero again", "one again", "the last one"])
def test_ed25519_keys_in_another_spelling_are_refused(y: int) -> None:
    with pytest.raises(ValueError, match="not in its canonical form"):
        public_key(ed25519_pem(y))
