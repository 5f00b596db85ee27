"""A client whose store belongs to an enforcing server leaves decisions, acts and records to that server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aims_mlops import api
from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.errors import CannotDecide, Denied, UsageError
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from tests.api.world import World

REF = ModelRef("income", version="3")
CHAMPION = Target("alias", "champion")


@pytest.fixture
def client(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world of a client whose store enforces, with a server behind the registry that decides on each act."""
    api.check(world.services, REF)
    server = replace(world.services, enforced_by="server")
    plain = world.registry.act

    def act(version: ModelVersion, target: Target) -> None:
        monkeypatch.setattr(SqlEvidenceStore, "enforces", False)
        try:
            with api.promotion(server, [ModelRef(version.name, version=version.version)], target, reason="asked"):
                plain(version, target)
        finally:
            monkeypatch.setattr(SqlEvidenceStore, "enforces", True)

    monkeypatch.setattr(world.registry, "act", act)
    monkeypatch.setattr(SqlEvidenceStore, "enforces", True)
    return world


def kinds(world: World) -> list[tuple[str, str]]:
    return [(row.kind, row.says) for row in api.list_evidence(world.services)]


def test_a_promotion_is_asked_for_and_the_servers_decision_is_returned(client: World) -> None:
    decision = api.promote(client.services, REF, CHAMPION, reason="live")
    assert (decision.allowed, decision.enforced_by) == (True, "server")
    assert [item.id for item in decision.requirements][:3] == ["claimed", "owner", "integrity"]
    assert client.registry.acted == ["income/3 to champion"]
    assert [kind for kind, _ in kinds(client)].count("gate-decision") == 1


def test_a_refusal_has_the_servers_words_and_exit_code(client: World) -> None:
    client.registry.add("income", "4")
    with pytest.raises(Denied, match="no record for income/4") as refused:
        api.promote(client.services, ModelRef("income", version="4"), CHAMPION, reason="live")
    assert refused.value.exit_code == 1


def test_an_earlier_decision_that_has_expired_is_not_handed_on(client: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlEvidenceStore, "enforces", False)
    asked = api.gate(client.services, REF, CHAMPION)
    monkeypatch.setattr(SqlEvidenceStore, "enforces", True)
    client.now += timedelta(hours=2)
    with pytest.raises(Denied, match="has expired"):
        api.promote(client.services, REF, CHAMPION, reason="live", asked=asked)
    assert client.registry.acted == []


def test_a_server_that_acts_without_a_decision_is_told(client: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.registry, "act", lambda *_: None)
    with pytest.raises(CannotDecide, match="the server recorded no decision of its own") as told:
        api.promote(client.services, REF, CHAMPION, reason="live")
    assert "aims doctor" in told.value.hint


def keeper(world: World) -> api.Gatekeeper:
    services: Any = lambda: world.services  # noqa: E731
    return api.Gatekeeper(lambda: world.services.project, services, say=print, show=print)


def test_hooks_in_the_client_record_nothing_of_what_the_server_does(client: World) -> None:
    before = kinds(client)
    with keeper(client).promotion("income", ["3"], CHAMPION), keeper(client).removal("income", ["3"], CHAMPION):
        pass
    assert kinds(client) == before


def test_a_watcher_that_puts_things_back_does_not_go_over_http(client: World) -> None:
    with pytest.raises(UsageError, match="this one goes over HTTP") as refused:
        api.watch(client.services, enforce=True)
    assert "name the database in AIMS_STORE" in refused.value.hint
