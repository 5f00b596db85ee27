"""The gatekeeper that a platform's hooks ask: what is protected, may this go on, and what to do on registration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from aims_mlops.api.checking import check
from aims_mlops.api.promoting import promotion
from aims_mlops.api.refusing import refuse
from aims_mlops.api.services import Services, Unclaimed
from aims_mlops.errors import AimsError
from aims_mlops.model.decision import Decision, Refusal
from aims_mlops.model.register import Project
from aims_mlops.model.report import CheckReport
from aims_mlops.model.subject import ModelRef, Target


class Gatekeeper:
    """Answers a platform's hooks. What it needs is built anew for each call, so that aims.yaml is always today's.

    `project` and `services` raise `ConfigError` where aims.yaml cannot be read.
    """

    def __init__(
        self,
        project: Callable[[], Project],
        services: Callable[[], Services],
        *,
        say: Callable[[str], None],
        show: Callable[[CheckReport], None],
    ) -> None:
        self._project = project
        self._services = services
        self._say = say
        self._show = show

    def protects(self, name: str, target: Target) -> bool:
        """Whether reaching the target is a promotion. Only aims.yaml is read for it.

        A name is protected where any system's policy says so, since the model that moves in may belong to any. An
        alias or stage of a model that no system claims is protected where any system protects it: such a model cannot
        be promoted.
        """
        systems = self._project().systems
        claimants = [system for system in systems if system.claims(name)]
        asked = systems if target.kind == "name" or not claimants else claimants
        return any(system.policy.promotion.protects(target) for system in asked)

    def claims(self, name: str) -> bool:
        """Whether a system of the register claims the model."""
        return bool(self._project().claimants(name))

    def promotion(
        self, name: str, versions: Sequence[str], target: Target
    ) -> AbstractContextManager[tuple[Decision, ...]]:
        """Return a `with` that decides on entry (or raises `Denied`), and records what its body then did."""
        refs = [ModelRef(name, version=version) for version in versions]
        return promotion(self._services(), refs, target, reason="set in the registry")

    def refused(self, refusal: Refusal) -> str:
        """Record a call that is refused whatever the evidence says; return the record's digest, or why there is none.

        Never raises for what cannot be recorded: the call is refused either way.
        """
        try:
            return f"decision: {refuse(self._services(), refusal)}"
        except AimsError as error:
            return f"not recorded: {error}"

    def registered(self, name: str, version: str) -> None:
        """Run the checks of a version that was just registered, and show what came out.

        Whatever this product itself has to complain about is said and not raised: the version is registered, has no
        admissible evidence, and so cannot be promoted.
        """
        label = f"{name}/{version}"
        try:
            self._show(check(self._services(), ModelRef(name, version=version), progress=self._progress(label)))
        except Unclaimed as error:
            self._say(f"{label} is registered, but cannot be promoted: {error}\n  next: {error.hint}")
        except AimsError as error:
            hint = f"\n  next: {error.hint}" if error.hint else ""
            self._say(f"{label} is registered, but NOT CHECKED, and cannot be promoted: {error}{hint}")

    def _progress(self, label: str) -> Callable[[str], None]:
        return lambda step: self._say(f"{label}: {step} ...")
