"""How an enforcing server is to be started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Everything that `aims server` was told. Paths are absolute; `registry` is a SQLAlchemy URI without `aims:`."""

    backend: str
    registry: str
    artifacts: str
    """Where artifacts are kept: a folder or an artifact URI, without `aims:`."""
    evidence: str
    """The evidence store's address."""
    state: Path
    """The folder for what must survive outside the store: the pinned configuration and the log's head."""
    keys: Path
    """The folder that holds the server's own private key."""
    signer: str
    """The id in aims.yaml of the server itself."""
    administrators: tuple[Path, ...]
    """Public keys, or folders of them, of those whose configurations count."""
    threshold: int = 1
    auth: str | None = None
    proxy: str | None = None
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 4
    gunicorn: bool = False
    workspaces: bool = False
    more: tuple[str, ...] = ()
    """Further arguments for `mlflow server`, as they stand."""
