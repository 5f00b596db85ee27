"""Packs whose signer lies: every file is as its index says, and the index is signed by somebody who is trusted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.api import Pack, packing
from aims_mlops.api.services import Said as ToSay
from aims_mlops.api.services import write
from aims_mlops.errors import ExitCode
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import Checkpoint, cosign
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Leaf
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.note import ED25519, VerifierKey
from aims_mlops.evidence.pack_index import INDEX, FileEntry, PackIndex, statement_file
from aims_mlops.evidence.statement import Statement
from aims_mlops.evidence.tombstone import SUBJECT_NAME, tombstone
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import WholeRegistry
from tests.api.logs import LogWorld
from tests.api.packs import by_python, by_shell, everything, later, packed, verified, written
from tests.builders import key


@dataclass
class Lie:
    """A pack that is changed and signed again."""

    world: LogWorld
    made: Pack

    def __post_init__(self) -> None:
        self.files = dict(self.made.files)
        self.index = self.made.index

    def move(self, one: str, other: str) -> None:
        """Put two files in each other's place."""
        self.files[one], self.files[other] = self.files[other], self.files[one]

    def named(self, start: str) -> list[str]:
        """Return the names of the files of a folder."""
        return sorted(name for name in self.files if name.startswith(start))

    def written(self, folder: Path) -> tuple[Path, Path]:
        """Sign the index over what is there now, and write all."""
        entries = {name: FileEntry.of(content) for name, content in self.files.items() if name != INDEX}
        index = replace(self.index, files=entries)
        services = self.world.services
        signed = packing._signed(services, index, self.world.systems[0].policy, services.signer())
        files = {**self.files, INDEX: signed.to_bytes()}
        return written(replace(self.made, files=files), folder, self.world)


def another_proof(lie: Lie) -> None:
    first, second, *_ = lie.named("proofs/")
    lie.move(first, second)


def another_sibling(lie: Lie) -> None:
    name = lie.named("proofs/")[2]
    lines = lie.files[name].split(b"\n")
    lines[3] = base64.b64encode(bytes(32))
    lie.files[name] = b"\n".join(lines)


def a_proof_to_an_older_checkpoint(lie: Lie) -> None:
    """The proof holds, and leads to another tree than the index says."""
    name, note = lie.named("proofs/")[0], lie.files[lie.named("checkpoints/")[0]]
    lines, size = list(lie.world.store.leaves()), 3
    hashes = merkle.prove_inclusion(merkle.Tree(lines[:size]), 0, size)
    lie.files[name] = LogProof(0, tuple(hashes), note, lines[0]).to_bytes()


def another_history(lie: Lie) -> None:
    (name, *_) = lie.named("consistency/")
    lines = lie.files[name].split(b"\n")
    lie.files[name] = b"\n".join([base64.b64encode(bytes(32)), *lines[1:]])


def a_checkpoint_of_another_key(lie: Lie) -> None:
    name = lie.named("checkpoints/")[0]
    forger = key("forger", algorithm="ed25519")
    found = Checkpoint.from_text(lie.files[name].partition(b"\n\n")[0] + b"\n")
    named = VerifierKey(found.origin, ED25519, forger.public)
    lie.files[name] = found.sign(named, forger.sign).to_bytes()


def two_trees_of_one_size(lie: Lie) -> None:
    name = lie.named("checkpoints/")[-1]
    found = Checkpoint.from_text(lie.files[name].partition(b"\n\n")[0] + b"\n")
    signer = key("the-log", algorithm="ed25519")
    other = replace(found, root=bytes(32)).sign(lie.world.log_key, signer.sign)
    lie.files[name.replace(".note", "-1.note")] = other.to_bytes()


def no_checkpoint(lie: Lie) -> None:
    for name in lie.named("checkpoints/"):
        del lie.files[name]


def another_statement_in_its_place(lie: Lie) -> None:
    first, second, *_ = lie.named("statements/")
    lie.move(first, second)


def an_edited_statement(lie: Lie) -> None:
    name = lie.named("statements/")[0]
    envelope = Envelope.from_bytes(lie.files[name])
    edited = envelope.payload.replace(b'"outcome":"passed"', b'"outcome":"failed"')
    lie.files[name] = replace(envelope, payload=edited).to_bytes()


def an_edited_leaf(lie: Lie) -> None:
    lines = lie.files["leaves.jsonl"].splitlines()
    leaf = replace(Leaf.from_bytes(lines[0]), captured_at="2026-11-20T00:00:00.000Z")
    lie.files["leaves.jsonl"] = b"\n".join([leaf.to_bytes(), *lines[1:]]) + b"\n"


def a_leaf_less_than_the_index_says(lie: Lie) -> None:
    lines = lie.files["leaves.jsonl"].splitlines(keepends=True)
    lie.files["leaves.jsonl"] = b"".join(lines[1:])


def another_period(lie: Lie) -> None:
    lie.index = replace(lie.index, end=lie.index.start + timedelta(days=1))


def older_than_it_is(lie: Lie) -> None:
    first, *rest = lie.index.period
    lie.index = replace(lie.index, period=tuple(rest), before=(first,))


def another_system(lie: Lie) -> None:
    lie.index = replace(lie.index, system="credit")


def another_policy_text(lie: Lie) -> None:
    (name,) = lie.named("policies/")
    lie.files[name] = b"what should have been in force"


LIES = (
    another_proof,
    another_sibling,
    a_proof_to_an_older_checkpoint,
    another_history,
    a_checkpoint_of_another_key,
    two_trees_of_one_size,
    no_checkpoint,
    another_statement_in_its_place,
    an_edited_statement,
    an_edited_leaf,
    a_leaf_less_than_the_index_says,
    another_period,
    older_than_it_is,
    another_system,
    another_policy_text,
)
BY_THE_SHELL = (
    another_sibling,
    a_checkpoint_of_another_key,
    another_statement_in_its_place,
    an_edited_leaf,
    older_than_it_is,
)
"""One of each step of verify.sh, which takes its time. It does not look at `another_history`, and says so."""


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Lie:
    world = LogWorld(tmp_path_factory.mktemp("honest"))
    world.store.put_blob(world.systems[0].policy.text)
    world.write(3)
    world.checkpoint()
    world.write(1)
    world.checkpoint()
    return Lie(world, packed(world))


@pytest.mark.parametrize("spoil", LIES, ids=lambda spoil: spoil.__name__.replace("_", " "))
def test_a_lie_that_is_well_signed_is_found(spoil: Callable[[Lie], None], honest: Lie, tmp_path: Path) -> None:
    lie = Lie(honest.world, honest.made)
    spoil(lie)
    paths = lie.written(tmp_path)
    found = verified(*paths)
    assert found.exit_code == ExitCode.UNVERIFIED, found.troubles
    said = by_python(*paths)
    assert said.code == ExitCode.UNVERIFIED, said.text
    if spoil in BY_THE_SHELL:
        told = by_shell(*paths)
        assert told.code == ExitCode.UNVERIFIED, told.text


def test_signed_again_without_a_lie_it_is_valid(honest: Lie, tmp_path: Path) -> None:
    paths = Lie(honest.world, honest.made).written(tmp_path)
    assert (verified(*paths).exit_code, verified(*paths).troubles) == (ExitCode.NOTHING, ())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"registry": "another"}, ExitCode.UNVERIFIED, id="of another registry"),
        pytest.param({"kinds": {}}, ExitCode.UNVERIFIED, id="in which nobody is trusted"),
        pytest.param({"log": None}, ExitCode.UNDECIDED, id="that names no log"),
        pytest.param({"since": "2026"}, ExitCode.UNDECIDED, id="with a field that nobody knows"),
        pytest.param({"schema": "aims.trust/2"}, ExitCode.UNDECIDED, id="of another version"),
    ],
)
def test_trust_decides(change: dict[str, Any], code: ExitCode, honest: Lie, tmp_path: Path) -> None:
    pack, trust = Lie(honest.world, honest.made).written(tmp_path)
    trust.write_text(json.dumps({**json.loads(trust.read_text()), **change}))
    for verify in (by_python, by_shell):
        said = verify(pack, trust)
        assert said.code == code, said.text
    if not {"since", "schema"} & set(change):
        assert verified(pack, trust).exit_code == code


def test_a_quorum_is_counted_by_keys(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.write(1)
    audit, board = world.department("audit", now=later(world)), world.department("board", now=later(world))
    twin = VerifierKey("w/twin", audit.key.kind, audit.key.key)
    world.settings = replace(world.settings, witnesses=(*world.settings.witnesses, str(twin)), quorum=2)
    world.checkpoint()
    api.cosign_at(world.services, audit)
    one = written(packed(world), tmp_path / "one", world)
    api.cosign_at(world.services, board)
    two = written(packed(world), tmp_path / "two", world)
    for paths, code in ((one, ExitCode.NOTHING), (two, ExitCode.OK)):
        assert verified(*paths).exit_code == code
        assert by_python(*paths).code == code
    assert by_shell(*one).code == ExitCode.NOTHING
    assert by_shell(*two).code == ExitCode.OK


def test_a_statement_names_its_system(honest: Lie) -> None:
    """The lie about another system is one: the statements of this pack name theirs."""
    content = honest.files[honest.named("statements/")[0]]
    assert Statement.from_bytes(Envelope.from_bytes(content).payload).header.system == "income"


def by_ours(pack: Path, trust: Path) -> int:
    """Return the exit code of this version."""
    return int(verified(pack, trust).exit_code)


def codes(pack: Path, trust: Path) -> tuple[int, int, int]:
    """Return the exit codes of this version, of verify.py and of verify.sh."""
    return by_ours(pack, trust), by_python(pack, trust).code, by_shell(pack, trust).code


def compact(wire: Any) -> bytes:
    return json.dumps(wire, sort_keys=True, separators=(",", ":")).encode()


def of_signature(**changes: str) -> Callable[[Any], bytes]:
    return lambda wire: compact({**wire, "signatures": [{**wire["signatures"][0], **changes}]})


FREE_BYTES: dict[str, Callable[[Any], bytes]] = {
    "a field more": lambda wire: compact({**wire, "a": "forged"}),
    "a field of a signature more": of_signature(x="forged"),
    "a second document": lambda wire: compact(wire) + b'["forged: everything passed"]',
    "a line after the payload": lambda wire: compact({**wire, "payload": wire["payload"] + "\n"}),
    "a line after the key's name": lambda wire: of_signature(keyid=wire["signatures"][0]["keyid"] + "\n")(wire),
    "the signature in the payload": lambda wire: of_signature(sig="")(
        {**wire, "payload": wire["payload"] + "\n" + wire["signatures"][0]["sig"]}
    ),
}


@pytest.mark.parametrize("forge", FREE_BYTES.values(), ids=FREE_BYTES)
def test_no_byte_of_the_index_is_free(forge: Callable[[Any], bytes], honest: Lie, tmp_path: Path) -> None:
    pack, trust = Lie(honest.world, honest.made).written(tmp_path)
    index = pack / INDEX
    index.write_bytes(forge(json.loads(index.read_bytes())))
    assert codes(pack, trust) == (4, 4, 4)


@dataclass
class AsWritten:
    """An index of which every word is the liar's own."""

    index: PackIndex
    files: list[dict[str, Any]]

    @property
    def system(self) -> str:
        return self.index.system

    @property
    def subject(self) -> Digest:
        return Digest.of("".join(f"{item['sha256']}  {item['name']}\n" for item in self.files).encode())

    def to_wire(self) -> dict[str, Any]:
        return {**self.index.to_wire(), "files": self.files}


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "", "G" * 64], ids=["short", "long", "none", "no digits"])
def test_a_digest_that_is_none_holds_no_file(digest: str, honest: Lie, tmp_path: Path) -> None:
    """`sha256sum --check` skips a line that it cannot read: the file of that line could then be anything."""
    files = honest.index.to_wire()["files"]
    files = [{**item, "sha256": digest} if item["name"] == "README.txt" else item for item in files]
    services = honest.world.services
    said: Any = AsWritten(honest.index, files)
    signed = packing._signed(services, said, honest.world.systems[0].policy, services.signer())
    made = replace(honest.made, files={**honest.files, INDEX: signed.to_bytes()})
    pack, trust = written(made, tmp_path, honest.world)
    (pack / "README.txt").write_bytes(b"changed by somebody without a key\n")
    assert codes(pack, trust) == (4, 4, 4)


def test_a_witness_of_another_history_makes_nothing_witnessed(tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    audit = world.department("audit", now=later(world))
    world.write(2)
    world.checkpoint()
    lie = Lie(world, packed(world))
    (name,) = lie.named("checkpoints/")
    found = Checkpoint.from_text(lie.files[name].partition(b"\n\n")[0] + b"\n")
    forked = replace(found, size=100, root=b"\x07" * 32).sign(world.log_key, key("the-log", algorithm="ed25519").sign)
    seen = cosign(forked, audit.key, key("audit", algorithm="ed25519").sign, time=int(later(world)))
    lie.files["checkpoints/00000100.note"] = replace(forked, signatures=(*forked.signatures, seen)).to_bytes()
    ours, python, shell = codes(*lie.written(tmp_path / "fork"))
    assert (ours, python) == (ExitCode.UNDECIDED, ExitCode.UNVERIFIED)  # nothing proves the one from the other
    assert shell == ExitCode.NOTHING  # it does not prove one checkpoint by another, and so counts no witness of others
    world.close()


def test_two_roots_of_one_size_are_a_fork_for_the_shell_too(honest: Lie, tmp_path: Path) -> None:
    lie = Lie(honest.world, honest.made)
    two_trees_of_one_size(lie)
    said = by_shell(*lie.written(tmp_path))
    assert (said.code, "two histories" in said.text) == (ExitCode.UNVERIFIED, True), said.text


def of_log(**changes: Any) -> Callable[[Any], str]:
    return lambda wire: json.dumps({**wire, "log": {**wire["log"], **changes}})


UNTRUE_TRUST: dict[str, Callable[[Any], str]] = {
    "a quorum of none": of_log(quorum=0),
    "a quorum of a half": of_log(quorum=0.5),
    "a quorum of true": of_log(quorum=True),
    "an unknown field of the log": of_log(until="2026-01-01"),
    "a key named twice": lambda wire: json.dumps(wire)[:-1] + ', "kinds": ' + json.dumps(wire["kinds"]) + "}",
    "a key of the log named twice": lambda wire: json.dumps(wire).replace('"quorum": 1', '"quorum": 9, "quorum": 1'),
    "two documents": lambda wire: json.dumps(wire) + json.dumps(wire),
}


@pytest.mark.parametrize("spoil", UNTRUE_TRUST.values(), ids=UNTRUE_TRUST)
def test_trust_that_could_be_read_in_two_ways_is_none(spoil: Callable[[Any], str], honest: Lie, tmp_path: Path) -> None:
    pack, trust = Lie(honest.world, honest.made).written(tmp_path)
    wire = json.loads(trust.read_text())
    trust.write_text(json.dumps(wire))
    assert codes(pack, trust) == (5, 5, 5)
    trust.write_text(spoil(wire))
    for verify in (by_python, by_shell):
        said = verify(pack, trust)
        assert (said.code, "no trust" in said.text) == (ExitCode.UNDECIDED, True), said.text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({}, ExitCode.NOTHING, id="as it should be"),
        pytest.param({"leaf": 77}, ExitCode.UNDECIDED, id="another place"),
        pytest.param({"leaf": 3}, ExitCode.UNDECIDED, id="its own place"),
        pytest.param({"leaf": "0"}, ExitCode.UNDECIDED, id="a place in words"),
        pytest.param({"kind": "intent"}, ExitCode.UNDECIDED, id="another kind"),
        pytest.param({"erases": "sha256:" + "0" * 64}, ExitCode.UNDECIDED, id="another statement"),
    ],
)
def test_a_tombstone_explains_only_what_it_names(change: dict[str, Any], code: ExitCode, tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    (gone,) = world.write(1)
    world.put_policy(world.trusting(tombstone=["pipeline"]))
    body = tombstone(first_leaf(world), reason="retention-ended", asked_by="controller", basis="x") | change
    about, now = (SUBJECT_NAME, gone), world.services.clock()
    said = ToSay("tombstone", WholeRegistry(world.store.registry_id()), None, None, body, measured_at=now, about=about)
    write(world.services, said, signer=world.services.signer())
    world.checkpoint()
    lie = Lie(world, packed(world))
    lie.files.pop(statement_file(0, "check-result"), None)
    assert codes(*lie.written(tmp_path / "erased")) == (code, code, code)
    world.close()


def first_leaf(world: LogWorld) -> Leaf:
    return Leaf.from_bytes(next(iter(world.store.leaves())))


def test_what_a_statement_rests_on_is_not_another_systems(tmp_path: Path) -> None:
    """The failed result that a waiver excuses and a decision names is filed as another system's leaf."""
    world, _ = everything(tmp_path)
    lie = Lie(world, packed(world))
    (name,) = (name for name in lie.named("statements/") if name.endswith("-check-result.dsse.json"))
    seq = int(name.partition("/")[2][:8])
    others = tuple(sorted((*lie.index.others, seq)))
    lie.index = replace(lie.index, period=tuple(one for one in lie.index.period if one != seq), others=others)
    del lie.files[name]
    paths = lie.written(tmp_path / "others")
    assert codes(*paths) == (3, 3, 3)
    told = [item.where for item in verified(*paths).troubles]
    assert f"leaf {seq}" in told
    world.close()


@pytest.mark.parametrize(("minutes", "code"), [(4, ExitCode.NOTHING), (6, ExitCode.UNVERIFIED)])
def test_a_measurement_after_its_recording_is_refused(minutes: int, code: ExitCode, tmp_path: Path) -> None:
    world = LogWorld(tmp_path)
    world.write(1)
    services = world.services
    body, at = {"event": "key-added"}, services.clock() + timedelta(minutes=minutes)
    about = WholeRegistry(world.store.registry_id())
    world.put_policy(world.trusting(tombstone=["pipeline"]))
    said = ToSay("tombstone", about, None, None, body, measured_at=at, about=(SUBJECT_NAME, Digest.of(b"x")))
    write(world.services, said, signer=services.signer())
    world.checkpoint()
    assert codes(*written(packed(world), tmp_path / "dated", world)) == (code, code, code)
    world.close()
