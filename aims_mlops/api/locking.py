"""The lock under which one registered model's promotions and removals happen, one after the other.

Act and record are two steps in two databases. Without one order for both, a removal could be recorded between a
promotion and its record, and the log would say that a version stands where it was taken away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aims_mlops.model.digest import Digest
from aims_mlops.ports import EvidenceStore

_held: ContextVar[frozenset[tuple[str, str]]] = ContextVar("aims_promotion_locks", default=frozenset())


@contextmanager
def promotion_lock(store: EvidenceStore, model: str) -> Iterator[None]:
    """Hold the lock of a registered model; inside a `with` that holds it already this costs and does nothing.

    One for each model: a large one that is digested again keeps nobody else waiting. A transition to a stage promotes
    one version and takes others away, hence the second sentence. Raises `StoreError` where it cannot be had in time.
    """
    place = (store.place, model)
    if place in _held.get():
        yield
        return
    with store.lock(lock_name(model)):
        token = _held.set(_held.get() | {place})
        try:
            yield
        finally:
            _held.reset(token)


def lock_name(model: str) -> str:
    """Return what the store calls the lock of a registered model."""
    return f"promotion-{Digest.of(model.encode()).short}"
