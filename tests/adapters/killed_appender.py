"""Four writers that append until they are killed with signal 9, again and again. Prints what each was told.

The parent imports everything once and opens nothing; each life of a writer is a child of its own, which opens the
store anew and tells through a pipe of its own, after `append` has returned, the digest of the envelope: one short
write, so that a kill leaves whole lines and at most one without its end. A life is killed so many acknowledgements and
so many milliseconds after it began, both by chance: in the making of the tables, between two appends, inside one.
Arguments: the store's address, the folder for heads, a folder for warming up, the seed, and how many appends have to be
acknowledged before the last is killed. Prints one line of JSON for each life.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import selectors
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aims_mlops.adapters.stores import open_store
from aims_mlops.model.digest import Digest
from tests.adapters.appending import entry

WRITERS = 4
MOST = 30
"""Acknowledgements of one life."""
LATEST = 0.006
"""Seconds from the last of them, or from the beginning where there is none to wait for, to the kill."""
TOO_LONG = 30.0
"""Seconds in which a life has to say something."""


def work(uri: str, root: Path, name: str, told: int) -> None:
    """Append for ever, and say what was acknowledged."""
    try:
        store, number = open_store(uri, root=root), 0
        while True:
            appended = entry(f"{name} {number}")
            store.append(appended)
            os.write(told, f"{Digest.of(appended.envelope)}\n".encode())
            number += 1
    except BaseException as error:
        os.write(told, f"! {error!r}\n".encode()[:500])
        os._exit(1)


def warm(uri: str, root: Path, folder: Path) -> None:
    """Append elsewhere and look at the store in a child, and import here what that loaded."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        open_store(f"sqlite:///{folder}/warm.db", root=folder).append(entry("warm"))
        list(open_store(uri, root=root).leaves())
        with os.fdopen(told, "w") as loaded:
            loaded.write("\n".join(sys.modules))
        os._exit(0)
    os.close(told)
    with os.fdopen(heard) as loaded:
        modules = loaded.read().split()
    if os.waitpid(child, 0)[1] or not modules:
        raise SystemExit("the store cannot be used")
    for module in modules:
        with suppress(ImportError):  # a few are made by their libraries and have no file
            importlib.import_module(module)


@dataclass
class Life:
    """One writer's child: its pipe, what came through it, and when it is to be killed."""

    name: str
    process: int
    heard: int
    target: int
    delay: float
    said: bytes = b""

    @classmethod
    def begin(cls, uri: str, root: Path, name: str, chance: random.Random) -> Life:
        heard, told = os.pipe()
        target, delay = chance.randint(0, MOST), chance.uniform(0, LATEST)
        child = os.fork()
        if child == 0:
            os.close(heard)
            work(uri, root, name, told)
        os.close(told)
        return cls(name, child, heard, target, delay)

    @property
    def acknowledged(self) -> list[str]:
        """The digests of whole lines: what is cut short was told to nobody."""
        return [line.decode() for line in self.said.split(b"\n")[:-1]]

    def end(self) -> None:
        """Kill it, see that nothing else ended it, and read what it still said."""
        time.sleep(self.delay)
        os.kill(self.process, signal.SIGKILL)
        _, status = os.waitpid(self.process, 0)
        while part := os.read(self.heard, 65536):
            self.said += part
        os.close(self.heard)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL or b"!" in self.said:
            raise SystemExit(f"{self.name} was not killed, it ended with {status}: {self.said[-500:]!r}")
        said = {"name": self.name, "killed": os.WTERMSIG(status), "acknowledged": self.acknowledged}
        sys.stdout.write(json.dumps(said) + "\n")


def lives(uri: str, root: Path, seed: int, appends: int) -> None:
    """Let four writers live at a time, each life after another, until so many appends were acknowledged."""
    chance, count, ended = random.Random(seed), 0, 0
    with selectors.DefaultSelector() as waiting:
        while True:
            while count < appends and len(waiting.get_map()) < WRITERS:
                life = Life.begin(uri, root, f"life {ended + len(waiting.get_map())}", chance)
                waiting.register(life.heard, selectors.EVENT_READ, life)
            here: list[Life] = [key.data for key in waiting.get_map().values()]
            if not here:
                return
            due = [life for life in here if count >= appends or len(life.acknowledged) >= life.target]
            for life in due:
                waiting.unregister(life.heard)
                life.end()
                count, ended = count + len(life.acknowledged), ended + 1
            if due:
                continue
            if not (ready := waiting.select(TOO_LONG)):
                raise SystemExit("no writer says anything")
            for key, _ in ready:
                key.data.said += os.read(key.fd, 65536)


if __name__ == "__main__":
    warm(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    lives(sys.argv[1], Path(sys.argv[2]), int(sys.argv[4]), int(sys.argv[5]))
