"""Calls that no evidence could make good: refused by the guard, and kept in the log."""

from __future__ import annotations

from dataclasses import replace

from aims_mlops import api
from aims_mlops.model.decision import Actor, Refusal
from aims_mlops.model.subject import ModelRef, Target
from tests.api.world import World

REFUSAL = Refusal("income", "rename", Target("alias", "champion"), "it would move along", "remove the alias first")


def keeper(world: World) -> api.Gatekeeper:
    return api.Gatekeeper(
        lambda: world.services.project, lambda: world.services, say=lambda _text: None, show=lambda _report: None
    )


def test_a_refused_call_is_in_the_log_with_its_reason(world: World) -> None:
    said = keeper(world).refused(REFUSAL)
    (row,) = api.list_evidence(world.services)
    assert said == f"decision: {row.digest}"
    assert (row.kind, row.model, row.state) == ("gate-decision", "income", "verified")
    assert row.says == "rename denied for champion"
    statement = api.show(world.services, str(row.digest))["predicate"]
    assert statement["requirements"][0]["reason"] == "it would move along"
    assert (statement["header"]["model"], statement["header"]["version"]) == ("income", None)


def test_the_caller_that_a_server_knows_is_in_the_record(world: World) -> None:
    services = replace(world.services, enforced_by="server", caller=Actor("alice", "basic-auth"))
    body = api.show(services, str(api.refuse(services, REFUSAL)))["predicate"]
    assert (body["actor"], body["actorVia"], body["enforcedBy"]) == ("alice", "basic-auth", "server")


def test_a_refusal_that_cannot_be_recorded_says_so_and_breaks_nothing(world: World) -> None:
    def nobody() -> api.Services:
        raise api.Unclaimed("income")

    gatekeeper = api.Gatekeeper(
        lambda: world.services.project, nobody, say=lambda _text: None, show=lambda _report: None
    )
    assert gatekeeper.refused(REFUSAL) == "not recorded: no system of the register claims the model 'income'"


def test_a_record_of_a_refusal_changes_no_later_decision(world: World) -> None:
    api.check(world.services, ModelRef("income", version="3"))
    keeper(world).refused(REFUSAL)
    assert api.gate(world.services, ModelRef("income", version="3"), Target("alias", "champion")).allowed
