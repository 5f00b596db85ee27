"""`check`: what is measured is shown, whatever then keeps it from being recorded; and what is refused before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.errors import ExitCode, StoreError, UsageError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.outcome import Outcome
from aims_mlops.model.report import CheckReport
from aims_mlops.model.subject import ModelRef
from aims_mlops.plugin import CheckContext, Finding, Measure
from aims_mlops.ports import Entry
from tests.api.world import Accurate, World, two
from tests.builders import CHAMPION

REF = ModelRef("income", version="3")


def test_results_measured_before_the_store_fails_are_shown_and_said_not_to_be_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put_policy(two(["first", "second", "third"]))
    append = world.store.append

    def failing(entry: Entry) -> object:
        if len(list(world.store.leaves())) == 2:  # the intent and the first result
            raise StoreError("the disk is full", hint="make room, then repeat")
        return append(entry)

    monkeypatch.setattr(world.store, "append", failing)
    report = api.check(world.services, REF)
    assert [(result.id, result.outcome, result.evidence is not None) for result in report] == [
        ("first", Outcome.PASSED, True),
        ("second", Outcome.PASSED, False),
        ("third", Outcome.PASSED, False),
    ]
    assert (report.unrecorded, report.unrecorded_hint) == ("the disk is full", "make room, then repeat")
    assert report.exit_code == StoreError.exit_code == ExitCode.UNDECIDED


def supersedes(world: World, report: CheckReport) -> object:
    evidence = report["parity"].evidence
    content = None if evidence is None else world.store.envelope(evidence)
    assert content is not None
    return Statement.from_bytes(Envelope.from_bytes(content).payload).header.supersedes


def test_a_result_names_the_one_before_it(world: World) -> None:
    first = api.check(world.services, REF)
    assert supersedes(world, first) is None
    assert supersedes(world, api.check(world.services, REF)) == first["parity"].evidence


class Plain(Accurate):
    """Asks for no champion, so that it measures whatever the log is like."""

    def run(self, context: CheckContext) -> Finding:
        return super().run(replace(context, champion=lambda _alias, _metric: None))


@pytest.mark.parametrize("spoil", ["x", "{}", ""])
def test_a_damaged_statement_does_not_stop_the_next_check(world: World, spoil: str) -> None:
    world.checks = {"fairness": Plain}
    api.check(world.services, REF)
    with world.store._database.engine.begin() as connection:
        connection.exec_driver_sql("update aims_envelope set envelope = ?", (spoil.encode(),))
    report = api.check(world.services, REF)
    assert report.outcome is Outcome.PASSED
    assert supersedes(world, report) is None
    assert api.gate(world.services, REF, CHAMPION).exit_code == ExitCode.UNVERIFIED


@pytest.mark.parametrize("body", [{"x": 1}, {"check": 1}, {"check": {"id": []}}, {"check": {"id": "parity"}}])
def test_an_ill_formed_result_that_an_enrolled_person_signed_breaks_nothing(world: World, body: dict[str, Any]) -> None:
    api.check(world.services, REF)
    world.say("check-result", body)
    (_, _, ill) = api.list_evidence(world.services)
    assert (ill.says, ill.state) == ("ill-formed", "verified")
    assert api.verify(world.services).exit_code == 0
    assert api.check(world.services, REF).outcome is Outcome.PASSED
    assert api.gate(world.services, REF, CHAMPION).allowed


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("gate-decision", {"x": 1}),
        ("gate-decision", {"verdict": "allowed", "to": {}}),
        ("gate-decision", {"verdict": "allowed", "to": {"moon": "x"}}),
        ("promotion", {"to": ["champion"]}),
        ("promotion", {"to": {"alias": "champion", "decision": {}}}),
        ("promotion", {"to": {"alias": "champion"}, "decision": {"not": "a digest"}}),
        ("record", {}),
    ],
)
def test_an_ill_formed_statement_of_any_kind_can_be_listed_and_verified(
    world: World, kind: str, body: dict[str, Any]
) -> None:
    world.say(kind, body)
    (row,) = api.list_evidence(world.services)
    assert row.says == "ill-formed" or kind == "promotion"
    assert api.verify(world.services).leaves == 1
    assert api.check(world.services, REF)["parity"].outcome in (Outcome.PASSED, Outcome.ERROR)
    api.gate(world.services, REF, CHAMPION)
    api.systems(world.services)


def test_a_frame_under_a_name_that_no_system_has_is_refused_before_anything_is_measured(world: World) -> None:
    world.attached = {"evaluaton": 0.1}
    with pytest.raises(UsageError) as refused:
        api.check(world.services, REF)
    assert str(refused.value) == "a frame is attached as 'evaluaton', and no system has a dataset of that name"
    assert refused.value.hint == ("the datasets are: evaluation, reference; aims.attach(evaluaton=None) takes it away")
    assert list(world.store.leaves()) == []


class Sneaking(Accurate):
    """Asks for a dataset that none of its options names."""

    def run(self, context: CheckContext) -> Finding:
        context.data("reference")
        return super().run(context)


class SneakingScored(Accurate):
    """The same, with predictions."""

    def run(self, context: CheckContext) -> Finding:
        context.scored("reference")
        return super().run(context)


@pytest.mark.parametrize("check", [Sneaking, SneakingScored])
def test_data_that_no_option_of_the_check_names_are_refused(world: World, check: type[Accurate]) -> None:
    world.checks = {"fairness": check}
    result = api.check(world.services, REF)["parity"]
    assert result.outcome is Outcome.ERROR
    assert result.reason == "the check asks for the dataset 'reference', which none of its options names"
    assert result.hint == "its author declares the option as plugin.DatasetName"


@pytest.mark.parametrize("said", [Outcome.PASSED, Outcome.WARNED])
@pytest.mark.parametrize("measured", [Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.ERROR])
def test_a_pass_with_a_measure_that_is_none_is_an_error(world: World, said: Outcome, measured: Outcome) -> None:
    class Flattering(Accurate):
        def run(self, context: CheckContext) -> Finding:
            found = super().run(context)
            return replace(found, outcome=said, measures=(*found.measures, Measure("recall", measured, 0.1)))

    world.checks = {"fairness": Flattering}
    result = api.check(world.services, REF)["parity"]
    assert (result.outcome, result.reason) == (
        Outcome.ERROR,
        f"the check says {said.value}, and one of its measures does not",
    )
