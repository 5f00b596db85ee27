"""Who can own a system (law 5): an active, named person, and a deputy too where the risk class is high."""

from __future__ import annotations

from collections.abc import Iterable

from aims_mlops.model.register import Person, System

NEEDS_DEPUTY = ("high",)
"""Risk classes for which one owner is not enough."""


def person_of(people: Iterable[Person], id_: str) -> Person | None:
    """Return the person with this id; None where there is none."""
    return next((person for person in people if person.id == id_), None)


def ownership_problem(system: System, people: Iterable[Person]) -> tuple[str, str] | None:
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
