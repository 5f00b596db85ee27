"""What earlier versions wrote verifies for ever: a statement, a log and a pack of each, with keys that nobody has."""

from __future__ import annotations

from pathlib import Path

import pytest

from aims_mlops.adapters.pack_files import open_pack
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import open_checkpoint
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Head, walk
from aims_mlops.evidence.pack import PackVerdict, verify_pack
from aims_mlops.evidence.pack_trust import PackTrust
from aims_mlops.evidence.statement import Statement
from tests.api.packs import by_python, by_shell

RELEASED = Path(__file__).parents[1] / "vectors" / "released"
VERSIONS = sorted(path for path in RELEASED.iterdir() if path.is_dir())


def trust_of(folder: Path) -> PackTrust:
    return PackTrust.from_bytes((folder / "trust.json").read_bytes())


def test_there_is_something_that_was_released() -> None:
    assert "0.1.0" in {path.name for path in VERSIONS}


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda path: path.name)
def test_a_released_statement_verifies(folder: Path) -> None:
    envelope = Envelope.from_bytes((folder / "statement.dsse.json").read_bytes())
    statement = Statement.from_bytes(envelope.payload)
    assert statement.kind == "check-result"
    signed = trust_of(folder).trust.signed(statement, envelope, captured_at=statement.header.signed_at)
    assert signed.people == ("pipeline",)


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda path: path.name)
def test_a_released_log_verifies(folder: Path) -> None:
    trust = trust_of(folder)
    leaves = (folder / "log" / "leaves.jsonl").read_bytes().splitlines()
    walked = walk(leaves, registry_id=trust.registry, head=None)
    last = walked.leaves[-1]
    assert walk(leaves, registry_id=trust.registry, head=Head(last.leaf.seq, last.digest)).faults == ()
    tree = merkle.Tree(leaves)
    notes = sorted((folder / "log").glob("*.note"))
    seen = set()
    for path in notes:
        signed = open_checkpoint(path.read_bytes(), origin=trust.origin or "", keys=trust.log_keys)
        assert merkle.root(tree, signed.size) == signed.root
        seen |= set(signed.witnesses(trust.witnesses))
    assert seen == {"w/audit"}


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda path: path.name)
def test_a_released_pack_verifies_by_us_and_by_its_own_programs(folder: Path) -> None:
    pack, trust = folder / "pack", folder / "trust.json"
    with open_pack(pack) as found:
        report = verify_pack(found.names, found.read, trust_of(folder), odd=found.odd)
    assert (report.verdict, report.troubles, report.exit_code) == (PackVerdict.VALID, (), 0)
    for said in (by_python(pack, trust), by_python(pack, trust, program=pack / "verify.py")):
        assert said.code == 0, said.text
    for said in (by_shell(pack, trust), by_shell(pack, trust, program=pack / "verify.sh")):
        assert said.code == 0, said.text
