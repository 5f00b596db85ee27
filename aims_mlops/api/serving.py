"""The gate inside a server: it decides with what administrators applied, under its own key, for whoever calls.

Nothing that a client says about a decision is believed: the configuration comes signed from the log, the evidence is
verified again, and each decision says `enforced_by: server`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from aims_mlops.api.keeping import Gatekeeper
from aims_mlops.api.services import Services
from aims_mlops.errors import SigningError
from aims_mlops.model.decision import Actor
from aims_mlops.model.register import Project
from aims_mlops.ports import EvidenceStore

if TYPE_CHECKING:
    from aims_mlops.api.applying import AppliedConfiguration
    from aims_mlops.api.known_log import KnownLog


class Server:
    """What a server decides with. One for each process; safe to use from several threads."""

    def __init__(
        self,
        configuration: AppliedConfiguration,
        services: Callable[[Project], Services],
        *,
        caller: Callable[[], Actor],
        log: KnownLog,
        store: EvidenceStore,
    ) -> None:
        """`services` builds those of a project, once for each configuration that comes into force."""
        self.log = log
        self.store = store
        self.configuration = configuration
        self._services = services
        self._caller = caller
        self._lock = threading.Lock()
        self._made: tuple[Project, Services] | None = None

    def now(self) -> Services:
        """Return the services of the configuration in force, for the present caller. Raises as it does."""
        return self._of(self.configuration.current().project)

    def _of(self, project: Project) -> Services:
        with self._lock:
            if self._made is None or self._made[0] is not project:
                self._made = project, self._services(project)
            services = self._made[1]
        return replace(services, caller=self._caller(), enforced_by="server")

    @staticmethod
    def must_be_trusted(services: Services) -> None:
        """Raise `SigningError` where a system's policy does not let this server sign decisions or promotions."""
        signer = services.signer()
        for system in services.project.systems:
            for kind in ("gate-decision", "promotion"):
                if signer.key_id not in system.policy.trusted(kind):
                    raise SigningError(
                        f"the applied policy of {system.id} does not trust {signer.person} for a {kind}",
                        hint=f"name {signer.person} under trust: {kind} in aims.yaml, then aims apply",
                    )

    def gatekeeper(self, *, say: Callable[[str], None]) -> Gatekeeper:
        """Return the gatekeeper of one call: it holds one configuration from its first question to its last."""
        project = cache(lambda: self.configuration.current().project)
        return ServerGatekeeper(
            project,
            cache(lambda: self._of(project())),
            say=say,
            show=lambda _report: None,
            unclaimed="free",
        )


class ServerGatekeeper(Gatekeeper):
    """Checks nothing on registration: a model under test must not run beside the server's keys (law 8)."""

    def registered(self, name: str, version: str) -> None:
        """Leave the version as it is: without evidence from a client or a pipeline it cannot be promoted."""
