"""The requirements of every policy that need no evidence: claimed, owned by a person, and asked for by somebody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aims_mlops.model.decision import Actor, RequirementStatus
from aims_mlops.model.outcome import Status
from aims_mlops.model.register import Person, System
from aims_mlops.model.subject import Target

PROHIBITED = "prohibited"
"""The risk class of what must not be put into service (EU AI Act, Art. 5)."""

NEEDS_DEPUTY = ("high",)
"""Risk classes for which one owner is not enough."""


def person_of(people: Iterable[Person], id_: str) -> Person | None:
    """Return the person with this id; None where there is none."""
    return next((person for person in people if person.id == id_), None)


def _problem(system: System, people: Iterable[Person]) -> tuple[str, str] | None:
    """Return the role that is not filled as it has to be, and why; None where somebody owns the system."""
    everyone = tuple(people)
    problem = _cannot_own(system.owner, everyone, role="owner")
    if problem is not None or system.risk_class not in NEEDS_DEPUTY:
        return None if problem is None else ("owner", problem)
    if system.deputy is None:
        problem = f"risk class {system.risk_class} needs a deputy beside the owner, and none is named"
    else:
        problem = _cannot_own(system.deputy, everyone, role="deputy")
    if problem is None and system.deputy == system.owner:
        problem = f"owner and deputy are the same person, {system.owner}"
    return None if problem is None else ("deputy", problem)


def _cannot_own(id_: str, people: Iterable[Person], *, role: str) -> str | None:
    person = person_of(people, id_)
    if person is None:
        return f"the {role} {id_!r} is not among the people of aims.yaml"
    if person.kind != "person":
        return f"the {role} {id_!r} is a {person.kind}: only a person can own a system"
    if not person.active:
        return f"the {role} {id_!r} is no longer active"
    return None if person.name.strip() else f"the {role} {id_!r} has no name"


def claimed(claimants: Sequence[System], model: str) -> RequirementStatus:
    """Judge whether exactly one system claims a model, and one that may go live."""
    if len(claimants) == 1 and claimants[0].risk_class == PROHIBITED:
        reason = f"system {claimants[0].id} has the risk class {PROHIBITED}: nothing of it may go live"
        hint = "the class is under systems in aims.yaml; only a person can answer for another one"
        return RequirementStatus("claimed", "builtin", Status.FAILED, reason=reason, hint=hint)
    if len(claimants) == 1:
        return RequirementStatus("claimed", "builtin", Status.PASSED, reason=f"system {claimants[0].id} claims it")
    if claimants:
        several = ", ".join(system.id for system in claimants)
        reason = f"{len(claimants)} systems claim the model {model!r}: {several}"
        hint = "let exactly one system in aims.yaml claim it under models:"
    else:
        reason = f"no system of the register claims the model {model!r}"
        hint = f"add {model!r} to models: of a system in aims.yaml, under its named owner, then aims check"
    return RequirementStatus("claimed", "builtin", Status.MISSING, reason=reason, hint=hint)


def owned(system: System, people: Iterable[Person]) -> RequirementStatus:
    """Judge whether a system has the owner that it needs (law 5)."""
    found = _problem(system, people)
    if found is not None:
        role, problem = found
        hint = f"name an active person as {role} of systems.{system.id} in aims.yaml"
        return RequirementStatus("owner", "builtin", Status.MISSING, reason=problem, hint=hint)
    return RequirementStatus("owner", "builtin", Status.PASSED, reason=f"{system.owner} owns it")


def shared(target: Target, other: str, *, model: str, system: System) -> RequirementStatus:
    """Return how a target stands that another system protects too."""
    return RequirementStatus(
        "target",
        "builtin",
        Status.FAILED,
        reason=f"{target} is protected by system {other} too, and {model} belongs to {system.id}: "
        "one system's checks say nothing about another's production",
        hint=f"let one system alone protect {target.value} in aims.yaml",
    )


def known_actor(caller: Actor | None) -> RequirementStatus:
    """Judge whether somebody vouches for who asks."""
    if caller is not None and caller.authenticated:
        return RequirementStatus("actor", "builtin", Status.PASSED, reason=f"{caller.name}, by {caller.via}")
    return RequirementStatus(
        "actor",
        "builtin",
        Status.MISSING,
        reason="the policy wants to know who promotes, and nobody vouches for the caller",
        hint="sign in: the server needs basic-auth or a trusted proxy for it (AIMS_AUTH, AIMS_TRUSTED_PROXY)",
    )


def empty_policy(system: System) -> RequirementStatus:
    """Return how a policy stands that requires nothing."""
    return RequirementStatus(
        "policy",
        "builtin",
        Status.MISSING,
        reason=f"the policy of {system.id} requires no check and no record: an empty policy allows nothing",
        hint=f"add a required check to systems.{system.id}.checks in aims.yaml",
    )
