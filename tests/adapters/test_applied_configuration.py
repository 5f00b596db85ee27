"""The applied configuration over real stores: what comes into force, and everything that keeps it from doing so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aims_mlops.adapters.pin_file import PinFile
from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.api.applying import AppliedConfiguration, NotApplied
from aims_mlops.config import load_bundle
from aims_mlops.errors import ExitCode, StoreError
from aims_mlops.evidence.configuration import MAIN, Pinned, PolicyBody
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log import Leaf
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Entry
from tests.adapters.homes import Home
from tests.api.configurations import STRICTER, STRICTEST, TEXT, Desk, administrators, bundle, load
from tests.api.world import World
from tests.builders import key


@dataclass
class Place:
    """One store with its back door, a desk at it, and the file that a server pins to."""

    home: Home
    store: SqlEvidenceStore
    desk: Desk
    pin: PinFile

    def server(self, *names: str, threshold: int = 1) -> AppliedConfiguration:
        return self.desk.server(*names, threshold=threshold, pin=self.pin)

    def empty(self) -> None:
        """Take every row away, and the log's head too, as somebody does who knows where it is."""
        for table in ("aims_leaf", "aims_envelope", "aims_blob"):
            self.home.sql(f"delete from {table}")
        for path in (self.home.root / "aims.db.head", *self.home.root.glob(".aims/*.head")):
            path.unlink(missing_ok=True)

    def drop_last(self) -> None:
        """Take the newest statement away, and move the log's head back."""
        rows = list(self.store.leaves())
        last = Leaf.from_bytes(rows[-1])
        self.home.sql("delete from aims_leaf where seq = :seq", seq=last.seq)
        self.home.sql("delete from aims_envelope where payload = :payload", payload=str(last.payload))


@pytest.fixture
def place(home: Home, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "world").mkdir()
    world = World(tmp_path / "world")
    store = home.open()
    yield Place(home, store, Desk(world, store), PinFile(tmp_path / "state" / "applied.pin"))
    world.close()


def refused(server: AppliedConfiguration, code: ExitCode, *said: str) -> NotApplied:
    """Hold a server to saying that nothing is in force, and why."""
    with pytest.raises(NotApplied) as caught:
        server.current()
    for text in ("no configuration is in force: ", *said):
        assert text in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == code
    return caught.value


# What comes into force


def test_what_an_administrator_applied_is_in_force_and_reads_the_same(place: Place) -> None:
    report = place.desk.apply()
    applied = place.server().current()
    assert (applied.sequence, applied.configuration) == (1, bundle().digest)
    assert applied.statements == (report.statement,)
    assert applied.signers == (key("officer").public.id,)
    assert applied.project.systems[0].policy.digest == load(bundle()).systems[0].policy.digest
    assert place.pin.read() == Pinned(place.store.registry_id(), 1, bundle().digest)


def test_a_running_server_picks_a_new_one_up_and_keeps_its_project_otherwise(place: Place) -> None:
    place.desk.apply()
    server = place.server()
    first = server.current()
    assert server.current().project is first.project
    place.desk.apply(STRICTER)
    second = server.current()
    assert second.sequence == 2
    assert second.project.systems[0].policy.checks[0].max_age != first.project.systems[0].policy.checks[0].max_age
    assert place.pin.read() == Pinned(place.store.registry_id(), 2, bundle(STRICTER).digest)


def test_a_further_look_reads_only_what_is_new(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.desk.apply()
    server = place.server()
    server.current()
    asked: list[int] = []
    leaves = place.store.leaves

    def watched(start: int = 0) -> Iterator[bytes]:
        asked.append(start)
        return leaves(start)

    def never(_: Digest) -> bytes:
        raise AssertionError("an envelope or a file was read again")

    monkeypatch.setattr(place.store, "leaves", watched)
    monkeypatch.setattr(place.store, "envelope", never)
    monkeypatch.setattr(place.store, "blob", never)
    server.current()
    assert asked == [0]  # the place of the newest leaf seen: from there on
    assert len(list(leaves())) == 1


def test_an_earlier_configuration_can_be_applied_again_under_a_higher_number(place: Place) -> None:
    for text in (TEXT, STRICTER, TEXT):
        place.desk.apply(text)
    applied = place.server().current()
    assert (applied.sequence, applied.configuration) == (3, bundle().digest)


def test_the_first_sight_is_pinned_with_a_warning_and_only_then(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.desk.apply()
    with caplog.at_level(logging.WARNING):
        place.server().current()
        assert "for the first time and takes number 1" in caplog.text
        assert "applied.pin" in caplog.text
        caplog.clear()
        place.desk.apply(STRICTER)
        place.server().current()
        assert caplog.text == ""


# Nothing in force


def test_a_store_without_any_configuration_allows_nothing(place: Place) -> None:
    error = refused(place.server(), ExitCode.SHUT, "none was ever applied here")
    assert "aims apply" in error.hint
    assert place.pin.read() is None


def test_a_trusted_person_who_is_no_administrator_puts_nothing_in_force(place: Place) -> None:
    place.desk.apply(person="colleague")  # trust: policy names the colleague; the server was started without that key
    refused(place.server("officer"), ExitCode.SHUT, "none was ever applied here", "1 in the log have no signature")


def test_a_configuration_cannot_enrol_its_own_administrators(place: Place) -> None:
    place.desk.apply()
    place.desk.say(STRICTER.replace("policy: [officer, colleague]", "policy: [pipeline]"), 2, "pipeline")
    assert place.server("officer").current().sequence == 1


def test_an_older_one_appended_again_under_a_higher_number_by_somebody_else_counts_for_nothing(place: Place) -> None:
    place.desk.apply()
    place.desk.apply(STRICTER)
    place.desk.say(TEXT, 9, "colleague")
    applied = place.server("officer").current()
    assert (applied.sequence, applied.configuration) == (2, bundle(STRICTER).digest)


def test_an_older_statement_that_is_appended_once_more_changes_nothing(place: Place) -> None:
    first = place.desk.apply()
    place.desk.apply(STRICTER)
    assert first.statement is not None
    content = place.store.envelope(first.statement)
    assert content is not None
    again = Entry(content, first.statement, "urn:aims-mlops:policy:v1", bundle().digest)
    place.store.append(again)
    assert place.server().current().sequence == 2


def test_one_of_two_signatures_is_not_enough_and_the_second_is(place: Place) -> None:
    both = {"officer", "colleague"}
    place.desk.apply(person="officer")
    error = refused(place.server(*both, threshold=2), ExitCode.SHUT, "number 1 has 1 of 2 signatures")
    assert "--as PERSON" in error.hint
    place.desk.say(TEXT, 1, "colleague")
    applied = place.server(*both, threshold=2).current()
    assert set(applied.signers) == {key(name).public.id for name in both}
    assert len(applied.statements) == 2


def test_the_same_administrator_twice_is_one_signature(place: Place) -> None:
    for _ in range(2):
        place.desk.say(TEXT, 1, "officer")
    refused(place.server("officer", "colleague", threshold=2), ExitCode.SHUT, "number 1 has 1 of 2 signatures")


@pytest.mark.parametrize(
    ("text", "sequence", "previous"),
    [(STRICTER, 1, None), (TEXT, 2, None), (TEXT, 1, Digest.of(b"another before"))],
    ids=["other files", "another number", "another predecessor"],
)
def test_only_equal_words_add_up(place: Place, text: str, sequence: int, previous: Digest | None) -> None:
    place.desk.say(TEXT, 1, "officer")
    place.desk.say(text, sequence, "colleague", previous=previous)
    refused(place.server("officer", "colleague", threshold=2), ExitCode.SHUT, "1 of 2 signatures")


def test_an_unfinished_proposal_leaves_the_one_before_in_force(place: Place) -> None:
    server = place.server("officer", "colleague", threshold=2)
    for person in ("officer", "colleague"):
        place.desk.say(TEXT, 1, person)
    place.desk.say(STRICTER, 2, "officer")
    assert server.current().sequence == 1
    place.desk.say(STRICTER, 2, "colleague")
    assert server.current().sequence == 2


def test_two_configurations_under_one_number_are_none_until_a_higher_one_settles_it(place: Place) -> None:
    place.desk.say(TEXT, 1, "officer")
    place.desk.say(STRICTER, 1, "officer")
    server = place.server()
    refused(server, ExitCode.UNVERIFIED, "administrators signed 2 different configurations as number 1")
    assert place.desk.apply(STRICTER).in_force
    assert (server.current().sequence, server.current().configuration) == (2, bundle(STRICTER).digest)


def test_a_statement_for_another_registry_counts_for_nothing(place: Place) -> None:
    place.desk.apply()
    packed, elsewhere = bundle(STRICTER), "00000000-0000-4000-8000-000000000000"
    body = PolicyBody(2, None, packed.digest, packed.digests, {}).to_wire()
    place.desk.write(body, services=place.desk.services(), about=packed.digest, registry_id=elsewhere)
    assert place.server().current().sequence == 1


# Tampering


def test_an_emptied_store_is_noticed_by_a_running_and_by_a_new_server(place: Place) -> None:
    place.desk.apply()
    running = place.server()
    running.current()
    place.empty()
    for server in (running, place.server()):
        refused(server, ExitCode.UNDECIDED, "number 1 was, and the evidence store was emptied or replaced")


def test_a_store_that_was_emptied_and_filled_again_without_an_administrator_is_noticed(place: Place) -> None:
    place.desk.apply()
    running = place.server()
    running.current()
    place.empty()
    place.desk.say(TEXT, 7, "colleague")
    for server in (running, place.server()):
        refused(server, ExitCode.UNDECIDED, "number 1 was, and no administrator's is left")


def test_the_newest_configuration_taken_away_is_noticed(place: Place) -> None:
    place.desk.apply()
    place.desk.apply(STRICTER)
    running = place.server()
    running.current()
    place.drop_last()
    for server in (running, place.server()):
        refused(server, ExitCode.UNDECIDED, "number 2 was, and the newest that holds now is 1: it went back")
    assert place.pin.read() == Pinned(place.store.registry_id(), 2, bundle(STRICTER).digest)


def test_another_configuration_under_the_pinned_number_is_noticed(place: Place) -> None:
    place.desk.apply(STRICTER)
    running = place.server()
    running.current()
    place.empty()
    place.desk.say(TEXT, 1, "officer")  # an administrator's own word, from a copy of long ago
    for server in (running, place.server()):
        refused(server, ExitCode.UNVERIFIED, f"number 1 was {bundle(STRICTER).digest.short}, and is")


def test_the_store_of_another_registry_in_its_place_is_noticed(place: Place) -> None:
    place.desk.apply()
    place.server().current()
    place.home.sql("update aims_meta set value = 'another' where key = 'registry_id'")
    place.desk = Desk(place.desk.world, place.home.open())  # a store takes its id for fixed as long as it lives
    refused(place.server(), ExitCode.UNDECIDED, "number 1 was, and no administrator's is left")
    place.empty()
    place.desk.say(STRICTEST, 4, "officer")
    refused(place.server(), ExitCode.UNVERIFIED, "the evidence store is of registry another")


def test_a_store_that_is_replaced_under_a_running_server_is_noticed(place: Place) -> None:
    place.desk.apply()
    running = place.server()
    running.current()
    place.home.sql("update aims_meta set value = 'another' where key = 'registry_id'")
    place.empty()
    Desk(place.desk.world, place.home.open()).say(STRICTEST, 4, "officer")
    refused(running, ExitCode.UNDECIDED, "number 1 was, and no administrator's is left")


@pytest.mark.parametrize("name", [MAIN, "keys/pipeline.pub.pem"])
def test_an_edited_file_is_noticed(place: Place, name: str) -> None:
    place.desk.apply()
    looser = TEXT.replace("max_age: 30d", "max_age: 99d").encode()
    digest = str(bundle().digests[name])
    place.home.sql("update aims_blob set content = :content where digest = :digest", content=looser, digest=digest)
    refused(place.server(), ExitCode.UNVERIFIED, f"the file {name} of number 1 was changed in the evidence store")


def test_a_missing_file_shuts_and_no_older_configuration_stands_in(place: Place) -> None:
    place.desk.apply()
    place.desk.apply(STRICTER)
    digest = str(bundle(STRICTER).digests[MAIN])
    place.home.sql("delete from aims_blob where digest = :digest", digest=digest)
    refused(place.server(), ExitCode.UNDECIDED, "the file aims.yaml of number 2 is gone")


def test_a_policy_statement_that_is_gone_or_edited_shuts_until_it_is_restored(place: Place) -> None:
    place.desk.apply()
    second = place.desk.apply(STRICTER).statement
    assert second is not None
    content, payload = place.store.envelope(second), str(second)
    server = place.server()  # has never seen the second: no pin would miss it
    place.home.sql("delete from aims_envelope where payload = :payload", payload=payload)
    refused(server, ExitCode.UNDECIDED, "the policy statement of leaf 1 is gone")
    assert content is not None
    edited = Envelope(Envelope.from_bytes(content).payload + b" ", Envelope.from_bytes(content).signatures).to_bytes()
    row = "insert into aims_envelope (payload, envelope) values (:payload, :content)"
    place.home.sql(row, payload=payload, content=edited)
    refused(server, ExitCode.UNVERIFIED, "leaf 1: the envelope is not the one that was appended")
    place.home.sql(
        "update aims_envelope set envelope = :content where payload = :payload", payload=payload, content=content
    )
    assert server.current().sequence == 2


def test_a_pin_that_was_written_over_shuts(place: Place) -> None:
    place.desk.apply()
    server = place.server()
    server.current()
    place.pin.path.write_bytes(b"{}")
    refused(server, ExitCode.UNVERIFIED, "applied.pin: pin: ")


def test_a_configuration_that_does_not_read_here_shuts(place: Place) -> None:
    place.desk.apply()
    place.desk.apply(STRICTER)
    # A server where the check is not installed.
    poorer = AppliedConfiguration(
        place.store, administrators("officer"), load=lambda packed: load_bundle(packed, {}), pin=place.pin
    )
    refused(poorer, ExitCode.UNDECIDED, "number 2 does not read here", "fairness")


def test_a_policy_that_reads_differently_here_than_where_it_was_signed_shuts(place: Place) -> None:
    place.desk.say(TEXT, 1, "officer", systems={"income": Digest.of(b"another reading")})
    refused(place.server(), ExitCode.UNVERIFIED, "number 1 reads differently here", ": income")


@pytest.mark.parametrize(
    "change",
    [{"sequence": 2.5}, {"sequence": 0}, {"files": []}, {"configuration": Digest.of(b"x")}, {"systems": None}],
    ids=["a fraction", "zero", "no files", "other files", "no systems"],
)
def test_an_ill_formed_statement_of_an_administrator_counts_for_nothing(place: Place, change: dict[str, Any]) -> None:
    place.desk.apply()
    place.desk.say(STRICTER, 2, "officer", **change)
    assert place.server().current().sequence == 1


def test_a_statement_about_another_subject_than_its_configuration_counts_for_nothing(place: Place) -> None:
    place.desk.apply()
    packed = bundle(STRICTER)
    body = PolicyBody(2, None, packed.digest, packed.digests, {}).to_wire()
    place.desk.write(body, services=place.desk.services(), about=bundle().digest)
    assert place.server().current().sequence == 1


def test_a_store_that_is_away_is_said_as_such(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.desk.apply()
    server = place.server()
    server.current()

    def away(start: int = 0) -> Iterator[bytes]:
        raise StoreError(f"the store is away ({start})")

    monkeypatch.setattr(place.store, "leaves", away)
    with pytest.raises(StoreError, match="the store is away"):
        server.current()


# Administrators who change


def test_replaced_administrators_apply_over_the_pin(place: Place) -> None:
    for text in (TEXT, STRICTER):
        place.desk.apply(text)
    place.server("officer").current()
    server = place.server("colleague")
    refused(server, ExitCode.UNDECIDED, "number 2 was, and no administrator's is left")
    place.desk.apply(STRICTER, "colleague", known=administrators("colleague"))
    assert server.current().sequence == 3
