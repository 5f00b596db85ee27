"""Places where artifacts lie, written so that two spellings of one place are equal: the ground of the freeze.

A local place is its real path, links resolved; a place in a bucket is bucket and key. Segments are compared without
case and in one Unicode form, as some file systems do: at worst a look-alike beside a frozen folder is refused too.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlparse

from aims_mlops_hooks.mlflow.destination import CONFIGURED, PREFIX

_PROXIED = "/api/2.0/mlflow-artifacts/artifacts/"
_EVIDENCE = 3
"""How many segments a file of evidence has at least below `artifacts/aims/`: NAME/VERSION/FILE."""


class OddPathError(ValueError):
    """A path that does not stand for itself: what it names depends on who reads it."""


@dataclass(frozen=True, slots=True)
class Place:
    """One folder or file: the storage it lies in, its segments as they are compared, and its name for people."""

    storage: tuple[str, str]
    path: tuple[str, ...]
    text: str

    @classmethod
    def local(cls, path: str) -> Self:
        """Return a place on this machine's disk; links are resolved now."""
        real = os.path.realpath(path)
        return cls(("file", ""), _segments(real), real)

    @classmethod
    def of(cls, uri: str) -> Self:
        """Return the place that a repository of MLflow's writes to for this URI. Reads no network."""
        from mlflow.utils.file_utils import local_file_uri_to_path
        from mlflow.utils.uri import get_uri_scheme

        scheme = get_uri_scheme(uri)  # type: ignore[no-untyped-call]  # MLflow's own
        if scheme in ("", "file"):
            return cls.local(str(local_file_uri_to_path(uri)))  # type: ignore[no-untyped-call]  # MLflow's own
        parsed = urlparse(uri)
        return cls((scheme, parsed.netloc), _segments(parsed.path), uri)

    def at(self, path: str) -> Self:
        """Return the place of a path below this one, as a repository joins them."""
        if self.storage[0] == "file":
            return type(self).local(os.path.join(self.text, path))  # noqa: PTH118  # as MLflow joins, absolute paths too
        return type(self)(self.storage, (*self.path, *_segments(path)), posixpath.join(self.text, path))

    def within(self, other: Place) -> bool:
        """Whether this is the other place, or lies in it."""
        return self.storage == other.storage and self.path[: len(other.path)] == other.path

    def overlaps(self, other: Place) -> bool:
        """Whether one of the two lies in the other."""
        return self.within(other) or other.within(self)


def _segments(path: str) -> tuple[str, ...]:
    normal = posixpath.normpath("/" + path.replace("\\", "/"))
    return tuple(_folded(segment) for segment in normal.split("/") if segment)


def _folded(segment: str) -> str:
    return unicodedata.normalize("NFC", segment).casefold().rstrip(" .") or segment


def destination() -> str | None:
    """Return the artifact URI behind `aims:` that this server process was configured with; None where it freezes none.

    A relative path is taken from the working directory of the process, as MLflow does.
    """
    from mlflow.utils.uri import resolve_uri_if_local

    configured = os.environ.get(CONFIGURED, "")
    if not configured.startswith(PREFIX):
        return None
    return str(resolve_uri_if_local(configured.removeprefix(PREFIX)))  # type: ignore[no-untyped-call]  # MLflow's own


def proxied_path(uri: str) -> str | None:
    """Return the path below the destination that a proxied artifact URI stands for; None for any other URI.

    A server takes every `mlflow-artifacts:` URI for its own, whatever host it names, and so does this.
    """
    parsed = urlparse(uri)
    if parsed.scheme == "mlflow-artifacts":
        return parsed.path.lstrip("/")
    if parsed.scheme in ("http", "https") and _PROXIED in parsed.path:
        return parsed.path.split(_PROXIED, 1)[1].lstrip("/")
    return None


def clean(path: str | None, *, deletes: bool = False) -> str:
    """Return a repository-relative path that stands for itself; a closing slash is dropped, None is the root.

    Raises `OddPathError` for absolute paths, `.`, `..`, empty segments and control characters; where it is to be
    deleted, also for percent signs and backslashes that some reader would take for something else.
    """
    asked = (path or "").removesuffix("/")
    if not asked:
        return ""
    if asked != posixpath.normpath(asked) or asked.startswith(("/", "../")) or asked in (".", ".."):
        raise OddPathError(f"{path!r} is not written as the path that it stands for ({posixpath.normpath(asked)!r})")
    if any(unicodedata.category(letter) == "Cc" for letter in asked):
        raise OddPathError(f"{path!r} has control characters")
    if deletes and (unquote(asked) != asked or "\\" in asked or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", asked)):
        raise OddPathError(f"{path!r} is escaped, and may be read as another path")
    return asked


def is_evidence(path: tuple[str, ...]) -> bool:
    """Whether a place below the destination is a file of evidence: `…/artifacts/aims/NAME/VERSION/…`."""
    return any(len(path) - start - 2 >= _EVIDENCE for start in _holders(path))


def touches_evidence(path: tuple[str, ...]) -> bool:
    """Whether a place below the destination is the folder of a run's evidence, or lies in it."""
    return bool(_holders(path))


def _holders(path: tuple[str, ...]) -> list[int]:
    return [at for at in range(len(path) - 1) if path[at : at + 2] == ("artifacts", "aims")]
