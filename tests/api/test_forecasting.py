"""What will be stale, ended or expired on a day to come, with nothing done until then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from aims_mlops import api
from aims_mlops.api.forecasting import StandingRow, StatusReport, status_on
from aims_mlops.errors import ExitCode, RegistryError, UsageError
from aims_mlops.model.outcome import Status
from aims_mlops.model.register import Project
from aims_mlops.model.subject import ModelRef
from aims_mlops.model.trust import Term
from aims_mlops.views import forecasting
from tests.api.test_waiving import Limping
from tests.api.world import World
from tests.builders import check_spec, policy, system

DAY = timedelta(days=1)


@pytest.fixture
def champion(world: World) -> World:
    """income/3 holds the alias champion after a check that is good for 30 days."""
    api.check(world.services, ModelRef("income", version="3"))
    version, files = world.registry.held["income/3"]
    world.registry.held["income/3"] = replace(version, aliases=("champion",)), files
    return world


def row(report: StatusReport, id_: str = "parity") -> StandingRow:
    (found,) = [item for item in report.rows if item.requirement == id_]
    return found


def test_today_everything_stands_and_each_row_says_until_when(champion: World) -> None:
    report = status_on(champion.services)

    assert report.exit_code is ExitCode.OK
    assert [item.requirement for item in report.rows] == ["claimed", "owner", "integrity", "parity"]
    found = row(report)
    assert (found.today, found.then, found.target) == (Status.PASSED, Status.PASSED, "champion")
    assert found.until is not None
    assert found.until - report.now > 29 * DAY


def test_after_its_age_a_result_is_stale_and_the_code_says_so(champion: World) -> None:
    report = status_on(champion.services, champion.now + 31 * DAY)

    assert report.exit_code is ExitCode.SHUT
    found = row(report)
    assert (found.today, found.then) == (Status.PASSED, Status.STALE)
    assert found.reason.startswith("measured 31 days ago, the limit is 30 days")
    assert report.shut == (found,)
    told = forecasting.wire(report)
    assert (told["schema"], told["exit_code"], told["shut"]) == ("aims.status/1", 1, 1)
    assert told["requirements"][3]["then"] == "stale"
    assert ("income", "income/3", "champion", "parity", "passed", "stale") in [
        cells[:6] for cells in forecasting.table(report).rows
    ]


def test_what_is_not_required_is_shown_and_changes_no_code(champion: World) -> None:
    champion.systems = (system(policy([check_spec("parity"), check_spec("extra", required=False)])),)
    report = status_on(champion.services)

    assert row(report, "extra").then is Status.MISSING
    assert row(report, "extra").open


def test_a_waiver_that_ends_before_the_day_is_told(champion: World) -> None:
    champion.checks = {"fairness": Limping}
    ref, ends = ModelRef("income", version="3"), champion.now + 9 * DAY
    api.check(champion.services, ref)
    champion.person = "owner"
    asked = api.request_waiver(champion.services, ref, "parity", reason="mended next", expires_at=ends)
    champion.person = "officer"
    api.approve_waiver(champion.services, asked.record.payload.short)

    before, after = (row(status_on(champion.services, champion.now + days * DAY)) for days in (8, 10))

    assert before.until == ends
    assert (before.today, before.then, after.then) == (Status.WAIVED, Status.WAIVED, Status.FAILED)


def ending(made: Project, at: datetime) -> Project:
    """Return the project with an end to the pipeline's key."""
    people = tuple(
        replace(one, keys=tuple(replace(item, term=Term(end=at)) for item in one.keys)) if one.id == "pipeline" else one
        for one in made.people
    )
    return replace(made, people=people)


def test_a_key_that_ends_before_the_day_is_told_and_its_results_stay_good(champion: World) -> None:
    services, at = champion.services, champion.now + 5 * DAY
    services = replace(services, project=ending(services.project, at))
    assert status_on(services, champion.now + 4 * DAY).exit_code is ExitCode.OK

    report = status_on(services, champion.now + 6 * DAY)

    assert report.exit_code is ExitCode.SHUT
    assert row(report).then is Status.PASSED
    assert {(item.kind, item.person) for item in report.keys if not item.open} == {
        (kind, "pipeline") for kind in ("check-result", "gate-decision", "promotion")
    }
    assert next(item.then for item in report.keys if not item.open) == f"the key ended on {at:%Y-%m-%d %H:%M} UTC"


def test_a_day_that_is_past_is_refused(champion: World) -> None:
    with pytest.raises(UsageError, match="is past: a forecast is for a day to come"):
        status_on(champion.services, champion.now - DAY)


def test_nothing_that_stands_is_never_green(world: World) -> None:
    assert status_on(world.services).exit_code is ExitCode.NOTHING


def test_files_that_cannot_be_read_leave_the_answer_open(champion: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_version: object) -> bytes:
        raise RegistryError("the artifact store is away")

    monkeypatch.setattr(champion.registry, "manifest", away)

    report = status_on(champion.services)

    assert report.exit_code is ExitCode.UNDECIDED
    assert report.unread == ("income/3 at champion: the artifact store is away",)


def test_changed_files_are_mismatched_on_both_days(champion: World) -> None:
    version, _ = champion.registry.held["income/3"]
    champion.registry.held["income/3"] = version, b"other files"

    found = row(status_on(champion.services, champion.now + DAY))

    assert (found.today, found.then, found.until) == (Status.MISMATCHED, Status.MISMATCHED, None)
