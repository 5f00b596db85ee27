"""Packs: what is in them, what each of three verifiers says of them, and that none misses a byte."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from aims_mlops import api
from aims_mlops.errors import ExitCode
from aims_mlops.evidence.pack_index import INDEX
from tests.api.logs import LogWorld
from tests.api.packs import PROGRAMS, Said, by_python, by_shell, packed, run, verified, written


def a_log(folder: Path) -> LogWorld:
    """Six statements, two checkpoints, and a witness of the second."""
    world = LogWorld(folder)
    world.store.put_blob(world.systems[0].policy.text)
    world.store.put_blob(world.registry.held["income/3"][1])
    world.write(4)
    world.checkpoint()
    world.write(2)
    world.checkpoint()
    audit = world.department("audit")
    api.cosign_at(world.services, audit)
    return world


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny pack and its trust. Never changed: copy it."""
    folder = tmp_path_factory.mktemp("pack")
    world = a_log(folder)
    paths = written(packed(world), folder, world)
    world.close()
    return paths


@pytest.fixture
def pack(made: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy that may be spoiled."""
    return Path(shutil.copytree(made[0], tmp_path / "copy"))


@pytest.fixture(scope="module")
def trust(made: tuple[Path, Path]) -> Path:
    return made[1]


def by_ours(path: Path, believed: Path | None) -> Said:
    """Verify with this version, in this process."""
    found = verified(path, believed)
    told = [f"{item.word} {item.where}: {item.what}" for item in found.troubles]
    return Said(int(found.exit_code), "\n".join([*told, found.verdict.value]))


VERIFIERS = [
    pytest.param(by_ours, id="aims pack verify"),
    pytest.param(by_python, id="verify.py"),
    pytest.param(by_shell, id="verify.sh"),
]
Verifier = Callable[[Path, Path | None], Said]


@pytest.mark.parametrize("verify", VERIFIERS)
def test_a_pack_that_was_witnessed_is_valid(verify: Verifier, made: tuple[Path, Path]) -> None:
    said = verify(*made)
    assert (said.code, "VALID" in said.text, "INVALID" in said.text) == (0, True, False), said.text


@pytest.mark.parametrize("verify", VERIFIERS)
def test_without_trust_nothing_is_said(verify: Verifier, made: tuple[Path, Path]) -> None:
    said = verify(made[0], None)
    assert said.code == ExitCode.UNDECIDED, said.text
    assert "INCOMPLETE" in said.text


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("verify", VERIFIERS)
def test_a_byte_that_is_changed_in_any_file_is_found(verify: Verifier, pack: Path, trust: Path) -> None:
    names = sorted(path for path in pack.rglob("*") if path.is_file())
    assert len(names) > 25
    for path in names:
        content = path.read_bytes()
        places = {0, len(content) // 2, len(content) - 1} if verify is by_ours else {len(content) // 2}
        for place in places:
            path.write_bytes(flipped(content, place))
            said = verify(pack, trust)
            assert (said.code, "INVALID" in said.text) == (4, True), (path, place, said)
        path.write_bytes(content)
    assert verify(pack, trust).code == 0


def test_a_changed_verifier_is_found_by_the_other_one(pack: Path, trust: Path) -> None:
    for name, other in (("verify.py", by_shell), ("verify.sh", by_python)):
        program = pack / name
        content = program.read_bytes()
        program.write_bytes(content.replace(b"INVALID", b"invalid"))
        said = other(pack, trust)
        assert (said.code, name in said.text) == (4, True), said.text
        program.write_bytes(content)


def add_a_file(pack: Path) -> None:
    (pack / "statements" / "00000009-check-result.dsse.json").write_bytes(b"{}")


def add_a_statement(pack: Path) -> None:
    first = next(iter(sorted((pack / "statements").iterdir())))
    shutil.copy(first, pack / "statements" / "00000009-check-result.dsse.json")


def take_a_file_away(pack: Path) -> None:
    next(iter(sorted((pack / "statements").iterdir()))).unlink()


def rename_a_file(pack: Path) -> None:
    (pack / "index.csv").rename(pack / "table.csv")


def swap_two_files(pack: Path) -> None:
    first, second, *_ = sorted((pack / "statements").iterdir())
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def replace_a_key(pack: Path) -> None:
    first, second, *_ = sorted((pack / "keys").iterdir())
    first.write_bytes(second.read_bytes())


def put_a_link(pack: Path) -> None:
    target = pack / "index.csv"
    kept = pack.parent / "outside.csv"
    target.rename(kept)
    target.symlink_to(kept)


def link_a_folder(pack: Path) -> None:
    folder, kept = pack / "keys", pack.parent / "outside"
    folder.rename(kept)
    folder.symlink_to(kept, target_is_directory=True)


def add_a_folder(pack: Path) -> None:
    (pack / "more").mkdir()


def add_a_pipe(pack: Path) -> None:
    os.mkfifo(pack / "keys" / "pipe")


def space_the_index_out(pack: Path) -> None:
    path = pack / INDEX
    path.write_bytes(path.read_bytes().replace(b'","', b'", "', 1))


def end_the_index_with_a_line(pack: Path) -> None:
    path = pack / INDEX
    path.write_bytes(path.read_bytes() + b"\n")


def spell_the_index_otherwise(pack: Path) -> None:
    path = pack / INDEX
    content = path.read_bytes().replace(b"+", b"-").replace(b"/", b"_")
    path.write_bytes(content.replace(b"application_vnd.in-toto-json", b"application/vnd.in-toto+json"))


def take_the_index_away(pack: Path) -> None:
    (pack / INDEX).unlink()


SPOILERS = (
    add_a_file,
    add_a_statement,
    take_a_file_away,
    rename_a_file,
    swap_two_files,
    replace_a_key,
    put_a_link,
    link_a_folder,
    add_a_folder,
    add_a_pipe,
    space_the_index_out,
    end_the_index_with_a_line,
    spell_the_index_otherwise,
    take_the_index_away,
)


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__.replace("_", " "))
@pytest.mark.parametrize("verify", VERIFIERS)
def test_whoever_changes_the_folder_is_found(
    verify: Verifier, spoil: Callable[[Path], None], pack: Path, trust: Path
) -> None:
    spoil(pack)
    said = verify(pack, trust)
    assert (said.code, "INVALID" in said.text) == (4, True), said.text


@functools.cache
def unshared() -> tuple[str, ...]:
    """The command that takes the network away; skips where this machine does not allow it."""
    command = ("unshare", "-rn")
    if shutil.which("unshare") and subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0:
        return command
    if os.environ.get("AIMS_REQUIRE_SERVERS") == "1":
        pytest.fail("AIMS_REQUIRE_SERVERS=1, and unshare -rn does not work here")
    pytest.skip("unshare -rn is not permitted here")


@pytest.mark.parametrize("program", ["verify.py", "verify.sh"])
def test_a_pack_verifies_without_network_and_without_us(program: str, made: tuple[Path, Path]) -> None:
    starter = {"verify.py": ["/usr/bin/python3", "-I", "-S"], "verify.sh": ["bash"]}[program]
    if not Path("/usr/bin/python3").exists():
        import sys

        starter = [sys.executable, "-I", "-S"] if program == "verify.py" else starter
    said = run(*unshared(), *starter, made[0] / program, made[0], "--trust", made[1])
    assert said.code == 0, said.text
    assert (made[0] / program).read_bytes() == (PROGRAMS / program).read_bytes()


# What may be in a log


def test_an_unwitnessed_log_is_valid_and_never_green(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.write(2)
    world.checkpoint()
    made = packed(world)
    assert any("unwitnessed" in warning for warning in made.warnings)
    paths = written(made, tmp_path, world)
    for verify in (by_ours, by_python, by_shell):
        said = verify(*paths)
        assert said.code == ExitCode.NOTHING, said.text
    assert verified(*paths).unwitnessed == 2
    for verify in (by_python, by_shell):
        assert "UNWITNESSED: 2 leaves" in verify(*paths).text


def test_a_store_without_checkpoints_gives_a_pack_that_is_incomplete(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.write(2)
    made = packed(world)
    assert made.index.log.root is None
    paths = written(made, tmp_path, world)
    for verify in (by_ours, by_python, by_shell):
        said = verify(*paths)
        assert (said.code, "INCOMPLETE" in said.text) == (ExitCode.UNDECIDED, True), said.text


def test_a_leaf_after_the_checkpoint_is_incomplete(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.write(2)
    world.checkpoint()
    world.write(1)
    paths = written(packed(world), tmp_path, world)
    for verify in (by_ours, by_python, by_shell):
        said = verify(*paths)
        assert said.code == ExitCode.UNDECIDED, said.text
        assert "leaf 2" in said.text


def test_a_period_has_its_own_statements_and_those_they_rest_on(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.registry.add("income", "4", b"another model")
    world.say("check-result", {"outcome": "passed"})  # the same files as in the period
    world.say("check-result", {"outcome": "passed"}, version="4")  # other files: not needed
    world.now += timedelta(seconds=1)
    start = world.now
    world.say("record", {"record": "peer-review", "outcome": "passed"})
    end = world.now
    world.now += timedelta(days=2)
    world.say("record", {"record": "peer-review", "outcome": "failed"})  # after it
    made = api.build_pack(world.services, "income", start, end + timedelta(seconds=1))
    assert (made.index.period, made.index.before, made.index.others) == ((2,), (0,), ())
