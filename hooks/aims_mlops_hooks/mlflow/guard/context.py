"""What holds in the present call: whether it is judged, what we are carrying out ourselves, how it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aims_mlops.errors import UsageError
from aims_mlops.model import names
from aims_mlops.model.subject import ModelVersion, Target

_inside: ContextVar[bool] = ContextVar("aims_inside_guarded_call", default=False)
_acting: ContextVar[tuple[ModelVersion, Target] | None] = ContextVar("aims_acting", default=None)


def version_number(version: object) -> str:
    """Write a version as MLflow counts it: `1` for `01`, `+1` and ` 1`. Raises `UsageError` for what is no number."""
    try:
        return str(int(str(version)))
    except ValueError:
        raise UsageError(f"{str(version)[:40]!r} is not the number of a model version") from None


@contextmanager
def unguarded() -> Iterator[None]:
    """Let every registry call of this context through unjudged: a server's own pointer tags, and taking back."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def is_unguarded() -> bool:
    """Whether calls of this context go through unjudged."""
    return _inside.get()


@contextmanager
def acting(version: ModelVersion, target: Target) -> Iterator[None]:
    """Let exactly this promotion or removal through in this context: it was decided already, and is carried out."""
    token = _acting.set((version, target))
    try:
        yield
    finally:
        _acting.reset(token)


def is_acting() -> bool:
    """Whether this context carries out a promotion or removal that was decided already."""
    return _acting.get() is not None


def ours(name: str, versions: Iterable[object], target: Target) -> tuple[list[ModelVersion], list[str]]:
    """Return the version that we are moving ourselves, if it is among these, and the numbers of the others."""
    decided, numbers = _acting.get(), [version_number(version) for version in versions]
    if decided is None:
        return [], numbers
    moved, to = decided
    same = (moved.name, to.kind, names.folded(to.value)) == (name, target.kind, names.folded(target.value))
    others = [number for number in numbers if not same or number != version_number(moved.version)]
    return ([moved] if len(others) < len(numbers) else []), others


def denial(message: str, hint: str = "") -> Exception:
    """Return the exception that MLflow carries to the caller as 403 PERMISSION_DENIED, text and all."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    text = message if not hint or hint in message else f"{message}\nNext: {hint}"
    return MlflowException(f"[aims] {text}", error_code=PERMISSION_DENIED)
