"""`aims keys trust`: who may sign what, for which systems, with which keys, from when to when."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aims_mlops.model.register import Person, Project, PublicKey
from aims_mlops.model.times import to_text
from aims_mlops.model.trust import Rule


@dataclass(frozen=True)
class TrustRow:
    """One key of one person under one rule. `closed` says why it signs nothing at the moment; empty where it may."""

    kind: str
    person: str
    key: PublicKey
    systems: tuple[str, ...] | None
    threshold: int
    closed: str


def trust_rows(project: Project, *, now: datetime) -> list[TrustRow]:
    """Return every key that is trusted for anything, kind by kind in the order of aims.yaml.

    Who is listed without a key is left out: nobody is trusted by a key that is not there.
    """
    return [
        TrustRow(kind, person.id, key, rule.systems, rule.threshold, key.term.closed(now))
        for kind, rules in _rules(project).items()
        for rule in rules
        for person in map(project.person, rule.by)
        if person is not None and person.active
        for key in person.keys
    ]


def _rules(project: Project) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of each kind; a plain list of people is one rule without bounds."""
    if not project.systems:
        return {}
    policy = project.systems[0].policy  # aims.yaml has one trust, and every system's policy carries it
    plain = {kind: (Rule(tuple(dict.fromkeys(keys.values()))),) for kind, keys in policy.trust.items()}
    return plain | dict(policy.rules)


def trust_wire(project: Project, *, now: datetime) -> dict[str, Any]:
    """Return the whole trust as JSON values: what an auditor is handed apart from the evidence."""
    log = project.log
    return {
        "schema": "aims.keys/1",
        "organisation": project.organisation,
        "on": to_text(now),
        "people": [_person(person, now) for person in project.people],
        "kinds": {
            kind: [
                {"by": list(rule.by), "systems": None if rule.systems is None else list(rule.systems)}
                | {"threshold": rule.threshold}
                for rule in rules
            ]
            for kind, rules in _rules(project).items()
        },
        "separate": sorted(sorted(pair) for pair in (project.systems[0].policy.separate if project.systems else ())),
        "policies": {system.id: str(system.policy.digest) for system in project.systems},
        "log": None
        if log is None
        else {"key": log.key, "origin": log.origin, "witnesses": list(log.witnesses), "quorum": log.quorum},
    }


def _person(person: Person, now: datetime) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "kind": person.kind,
        "active": person.active,
        "keys": [_key(key, now) for key in person.keys],
    }


def _key(key: PublicKey, now: datetime) -> dict[str, Any]:
    term = key.term
    revoked = None if term.revoked is None else {"at": to_text(term.revoked.at), "reason": term.revoked.reason}
    return {
        "key": str(key.id),
        "algorithm": key.algorithm,
        "spki": base64.b64encode(key.spki).decode(),
        "from": None if term.start is None else to_text(term.start),
        "until": None if term.end is None else to_text(term.end),
        "revoked": revoked,
        "in_force": not term.closed(now),
    }
