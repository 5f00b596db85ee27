"""`aims config show`: every value in force, and where it comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from aims_mlops.config.grammar import CheckEntry
from aims_mlops.config.loading import read_tree
from aims_mlops.config.mistakes import config_error
from aims_mlops.config.positions import KeyPath, Unreadable
from aims_mlops.model.policy import CheckSpec, Policy
from aims_mlops.model.register import Project

_ENVIRONMENT = {("signer",): "AIMS_SIGNER", ("store",): "AIMS_STORE"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force. `origin` is `aims.yaml:LINE`, `default`, or the name of an environment variable."""

    key: str
    value: Any
    origin: str

    def __str__(self) -> str:
        return f"{self.key} = {json.dumps(self.value, ensure_ascii=False)}  # {self.origin}"


def show(project: Project, *, environment: Mapping[str, str] | None = None) -> tuple[Setting, ...]:
    """Return every value in force: those of aims.yaml in its order, then the defaults of what it leaves out.

    Reads the file again for the lines; raises `ConfigError` where that is no longer possible. A store's URI may hold
    a password: it is cut out.
    """
    try:
        tree = read_tree(project.path)
    except Unreadable as error:
        raise config_error(project.path, [error.mistake]) from error
    given = dict(_leaves(tree.value, ()))
    values = {**given, **{path: value for path, value in _leaves(_defaults(project), ()) if not _within(path, given)}}
    origins = {path: f"{project.path.name}:{tree.place(path)[0]}" for path in given}
    variables = os.environ if environment is None else environment
    for path, name in _ENVIRONMENT.items():
        if variables.get(name):
            values[path], origins[path] = variables[name], name
    values[("store",)] = _without_password(values.get(("store",)))
    return tuple(Setting(_dotted(path), value, origins.get(path, "default")) for path, value in values.items())


def _within(path: KeyPath, given: Mapping[KeyPath, Any]) -> bool:
    """Whether a path, or something it is a part of, is given already."""
    return any(path[:length] in given for length in range(1, len(path) + 1))


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _dotted(path: KeyPath) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _without_password(store: Any) -> Any:
    if not isinstance(store, str) or "@" not in store or "://" not in store:
        return store
    scheme, _, rest = store.partition("://")
    account, _, place = rest.rpartition("@")
    return f"{scheme}://{account.partition(':')[0]}:***@{place}" if ":" in account else store


def _defaults(project: Project) -> dict[str, Any]:
    """Return the project in the shape of aims.yaml, to find what the file leaves out."""
    people = {who.id: {"email": who.email, "kind": who.kind, "active": who.active} for who in project.people}
    return {
        "organisation": {"contact": project.contact},
        "people": people,
        "signer": project.signer,
        "store": project.store,
        "unclaimed": project.unclaimed,
        "systems": {
            system.id: {
                "deputy": system.deputy,
                "intended_purpose": system.intended_purpose,
                "risk_class": system.risk_class,
                "number": system.number,
                **_policy(system.policy),
            }
            for system in project.systems
        },
    }


def _policy(policy: Policy) -> dict[str, Any]:
    own = ("name", "path")
    return {
        "promotion": _plain(policy.promotion),
        "data": {spec.name: {k: v for k, v in _plain(spec).items() if k not in own} for spec in policy.datasets},
        "checks": [_check(spec) for spec in policy.checks],
        "records": [{k: v for k, v in _plain(spec).items() if k != "line"} for spec in policy.records],
        "monitor": [_check(spec) for spec in policy.monitor],
    }


def _check(spec: CheckSpec) -> dict[str, Any]:
    common = {key: _plain(getattr(spec, key)) for key in CheckEntry.model_fields}
    return {**common, **_plain(spec.options)}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(item) for key, item in asdict(value).items()}
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds())}s"
    return to_jsonable_python(value)
