"""`aims systems`: the register, with the newest decision about each system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aims_mlops.api.evidence import says
from aims_mlops.api.looking import statements, walk_log
from aims_mlops.api.services import Services
from aims_mlops.errors import UsageError
from aims_mlops.model.register import System


@dataclass(frozen=True)
class SystemEntry:
    """One system, and the newest trusted decision about it in words; None where there is none."""

    system: System
    newest: str | None


def systems(services: Services) -> list[SystemEntry]:
    """Return every system of aims.yaml, in its order."""
    newest = _newest_decisions(services)
    return [SystemEntry(system, newest.get(system.id)) for system in services.project.systems]


def system(services: Services, id_: str) -> SystemEntry:
    """Return one system; raise `UsageError` that names those there are."""
    for entry in systems(services):
        if entry.system.id == id_:
            return entry
    known = ", ".join(system.id for system in services.project.systems) or "none"
    raise UsageError(f"no system {id_!r} in {services.project.path.name}", hint=f"there are: {known}")


def _newest_decisions(services: Services) -> Mapping[str, str]:
    newest: dict[str, str] = {}
    if not services.project.systems:
        return newest
    walked = walk_log(services)
    trust = services.trust(services.project.systems[0].policy)
    for record in statements(services, walked, "gate-decision", trust):
        header = record.statement.header
        if record.signer is None:
            continue
        told = f"{header.model}/{header.version} {says(record)}"
        newest.setdefault(header.system or "", told.replace("_", " "))
    return newest
