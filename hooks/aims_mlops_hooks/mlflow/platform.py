"""MLflow as a platform: found by the entry point `aims_mlops.platforms`. Importing this module imports no MLflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aims_mlops_hooks.mlflow.guard import Gatekeeper
    from aims_mlops_hooks.mlflow.registry import MlflowRegistry


class MlflowPlatform:
    """Holds models in MLflow's model registry."""

    name = "mlflow"

    def registry(self, uri: str | None = None, *, tracking_uri: str | None = None) -> MlflowRegistry:
        """Return the model registry at a URI; None means the one that MLflow itself would use."""
        from aims_mlops_hooks.mlflow.registry import MlflowRegistry

        return MlflowRegistry(uri, tracking_uri=tracking_uri)

    def autolog(self, gatekeeper: Callable[[str | None], Gatekeeper], *, disable: bool = False) -> None:
        """Guard MLflow's registry stores in this process; `disable` takes the guard away again."""
        from aims_mlops_hooks.mlflow.autolog import autolog

        autolog(gatekeeper, disable=disable)
