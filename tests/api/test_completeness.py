"""Intents before results, what a decision says that it saw, and what `verify` makes of both."""

from __future__ import annotations

from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.errors import ExitCode, StoreError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.statement import Statement, predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.model.seen import Seen
from aims_mlops.model.subject import ModelRef
from aims_mlops.plugin import CheckContext, Finding
from aims_mlops.ports import Entry
from tests.api.world import Accurate, World, two
from tests.builders import CHAMPION, MODEL_FILES

REF = ModelRef("income", version="3")


def opened(world: World, digest: Digest | None) -> Statement:
    content = None if digest is None else world.store.envelope(digest)
    assert content is not None
    return Statement.from_bytes(Envelope.from_bytes(content).payload)


def kinds(world: World) -> list[str]:
    return [row.kind for row in api.list_evidence(world.services)]


def test_one_intent_stands_before_the_results_of_a_run_and_each_names_it(world: World) -> None:
    world.put_policy(two(["first", "second"]))
    report = api.check(world.services, REF)
    assert kinds(world) == ["intent", "check-result", "check-result"]
    run = api.list_evidence(world.services)[0]
    assert run.says == "to check: first, second"
    assert [opened(world, item.evidence).body["intent"] for item in report] == [run.digest, run.digest]
    said = opened(world, run.digest)
    assert (said.subject, said.header.policy_digest) == (MODEL_FILES, world.systems[0].policy.digest)
    assert [check["id"] for check in said.body["checks"]] == ["first", "second"]


def test_an_intent_is_in_the_log_while_the_checks_run(world: World) -> None:
    class Looking(Accurate):
        def run(self, context: CheckContext) -> Finding:
            assert kinds(world) == ["intent"]
            return super().run(context)

    world.checks = {"fairness": Looking}
    assert api.check(world.services, REF)["parity"].outcome.good


class Killed(BaseException):
    """What ends a process, as far as a test can do it."""


def test_a_run_that_dies_leaves_its_intent_and_verify_names_what_it_announced(world: World) -> None:
    class Dying(Accurate):
        def run(self, context: CheckContext) -> Finding:
            raise Killed

    world.checks = {"fairness": Dying}
    with pytest.raises(Killed):
        api.check(world.services, REF)
    found = api.verify(world.services, REF)
    assert (found.exit_code, found.troubles) == (ExitCode.OK, ())
    assert [(item.where, item.what) for item in found.observations] == [
        ("leaf 0", "a run of checks on income/3 began, and has no result for parity")
    ]


def without_intents(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    append = world.store.append

    def refusing(entry: Entry) -> object:
        if entry.type == predicate_type("intent"):
            raise StoreError("no intents here", hint="")
        return append(entry)

    monkeypatch.setattr(world.store, "append", refusing)


def test_a_log_that_takes_no_intent_stops_no_check_and_its_results_count(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_intents(world, monkeypatch)
    report = api.check(world.services, REF)
    assert report.exit_code == ExitCode.OK
    assert report.notices == (
        "not announced: the log took no intent of this run (no intents here); its results say so",
    )
    assert opened(world, report["parity"].evidence).body["intent"] is None
    assert api.gate(world.services, REF, CHAMPION).allowed
    assert api.verify(world.services).exit_code == ExitCode.OK


def test_an_intent_alone_opens_nothing(world: World) -> None:
    world.say("intent", {"act": "check", "checks": [{"id": "parity"}], "outcome": "passed"})
    assert not api.gate(world.services, REF, CHAMPION).allowed


def test_intents_do_not_make_a_decision_slower(world: World) -> None:
    for _ in range(3):
        api.check(world.services, REF)
    services = world.services
    about = services.log.opened.about(services.log.look(), MODEL_FILES, services.trust(world.systems[0].policy))
    assert [record.statement.kind for record in about.records] == ["check-result"]
    assert about.seen is not None
    assert about.seen.count == 6


def seen_by(world: World, digest: Digest | None) -> Any:
    return opened(world, digest).body["seen"]


def test_a_decision_names_every_statement_about_the_files_that_was_there(world: World) -> None:
    world.registry.add("income", "4", b"other files")
    api.check(world.services, REF)
    api.check(world.services, ModelRef("income", version="4"))
    first = api.gate(world.services, REF, CHAMPION)
    api.check(world.services, REF)
    second = api.gate(world.services, REF, CHAMPION)
    assert seen_by(world, first.digest)["leaves"] == [0, 1]
    assert seen_by(world, second.digest)["leaves"] == [0, 1, 4, 5, 6]
    text = "".join(f"{row.seq} {row.digest}\n" for row in api.list_evidence(world.services) if row.seq in (0, 1))
    assert seen_by(world, first.digest)["digest"] == Digest.of(text.encode())
    assert api.verify(world.services).troubles == ()


def test_a_decision_about_files_that_cannot_be_read_says_that_it_saw_nothing(world: World) -> None:
    decision = api.gate(world.services, REF, CHAMPION)
    assert decision.seen == Seen(0, (), Digest.of(b""))
    api.check(world.services, REF)
    with world.store._database.engine.begin() as connection:
        connection.exec_driver_sql("update aims_envelope set envelope = 'x' where rowid = 2")
    assert api.gate(world.services, REF, CHAMPION).seen is None


def test_a_decision_from_which_a_result_was_withheld_does_not_verify(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aims_mlops.api.known_walk import KnownWalk

    world.value = 0.9
    api.check(world.services, REF)
    about = KnownWalk.about
    with monkeypatch.context() as withheld:
        withheld.setattr(KnownWalk, "about", lambda *args, **more: about(*args, **more)[:-1])
        api.gate(world.services, REF, CHAMPION)
    found = api.verify(world.services)
    assert found.exit_code == ExitCode.UNVERIFIED
    assert [(item.word, item.where, item.what) for item in found.troubles] == [
        ("mismatched", "leaf 2", "of statements about these files the log has 2 before it, and the decision saw 1")
    ]


def test_a_result_that_names_an_intent_which_the_log_does_not_have_is_trouble(world: World) -> None:
    run = "sha256:" + "0" * 64
    world.say("check-result", {"check": {"id": "parity", "use": "fairness"}, "outcome": "passed", "intent": run})
    (trouble,) = api.verify(world.services).troubles
    assert trouble.word == "mismatched"
    assert trouble.what == "the result of parity names the intent sha256:000000000000, which is not in the log"
