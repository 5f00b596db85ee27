"""A writer in a process of its own: appends statements and prints each one that was acknowledged."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from aims_mlops.adapters.stores import open_store
from aims_mlops.errors import AimsError
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Entry


def entry(name: str, *, size: int = 600, model: str = "income", version: str = "3") -> Entry:
    envelope = f'{{"payload":"{name}"}}'.encode().ljust(size)
    return Entry(
        envelope=envelope,
        payload=Digest.of(name.encode()),
        type="urn:aims-mlops:check-result:v1",
        subject=Digest.of(model.encode()),
        model=model,
        version=version,
        system="income",
    )


def main(uri: str, root: str, name: str, count: str) -> int:
    store = open_store(uri, root=Path(root))
    for number in range(int(count)) if int(count) else itertools.count():
        try:
            stored = store.append(entry(f"{name}-{number}"))
        except AimsError as error:
            sys.stdout.write(f"! {type(error).__name__}: {error} | {error.hint}\n")
            return int(error.exit_code)
        sys.stdout.write(f"{stored.leaf.seq} {stored.leaf.payload}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
