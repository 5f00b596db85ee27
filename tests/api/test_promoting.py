"""`gate` and `promote`: whose production it is, who may sign, and evidence of others that was edited."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aims_mlops import api
from aims_mlops.errors import Denied, ExitCode, NothingToDo, SigningError, UsageError
from aims_mlops.model.outcome import Status
from aims_mlops.model.policy import Policy, Promotion
from aims_mlops.model.subject import ModelRef, Target
from tests.api.world import World
from tests.builders import CHAMPION, found, policy, system

REF = ModelRef("income", version="3")
PRODUCTION = Target("name", "prod.income")


def credit(promotion: Promotion) -> Policy:
    return policy(system="credit", promotion=promotion, text=b"the policy of credit")


@pytest.fixture
def checked(world: World) -> World:
    api.check(world.services, REF)
    return world


@pytest.mark.parametrize("others", ["prod.*", "prod.income", "PROD.Inc*"])
def test_a_name_that_another_system_protects_too_is_refused(checked: World, others: str) -> None:
    theirs = credit(Promotion(("champion",), (), (others,)))
    checked.systems = (system(), system(theirs, id="credit", models=("credit",)))
    decision = api.gate(checked.services, REF, PRODUCTION)
    assert (decision.allowed, decision.exit_code) == (False, ExitCode.SHUT)
    (shut,) = decision.blocking
    assert shut.id == "target"
    assert "is protected by system credit too, and income belongs to income" in shut.reason
    assert shut.hint == "let one system alone protect prod.income in aims.yaml"
    assert decision.digest is not None
    assert api.show(checked.services, str(decision.digest))["predicate"]["verdict"] == "denied"
    with pytest.raises(Denied, match="is protected by system credit too"):
        api.promote(checked.services, REF, PRODUCTION, reason="ours")
    assert checked.registry.acted == []


def test_a_name_that_only_another_system_protects_is_refused_and_not_called_unprotected(checked: World) -> None:
    ours = policy(promotion=Promotion(("champion",), (), ("live.*",)), text=b"the policy of income")
    theirs = credit(Promotion((), (), ("prod.*",)))
    checked.systems = (system(ours), system(theirs, id="credit", models=("credit",)))
    decision = api.gate(checked.services, REF, PRODUCTION)
    assert "is protected by system credit too" in decision.explain()
    assert not decision.allowed


def test_an_alias_that_another_system_protects_too_is_each_models_own(checked: World) -> None:
    theirs = credit(Promotion(("champion",), (), ("credit.*",)))
    checked.systems = (system(), system(theirs, id="credit", models=("credit",)))
    assert api.promote(checked.services, REF, CHAMPION, reason="ours").allowed
    assert api.promote(checked.services, REF, PRODUCTION, reason="ours").allowed
    assert checked.registry.acted == ["income/3 to champion", "income/3 to name:prod.income"]
    with pytest.raises(NothingToDo, match="is not protected for income"):
        api.gate(checked.services, REF, Target("alias", "challenger"))


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda world: api.gate(world.services, REF, CHAMPION), id="gate"),
        pytest.param(lambda world: api.promote(world.services, REF, CHAMPION, reason=""), id="promote"),
    ],
)
def test_a_signer_who_may_not_sign_decisions_gets_none(checked: World, ask: Callable[[World], object]) -> None:
    before = list(checked.store.leaves())
    checked.person = "colleague"
    with pytest.raises(SigningError) as refused:
        ask(checked)
    assert refused.value.exit_code == ExitCode.USAGE
    assert str(refused.value) == (
        "colleague may not sign a gate-decision for income: the policy trusts pipeline for it"
    )
    assert "name colleague under trust: gate-decision in aims.yaml" in refused.value.hint
    assert list(checked.store.leaves()) == before
    assert checked.registry.acted == []


def test_a_signer_who_may_decide_but_not_promote_promotes_nothing(checked: World) -> None:
    checked.put_policy(checked.trusting(gate_decision=("pipeline", "colleague"), promotion=("officer",)))
    api.check(checked.services, REF)
    checked.person = "colleague"
    assert api.gate(checked.services, REF, CHAMPION).allowed
    with pytest.raises(SigningError, match="colleague may not sign a promotion for income"):
        api.promote(checked.services, REF, CHAMPION, reason="")
    assert checked.registry.acted == []


def test_an_edited_statement_about_another_version_shuts_the_gate(checked: World) -> None:
    """An edit anywhere says that somebody can write: what else was changed cannot be told."""
    checked.registry.add("income", "4", b"another manifest")
    api.check(checked.services, ModelRef("income", version="4"))
    assert api.gate(checked.services, REF, CHAMPION).allowed
    query = "update aims_envelope set envelope = ? where payload in (select payload from aims_leaf where version = '4')"
    with checked.store._database.engine.begin() as connection:
        assert connection.exec_driver_sql(query, (b"{}",)).rowcount == 2
    decision = api.gate(checked.services, REF, CHAMPION)
    integrity = found(decision, "integrity")
    assert (decision.exit_code, integrity.status) == (ExitCode.UNVERIFIED, Status.UNTRUSTED)
    assert "the envelope is not the one that was appended" in integrity.reason


@pytest.mark.parametrize("name", ["income\t", "income ", "in?come", "in%6Fcome", "in#come", "income\n"])
def test_a_model_of_an_odd_name_is_never_promoted_by_the_hooks(checked: World, name: str) -> None:
    services = checked.services
    keeper = api.Gatekeeper(lambda: checked.project, lambda: services, say=lambda _: None, show=lambda _: None)
    with pytest.raises(UsageError, match="the model name"), keeper.promotion(name, ["3"], PRODUCTION):
        pytest.fail("the promotion went on")
    assert not keeper.claims("prod.income")
    assert keeper.claims("income")
