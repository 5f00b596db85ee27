"""The gatekeeper that a platform's hooks ask: what is protected, may this go on, and what to do on registration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from aims_mlops.api.checking import check
from aims_mlops.api.promoting import promotion
from aims_mlops.api.refusing import refuse
from aims_mlops.api.removing import Removal, removal
from aims_mlops.api.services import Services, Unclaimed
from aims_mlops.errors import AimsError
from aims_mlops.model.decision import Refusal
from aims_mlops.model.register import Project, System
from aims_mlops.model.report import CheckReport
from aims_mlops.model.subject import ModelRef, ModelVersion, Target


class Gatekeeper:
    """Answers a platform's hooks about one call. A new one is made for each, so that aims.yaml is always today's.

    `project` and `services` raise `ConfigError` where aims.yaml cannot be read.
    """

    def __init__(
        self,
        project: Callable[[], Project],
        services: Callable[[], Services],
        *,
        say: Callable[[str], None],
        show: Callable[[CheckReport], None],
        unclaimed: str = "refuse",
    ) -> None:
        """`unclaimed` is what holds for a model that no system claims where aims.yaml does not say it."""
        self._project = project
        self._services = services
        self._say = say
        self._show = show
        self._unclaimed = unclaimed

    def protects(self, name: str, target: Target) -> bool:
        """Whether reaching the target is a promotion. Only aims.yaml is read for it.

        A name is protected where any system's policy says so, since the model that moves in may belong to any. An
        alias or stage is protected where a system that governs the model says so. A model that nobody governs cannot
        be promoted to what any system protects, or is free, as `unclaimed:` has it.
        """
        return any(system.policy.promotion.protects(target) for system in self._asked(name, target))

    def resembles(self, name: str, target: Target | None) -> str | None:
        """Say what a name can be taken for without being it, in words that follow `looks like`; None for nothing.

        Without target the registered model's own name is asked about. With one, what it leads to; and the model's name
        again where any system protects that target, since a look-alike has nobody who speaks for it.
        """
        project = self._project()
        alike = project.resembles(name)
        if target is None:
            return alike
        policies = [system.policy.promotion for system in project.systems]
        if alike and any(policy.protects(target) or policy.resembles(target) for policy in policies):
            return alike
        found = (system.policy.promotion.resembles(target) for system in self._asked(name, target))
        return next((f"the protected {target.kind} {thing!r}" for thing in found if thing), None)

    def claims(self, name: str) -> bool:
        """Whether a system of the register claims the model."""
        return bool(self._project().claimants(name))

    @contextmanager
    def promotion(self, name: str, versions: Sequence[str], target: Target) -> Iterator[Sequence[ModelVersion]]:
        """Decide on entry (or raise `Denied`), give the versions that may move, and record what the body then did.

        Where the store is that of a server which enforces the gate, all of this is the server's.
        """
        services = self._services()
        if services.store.enforces:
            yield ()
            return
        refs = [ModelRef(name, version=version) for version in versions]
        with promotion(services, refs, target, reason="set in the registry") as decisions:
            yield [decision.moves for decision in decisions]

    def removal(
        self, name: str, versions: Sequence[str], target: Target, workspace: str = "default"
    ) -> AbstractContextManager[None]:
        """Return a `with` that records on leaving that versions were taken away from a target; the gate is not asked.

        On entry raises `Denied` where the policy wants to know who promotes, and nobody vouches for the caller.
        """
        return removal(self._services, Removal(name, tuple(versions), target, workspace), say=self._say)

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

    def _asked(self, name: str, target: Target) -> Sequence[System]:
        """Return the systems whose policy speaks about a target for a model of this name."""
        project = self._project()
        asked = project.systems if target.kind == "name" else project.governing(name)
        if not asked and (project.unclaimed or self._unclaimed) == "refuse":
            asked = project.systems
        return asked

    def _progress(self, label: str) -> Callable[[str], None]:
        return lambda step: self._say(f"{label}: {step} ...")
