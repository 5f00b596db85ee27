"""Packs: what is in them, what each of three verifiers says of them, and that none misses a byte."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.adapters.pack_files import open_pack, write_pack
from aims_mlops.api import pack_choosing, packing
from aims_mlops.api.packing import Pack
from aims_mlops.api.services import Said as ToSay
from aims_mlops.api.services import write
from aims_mlops.errors import ExitCode, SigningError, UsageError
from aims_mlops.evidence.pack import PackVerdict, verify_pack
from aims_mlops.evidence.pack_compare import compare_packs
from aims_mlops.evidence.pack_index import INDEX
from aims_mlops.evidence.pack_trust import PackTrust
from aims_mlops.evidence.tombstone import SUBJECT_NAME
from aims_mlops.model.subject import WholeRegistry
from aims_mlops.model.trust import Revocation, Rule, Term
from tests.api.logs import LogWorld
from tests.api.packs import (
    PROGRAMS,
    Said,
    by_python,
    by_shell,
    everything,
    later,
    packed,
    period,
    run,
    verified,
    written,
)
from tests.api.test_waiving import REF
from tests.api.world import World
from tests.builders import CHAMPION, policy, system


class HandedOut:
    """A store as a client sees it over HTTP: leaves and envelopes, and neither tiles nor checkpoints."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def checkpoints(self) -> Sequence[bytes]:
        return ()

    def last_checkpoint(self) -> None:
        return None

    def tiles(self, _places: Any) -> dict[Any, bytes]:
        return {}

    tile_roots = tiles


def a_log(folder: Path) -> LogWorld:
    """Three statements, two checkpoints, and a witness of the second."""
    world = LogWorld(folder)
    world.store.put_blob(world.systems[0].policy.text)
    world.store.put_blob(world.registry.held["income/3"][1])
    world.write(2)
    world.checkpoint()
    world.write(1)
    world.checkpoint()
    audit = world.department("audit", now=later(world))
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
    """One byte in the middle of every file at once, the verifiers among them: each is named."""
    names = sorted(path for path in pack.rglob("*") if path.is_file() and path.name != INDEX)
    assert len(names) > 15
    for path in names:
        path.write_bytes(flipped(path.read_bytes(), path.stat().st_size // 2))
    said = verify(pack, trust)
    assert (said.code, "INVALID" in said.text) == (4, True), said.text
    for path in names:
        name = path.relative_to(pack).as_posix()
        assert any(name in line and "bytes are not those" in line for line in said.text.splitlines()), name


@pytest.mark.parametrize("verify", VERIFIERS)
def test_a_byte_that_is_changed_in_the_index_is_found_wherever_it_is(verify: Verifier, pack: Path, trust: Path) -> None:
    path = pack / INDEX
    content = path.read_bytes()
    named = content.index(b'"keyid"') + 30
    places = range(0, len(content), 13) if verify is by_ours else (0, len(content) // 2, named, len(content) - 1)
    for place in places:
        path.write_bytes(flipped(content, place))
        said = verify(pack, trust)
        assert (said.code, "INVALID" in said.text) == (4, True), (place, said)


def test_a_byte_that_is_changed_anywhere_in_a_file_is_found(pack: Path, trust: Path) -> None:
    for path in sorted(path for path in pack.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for place in (0, len(content) - 1):
            path.write_bytes(flipped(content, place))
            assert by_ours(pack, trust).code == ExitCode.UNVERIFIED, (path, place)
        path.write_bytes(content)
    assert by_ours(pack, trust).code == ExitCode.OK


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
    for verify in (by_python, by_shell):
        said = verify(*paths)
        assert (said.code, "UNWITNESSED: 2 leaves" in said.text) == (ExitCode.NOTHING, True), said.text
    found = verified(*paths)
    assert (found.exit_code, found.verdict, found.unwitnessed) == (ExitCode.NOTHING, PackVerdict.VALID, 2)


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


def test_every_kind_of_statement_is_packed_and_another_systems_is_not(tmp_path: Path) -> None:
    world, foreign = everything(tmp_path)
    made = packed(world)
    assert foreign not in made.index.leaves
    kinds = {name.split("-", 1)[1] for name in made.files if name.startswith("statements/")}
    assert kinds == {
        f"{kind}.dsse.json"
        for kind in ("intent", "check-result", "waiver", "gate-decision", "promotion", "record", "bypass-finding")
    }
    paths = written(made, tmp_path, world)
    found = verified(*paths)
    assert (found.exit_code, found.troubles) == (ExitCode.OK, ())
    for verify in (by_python, by_shell):
        said = verify(*paths)
        assert said.code == ExitCode.OK, said.text
    assert "owner" in made.files["index.csv"].decode()
    assert b"@example.org" not in b"".join(made.files.values()), "no address of anybody"
    world.close()


def test_a_result_that_a_decision_saw_cannot_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packer himself leaves a statement out and signs that: the decision in the pack gives him away."""
    world, _ = everything(tmp_path)
    honest = pack_choosing.choose

    def choose(*given: Any) -> pack_choosing.Chosen:
        chosen = honest(*given)
        (result,) = [record.seq for record in chosen.records if record.statement.kind == "check-result"]
        return replace(
            chosen,
            records=tuple(record for record in chosen.records if record.seq != result),
            leaves=tuple(leaf for leaf in chosen.leaves if leaf.seq != result),
            period=tuple(seq for seq in chosen.period if seq != result),
        )

    monkeypatch.setattr("aims_mlops.api.packing.choose", choose)
    found = verified(*written(packed(world), tmp_path, world))
    assert found.verdict is PackVerdict.INCOMPLETE
    assert any("the decision saw" in item.what for item in found.troubles), found.troubles
    monkeypatch.undo()
    whole = verified(*written(packed(world), tmp_path / "whole", world))
    told = compare_packs(found, whole)
    assert told.exit_code == ExitCode.UNVERIFIED
    assert [item.what.partition(", ")[2] for item in told.troubles] == ["and left out of the old pack"]
    world.close()


def test_leaves_of_another_system_about_the_same_files_are_there_without_their_statements(tmp_path: Path) -> None:
    other = system(replace(policy(), system="credit"), id="credit", models=("credit",))
    world = LogWorld(tmp_path, systems=(system(), other))
    world.registry.add("credit", "1")  # the same bytes
    world.say("check-result", {"outcome": "passed"})
    world.systems = world.systems[::-1]
    world.say("check-result", {"outcome": "passed"}, model="credit", version="1")
    world.systems = world.systems[::-1]
    api.gate(world.services, REF, CHAMPION)
    world.checkpoint()
    made = packed(world)
    assert (made.index.period, made.index.others) == ((0, 2), (1,))
    assert not any(name.startswith("statements/00000001") for name in made.files)
    paths = written(made, tmp_path, world)
    assert verified(*paths).troubles == ()
    for verify in (by_python, by_shell):
        assert verify(*paths).code == ExitCode.NOTHING
    world.close()


def test_what_nobody_trusted_signed_makes_a_pack_invalid(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.person = "colleague"
    world.say("check-result", {"outcome": "passed"})
    world.person = "pipeline"
    world.checkpoint()
    paths = written(packed(world), tmp_path, world)
    for verify in (by_ours, by_python, by_shell):
        said = verify(*paths)
        assert (said.code, "not signed by anybody who is trusted" in said.text) == (4, True), said.text


def test_only_who_is_trusted_signs_a_pack_and_its_reader_asks_the_same(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.write(1)
    world.checkpoint()
    world.person = "colleague"
    with pytest.raises(SigningError, match="'colleague' is not trusted to sign a pack") as refused:
        packed(world)
    assert "trust: {pack: [colleague]}" in refused.value.hint
    kept = world.systems[0].policy
    world.put_policy(world.trusting(pack=["colleague"]))
    made = packed(world)
    world.put_policy(kept)
    paths = written(made, tmp_path, world)
    for verify in (by_ours, by_python, by_shell):
        said = verify(*paths)
        assert (said.code, "index.json" in said.text) == (4, True), said.text


def test_a_pack_is_made_from_a_store_that_keeps_no_checkpoint_with_one_that_is_brought(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.write(3)
    note = world.checkpoint().signed.note.to_bytes()
    services = replace(world.services, store=HandedOut(world.store))
    made = api.build_pack(services, "income", *period(world), brought=[note])
    assert made.index.log.size == 3
    paths = written(made, tmp_path, world)
    assert verified(*paths).verdict is PackVerdict.VALID
    with open_pack(paths[0]) as found:
        trust = PackTrust.from_bytes(paths[1].read_bytes())
        kept = verify_pack(found.names, found.read, trust, brought={"mine": note})
    assert (kept.checkpoints.compared, kept.exit_code) == (3, ExitCode.OK)


def test_a_zip_file_is_the_same_pack_and_always_the_same_bytes(tmp_path: Path) -> None:
    world = a_log(tmp_path)
    made = packed(world)
    for name in ("one.zip", "two.zip"):
        write_pack(tmp_path / name, made.files)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    trust = tmp_path / "trust.json"
    trust.write_bytes(api.pack_trust(world.services).to_bytes())
    assert verified(tmp_path / "one.zip", trust).exit_code == ExitCode.OK
    with zipfile.ZipFile(tmp_path / "two.zip", "a") as more:
        more.writestr("more.txt", "added")
    assert verified(tmp_path / "two.zip", trust).verdict is PackVerdict.INVALID
    with pytest.raises(UsageError, match="never overwrites"):
        write_pack(tmp_path / "one.zip", made.files)


def test_a_tombstone_lets_the_statement_be_away_that_it_names(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    gone, kept = world.write(2)
    world.put_policy(world.trusting(tombstone=["pipeline"]))
    api.erase(world.services, str(gone), api.Why("data-subject-request", "data-subject", "GDPR Art. 17(1)(a)"))
    world.checkpoint()
    made = packed(world)
    assert (made.index.period[0], "statements/00000000-check-result.dsse.json" in made.files) == (0, False)
    paths = written(made, tmp_path / "erased", world)
    for verify in (by_ours, by_python, by_shell):
        said = verify(*paths)
        assert said.code == ExitCode.NOTHING, (verify, said.text)  # nobody outside has seen it, and nothing is missing
    name = "statements/00000001-check-result.dsse.json"
    assert world.store.envelope(kept) == made.files[name]
    paths = written(resigned(world, made, left_out=name), tmp_path / "taken", world)
    for verify in (by_ours, by_python, by_shell):
        said = verify(*paths)
        assert said.code == ExitCode.UNDECIDED, (verify, said.text)
        assert "leaf 1: the pack does not have its statement" in said.text


def test_a_tombstone_of_what_cannot_be_erased_explains_nothing(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.write(1)
    world.put_policy(world.trusting(tombstone=["pipeline"]))
    denied = world.say("gate-decision", {"verdict": "denied"})
    body = {"erases": denied, "kind": "gate-decision", "leaf": 1, "reason": "retention-ended"}
    now, about = world.services.clock(), (SUBJECT_NAME, denied)
    told = ToSay("tombstone", WholeRegistry(world.store.registry_id()), None, None, body, measured_at=now, about=about)
    write(world.services, told, signer=world.services.signer())
    world.checkpoint()
    made = resigned(world, packed(world), left_out="statements/00000001-gate-decision.dsse.json")
    paths = written(made, tmp_path / "pack", world)
    for verify in (by_ours, by_python, by_shell):
        said = verify(*paths)
        assert said.code == ExitCode.UNDECIDED, (verify, said.text)


def resigned(world: LogWorld, made: Pack, *, left_out: str) -> Pack:
    """Leave a file out and sign the index anew, as the packer could."""
    files = {name: content for name, content in made.files.items() if name != left_out}
    index = replace(made.index, files={name: entry for name, entry in made.index.files.items() if name != left_out})
    signer = world.services.signer()
    files[INDEX] = packing._signed(world.services, index, world.systems[0].policy, signer).to_bytes()
    return replace(made, files=files, index=index)


def test_a_trust_file_says_the_terms_of_keys_and_the_programs_that_do_not_know_them_say_so(tmp_path: Path) -> None:
    world = a_log(tmp_path)
    pack, trust = written(packed(world), tmp_path / "pack", world)
    believed = PackTrust.from_bytes(trust.read_bytes())
    (signer,) = {key for key, who in believed.trust.by_kind["check-result"].items() if who == "pipeline"}

    def bounded(term: Term) -> Path:
        keys = believed.trust.keys
        keys = {**keys, signer: replace(keys[signer], term=term)}
        trust.write_bytes(replace(believed, trust=replace(believed.trust, keys=keys)).to_bytes())
        return trust

    start = world.now - timedelta(days=400)
    assert verified(pack, bounded(Term(start, world.now + timedelta(days=9)))).exit_code == ExitCode.OK
    for verify in (by_python, by_shell):
        said = verify(pack, trust)
        assert said.code == ExitCode.UNDECIDED
        assert "this program does not know" in said.text
    gone = Revocation(start + timedelta(days=1), "compromised")
    for term in (Term(world.now + timedelta(days=9)), Term(end=start), Term(revoked=gone)):
        report = verified(pack, bounded(term))
        assert report.verdict is PackVerdict.INVALID
        assert {item.word for item in report.troubles} == {"untrusted"}
    assert any("no outside anchor before the key was revoked" in item.what for item in report.troubles) or any(
        "and the key was revoked" in item.what for item in report.troubles
    )


def test_a_trust_file_says_for_which_systems_somebody_is_trusted(tmp_path: Path) -> None:
    world = a_log(tmp_path)
    pack, trust = written(packed(world), tmp_path / "pack", world)
    believed = PackTrust.from_bytes(trust.read_bytes())
    for systems, verdict in ((("inc*",), PackVerdict.VALID), (("credit",), PackVerdict.INVALID)):
        rules = {"check-result": (Rule(("pipeline",), systems),)}
        ruled = replace(believed, trust=replace(believed.trust, rules=rules))
        trust.write_bytes(ruled.to_bytes())
        assert PackTrust.from_bytes(trust.read_bytes()).trust.rules == rules
        assert verified(pack, trust).verdict is verdict


def test_rules_for_decisions_hold_for_packs_too_where_nobody_is_named_for_packs(world: World) -> None:
    rules = {"gate-decision": (Rule(("officer",), ("credit",)),)}
    named = world.trusting(pack=["officer"])
    bound = replace(world.systems[0].policy, rules=rules)

    assert world.services.trust(bound, anchored=False).rules["pack"] == rules["gate-decision"]
    assert "pack" not in world.services.trust(replace(named, rules=rules), anchored=False).rules


def test_a_key_that_was_revoked_or_has_ended_signs_no_index(tmp_path: Path) -> None:
    """An index is in no log: when it was signed, only whoever has the key says."""
    world = LogWorld(tmp_path)
    world.write(1)
    start = world.now
    world.now = start + timedelta(hours=2)
    world.person = "owner"
    world.say("record", {"record": "peer-review", "outcome": "passed"})
    world.checkpoint()
    world.person, world.now = "pipeline", start + timedelta(minutes=30)
    made = packed(world)
    pack, trust = written(made, tmp_path / "pack", world)
    believed = PackTrust.from_bytes(trust.read_bytes())
    (signer,) = {key for key, who in believed.trust.by_kind["check-result"].items() if who == "pipeline"}

    def words(term: Term) -> list[tuple[str, str]]:
        keys = {**believed.trust.keys, signer: replace(believed.trust.keys[signer], term=term)}
        trust.write_bytes(replace(believed, trust=replace(believed.trust, keys=keys)).to_bytes())
        return [(item.word, item.where) for item in verified(pack, trust).troubles]

    assert words(Term(end=start + timedelta(hours=2, seconds=1))) == []
    for term in (
        Term(end=start + timedelta(hours=1)),
        Term(end=start + timedelta(hours=2)),
        *(Term(revoked=Revocation(start + timedelta(days=9), why)) for why in ("left", "lost", "superseded")),
    ):
        assert words(term) == [("untrusted", INDEX)]
