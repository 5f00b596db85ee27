"""Records that a version was taken away from a protected alias or stage.

A removal asks no gate: whatever the evidence says, less is in production than before. It is possible in an emergency,
and so neither a broken store nor an unreadable policy stops it; what could not be recorded is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from aims_mlops.api.locking import promotion_lock
from aims_mlops.api.refusing import refuse
from aims_mlops.api.services import Said, Services, kept_policy, write
from aims_mlops.errors import AimsError, Denied, SigningError, StoreError
from aims_mlops.evidence import predicates
from aims_mlops.model.decision import Refusal
from aims_mlops.model.subject import ModelRef, ModelVersion, RegisteredModel, Target


@dataclass(frozen=True, slots=True)
class Removal:
    """Which versions of a registered model lose a target. No version: nobody knows any more which it was."""

    name: str
    versions: tuple[str, ...]
    target: Target
    workspace: str = "default"


@contextmanager
def removal(services: Callable[[], Services], removed: Removal, *, say: Callable[[str], None]) -> Iterator[None]:
    """Let the caller take versions away inside the `with`, and record it afterwards; `say` tells what cannot be.

    Raises `Denied` on entry where the policy wants a caller for whom somebody vouches. Nothing is recorded where the
    body raises.
    """
    label = f"{removed.name}: {removed.target} was removed"
    lost: list[ModelVersion | RegisteredModel] = []
    built, problem = None, ""
    with ExitStack() as held:
        try:
            built = services()
            if not built.store.enforces:  # else the server asks who it is, and records it
                _must_be_vouched_for(built, removed)
                _wait_for_promotions(built, removed, held, say)
                lost = _lost(built, removed)
        except Denied:
            raise
        except AimsError as error:
            problem = str(error)
        yield
        try:
            if built is not None:
                for version in lost:
                    _record(built, version, removed.target)
        except AimsError as error:
            problem = str(error)
    if problem:
        say(f"{label}, and that is not recorded: {problem}")


def _wait_for_promotions(services: Services, removed: Removal, held: ExitStack, say: Callable[[str], None]) -> None:
    """Let no promotion be carried out and not yet recorded. One that takes too long does not keep a version live."""
    try:
        held.enter_context(promotion_lock(services.store, removed.name))
    except StoreError as error:
        say(f"{removed.name}: {removed.target} is removed while a promotion may be under way: {error}")


def _must_be_vouched_for(services: Services, removed: Removal) -> None:
    demanded = any(system.policy.promotion.authenticated for system in services.project.governing(removed.name))
    if not demanded or _vouched_for(services):
        return
    reason = f"the policy wants to know who removes {removed.target}, and nobody vouches for the caller"
    hint = "sign in: the server needs basic-auth or a trusted proxy for it (AIMS_AUTH, AIMS_TRUSTED_PROXY)"
    refusal = Refusal(removed.name, "remove", removed.target, reason, hint, removed.workspace)
    try:
        recorded = f"decision: {refuse(services, refusal)}"
    except AimsError as error:
        recorded = f"not recorded: {error}"
    raise Denied(f"removal refused: {reason}\n  {recorded}", hint=hint)


def _vouched_for(services: Services) -> bool:
    try:
        return services.actor().authenticated
    except SigningError:  # a client without a key is nobody
        return False


def _lost(services: Services, removed: Removal) -> list[ModelVersion | RegisteredModel]:
    """Return what the record is about: each version as the registry has it, or the model where it has none."""
    registry_id = services.store.registry_id()
    found: list[ModelVersion | RegisteredModel] = []
    for number in removed.versions:
        with suppress(AimsError):  # a name that no reference can hold, or a version that is gone
            found.append(services.registry.resolve(ModelRef(removed.name, version=number), registry_id))
    known = bool(removed.versions) and len(found) == len(removed.versions)
    return found if known else [*found, RegisteredModel(registry_id, removed.workspace, removed.name)]


def _record(services: Services, version: ModelVersion | RegisteredModel, target: Target) -> None:
    signer, now = services.signer(), services.clock()
    policy = kept_policy(services, version.name)
    body = predicates.removal(target, actor=services.actor(), at=now, enforced_by=services.enforced_by)
    write(services, Said("gate-decision", version, None, policy, body, measured_at=now), signer=signer)
