"""Versions that are taken away from a target: no gate is asked, and the log has it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

import pytest

from aims_mlops import api
from aims_mlops.api.locking import lock_name, promotion_lock
from aims_mlops.api.removing import Removal, removal
from aims_mlops.errors import Denied, SigningError, StoreError
from aims_mlops.model.decision import ANONYMOUS, Actor
from aims_mlops.model.policy import Promotion
from aims_mlops.model.subject import Target
from tests.api.world import World
from tests.builders import policy, system

CHAMPION = Target("alias", "champion")
DEMANDING = system(policy(promotion=Promotion(("champion",), authenticated=True)))


def keeper(world: World, services: Callable[[], api.Services] | None = None) -> tuple[api.Gatekeeper, list[str]]:
    said: list[str] = []
    made = api.Gatekeeper(
        lambda: world.services.project, services or (lambda: world.services), say=said.append, show=lambda _report: None
    )
    return made, said


def kept(services: api.Services) -> list[dict[str, object]]:
    return [api.show(services, str(row.digest))["predicate"] for row in api.list_evidence(services)]


def test_a_removal_is_in_the_log_with_the_version_that_lost_the_target(world: World) -> None:
    made, said = keeper(world)
    with made.removal("income", ["3"], CHAMPION):
        assert kept(world.services) == []
    (body,) = kept(world.services)
    header = body["header"]
    assert isinstance(header, dict)
    assert (header["model"], header["version"], header["system"]) == ("income", "3", "income")
    assert (body["act"], body["to"], body["verdict"], body["requirements"]) == (
        "remove",
        {"alias": "champion"},
        "allowed",
        [],
    )
    assert (body["actor"], body["actorVia"], body["enforcedBy"]) == ("pipeline", "signature", "client")
    assert said == []
    (row,) = api.list_evidence(world.services)
    assert (row.kind, row.state) == ("gate-decision", "verified")


def test_what_was_not_removed_is_not_recorded(world: World) -> None:
    made, _ = keeper(world)
    with suppress(ZeroDivisionError), made.removal("income", ["3"], CHAMPION):
        raise ZeroDivisionError
    assert kept(world.services) == []


def test_each_version_that_loses_a_stage_is_recorded_and_the_model_for_one_that_is_gone(world: World) -> None:
    made, _ = keeper(world)
    with made.removal("income", ["3", "4"], Target("stage", "Production")):
        pass
    assert [body["header"]["version"] for body in kept(world.services)] == ["3", None]  # type: ignore[index]


def test_a_name_that_no_reference_can_hold_is_recorded_as_a_model(world: World) -> None:
    made, _ = keeper(world)
    with made.removal("in\tcome", ["3"], CHAMPION):
        pass
    (body,) = kept(world.services)
    assert (body["header"]["model"], body["header"]["version"]) == ("in\tcome", None)  # type: ignore[index]


def test_a_policy_can_want_to_know_who_removes(world: World) -> None:
    world.systems = (DEMANDING,)
    anonymous = replace(world.services, caller=ANONYMOUS, enforced_by="server")
    made, _ = keeper(world, lambda: anonymous)
    with (
        pytest.raises(Denied, match="nobody vouches for the caller") as refusal,
        made.removal("income", ["3"], CHAMPION),
    ):
        pytest.fail("the removal went on")
    assert "decision: sha256:" in str(refusal.value)
    assert "AIMS_TRUSTED_PROXY" in refusal.value.hint
    (body,) = kept(anonymous)
    assert (body["act"], body["verdict"], body["actor"]) == ("remove", "denied", "anonymous")

    known = replace(world.services, caller=Actor("alice", "basic-auth"), enforced_by="server")
    with keeper(world, lambda: known)[0].removal("income", ["3"], CHAMPION):
        pass
    assert (kept(known)[-1]["actor"], kept(known)[-1]["verdict"]) == ("alice", "allowed")


def test_a_client_without_a_key_is_nobody_where_the_policy_wants_somebody(world: World) -> None:
    world.systems = (DEMANDING,)

    def nobody() -> api.Services:
        def unsigned() -> object:
            raise SigningError("there is no key")

        return replace(world.services, signer=unsigned)  # type: ignore[arg-type]  # it never returns

    made, _ = keeper(world, nobody)
    with pytest.raises(Denied, match="not recorded: there is no key"), made.removal("income", ["3"], CHAMPION):
        pytest.fail("the removal went on")


def test_a_removal_waits_for_the_promotion_beside_it(world: World) -> None:
    """Else it could be recorded between a promotion and its record, which would then seem to stand."""
    services = world.services
    made, _ = keeper(world)
    order: list[str] = []

    def remove() -> None:
        with made.removal("income", ["3"], CHAMPION):
            order.append("removed")

    beside = threading.Thread(target=remove)
    with promotion_lock(services.store, "income"):
        beside.start()
        beside.join(0.3)
        order.append("promoted and recorded")
    beside.join(10)
    assert order == ["promoted and recorded", "removed"]


def test_a_removal_that_is_part_of_a_promotion_waits_for_nobody(world: World) -> None:
    """A transition to a stage takes others out of it."""
    made, said = keeper(world)
    began = time.monotonic()
    with promotion_lock(world.services.store, "income"), made.removal("income", ["3"], Target("stage", "Production")):
        pass
    assert time.monotonic() - began < 10
    assert (len(kept(world.services)), said) == (1, [])


def test_a_promotion_that_does_not_end_keeps_no_version_in_production(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = world.services

    def busy(name: str) -> AbstractContextManager[None]:
        raise StoreError(f"{name} is locked")

    monkeypatch.setattr(services.store, "lock", busy)
    made, said = keeper(world, lambda: services)
    with made.removal("income", ["3"], CHAMPION):
        pass
    assert said == [f"income: champion is removed while a promotion may be under way: {lock_name('income')} is locked"]
    assert len(kept(services)) == 1


def test_nothing_that_is_broken_keeps_a_version_in_production(world: World) -> None:
    def away() -> api.Services:
        raise StoreError("the store is away")

    made, said = keeper(world, away)
    done = []
    with made.removal("income", ["3"], CHAMPION):
        done.append(True)
    assert done == [True]
    assert said == ["income: champion was removed, and that is not recorded: the store is away"]


def test_what_cannot_be_signed_afterwards_is_said(world: World) -> None:
    def unsigned() -> object:
        raise SigningError("there is no key")

    services = replace(world.services, signer=unsigned)  # type: ignore[arg-type]  # it never returns
    said: list[str] = []
    with removal(lambda: services, Removal("income", ("3",), CHAMPION), say=said.append):
        pass
    assert said == ["income: champion was removed, and that is not recorded: there is no key"]
