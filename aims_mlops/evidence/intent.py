"""The body of an `intent`: what a run is about to measure, said before it does (docs/predicates/intent.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aims_mlops.model.policy import CheckSpec, Policy

CHECK = "check"
"""The act of an intent to run checks. Any other act is the server's own, and has no writer yet."""


def intent(specs: Iterable[CheckSpec], *, policy: Policy, attached: Collection[str]) -> dict[str, Any]:
    """Return the body of an intent to run these checks, with what is known of their data before they are opened."""
    chosen = tuple(specs)
    named = dict.fromkeys(name for spec in chosen for name in spec.datasets)
    return {
        "act": CHECK,
        "checks": [{"id": spec.id, "use": spec.use, "required": spec.required} for spec in chosen],
        "data": [_data(name, policy, attached=name in attached) for name in named],
    }


def _data(name: str, policy: Policy, *, attached: bool) -> dict[str, Any]:
    spec = policy.dataset(name)
    pinned = None if spec is None else spec.digest
    return {"name": name, "origin": "attached" if attached else "policy", "pinned": pinned}


def intended(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the checks that an intent announces; none of a body of any other shape. Never raises."""
    checks = body.get("checks")
    if body.get("act") != CHECK or not isinstance(checks, list):
        return ()
    named = [check.get("id") for check in checks if isinstance(check, dict)]
    return tuple(dict.fromkeys(id_ for id_ in named if isinstance(id_, str)))
