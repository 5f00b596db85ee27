"""`aims evidence erase`: the tombstone, what is deleted and what stays, and what everybody says of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.api.erasing import Why, erase
from aims_mlops.cli import evidence as command
from aims_mlops.errors import (
    CannotDecide,
    ExitCode,
    NothingToDo,
    SigningError,
    StoreError,
    UsageError,
    VerificationError,
)
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.statement import Statement
from aims_mlops.evidence.tombstone import ASKED_BY, REASONS
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status, Verdict
from aims_mlops.model.subject import ModelRef
from aims_mlops.views.covering import coverage_table
from aims_mlops.views.erasing import erased_table, erased_wire
from aims_mlops.views.layout import render
from aims_mlops.views.verification import verification_table
from tests.api.world import World
from tests.builders import CHAMPION, MODEL_FILES, found

REF = ModelRef("income", version="3")
WHY = Why("data-subject-request", "data-subject", "GDPR Art. 17(1)(a)")
SAYS = "erased, tombstone #{seq} (data-subject-request, by officer)"


@pytest.fixture
def trusting(world: World) -> World:
    """income/3 was checked and is allowed; the officer may sign tombstones."""
    world.put_policy(world.trusting(tombstone=["officer"]))
    api.check(world.services, REF)
    return world


def row(world: World, seq: int) -> api.Row:
    return next(item for item in api.list_evidence(world.services) if item.seq == seq)


def erased(world: World, seq: int, why: Why = WHY) -> api.Erased:
    digest = row(world, seq).digest
    assert digest is not None
    world.person = "officer"
    try:
        return erase(world.services, digest, why)
    finally:
        world.person = "pipeline"


def shown(table: Any) -> str:
    return " ".join(render(table, width=200).split())


def database(world: World) -> sqlite3.Connection:
    return sqlite3.connect(world.folder / "aims.db")


def test_a_tombstone_says_what_was_erased_and_why_and_nothing_personal(trusting: World) -> None:
    done = erased(trusting, 1)
    said = done.erasure.tombstone.statement
    assert (said.kind, said.subject_name, said.subject) == (
        "tombstone",
        "erased-statement.json",
        done.erasure.leaf.payload,
    )
    assert said.body == {
        "erases": done.erasure.leaf.payload,
        "leaf": 1,
        "kind": "check-result",
        "reason": "data-subject-request",
        "askedBy": "data-subject",
        "basis": "GDPR Art. 17(1)(a)",
    }
    assert (said.header.model, said.header.version) == ("income", "3")
    assert (done.signed_now, done.texts, done.copies) == (True, (), "aims/income/3/")
    assert erased_wire(done)["signed_by"] == "officer"
    assert "the check-result of leaf 1 counts as missing from now on" in shown(erased_table(done))
    assert "under aims/income/3/, are not deleted by this" in shown(erased_table(done))


def test_the_text_is_gone_from_the_file_and_its_leaf_stays(trusting: World) -> None:
    said = trusting.say("record", {"record": "note", "outcome": "passed", "comment": "words about a person"})
    content = trusting.store.envelope(said)
    assert content is not None
    leaves = list(trusting.store.leaves())
    erased(trusting, 2)
    assert trusting.store.envelope(said) is None
    assert list(trusting.store.leaves())[:3] == leaves
    files = [path.read_bytes() for path in trusting.folder.glob("aims.db*")]
    assert not [file for file in files if content[:200] in file or content[200:400] in file]


def test_everybody_says_erased_and_nothing_is_wrong_with_the_log(trusting: World) -> None:
    trusting.say("record", {"record": "note", "outcome": "passed"})
    erased(trusting, 2)
    says = SAYS.format(seq=3)
    assert (row(trusting, 2).state, row(trusting, 2).says, row(trusting, 2).kind) == ("erased", says, "record")
    assert row(trusting, 3).says == "record of leaf 2: data-subject-request, GDPR Art. 17(1)(a)"
    assert [item.seq for item in api.list_evidence(trusting.services, REF)] == [0, 1, 2, 3]
    verified = api.verify(trusting.services, REF)
    assert (verified.exit_code, verified.troubles, verified.erased) == (ExitCode.OK, (), 1)
    assert [(item.where, item.what) for item in verified.observations] == [("leaf 2", f"the record of it was {says}")]
    assert "3 statements opened, 1 erased" in shown(verification_table(verified))
    digest = row(trusting, 2).digest
    assert digest is not None
    for ask in (lambda: api.show(trusting.services, digest), lambda: erased(trusting, 2)):
        with pytest.raises(NothingToDo, match=r"erased, tombstone #3"):
            ask()
    assert api.gate(trusting.services, REF, CHAMPION).allowed
    assert api.watch(trusting.services).faults == ()


def test_an_erased_result_is_missing_until_it_is_measured_again(trusting: World) -> None:
    kept = trusting.services
    assert api.gate(kept, REF, CHAMPION).allowed
    erased(trusting, 1)
    for services in (kept, trusting.services):  # a server that knew it, and whoever walks anew
        denied = api.gate(services, REF, CHAMPION)
        assert (denied.verdict, denied.exit_code) == (Verdict.DENIED, ExitCode.SHUT)
        assert found(denied, "parity").status is Status.MISSING
        assert SAYS.format(seq=3) in found(denied, "parity").reason
    report = api.coverage(trusting.services)
    assert report.systems[0].versions[0].requirements[0].standing.value == "erased"
    assert report.systems[0].versions[0].never_ran == ("parity",)
    assert "! erased" in shown(coverage_table(report))

    api.check(trusting.services, REF)

    assert api.gate(trusting.services, REF, CHAMPION).allowed
    assert api.coverage(trusting.services).systems[0].versions[0].requirements[0].standing.value == "passed"


def test_a_crash_before_the_deleting_counts_as_erased_and_a_later_run_finishes(
    trusting: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> bool:
        raise StoreError("permission denied", hint="")

    with monkeypatch.context() as broken:
        broken.setattr(trusting.store, "erase", dies)
        with pytest.raises(StoreError, match=r"erased, tombstone #2 .* its text is still there: permission denied"):
            erased(trusting, 1)
    verified = api.verify(trusting.services)
    assert verified.exit_code == ExitCode.OK
    assert verified.observations[0].what.endswith("its text is still there: repeat `aims evidence erase`")
    assert not api.gate(trusting.services, REF, CHAMPION).allowed

    done = erased(trusting, 1)

    assert (done.signed_now, done.erasure.tombstone.seq) == (False, 2)
    assert trusting.store.envelope(done.erasure.leaf.payload) is None
    assert [item.kind for item in api.list_evidence(trusting.services)].count("tombstone") == 1


def test_a_text_that_is_gone_without_a_tombstone_is_a_hole_still_and_nothing_else_is_erased(trusting: World) -> None:
    with database(trusting) as connection:
        connection.execute("DELETE FROM aims_envelope WHERE rowid = 2")
    assert api.verify(trusting.services).exit_code == ExitCode.UNVERIFIED
    with pytest.raises(CannotDecide, match=r"hole: the statement of leaf 1 is gone; nothing is erased from it"):
        erased(trusting, 0)
    assert not api.gate(trusting.services, REF, CHAMPION).allowed


def test_a_tombstone_whose_signer_is_no_longer_trusted_leaves_a_hole_that_another_can_mend(trusting: World) -> None:
    erased(trusting, 1)
    trusting.put_policy(trusting.trusting(tombstone=["colleague"]))
    verified = api.verify(trusting.services)
    assert verified.exit_code == ExitCode.UNVERIFIED  # the tombstone itself is signed by nobody who may
    assert ("hole", "leaf 1") in [(item.word, item.where) for item in verified.troubles]
    assert "nobody who is trusted for it signed a tombstone" in str(verified.troubles)
    denied = api.gate(trusting.services, REF, CHAMPION)
    assert denied.verdict is Verdict.UNDECIDED

    trusting.person = "colleague"
    digest = trusting.services.log.look().leaves[1].leaf.payload
    done = erase(trusting.services, digest, WHY)

    assert (done.signed_now, done.erasure.tombstone.signer) == (True, "colleague")
    assert not [item for item in api.verify(trusting.services).troubles if item.word == "hole"]


def test_nobody_erases_who_is_not_trusted_for_it(trusting: World) -> None:
    digest = row(trusting, 1).digest
    assert digest is not None
    with pytest.raises(SigningError, match=r"pipeline may not sign a tombstone: aims\.yaml trusts officer for it"):
        erase(trusting.services, digest, WHY)
    assert len(api.list_evidence(trusting.services)) == 2


@pytest.mark.parametrize("kind", ["gate-decision", "policy", "waiver", "tombstone"])
def test_what_could_open_something_is_not_erased(trusting: World, kind: str) -> None:
    trusting.say(kind, {"act": "deny"})
    with pytest.raises(UsageError, match=f"is a {kind}, which cannot be erased") as refused:
        erased(trusting, 2)
    assert "check-result, record, incident, intent" in refused.value.hint


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (Why("because", "court", "x"), "--reason 'because' is no word for it"),
        (Why("retention-ended", "my boss", "x"), "--asked-by 'my boss' is no word for it"),
        (Why("retention-ended", "court", "asked by jane@example.org"), "holds an address or a long number"),
        (Why("retention-ended", "court", "case 20260017"), "holds an address or a long number"),
        (Why("retention-ended", "court", " "), "one line of 1 to 200 characters"),
        (Why("retention-ended", "court", "x" * 201), "this has 201"),
        (Why("retention-ended", "court", "two\nlines"), "one line"),
    ],
)
def test_a_tombstone_takes_no_sentence_about_people(trusting: World, why: Why, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        erased(trusting, 1, why)
    assert len(api.list_evidence(trusting.services)) == 2


def test_a_text_that_only_the_erased_statement_names_goes_with_it(trusting: World) -> None:
    own = trusting.store.put_blob(b"who was asked about the model")
    trusting.say("record", {"record": "note", "outcome": "passed", "minutes": own, "manifest": MODEL_FILES})
    manifest = trusting.store.blob(MODEL_FILES)
    done = erased(trusting, 2)
    assert done.texts == (own,)
    assert (trusting.store.blob(own), trusting.store.blob(MODEL_FILES)) == (None, manifest)


def test_an_erased_statement_that_is_handed_in_again_does_not_come_back(trusting: World) -> None:
    digest = row(trusting, 1).digest
    assert digest is not None
    content = trusting.store.envelope(digest)
    assert content is not None
    erased(trusting, 1)
    from aims_mlops.ports import Entry

    said = Statement.from_bytes(Envelope.from_bytes(content).payload)
    kept = trusting.store.append(Entry(content, digest, "urn:aims-mlops:check-result:v1", said.subject))
    assert (kept.leaf.seq, trusting.store.envelope(digest)) == (1, None)
    assert not api.gate(trusting.services, REF, CHAMPION).allowed


def test_a_store_deletes_nothing_that_no_tombstone_speaks_of(trusting: World) -> None:
    first, second = (row(trusting, seq).digest for seq in (0, 1))
    assert first is not None
    assert second is not None
    done = erased(trusting, 1)
    for tombstone in (done.erasure.tombstone.payload, second, Digest.of(b"none")):
        with pytest.raises(VerificationError, match="no tombstone"):
            trusting.store.erase(first, tombstone=tombstone)
    assert trusting.store.envelope(first) is not None


def test_each_field_of_its_json_is_told(trusting: World) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    told = page.partition("## aims.erasure/1")[2]
    assert [name for name in erased_wire(erased(trusting, 1)) if f"`{name}`" not in told] == []


def test_the_command_offers_the_words_that_are_taken() -> None:
    assert (command.REASONS, command.ASKED_BY) == (REASONS, ASKED_BY)
