"""`coverage`: the versions of log and registry, what they hold, and the exit code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.errors import ExitCode, RegistryError, UsageError
from aims_mlops.model.subject import ModelRef
from aims_mlops.views.covering import coverage_table, coverage_wire
from aims_mlops.views.layout import render
from tests.api.world import World, two

REF = ModelRef("income", version="3")


def change(world: World, label: str, **changes: Any) -> None:
    version, files = world.registry.held[label]
    world.registry.held[label] = replace(version, **changes), files


def rows(world: World) -> dict[str, api.VersionCoverage]:
    report = api.coverage(world.services)
    return {row.version.label: row for system in report.systems for row in system.versions}


def shown(world: World) -> str:
    return " ".join(render(coverage_table(api.coverage(world.services)), width=160).split())


def test_versions_of_the_registry_that_the_log_does_not_know_are_listed_by_number(world: World) -> None:
    world.registry.add("income", "10", b"other files")
    world.registry.add("stranger", "1", b"nobody's")
    api.check(world.services, REF)
    found = rows(world)
    assert list(found) == ["income/3", "income/10"]
    assert (found["income/3"].never_ran, found["income/10"].never_ran) == ((), ("parity",))
    assert found["income/10"].registered
    assert api.coverage(world.services).exit_code == ExitCode.OK
    assert "2 versions, 1 with something required that never ran, none of them in use" in shown(world)


def test_a_version_in_use_that_was_never_measured_is_no_good_end(world: World) -> None:
    change(world, "income/3", aliases=("champion", "other"), stage="Production")
    assert rows(world)["income/3"].holds == ("champion", "stage:Production")
    assert api.coverage(world.services).exit_code == ExitCode.SHUT
    assert "in use: income/3 (champion, stage:Production): parity" in shown(world)
    world.value = 0.1
    api.check(world.services, REF)
    assert api.coverage(world.services).exit_code == ExitCode.OK


def test_a_version_that_is_in_use_by_a_copy_is_in_use(world: World) -> None:
    world.registry.add("prod.income", "1")
    change(world, "prod.income/1", source="models:/income/3")
    assert rows(world)["income/3"].holds == ("name:prod.income",)
    assert list(rows(world)) == ["income/3"]


def test_a_version_that_is_gone_stays_in_the_ledger(world: World) -> None:
    api.check(world.services, REF)
    del world.registry.held["income/3"]
    world.registry.add("income", "4")
    found = rows(world)
    assert (found["income/3"].registered, found["income/4"].registered) == (False, True)
    assert "income/3 no longer in the registry" in shown(world)


def test_a_number_that_was_used_again_is_another_version(world: World) -> None:
    api.check(world.services, REF)
    version, _ = world.registry.held["income/3"]
    change(world, "income/3", created_at=world.clock())
    (system,) = api.coverage(world.services).systems
    assert [(row.version.created_at == version.created_at, row.registered) for row in system.versions] == [
        (True, False),
        (False, True),
    ]


def test_without_the_registry_the_log_is_told_and_nothing_is_green(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.check(world.services, REF)

    def away(*_args: object, **_more: object) -> object:
        raise RegistryError("it is away")

    monkeypatch.setattr(world.registry, "standing", away)
    report = api.coverage(world.services)
    assert (report.exit_code, report.registry) == (ExitCode.UNDECIDED, "it is away")
    assert rows(world)["income/3"].registered is None
    assert "the registry did not answer: only what the log knows is listed" in shown(world)


def test_a_hole_in_the_log_is_said_and_nothing_is_green(world: World) -> None:
    api.check(world.services, REF)
    with world.store._database.engine.begin() as connection:
        connection.exec_driver_sql("delete from aims_envelope where rowid = 2")
    report = api.coverage(world.services)
    assert report.exit_code == ExitCode.UNDECIDED
    assert "the log does not hold: the statement of leaf 1 is gone" in shown(world)


def test_an_unknown_system_is_refused_and_no_version_is_nothing(world: World) -> None:
    with pytest.raises(UsageError, match="no system 'credit'"):
        api.coverage(world.services, "credit")
    world.registry.held.clear()
    assert api.coverage(world.services, "income").exit_code == ExitCode.NOTHING
    assert shown(world) == "no version of any claimed model is known"


def test_the_json_and_the_table_count_every_run(world: World) -> None:
    world.put_policy(two(["first", "second"]))
    api.check(world.services, REF)
    api.check(world.services, REF, only=("first",))
    wire = coverage_wire(api.coverage(world.services))
    (version,) = wire["systems"][0]["versions"]
    assert [(item["id"], item["standing"], item["runs"]) for item in version["requirements"]] == [
        ("first", "passed", {"passed": 2}),
        ("second", "passed", {"passed": 1}),
    ]
    assert "✓ passed first 2 runs: 2 passed, newest" in shown(world)
