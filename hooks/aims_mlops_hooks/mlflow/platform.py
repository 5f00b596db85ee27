"""MLflow as a platform: found by the entry point `aims_mlops.platforms`. Importing this module imports no MLflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

    from aims_mlops.model.examination import Examination
    from aims_mlops.model.serving import ServerOptions
    from aims_mlops_hooks.mlflow.guard import Gatekeeper
    from aims_mlops_hooks.mlflow.registry import MlflowRegistry
    from aims_mlops_hooks.mlflow.webhook import MlflowWebhook


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

    def load(self, folder: Path) -> Any:
        """Load a model from a folder that is ours alone, whole, so that the folder can go."""
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(folder))

    def server_command(self, options: ServerOptions) -> str:
        """Return the command line that `serve` would become, after the same checks."""
        import shlex

        from aims_mlops_hooks.mlflow.server.command import compose, rehearse

        command, environment = compose(options)
        rehearse(options, environment)
        set_first = [f"{name}={shlex.quote(value)}" for name, value in environment.items() if value]
        return " ".join([*set_first, shlex.join(command)])

    def serve(self, options: ServerOptions) -> NoReturn:
        """Become an MLflow server that enforces the gate; raise an `AimsError` where it could not."""
        from aims_mlops_hooks.mlflow.server.command import serve

        serve(options)

    def examine(self, uri: str | None = None, *, tracking_uri: str | None = None) -> Examination:
        """Find out whether the server behind a registry URI enforces the gate."""
        import mlflow

        from aims_mlops_hooks.mlflow.server.examine import examine

        if tracking_uri is not None:
            mlflow.set_tracking_uri(tracking_uri)
        return examine(uri or str(mlflow.get_registry_uri()), mlflow_version=mlflow.__version__)

    def webhook(self, secret: bytes) -> MlflowWebhook:
        """Return who says whether a delivery of MLflow's webhooks is genuine."""
        from aims_mlops_hooks.mlflow.webhook import MlflowWebhook

        return MlflowWebhook(secret)
