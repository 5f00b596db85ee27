"""A copy in a protected name is judged by the version that it was copied from; the decision says which one moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aims_mlops import api
from aims_mlops.errors import Denied, NothingToDo
from aims_mlops.model.decision import ANONYMOUS, Actor
from aims_mlops.model.policy import Promotion
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from tests.api.world import World
from tests.builders import CREATED, policy, system

CHAMPION = Target("alias", "champion")
COPY = ModelRef("prod.income", version="1")


def registered(world: World, label: str, source: str, files: bytes = b"the model's manifest") -> None:
    name, _, number = label.partition("/")
    world.registry.held[label] = ModelVersion("", "default", name, number, CREATED, source=source), files


@pytest.fixture
def copied(world: World) -> World:
    api.check(world.services, ModelRef("income", version="3"))
    registered(world, "prod.income/1", "models:/income/3")
    return world


def test_a_copy_is_judged_by_its_source_and_named_in_the_decision(copied: World) -> None:
    decision = api.gate(copied.services, COPY, CHAMPION)
    assert decision.allowed
    assert (decision.version.label, decision.moves.label) == ("income/3", "prod.income/1")
    assert decision.explain().startswith("income/3 -> champion, as its copy prod.income/1: allowed")
    wire = api.show(copied.services, str(decision.digest))["predicate"]
    assert wire["header"]["model"] == "income"
    assert (wire["on"]["model"], wire["on"]["version"]) == ("prod.income", "1")


def test_promoting_a_copy_moves_the_copy(copied: World) -> None:
    decision = api.gate(copied.services, COPY, CHAMPION)
    api.promote(copied.services, COPY, CHAMPION, reason="live", asked=decision)
    assert copied.registry.acted == ["prod.income/1 to champion"]
    with pytest.raises(Denied, match="was used already"):
        api.promote(copied.services, COPY, CHAMPION, reason="live", asked=decision)


def test_a_copy_with_other_files_than_its_source_is_refused(copied: World) -> None:
    registered(copied, "prod.income/1", "models:/income/3", b"other files")
    decision = api.gate(copied.services, COPY, CHAMPION)
    assert not decision.allowed
    assert "recorded for other files" in decision.explain()


def test_a_copy_of_an_unchecked_version_is_refused(copied: World) -> None:
    copied.registry.add("income", "4")
    registered(copied, "prod.income/2", "models:/income/4")
    assert not api.gate(copied.services, ModelRef("prod.income", version="2"), CHAMPION).allowed


def test_a_chain_of_copies_leads_to_the_claimed_version(copied: World) -> None:
    registered(copied, "prod.income-eu/1", "models:/prod.income/1")
    assert api.gate(copied.services, ModelRef("prod.income-eu", version="1"), CHAMPION).version.label == "income/3"


@pytest.mark.parametrize("source", ["models:/income@champion", "models:/m-0123", "s3://bucket/model", "models:/gone/1"])
def test_what_is_no_copy_of_a_claimed_version_is_unclaimed(copied: World, source: str) -> None:
    registered(copied, "prod.income/3", source)
    decision = api.gate(copied.services, ModelRef("prod.income", version="3"), CHAMPION)
    assert [item.id for item in decision.blocking] == ["claimed"]


def test_sources_that_lead_in_a_circle_are_unclaimed(copied: World) -> None:
    registered(copied, "prod.a/1", "models:/prod.b/1")
    registered(copied, "prod.b/1", "models:/prod.a/1")
    assert not api.gate(copied.services, ModelRef("prod.a", version="1"), CHAMPION).allowed


def test_a_policy_may_demand_a_caller_for_whom_somebody_vouches(copied: World) -> None:
    copied.systems = (system(replace(policy(), promotion=Promotion(("champion",), (), (), authenticated=True))),)
    api.check(copied.services, ModelRef("income", version="3"))
    ref = ModelRef("income", version="3")
    nobody = api.gate(replace(copied.services, caller=ANONYMOUS), ref, CHAMPION)
    assert [item.id for item in nobody.blocking] == ["actor"]
    assert "nobody vouches for the caller" in nobody.explain()
    assert api.gate(replace(copied.services, caller=Actor("alice", "basic-auth")), ref, CHAMPION).allowed
    assert api.gate(copied.services, ref, CHAMPION).allowed  # a client's own key vouches


@pytest.mark.parametrize(
    ("unclaimed", "name", "protected"),
    [("refuse", "scratch", True), ("free", "scratch", False), ("free", "prod.income", True), ("free", "income", True)],
)
def test_whether_a_model_without_a_policy_is_free_is_said_once(
    world: World, unclaimed: str, name: str, *, protected: bool
) -> None:
    ours = policy(promotion=Promotion(("champion",), (), ("prod.*",)))
    world.systems = (system(ours),)
    keeper = api.Gatekeeper(
        lambda: world.services.project,
        lambda: world.services,
        say=lambda _text: None,
        show=lambda _report: None,
        unclaimed=unclaimed,
    )
    assert keeper.protects(name, CHAMPION) is protected
    assert keeper.protects(name, Target("name", "prod.x"))


def test_a_target_that_the_claiming_system_leaves_open_stays_open(copied: World) -> None:
    with pytest.raises(NothingToDo):
        api.gate(copied.services, COPY, Target("alias", "dev"))
