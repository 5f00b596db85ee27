"""Records a call that no evidence could make good: attempts that were blocked stay in the log."""

from __future__ import annotations

from aims_mlops.api.services import Said, Services, kept_policy, write
from aims_mlops.evidence import predicates
from aims_mlops.model.decision import Refusal
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import RegisteredModel


def refuse(services: Services, refusal: Refusal) -> Digest:
    """Sign and append a refusal as a `gate-decision` about a registered model; return its digest.

    Raises an `AimsError` where it cannot be recorded: the call stays refused all the same.
    """
    signer, now = services.signer(), services.clock()
    policy = kept_policy(services, refusal.model)
    body = predicates.refusal(refusal, actor=services.actor(), at=now, enforced_by=services.enforced_by)
    model = RegisteredModel(services.store.registry_id(), refusal.workspace, refusal.model)
    return write(services, Said("gate-decision", model, None, policy, body, measured_at=now), signer=signer)
