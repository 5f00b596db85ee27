"""A git repository that keeps checkpoints: whoever fetched it has them, whatever is done to the log afterwards."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from aims_mlops.errors import CannotDecide, UsageError
from aims_mlops.model.digest import Digest

_SECONDS = 120
_FOLDER = "aims-log"


class GitAnchor:
    """A repository at a folder. Runs the `git` of this machine with its own configuration, and never asks anything."""

    def __init__(self, folder: Path) -> None:
        """Raise `UsageError` where there is no repository."""
        self.folder, self.place = folder, str(folder)
        try:
            self._git("rev-parse", "--git-dir")
        except CannotDecide as error:
            raise UsageError(f"{folder} is no git repository: {error}", hint="git init, or git clone, first") from error

    def checkpoints(self, origin: str) -> Mapping[str, bytes]:
        """Return every version of every checkpoint of a log that any branch or tag ever had, by path and object."""
        folder = _place(origin)
        listed = self._git("rev-list", "--objects", "--all", "--", str(folder)).decode("utf-8", "replace")
        found = {}
        for line in listed.splitlines():
            object_, _, path = line.partition(" ")
            if path.startswith(f"{folder}/") and path.endswith(".checkpoint"):
                found[f"git {path} {object_[:12]}"] = self._git("cat-file", "blob", object_)
        return found

    def keep(self, origin: str, size: int, note: bytes) -> tuple[str, bool]:
        """Commit a checkpoint, and push it where a remote is set; return its path, and whether it was pushed.

        The same checkpoint again makes no commit, and is pushed where it was not. Raises `CannotDecide`.
        """
        path = _place(origin) / f"{size:020}.checkpoint"
        file = self.folder / path
        if not file.exists() or file.read_bytes() != note:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(note)
        self._git("add", "--", str(path))
        if self._git("status", "--porcelain", "--", str(path)):
            self._git("commit", "--quiet", "--message", f"Checkpoint of {size} leaves of {origin}", "--", str(path))
        pushed = bool(self._git("remote").strip())
        if pushed:
            self._git("push", "--quiet")
        return str(path), pushed

    def _git(self, *arguments: str) -> bytes:
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *arguments],
                capture_output=True,
                check=False,
                timeout=_SECONDS,
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotDecide(f"git {arguments[0]} in {self.folder} failed: {error}", hint="is git there?") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            what = f"git {arguments[0]} in {self.folder} failed: {said[-1] if said else done.returncode}"
            raise CannotDecide(what, hint="run it by hand there; what was committed stays")
        return done.stdout


def _place(origin: str) -> PurePosixPath:
    """Return the folder of one log: readable, and never the same for two names."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", origin).strip(".-")[:60] or "log"
    return PurePosixPath(_FOLDER) / f"{readable}.{Digest.of(origin.encode()).short}"
