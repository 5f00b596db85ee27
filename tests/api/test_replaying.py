"""`replay`: the same number comes out, another does not, and what is gone cannot be replayed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from aims_mlops import api
from aims_mlops.errors import ConfigError, ExitCode, NothingToDo, SigningError, StoreError, UsageError
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.policy import Policy
from aims_mlops.model.subject import ModelRef
from aims_mlops.plugin import CheckContext, Finding
from aims_mlops.ports import Entry
from aims_mlops.views.layout import render
from aims_mlops.views.replaying import replay_table, replay_wire
from tests.api.world import Accurate, World, two
from tests.builders import CHAMPION

REF = ModelRef("income", version="3")


def replay(world: World, **more: Any) -> api.ReplayReport:
    world.person = "officer"
    held = world.systems[0].policy

    def read(text: bytes, ids: Collection[str]) -> Policy:
        assert set(ids) <= {spec.id for spec in held.checks}
        return replace(held, text=text)

    try:
        return api.replay(world.services, read_policy=more.pop("read_policy", read), **more)
    finally:
        world.person = "pipeline"


def recorded(world: World, item: api.Replay) -> Statement:
    content = None if item.evidence is None else world.store.envelope(item.evidence)
    assert content is not None
    return Statement.from_bytes(Envelope.from_bytes(content).payload)


def reason(world: World, **more: Any) -> str:
    report = replay(world, **more)
    assert report.exit_code == ExitCode.UNDECIDED
    (item,) = report.replays
    assert (item.came_out, recorded(world, item).body["cameOut"]) == (None, None)
    return item.reason


def shown(report: api.ReplayReport) -> str:
    return " ".join(render(replay_table(report), width=160).split())


def test_the_same_number_from_the_same_data_came_out_and_that_is_signed(world: World) -> None:
    checked = api.check(world.services, REF)
    report = replay(world, seed=1)
    (item,) = report.replays
    assert (report.exit_code, item.came_out, item.replayed.payload) == (0, True, checked["parity"].evidence)
    said = recorded(world, item)
    assert (said.kind, said.body["record"], said.body["replayed"]) == ("record", "aims:replay", item.replayed.payload)
    assert said.body["sample"] == {**report.sample.to_wire(), "log": said.body["sample"]["log"]}
    assert said.body["seed"] == item.replayed.statement.body["seed"]
    assert api.list_evidence(world.services)[-1].says == "replay of parity: came out"
    assert api.verify(world.services).exit_code == ExitCode.OK
    assert "1 result measured again: 1 came out" in shown(report)


def test_a_check_that_measures_otherwise_now_did_not_come_out_and_says_what_differs(world: World) -> None:
    api.check(world.services, REF)

    class Otherwise(Accurate):
        def run(self, context: CheckContext) -> Finding:
            finding = super().run(context)
            (measure,) = finding.measures
            return replace(finding, measures=(replace(measure, value=0.91),))

    world.checks = {"fairness": Otherwise}
    report = replay(world, seed=1)
    (item,) = report.replays
    assert (report.exit_code, item.came_out) == (ExitCode.SHUT, False)
    told = [{"metric": "accuracy", "column": None, "field": "value", "then": 0.9, "now": 0.91}]
    assert recorded(world, item).body["differences"] == replay_wire(report)["replays"][0]["differences"] == told
    assert "accuracy value was 0.9, and is 0.91" in shown(report)


class Seeded(Accurate):
    """Measures its own seed."""

    seen: ClassVar[list[int]] = []

    def run(self, context: CheckContext) -> Finding:
        self.seen.append(context.seed)
        return super().run(context)


def test_the_recorded_seed_is_used_whatever_would_be_derived_today(world: World) -> None:
    world.checks = {"fairness": Seeded}
    report = api.check(world.services, REF)
    digest = report["parity"].evidence
    assert digest is not None
    services = world.services
    body = api.show(services, digest)["predicate"]
    held = {key: value for key, value in body.items() if key != "header"} | {"seed": 12345}
    Seeded.seen.clear()
    world.say("check-result", held)
    (wrong,) = (item for item in replay(world, seed=1).replays if item.replayed.statement.body["seed"] == 12345)
    assert 12345 in Seeded.seen
    assert "it rests on other datasets now" in wrong.reason, "this statement names no data"


def test_libraries_that_differ_are_named(world: World) -> None:
    class Dated(Accurate):
        version = "1.0"

        def run(self, context: CheckContext) -> Finding:
            return replace(super().run(context), libraries={"fairlearn": self.version})

    world.checks = {"fairness": Dated}
    api.check(world.services, REF)
    Dated.version = "2.0"
    report = replay(world)
    assert [(item.name, item.then, item.now) for item in report.replays[0].changed] == [("fairlearn", "1.0", "2.0")]
    assert recorded(world, report.replays[0]).body["versions"] == [{"name": "fairlearn", "then": "1.0", "now": "2.0"}]
    assert "fairlearn was 1.0, and is 2.0" in shown(report)


def test_other_data_cannot_be_replayed(world: World) -> None:
    api.check(world.services, REF)
    world.value = 0.5
    assert reason(world).startswith("the data are others: evaluation was ")


def test_attached_data_cannot_be_replayed(world: World) -> None:
    world.attached = {"evaluation": 0.7}
    world.checks = {"fairness": Accurate}
    api.check(world.services, REF)
    statement = api.list_evidence(world.services)[-1]
    assert statement.kind == "check-result"
    world.attached = {}
    assert reason(world).startswith("the data ")


def test_other_files_and_another_version_of_the_same_number_cannot_be_replayed(world: World) -> None:
    api.check(world.services, REF)
    version, files = world.registry.held["income/3"]
    world.registry.held["income/3"] = version, b"other files"
    assert reason(world).startswith("the files are others: ")
    world.registry.held["income/3"] = replace(version, created_at=version.created_at + timedelta(days=1)), files
    assert "the number was used again" in reason(world)
    world.registry.held.clear()
    assert "income/3 is not known" in reason(world)


def test_a_policy_that_is_not_kept_or_cannot_be_read_cannot_be_replayed(world: World) -> None:
    api.check(world.services, REF)

    def refuse(_text: bytes, _ids: Collection[str]) -> Policy:
        raise ConfigError(f"{world.folder}/x cannot be read", hint="")

    assert reason(world, read_policy=refuse) == "x cannot be read", "without the way to the project"
    with world.store._database.engine.begin() as connection:
        connection.exec_driver_sql("delete from aims_blob")
    assert reason(world).endswith("is kept as it was")


def test_a_check_that_breaks_now_cannot_be_replayed(world: World) -> None:
    api.check(world.services, REF)

    class Broken(Accurate):
        def run(self, context: CheckContext) -> Finding:
            raise RuntimeError("Jane Doe")

    world.checks = {"fairness": Broken}
    assert reason(world) == "it could not be measured again: the check crashed (RuntimeError)"


def test_the_champion_of_that_time_is_the_one_that_a_result_is_held_to(world: World) -> None:
    api.check(world.services, REF)
    api.promote(world.services, REF, CHAMPION, reason="first")
    world.registry.add("income", "4", b"better files")
    world.value = 0.95
    better = ModelRef("income", version="4")
    api.check(world.services, better)
    api.promote(world.services, better, CHAMPION, reason="second")
    world.value = 0.9
    first = replay(world, ref=REF)
    assert [item.came_out for item in first.replays] == [True], "at its time there was no champion"
    world.value = 0.95
    assert [item.came_out for item in replay(world, ref=better).replays] == [True]


def test_a_sample_is_of_the_size_asked_for_and_can_be_chosen_again(world: World) -> None:
    world.put_policy(two([f"check-{number}" for number in range(8)]))
    api.check(world.services, REF)
    first = replay(world, size=3)
    again = replay(world, size=3, seed=first.sample.seed)
    assert [item.replayed.payload for item in first.replays] == [item.replayed.payload for item in again.replays]
    assert (first.sample.size, first.sample.of, len(replay(world, size=99).replays)) == (3, 8, 8)


def test_a_replay_opens_and_shuts_nothing(world: World) -> None:
    world.put_policy(two(["first", "second"]))
    api.check(world.services, REF, only=("first",))
    replay(world)
    before = api.gate(world.services, REF, CHAMPION)
    assert [(item.id, item.status.value) for item in before.blocking] == [("second", "missing")]
    api.check(world.services, REF)
    world.checks = {"fairness": type("Failing", (Accurate,), {"run": lambda *_args: None})}
    assert replay(world).exit_code == ExitCode.UNDECIDED
    assert api.gate(world.services, REF, CHAMPION).allowed


def test_an_error_and_what_nobody_trusted_signed_are_not_chosen(world: World) -> None:
    with pytest.raises(NothingToDo) as nothing:
        replay(world)
    assert nothing.value.exit_code == ExitCode.NOTHING
    world.person = "colleague"
    api.check(world.services, REF)
    world.person = "pipeline"
    world.say("check-result", {"check": {"id": "parity", "use": "fairness"}, "outcome": "error"})
    with pytest.raises(NothingToDo):
        replay(world)


def test_whoever_nobody_believes_measures_nothing(world: World) -> None:
    api.check(world.services, REF)
    with pytest.raises(SigningError) as refused:
        api.replay(world.services, read_policy=lambda _text, _ids: world.systems[0].policy)
    assert str(refused.value) == (
        "pipeline may not sign a record, which a replay is: the policy trusts owner, officer, colleague for it"
    )
    assert "trust: record" in refused.value.hint


@pytest.mark.parametrize("more", [{"size": 0}, {"seed": -1}, {"seed": 2**53}], ids=str)
def test_a_sample_of_nothing_and_a_seed_that_json_cannot_hold_are_refused(world: World, more: Any) -> None:
    with pytest.raises(UsageError):
        replay(world, **more)


def test_a_replay_that_the_store_does_not_take_is_shown_and_never_green(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.check(world.services, REF)

    def full(_entry: Entry) -> object:
        raise StoreError("the disk is full", hint="")

    monkeypatch.setattr(world.store, "append", full)
    report = replay(world)
    assert (report.replays[0].came_out, report.replays[0].unrecorded) == (True, "the disk is full")
    assert report.exit_code == ExitCode.UNDECIDED
    assert "NOT RECORDED: the disk is full" in shown(report)
