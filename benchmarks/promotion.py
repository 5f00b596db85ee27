"""What a promotion costs: `python benchmarks/promotion.py`, or `make bench`. See README.md beside this file.

For each database and each size of the log it prints medians of set-alias and create calls on MLflow's own registry
store with and without the gate in it (the two take turns, so that both meet the same noise), and of what the gate
does in such a call. PostgreSQL is used where AIMS_TEST_POSTGRES names a server that lets databases be made.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from enforcing import MODEL, VERSIONS, Enforcing, enforcing
from filling import Filler
from measuring import appender, median, once, places, say
from places import Place

from aims_mlops.api.known_log import KnownLog
from aims_mlops.api.promoting import promotion
from aims_mlops.api.services import Services
from aims_mlops.model.subject import ModelRef, Target

LIMIT_MS = 10.0
"""What set-alias may cost more with the gate, with 1 000 statements in the store."""

_TARGET = Target("alias", "champion")


@dataclass
class Line:
    """Medians of one database and one size of its log, in milliseconds."""

    database: str
    size: int
    plain: dict[str, float] = field(default_factory=dict)
    guarded: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)

    def added(self, call: str) -> float:
        """Return what the gate adds to a call."""
        return self.guarded[call] - self.plain[call]


def main() -> int:
    """Run all, print it, and return 1 where the limit was not kept."""
    asked = _arguments()
    warnings.simplefilter("ignore")
    sizes = [int(size) for size in asked.sizes.split(",")]
    lines = [line for open_place in places() for line in _run(open_place, sizes, calls=asked.calls, one=asked.one)]
    _summary(lines)
    over = [line for line in lines if line.size <= 1000 and line.added("set-alias") > LIMIT_MS]
    return 1 if over else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200, help="calls of each kind (default: 200)")
    parser.add_argument("--sizes", default="1000,100000", help="statements in the store (default: 1000,100000)")
    parser.add_argument("--one", action="store_true", help="all statements are about the version that is promoted")
    return parser.parse_args()


def _run(
    open_place: Callable[[], AbstractContextManager[Place]], sizes: list[int], *, calls: int, one: bool
) -> Iterator[Line]:
    with open_place() as place, enforcing(place) as project:
        for number, size in enumerate(sizes):
            plain, guarded = _stores(place, project, first=number == 0)
            line = Line(place.kind, size)
            _fill(project, guarded, size, one=one)
            _parts(project, line, calls)
            _calls(project, line, plain, guarded, calls)
            _print(line)
            yield line


def _stores(place: Place, project: Enforcing, *, first: bool) -> tuple[Any, Any]:
    """Return MLflow's own store, and a new one with the gate in it, as a worker of the server builds it."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    from aims_mlops_hooks.mlflow.registry_store import build

    made: Any = SqlAlchemyStore
    plain, guarded = made(place.registry), build(f"aims:{place.registry}")
    if first:
        plain.create_registered_model(MODEL)
        for version in VERSIONS:
            plain.create_model_version(MODEL, project.files(version).as_uri())
        project.record_checks(_registry(guarded))
    return plain, guarded


def _registry(guarded: Any) -> Any:
    from aims_mlops_hooks.mlflow.server.registry import ServerRegistry

    return ServerRegistry(guarded)


def _fill(project: Enforcing, guarded: Any, size: int, *, one: bool) -> None:
    about = project.about(_registry(guarded)) if one else None
    store = project.store()
    Filler(store, project.signer("pipeline"), one=about).fill(size)
    store.close()


def _parts(project: Enforcing, line: Line, calls: int) -> None:
    """Measure what a server does with its log, and the whole decision over a registry that costs nothing."""
    registry = _Cheap(project)
    services = project.services(registry, "server")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line.parts["first walk"] = once(services.log.look)
    line.parts["memory (MB)"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    line.parts["first decision"] = once(lambda: _promote(services))
    line.parts["look"] = median(services.log.look, calls)
    line.parts["append"] = median(appender(services.store), calls)
    line.parts["decision"] = median(lambda: _promote(services), calls)
    line.parts["whole walk beside"] = once(services.log.reverify)
    line.parts["walk anew"] = once(KnownLog(services.store).look)


def _promote(services: Services) -> None:
    with promotion(services, [ModelRef(MODEL, version=VERSIONS[0])], _TARGET, reason="benchmark") as (decision,):
        assert decision.allowed


class _Cheap:
    """A registry whose answers cost nothing: what is left is the gate's own work."""

    def __init__(self, project: Enforcing) -> None:
        from aims_mlops_hooks.mlflow.registry_store import build

        real = _registry(build(f"aims:{project.place.registry}"))
        registry_id = project.store().registry_id()
        self._versions = {n: real.resolve(ModelRef(MODEL, version=n), registry_id) for n in VERSIONS}
        self._manifests = {n: real.manifest(version) for n, version in self._versions.items()}

    def resolve(self, ref: ModelRef, _registry_id: str) -> Any:
        return self._versions[str(ref.version)]

    def manifest(self, version: Any) -> Any:
        return self._manifests[version.version]

    def publish(self, *_: object) -> None:
        """Take no tags."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def _calls(project: Enforcing, line: Line, plain: Any, guarded: Any, calls: int) -> None:
    """Let both stores take turns with the same calls."""
    guarded.set_registered_model_alias(MODEL, "champion", VERSIONS[0])  # the first walk is measured by itself
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(calls):
        version = VERSIONS[number % 2]
        for name, store in (("plain", plain), ("guarded", guarded)):
            alias = partial(store.set_registered_model_alias, MODEL, "champion", version)
            create = partial(store.create_model_version, MODEL, project.files(version).as_uri())
            times.setdefault(("set-alias", name), []).append(once(alias))
            times.setdefault(("create", name), []).append(once(create))
    for (call, name), taken in times.items():
        (line.plain if name == "plain" else line.guarded)[call] = statistics.median(taken)


def _print(line: Line) -> None:
    say(f"\n{line.database}, {line.size} statements and more          without      with     added   (ms, medians)")
    for call in line.plain:
        say(f"  {call:34} {line.plain[call]:15.2f} {line.guarded[call]:9.2f} {line.added(call):9.2f}")
    for part, took in line.parts.items():
        say(f"  of the gate itself: {part:40} {took:9.2f}")
    say(f"  of the gate itself: appends a second {1000 / line.parts['append']:28.0f}")


def _summary(lines: list[Line]) -> None:
    say("")
    for name in dict.fromkeys(line.database for line in lines):
        own = sorted((line for line in lines if line.database == name), key=lambda line: line.size)
        small, large = own[0], own[-1]
        kept = "kept" if small.added("set-alias") <= LIMIT_MS else "NOT kept"
        say(f"{name}: set-alias +{small.added('set-alias'):.2f} ms at {small.size}; +{LIMIT_MS:g} ms is {kept}")
        if large is not small:
            ratio = large.added("set-alias") / small.added("set-alias")
            say(
                f"{name}: {ratio:.2f} times that at {large.size}, where log n grew {_log_ratio(small, large):.2f} times"
            )


def _log_ratio(small: Line, large: Line) -> float:
    import math

    return math.log(large.size) / math.log(small.size)


if __name__ == "__main__":
    sys.exit(main())
