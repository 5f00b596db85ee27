"""A server's registry store without HTTP that is killed again and again while it promotes. Prints what it saw.

The parent imports everything once and opens nothing; each round a child of its own opens the store as a worker of
`mlflow server` does, moves the alias as fast as it can, and is killed with signal 9 at a random moment.
Arguments: the registry's database, the seed, the rounds, the model's name, and the versions that may be champion.
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import sys
import time
from contextlib import suppress
from typing import Any

from mlflow.exceptions import MlflowException

from aims_mlops_hooks.mlflow import registry_store

LONGEST = 1.5
"""Seconds after its first call within which the child is killed."""


def opened(database: str) -> Any:
    """Open the guarded store as a worker of a server does."""
    os.environ["_MLFLOW_SERVER_REGISTRY_STORE"] = f"aims:{database}"
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = database
    return registry_store.build(f"aims:{database}")


def warm(database: str, name: str, version: str) -> None:
    """Promote and remove once in a child, and import here what that loaded: a round's child then finds it all there."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        store = opened(database)
        store.set_registered_model_alias(name, "champion", version)
        store.delete_registered_model_alias(name, "champion")
        with os.fdopen(told, "w") as loaded:
            loaded.write("\n".join(sys.modules))
        os._exit(0)
    os.close(told)
    with os.fdopen(heard) as loaded:
        modules = loaded.read().split()
    _, status = os.waitpid(child, 0)
    if status or not modules:
        raise SystemExit("the first promotion failed")
    for module in modules:
        with suppress(ImportError):  # a few are made by their libraries and have no file
            importlib.import_module(module)


def work(database: str, name: str, versions: list[str], ready: int) -> None:
    """Remove the alias and set it, each time on another version, until this process is killed."""
    store = opened(database)
    store.delete_registered_model_alias(name, "champion")
    os.write(ready, b"1")
    while True:
        for version in versions:
            store.set_registered_model_alias(name, "champion", version)
        try:
            store.set_registered_model_alias(name, "champion", str(int(versions[-1]) + 1))
        except MlflowException as error:
            if error.error_code != "PERMISSION_DENIED":
                os.write(ready, f"other: {error}\n".encode()[:500])
        else:
            os.write(ready, b"an unchecked version was promoted\n")
        store.delete_registered_model_alias(name, "champion")


def rounds(database: str, seed: int, count: int, name: str, versions: list[str]) -> None:
    """Fork, wait until the child works, kill it; so many times."""
    chance = random.Random(seed)
    warm(database, name, versions[0])
    for _ in range(count):
        heard, ready = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(heard)
            work(database, name, versions, ready)
        os.close(ready)
        begun = os.read(heard, 1)
        time.sleep(chance.uniform(0, LONGEST))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        rest = os.read(heard, 4000)
        os.close(heard)
        if begun != b"1" or rest or not os.WIFSIGNALED(status):
            raise SystemExit(f"the worker did not work: {begun!r} {rest!r} {status}")
        sys.stdout.write("killed\n")
        sys.stdout.flush()
        if sys.stdin.readline().strip() != "go on":
            return


if __name__ == "__main__":
    rounds(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:])
