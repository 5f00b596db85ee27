"""What the freeze of checked models asks of the log: which versions anything was said of, and what is protected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from aims_mlops.api.serving import Server
from aims_mlops.errors import AimsError, StoreError
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import Target


@runtime_checkable
class LookUp(Protocol):
    """The look-up columns of a store in a database. Raises `StoreError`."""

    def find(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        system: str | None = None,
        newest: int | None = None,
    ) -> Sequence[Digest]:
        """Return payload digests, oldest first; only so many of the newest where it is said."""
        ...

    def versions(self) -> Collection[tuple[str, str]]:
        """Return model and number of every version that a statement is about."""
        ...


def versions_with_evidence(server: Server) -> Collection[tuple[str, str]]:
    """Return model and number of every version that a statement is about, of whatever workspace. Raises `StoreError`.

    They come from the look-up columns, so no gate may decide from them: a version that somebody struck out there is
    written to at the price of its evidence, which no longer fits its files.
    """
    return _look_up(server).versions()


def newest_statement(server: Server, model: str | None = None, version: str | None = None) -> str | None:
    """Return the digest of the newest statement of the log, or of those about one version; None where there is none.

    One cheap query: it differs as soon as anything was appended, by whichever process. Raises as the store does.
    """
    found = _look_up(server).find(model=model, version=version, newest=1)
    return str(found[-1]) if found else None


def protection(server: Server) -> Callable[[Target], bool]:
    """Return whether reaching a target is a promotion for any system, under the configuration that is in force.

    Where none is in force, every alias and stage is protected, and no name: else no model could be logged in peace.
    Ask again when the log has grown.
    """
    try:
        systems = server.configuration.current().project.systems
    except AimsError:
        return lambda target: target.kind != "name"
    return lambda target: any(system.policy.promotion.protects(target) for system in systems)


def _look_up(server: Server) -> LookUp:
    store = server.log.store
    if not isinstance(store, LookUp):
        raise StoreError(
            f"a {type(store).__name__} does not tell which versions it speaks about",
            hint="let the server keep its evidence in a database: AIMS_STORE",
        )
    return store
