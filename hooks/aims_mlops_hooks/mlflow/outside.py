"""The border to MLflow's client: how long we wait for it, and what its failures are called here."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType

from aims_mlops.errors import AimsError, Denied, MissingExtra, RegistryError

_LOOKUP = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "6"}
_TRANSFER = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
# An unknown alias is INVALID_PARAMETER_VALUE to MLflow, an unknown model RESOURCE_DOES_NOT_EXIST.
_UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ENDPOINT_NOT_FOUND", "INVALID_PARAMETER_VALUE")
OURS = "[aims]"
"""How the words of our own gate begin, whatever MLflow puts before them."""
_REFUSED = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED")

_lock = threading.RLock()


@contextmanager
def patience(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set MLflow's own waiting times for one call, and put back what was there.

    MLflow reads them from the environment at each request and repeats for minutes by default. A value that the user
    has set is left alone. Another thread's MLflow calls see the shorter times while ours runs.
    """
    with _lock:
        ours = {name: value for name, value in wanted.items() if name not in os.environ}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name in ours:
                os.environ.pop(name, None)


class Outside(AbstractContextManager[None]):
    """Runs one thing with MLflow, with little patience, and turns what it raises into `RegistryError`.

    `what` says what was tried, e.g. `reading income/3`; `place` is the registry's URI without password. `transfer` is
    for calls that may rightly take long: they are repeated once, but not cut off.
    """

    def __init__(self, what: str, *, place: str, transfer: bool = False) -> None:
        """Enter nothing yet."""
        self._what, self._place = what, place
        self._patience = patience(_TRANSFER if transfer else _LOOKUP)

    def __enter__(self) -> None:
        self._patience.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._patience.__exit__(None, None, None)
        if error is None or isinstance(error, AimsError) or not isinstance(error, Exception):
            return
        raise self._named(error) from error

    def _named(self, error: Exception) -> AimsError:
        if isinstance(error, ImportError):
            return MissingExtra(
                f"{self._what}: MLflow needs the library {error.name or str(error)!r} for {self._place}",
                hint="pip install 'aims-mlops[server]'; an http registry needs nothing more",
            )
        code, first = getattr(error, "error_code", ""), without_password(str(error).strip().partition("\n")[0])
        if code in _UNKNOWN:
            return RegistryError(
                f"{self._what}: the registry {self._place} does not know it ({first[:300]})", hint=_LIST
            )
        if str(error).startswith(OURS) or f": {OURS}" in str(error):
            return Denied(without_password(str(error)).partition(OURS)[2].strip())
        if code in _REFUSED:
            said = without_password(str(error))[:4000]
            return RegistryError(f"{self._what}: the registry {self._place} refused: {said}", hint=_LOGIN)
        kind = type(error).__name__
        return RegistryError(
            f"{self._what}: the registry {self._place} does not answer ({kind}: {first[:300]})", hint=_AWAY
        )


_LIST = (
    "see the names and versions there are on the registry's page, and whether MLFLOW_REGISTRY_URI or "
    "MLFLOW_TRACKING_URI names the registry that you mean"
)
_LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of somebody who may"
_AWAY = "see that the server runs and that MLFLOW_REGISTRY_URI or MLFLOW_TRACKING_URI names it, then try again"


def without_password(text: str) -> str:
    """Return a text in which every `user:password@` of a URI reads `***@`."""
    return re.sub(r"(?<=://)[^/\s@]*@", "***@", text)
