"""Importing this fills the list of attempts."""

from __future__ import annotations

from tests.bypass.attempts import (
    aliases,
    artifacts,
    bodies,
    identity,
    locations,
    names,
    policies,
    stages,
    tags,
    watched,
    workspaces,
)
from tests.bypass.suite import ATTEMPTS

MODULES = (aliases, artifacts, bodies, identity, locations, names, policies, stages, tags, watched, workspaces)

__all__ = ["ATTEMPTS", "MODULES"]
