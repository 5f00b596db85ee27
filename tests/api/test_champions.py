"""The champion's number: that of the result which its promotion rested on, or an error; never a lower bar."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aims_mlops import api
from aims_mlops.model.outcome import Outcome
from aims_mlops.model.report import CheckReport
from aims_mlops.model.subject import ModelRef, Target
from aims_mlops.model.trust import Revocation, Term
from tests.api.world import World
from tests.builders import CHAMPION, check_spec

FIRST = ModelRef("income", version="3")
SECOND = ModelRef("income", version="4")


@pytest.fixture
def promoted(world: World) -> World:
    """income/3 was measured at 0.9 and promoted to champion; income/4 is registered."""
    world.registry.add("income", "4", b"another manifest")
    assert api.check(world.services, FIRST).outcome is Outcome.PASSED
    api.promote(world.services, FIRST, CHAMPION, reason="first release")
    return world


def challenger(world: World, value: float) -> CheckReport:
    world.value = value
    return api.check(world.services, SECOND)


def test_the_first_version_has_no_champion_to_be_held_to(world: World) -> None:
    assert api.check(world.services, FIRST)["parity"].reason == ""


@pytest.mark.parametrize(("value", "outcome"), [(0.89, Outcome.FAILED), (0.91, Outcome.PASSED)])
def test_a_challenger_is_held_to_what_the_champion_was_promoted_with(
    promoted: World, value: float, outcome: Outcome
) -> None:
    result = challenger(promoted, value)["parity"]
    assert (result.outcome, result.reason) == (outcome, "champion income/3 had 0.9")


def test_a_promotion_to_another_case_of_the_alias_is_the_same_champions(world: World) -> None:
    world.registry.add("income", "4", b"another manifest")
    api.check(world.services, FIRST)
    api.promote(world.services, FIRST, Target("alias", "Champion"), reason="in another case")
    assert challenger(world, 0.5).outcome is Outcome.FAILED


@pytest.mark.parametrize("kind", ["check_result", "gate_decision", "promotion"])
def test_a_champion_whose_signer_is_no_longer_trusted_is_an_error_and_no_waiver(promoted: World, kind: str) -> None:
    promoted.put_policy(promoted.trusting(**{kind: ("officer",)}))
    promoted.person = "officer"
    report = challenger(promoted, 0.1)
    result = report["parity"]
    assert (result.outcome, report.exit_code) == (Outcome.ERROR, 3)
    assert "no result that is trusted today says its accuracy" in result.reason
    assert "signed by someone whom the policy trusts" in result.hint


def test_a_promotion_that_somebody_untrusted_signed_replaces_no_champion(promoted: World) -> None:
    challenger(promoted, 0.91)
    promoted.person = "colleague"
    promoted.say("promotion", {"to": {"alias": "champion"}, "decision": None}, version="4")
    promoted.person = "pipeline"
    assert challenger(promoted, 0.89)["parity"].reason == "champion income/3 had 0.9"


def test_a_later_check_of_the_champion_on_attached_data_does_not_lower_the_bar(promoted: World) -> None:
    promoted.attached = {"evaluation": 0.01}
    assert api.check(promoted.services, FIRST)["parity"].measures[0].value == 0.01
    promoted.attached = {}
    result = challenger(promoted, 0.5)["parity"]
    assert (result.outcome, result.reason) == (Outcome.FAILED, "champion income/3 had 0.9")


def test_a_check_that_the_champion_never_had_is_an_error(promoted: World) -> None:
    held = promoted.systems[0].policy
    promoted.put_policy(replace(held, checks=(check_spec("another"),), text=b"with another check"))
    report = challenger(promoted, 0.5)
    assert report["another"].outcome is Outcome.ERROR
    assert "the last promotion to champion was income/3" in report["another"].reason


def test_a_log_that_does_not_hold_says_no_champion(promoted: World) -> None:
    with promoted.store._database.engine.begin() as connection:
        connection.exec_driver_sql("delete from aims_envelope where payload = (select min(payload) from aims_envelope)")
    result = challenger(promoted, 0.95)["parity"]
    assert result.outcome is Outcome.ERROR
    assert "the log does not hold: the statement of leaf" in result.reason


def test_a_champion_by_a_key_that_was_revoked_since_is_not_looked_past_to_a_lower_one(world: World) -> None:
    both = ("pipeline", "officer")
    world.put_policy(world.trusting(check_result=both, gate_decision=both, promotion=both))
    for version, files in (("4", b"another manifest"), ("5", b"a third manifest")):
        world.registry.add("income", version, files)
    world.value = 0.5
    api.check(world.services, FIRST)
    api.promote(world.services, FIRST, CHAMPION, reason="first release")
    world.person, world.value = "officer", 0.9
    api.check(world.services, SECOND)
    api.promote(world.services, SECOND, CHAMPION, reason="second release")
    world.person, world.value = "pipeline", 0.6
    third = ModelRef("income", version="5")
    assert api.check(world.services, third)["parity"].reason == "champion income/4 had 0.9"

    world.terms = {"officer": Term(revoked=Revocation(world.now, "compromised"))}

    result = api.check(world.services, third)["parity"]
    assert result.outcome is Outcome.ERROR
    assert "the last promotion to champion was income/4, but no result that is trusted today" in result.reason
