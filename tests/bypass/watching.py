"""One look of `aims watch --once` at a guarded server, and what it found of each scene."""

from __future__ import annotations

from collections.abc import Callable

from tests.bypass.conftest import Guarded
from tests.bypass.scene import Scene


def found(guarded: Guarded) -> Callable[[Scene], bool]:
    """Look once; return a function that says whether the finding of a scene is among what was found."""
    with guarded.server.credentials():
        answer = guarded.project.aims(
            *("watch", "--once", "--server-signer", "server", "--format", "json"),
            expect=(0, 4),
            MLFLOW_TRACKING_URI=guarded.server.url,
        )
    findings = [str(one) for one in answer.json["findings"]]
    return lambda scene: any(name in one for name in [*scene.names, *scene.protected_names] for one in findings)
