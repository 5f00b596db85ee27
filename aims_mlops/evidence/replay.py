"""The body of a replay: that a recorded result came out again, or did not (docs/predicates/record.md). Pure.

It is a `record` whose name no requirement can have: ids in aims.yaml have no colon. And it has no `outcome`, without
which no record approves. So a replay decides nothing at the gate, whatever it says.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aims_mlops.evidence.record import Record
from aims_mlops.model.digest import Digest

RECORD = "aims:replay"
"""What stands under `record` in a replay."""

TOLERANCE = 1e-12
"""How far two numbers may differ and be the same: what sums in another order leave."""

_SHOWN = ("value", "interval", "limit", "outcome")
_COMPARED = (*_SHOWN, "counts", "groups", "too_small", "suppressed")
_MOST = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise. Of tables it is only said that they differ: counts stay out of it."""

    metric: str | None
    """None for what is said of the whole result."""
    column: str | None
    field: str
    then: Any = None
    now: Any = None

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form."""
        about = {"metric": self.metric, "column": self.column, "field": self.field}
        return {**about, "then": self.then, "now": self.now}


@dataclass(frozen=True, slots=True)
class LibraryChange:
    """A library, or aims-mlops itself, whose version is another than when the result was recorded."""

    name: str
    then: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """How the replayed results were chosen, so that anybody can choose them again."""

    seed: int
    size: int
    of: int
    """Among how many results."""
    log_size: int
    log_head: Digest | None

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form."""
        log = {"size": self.log_size, "head": self.log_head}
        return {"seed": self.seed, "size": self.size, "of": self.of, "log": log}


def choose(records: Iterable[Record], *, size: int, seed: int) -> list[Record]:
    """Return a random sample of results, in the log's order.

    Those with the smallest SHA-256 over the seed, a blank and their digest: the same anywhere, with `sha256sum` too.
    """
    ranked = sorted(records, key=lambda record: hashlib.sha256(f"{seed} {record.payload}".encode()).digest())
    return sorted(ranked[:size], key=lambda record: record.seq)


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare the bodies of two check results: outcome, rows, and every measure in its place; words do not count."""
    found = [
        Difference(None, None, name, then.get(name), now.get(name))
        for name in ("outcome", "rows")
        if not same(then.get(name), now.get(name))
    ]
    before, after = _measures(then), _measures(now)
    if [_name(item) for item in before] != [_name(item) for item in after]:
        return (*found, Difference(None, None, "measures", len(before), len(after)))
    return (*found, *(item for pair in zip(before, after, strict=True) for item in _measure(*pair)))


def _measure(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    metric, column = _name(then)
    for name in _COMPARED:
        if not same(then.get(name), now.get(name)):
            values = (then.get(name), now.get(name)) if name in _SHOWN else (None, None)
            yield Difference(metric, column, name, *values)


def _measures(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = body.get("measures")
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _name(item: Mapping[str, Any]) -> tuple[str, str | None]:
    column = item.get("column")
    return str(item.get("metric")), None if column is None else str(column)


def same(then: Any, now: Any) -> bool:
    """Whether two JSON values are the same, numbers within the tolerance."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        return then.keys() == now.keys() and all(same(then[key], now[key]) for key in then)
    if isinstance(then, list) and isinstance(now, list):
        return len(then) == len(now) and all(same(*pair) for pair in zip(then, now, strict=True))
    if _is_number(then) and _is_number(now):
        return math.isclose(then, now, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(then) is type(now) and bool(then == now)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def replay_body(
    replayed: Record,
    *,
    came_out: bool | None,
    reason: str,
    differing: Sequence[Difference],
    changed: Sequence[LibraryChange],
    sample: Sample,
) -> dict[str, Any]:
    """Return the body of a replay. `came_out` is None where the result could not be measured again."""
    then = replayed.statement
    return {
        "record": RECORD,
        "replayed": replayed.payload,
        "check": check_of(replayed)["id"],
        "cameOut": came_out,
        "reason": reason,
        "differences": [item.to_wire() for item in differing[:_MOST]],
        "differing": len(differing),
        "policy": then.header.policy_digest,
        "seed": then.body.get("seed"),
        "versions": [{"name": item.name, "then": item.then, "now": item.now} for item in changed],
        "sample": sample.to_wire(),
    }


def check_of(record: Record) -> Mapping[str, Any]:
    """Return what a result says of its check; with an empty id where it is of another shape."""
    check = record.statement.body.get("check")
    return check if isinstance(check, dict) and isinstance(check.get("id"), str) else {"id": ""}


def in_words(body: Mapping[str, Any]) -> str:
    """Say a record in a few words."""
    if body["record"] != RECORD:
        return str(body["record"])
    outcome = {True: "came out", False: "did not come out"}.get(body["cameOut"], "could not be replayed")
    return f"replay of {body['check']}: {outcome}"
