"""A configuration as one piece: packed from a folder, read from its bytes, and the same policy on both sides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aims_mlops.config import CheckTypes, load, load_bundle, pack
from aims_mlops.config.files import Folder
from aims_mlops.errors import ConfigError, VerificationError
from aims_mlops.evidence.configuration import MAIN, Bundle, Pinned, PolicyBody, manifest
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Promotion
from aims_mlops.model.register import Project
from tests.builders import key

Read = Callable[[str | bytes], Project]
Write = Callable[[Path, str], Path]


@pytest.fixture
def write() -> Write:
    """Writes a project into a folder: aims.yaml, a suite and one public key of the two that are listed."""

    def writer(folder: Path, text: str) -> Path:
        for name, content in {
            "aims.yaml": text.encode(),
            "quality/now.json": b'{"expectations": []}',
            "keys/ann.pub.pem": key("ann").public_pem,
        }.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder / "aims.yaml"

    return writer


def digests(project: Project) -> dict[str, Digest]:
    return {system.id: system.policy.digest for system in project.systems}


def test_the_server_reads_the_very_policy_that_the_client_read(
    write: Write, base: str, checks: CheckTypes, tmp_path: Path
) -> None:
    path = write(tmp_path / "client", base)
    here, there = load(path, checks), load_bundle(pack(path, checks), checks)
    assert digests(there) == digests(here)
    assert [item.policy.text for item in there.systems] == [item.policy.text for item in here.systems]
    assert there.systems[0].policy.trust == here.systems[0].policy.trust
    assert there.systems[0].policy.trust["record"] == {key("ann").public.id: "ann"}
    assert there.people == here.people
    assert there.systems[0].policy.files == {"quality/now.json": b'{"expectations": []}'}


def test_a_bundle_is_read_without_the_disk(
    write: Write, base: str, checks: CheckTypes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = pack(write(tmp_path / "client", base), checks)
    trap = tmp_path / "server"
    write(trap, base.replace("champion", "free"))
    (trap / "quality" / "now.json").write_bytes(b"another suite")
    (trap / "keys" / "ann.pub.pem").write_bytes(key("mallory").public_pem)
    monkeypatch.chdir(trap)

    def refuse(*_: object, **__: object) -> object:
        raise AssertionError("the disk was looked at")

    load_bundle(bundle, checks)  # what is imported late is imported now
    with monkeypatch.context() as patch:
        for owner, name in ((Folder, "read"), (Folder, "holds"), (Path, "open"), (Path, "read_bytes")):
            patch.setattr(owner, name, refuse)
        project = load_bundle(bundle, checks)
    assert project.systems[0].policy.promotion.aliases == ("champion",)
    assert project.people[0].keys == (key("ann").public,)
    assert project.systems[0].policy.datasets[0].path == "data/*.parquet"


def test_the_digest_is_of_names_and_bytes_and_not_of_the_place(
    write: Write, base: str, checks: CheckTypes, tmp_path: Path
) -> None:
    one, other = (pack(write(tmp_path / name, base), checks) for name in ("one", "a [strange] place"))
    assert set(one.files) == {"aims.yaml", "quality/now.json", "keys/ann.pub.pem"}
    assert one.digest == other.digest == Digest.of(manifest(one.digests))
    path = write(tmp_path / "one", base)
    (path.parent / "quality" / "now.json").write_bytes(b"{}")
    assert pack(path, checks).digest != one.digest
    (path.parent / "keys" / "ann.pub.pem").unlink()
    assert set(pack(path, checks).files) == {"aims.yaml", "quality/now.json"}


def test_a_file_beside_it_that_nothing_names_is_no_part_of_it(
    write: Write, base: str, checks: CheckTypes, tmp_path: Path
) -> None:
    path = write(tmp_path, base)
    before = pack(path, checks).digest
    (tmp_path / "keys" / "ann.pem").write_bytes(b"a private key")
    assert pack(path, checks).digest == before


def test_a_configuration_of_another_name_is_the_same_configuration(
    write: Write, base: str, checks: CheckTypes, tmp_path: Path
) -> None:
    path = write(tmp_path, base)
    expected = pack(path, checks).digest
    assert pack(path.rename(tmp_path / "live.yaml"), checks).digest == expected


def test_no_other_file_may_take_the_name_of_the_configuration(
    write: Write, base: str, checks: CheckTypes, tmp_path: Path
) -> None:
    path = write(tmp_path, base.replace("file: quality/now.json", "file: aims.yaml"))
    live = path.rename(tmp_path / "live.yaml")
    (tmp_path / "aims.yaml").write_bytes(b"a suite")
    with pytest.raises(ConfigError, match=r"live\.yaml names another file called aims\.yaml"):
        pack(live, checks)


def test_mistakes_are_the_same_from_a_folder_and_from_bytes(
    write: Write, base: str, checks: CheckTypes, tmp_path: Path
) -> None:
    text = base.replace("owner: ann", "owner: nobody").replace("use: parity", "use: party", 1)
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as disk:
        pack(path, checks)
    files = {MAIN: text.encode(), "quality/now.json": b"{}", "keys/ann.pub.pem": key("ann").public_pem}
    with pytest.raises(ConfigError) as packed:
        load_bundle(Bundle(files), checks)
    assert str(packed.value) == str(disk.value)
    assert "there is no person 'nobody'" in str(packed.value)


def test_a_suite_that_is_not_in_the_bundle_is_a_mistake_and_a_key_is_not(base: str, checks: CheckTypes) -> None:
    with pytest.raises(ConfigError, match=r"quality/now\.json is not among those that were applied") as caught:
        load_bundle(Bundle({MAIN: base.encode()}), checks)
    assert "keys/ann" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"the configuration has no aims\.yaml"):
        load_bundle(Bundle({}), checks)


def test_a_promotion_that_wants_a_user_is_part_of_the_digest_only_when_it_does(read: Read, base: str) -> None:
    plain, off, on = (
        read(base.replace("    promotion:\n", f"    promotion:\n{line}"))
        for line in ("", "      authenticated: false\n", "      authenticated: true\n")
    )
    assert digests(plain) == digests(off) != digests(on)
    assert on.systems[0].policy.promotion == Promotion(("champion",), (), ("prod.*",), authenticated=True)
    # Digests of policies that are in use stay what they were before the key was there.
    assert b"authenticated" not in plain.systems[0].policy.text
    assert digests(plain)["loans"] == "sha256:bc46174319dbdf70bf2cef405428bb36cb133a414726016d48c91148e9b1aa23"


@pytest.mark.parametrize("word", ["refuse", "free"])
def test_what_holds_for_unclaimed_models_is_read_and_is_no_part_of_a_policy(read: Read, base: str, word: str) -> None:
    assert read(base).unclaimed is None
    told = read(base.replace("signer: robot", f"signer: robot\nunclaimed: {word}"))
    assert told.unclaimed == word
    assert digests(told) == digests(read(base))


def test_another_word_for_unclaimed_models_is_a_mistake(mistakes: Callable[[str], str], base: str) -> None:
    said = mistakes(base.replace("signer: robot", "signer: robot\nunclaimed: allow"))
    assert "aims.yaml:10:12: " in said
    assert "'refuse' or 'free'" in said or "refuse, free" in said


FILES = {MAIN: Digest.of(b"a")}
BODY = PolicyBody(2, Digest.of(b"before"), Digest.of(manifest(FILES)), FILES, {"s": Digest.of(b"")})


def test_the_body_of_a_policy_is_read_as_it_was_written() -> None:
    assert PolicyBody.from_wire(BODY.to_wire()) == BODY


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sequence": 0}, id="number zero"),
        pytest.param({"sequence": True}, id="a truth for a number"),
        pytest.param({"sequence": 2**53}, id="a number that is not exact"),
        pytest.param({"sequence": "2"}, id="a text for a number"),
        pytest.param({"configuration": Digest.of(b"another")}, id="a configuration that is not its files"),
        pytest.param({"files": []}, id="no file"),
        pytest.param({"files": BODY.to_wire()["files"] * 2}, id="a file twice"),
        pytest.param({"files": [{"name": 1, "digest": Digest.of(b"")}]}, id="a name that is no text"),
        pytest.param({"systems": []}, id="a list of systems"),
        pytest.param({"previous": "abc"}, id="no digest"),
    ],
)
def test_a_body_of_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(VerificationError, match="policy: "):
        PolicyBody.from_wire({**BODY.to_wire(), **change})


def test_a_pin_is_read_as_it_was_written_and_in_no_other_form() -> None:
    pin = Pinned("a-registry", 3, Digest.of(b""))
    assert Pinned.from_bytes(pin.to_bytes()) == pin
    for wrong in (b"{}", b"", pin.to_bytes() + b"\n", pin.to_bytes().replace(b":3", b":0"), b"[]"):
        with pytest.raises(VerificationError, match="pin: "):
            Pinned.from_bytes(wrong)
