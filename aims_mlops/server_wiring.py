"""Builds what a server decides with, from its environment: the server's half of `wiring`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aims_mlops.errors import UsageError
from aims_mlops.wiring import checks, engine, say

if TYPE_CHECKING:
    from aims_mlops.api import Server, Services
    from aims_mlops.model.decision import Actor
    from aims_mlops.model.register import Project
    from aims_mlops.ports import ModelRegistry


def server(
    registry: ModelRegistry, *, caller: Callable[[], Actor], environment: Mapping[str, str] | None = None
) -> Server:
    """Build what a server decides with, from its environment: AIMS_ADMIN_KEYS, AIMS_STORE, AIMS_STATE and AIMS_KEYS.

    Raises an `AimsError` for each that is missing or wrong. The configuration is read when it is first needed.
    """
    from aims_mlops.adapters.pin_file import NAME, PinFile
    from aims_mlops.adapters.signers import choose_signer
    from aims_mlops.adapters.stores import open_store
    from aims_mlops.api import AppliedConfiguration, KnownLog, Server, Services
    from aims_mlops.api.known_log import keep_verifying
    from aims_mlops.config import administrators, load_bundle

    given = os.environ if environment is None else environment
    state, keys = Path(_needed(given, "AIMS_STATE")), Path(_needed(given, "AIMS_KEYS"))
    kept = open_store(_needed(given, "AIMS_STORE"), root=state, head_folder=state)
    log = KnownLog(kept)
    keep_verifying(log)
    applied = AppliedConfiguration(
        kept, administrators(given), load=lambda bundle: load_bundle(bundle, checks()), pin=PinFile(state / NAME)
    )

    def services_of(found: Project) -> Services:
        own = choose_signer(found, keys, person=given.get("AIMS_SIGNER"))
        return Services(
            project=found,
            store=kept,
            registry=registry,
            signer=lambda: own,
            engine=engine,
            checks=checks(),
            clock=lambda: datetime.now(UTC),
            log=log,
        )

    return Server(applied, services_of, caller=caller, log=log, store=kept)


def rehearse_server(registry: ModelRegistry, environment: Mapping[str, str]) -> None:
    """Do once what a server will do, and raise an `AimsError` where it could not enforce: its settings, store and key.

    A configuration that was not applied yet is only said: such a server refuses every promotion, which is safe.
    """
    from aims_mlops.api import NotApplied
    from aims_mlops.model.decision import ANONYMOUS

    built = server(registry, caller=lambda: ANONYMOUS, environment={**os.environ, **environment})
    built.log.store.registry_id()
    try:
        found = built.now()
    except NotApplied as error:
        say(f"every promotion will be refused: {error}\n  next: {error.hint}")
        return
    built.must_be_trusted(found)
    found.signer().sign(b"rehearsal")


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise UsageError(
            f"{name} is not set, and a server that enforces the gate needs it",
            hint="aims server sets it from its options; docs/how-to/run-a-server.md lists all of them",
        )
    return value
