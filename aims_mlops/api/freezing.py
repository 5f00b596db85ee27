"""What the freeze of checked models asks of the log: which versions anything was said of, and what is protected."""

from __future__ import annotations

from collections.abc import Callable, Collection

from aims_mlops.api.serving import Server
from aims_mlops.errors import AimsError
from aims_mlops.model.subject import Target
from aims_mlops.ports import EvidenceStore


def versions_with_evidence(store: EvidenceStore) -> Collection[tuple[str, str]]:
    """Return model and number of every version that a statement is about, of whatever workspace. Raises `StoreError`.

    They come from the look-up columns, so no gate may decide from them: a version that somebody struck out there is
    written to at the price of its evidence, which no longer fits its files.
    """
    return store.versions()


def newest_statement(store: EvidenceStore, model: str | None = None, version: str | None = None) -> str | None:
    """Return the digest of the newest statement of the log, or of those about one version; None where there is none.

    One cheap query: it differs as soon as anything was appended, by whichever process. Raises as the store does.
    """
    found = store.find(model=model, version=version, newest=1)
    return str(found[-1]) if found else None


def protection(server: Server) -> Callable[[Target], bool]:
    """Return whether reaching a target is a promotion for any system, under the configuration that is in force.

    Where none is in force, everything is protected. Ask again when the log has grown.
    """
    try:
        systems = server.configuration.current().project.systems
    except AimsError:
        return lambda _target: True
    return lambda target: any(system.policy.promotion.protects(target) for system in systems)
