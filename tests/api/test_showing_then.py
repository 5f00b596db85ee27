"""What stood where at a moment, by the log alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from aims_mlops import api
from aims_mlops.errors import CannotDecide, UsageError
from aims_mlops.model.subject import ModelRef
from aims_mlops.views.terminal import render
from aims_mlops.views.then import then_table, then_wire
from tests.api.world import World
from tests.builders import CHAMPION


@pytest.fixture
def promoted(tmp_path: Path) -> World:
    """income/3 was promoted, and income/4 an hour later."""
    world = World(tmp_path)
    world.registry.add("income", "4", b"another model")
    for version in ("3", "4"):
        ref = ModelRef("income", version=version)
        api.check(world.services, ref)
        api.promote(world.services, ref, CHAMPION, reason="release")
        world.now += timedelta(hours=1)
    return world


def test_each_moment_has_the_version_that_stood_then(promoted: World) -> None:
    end = promoted.now

    def stood(hours: float) -> list[str]:
        then = api.system_then(promoted.services, "income", end - timedelta(hours=hours))
        return [item.model for item in then.stood]

    assert (stood(3), stood(1.5), stood(0.5)) == ([], ["income/3"], ["income/4"])


def test_it_says_what_the_promotion_rested_on_then(promoted: World) -> None:
    moment = promoted.now - timedelta(hours=1.5)
    then = api.system_then(promoted.services, "income", moment)
    (stood,) = then.stood
    assert (stood.target, stood.verdict, stood.owner, stood.objection) == ("champion", "allowed", "owner", None)
    assert stood.policy == promoted.systems[0].policy.digest
    assert stood.policy_text == "the policy of income"
    (parity,) = [item for item in stood.requirements if item.id == "parity"]
    assert (parity.status, parity.signed_by, parity.waiver) == ("passed", "pipeline", None)
    assert parity.evidence in {str(row.digest) for row in api.list_evidence(promoted.services)}
    assert then.leaves == 4
    wire = then_wire(then)
    assert (wire["schema"], wire["stood"][0]["model"]) == ("aims.system-then/1", "income/3")
    told = render(then_table(then), width=120)
    assert "champion  income/3" in told
    assert "parity passed, evidence" in told
    assert "1 target held; the log had 4 leaves" in told.splitlines()[-1]


def test_what_was_taken_away_stands_no_more(promoted: World) -> None:
    gone = {"act": "remove", "to": {"alias": "champion"}, "on": None, "verdict": "allowed", "enforcedBy": "client"}
    promoted.say("gate-decision", gone, version="4")
    assert api.system_then(promoted.services, "income", promoted.now).stood == ()


def test_a_promotion_without_its_decision_is_named(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.say("promotion", {"to": {"alias": "champion"}, "on": None, "decision": "sha256:" + "0" * 64})
    (stood,) = api.system_then(world.services, "income", world.now).stood
    assert stood.objection == "rests on a decision that is not in the log"
    told = render(then_table(api.system_then(world.services, "income", world.now)), width=120)
    assert "✗ the promotion of income/3 rests on a decision" in told


def test_an_unknown_system_and_a_log_with_a_hole_are_refused(promoted: World) -> None:
    with pytest.raises(UsageError, match="no system 'credit'"):
        api.system_then(promoted.services, "credit", promoted.now)
    promoted.store.close()
    import sqlite3

    with sqlite3.connect(promoted.folder / "aims.db") as database:
        for (name,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f"drop trigger {name}")
        tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        (table,) = [name for (name,) in tables if "envelope" in name]
        database.execute(f"delete from {table} where rowid = 1")
    database.close()
    with pytest.raises(CannotDecide, match="the log has a hole"):
        api.system_then(promoted.services, "income", promoted.now)
