"""Who claims a model, what counts as promotion, and what is found by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Promotion
from aims_mlops.model.subject import Target
from tests.builders import check_spec, key, people, policy, project, system

PROMOTION = Promotion(("champion",), ("Production",), ("prod.*", "live"))


@pytest.mark.parametrize(
    ("target", "protected"),
    [
        (Target("alias", "champion"), True),
        (Target("alias", "Champion"), True),
        (Target("alias", " champion "), True),
        (Target("alias", "challenger"), False),
        (Target("alias", "Production"), False),
        (Target("stage", "production"), True),
        (Target("stage", "Staging"), False),
        (Target("stage", "champion"), False),
        (Target("name", "prod.income"), True),
        (Target("name", "PROD.income"), True),
        (Target("name", "LIVE"), True),
        (Target("name", "production"), False),
        (Target("name", "my.prod.income"), False),
        (Target("name", "champion"), False),
    ],
    ids=str,
)
def test_a_target_is_protected_by_kind_and_without_regard_to_case(target: Target, protected: bool) -> None:  # noqa: FBT001
    assert PROMOTION.protects(target) is protected


def test_a_policy_that_protects_nothing_protects_nothing() -> None:
    assert not any(Promotion().protects(Target(kind, "champion")) for kind in ("alias", "stage", "name"))


@pytest.mark.parametrize(
    ("model", "claimed"),
    [("income", True), ("Income", False), ("income-2", False), ("credit.a", True), ("credit", False)],
)
def test_a_system_claims_by_glob_and_with_regard_to_case(model: str, claimed: bool) -> None:  # noqa: FBT001
    assert system(models=("income", "credit.*")).claims(model) is claimed


def test_every_claimant_is_returned() -> None:
    first, second = system(), system(id="credit", models=("*",))
    both = project(first, second)

    assert both.claimants("income") == (first, second)
    assert both.claimants("other") == (second,)
    assert project(first).claimants("other") == ()


def test_things_are_found_by_their_id() -> None:
    made = project()

    assert made.root == Path("/project")
    assert made.person("officer") == people()[1]
    assert made.person("nobody") is None


def test_a_policy_finds_its_checks_and_datasets() -> None:
    made = policy([check_spec("a"), check_spec("b")])

    assert made.check("b") == made.checks[1]
    assert made.check("c") is None
    assert made.dataset("reference") == made.datasets[1]
    assert made.dataset("c") is None
    assert made.digest == Digest.of(made.text)


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ed25519"])
def test_a_key_is_named_by_the_digest_of_its_public_half(algorithm: str) -> None:
    public = key("someone", algorithm=algorithm).public

    assert public.id == Digest.of(public.spki)
    assert public.algorithm == algorithm
