"""From the grammar's objects to the frozen values that the rest works with, and the text of each policy."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from aims_mlops.config import grammar, trusting
from aims_mlops.config.files import Files, named
from aims_mlops.config.grammar import CheckTypes
from aims_mlops.config.positions import KeyPath, Tree
from aims_mlops.evidence.canonical import canonical
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import CheckSpec, DatasetSpec, Policy, Promotion, RecordSpec
from aims_mlops.model.register import Person, Project, System
from aims_mlops.model.trust import Revocation, Rule, Term
from aims_mlops.plugin import marked


def project(path: Path, aims: grammar.Aims, tree: Tree, *, checks: CheckTypes, files: Files) -> Project:
    """Return all of aims.yaml as frozen values. Everything is known to be valid by now."""
    people = tuple(_person(id_, entry, files) for id_, entry in aims.people.items())
    by_id = {person.id: person for person in people}
    builder = _Builder(path.parent, tree, checks=checks, files=files, people=by_id, aims=aims)
    return Project(
        path=path,
        organisation=aims.organisation.name,
        contact=aims.organisation.contact,
        people=people,
        systems=tuple(builder.system(id_, entry) for id_, entry in aims.systems.items()),
        signer=aims.signer,
        store=aims.store,
        unclaimed=aims.unclaimed,
        log=None if aims.log is None else aims.log.to_value(),
    )


def _person(id_: str, entry: grammar.Person, files: Files) -> Person:
    places: list[KeyPath] = [("people", id_, "keys", index) for index in range(len(entry.keys))]
    found = [(files.keys[place], said) for place, said in zip(places, entry.keys, strict=True) if place in files.keys]
    keys = tuple(key if isinstance(said, str) else replace(key, term=_term(said)) for key, said in found)
    return Person(id_, entry.name, entry.email, entry.kind, entry.active, keys)


def _term(said: trusting.Key) -> Term:
    revoked = None if said.revoked is None else Revocation(said.revoked.at, said.revoked.reason)
    return Term(said.from_, said.to, revoked)


def _resolved(root: Path, written: str) -> str:
    """Resolve a data path: URIs and absolute paths stay; in a glob, the folder's own name is no pattern."""
    if "://" in written or Path(written).is_absolute():
        return written
    is_glob = any(letter in written for letter in "*?[")
    return str(Path(glob.escape(str(root)) if is_glob else root) / written)


def dataset_spec(root: Path, name: str, entry: grammar.Dataset) -> DatasetSpec:
    """Return a dataset with its path resolved from a folder."""
    return DatasetSpec(
        name=name,
        path=_resolved(root, entry.path),
        label=entry.label,
        sensitive=entry.sensitive,
        prediction=entry.prediction,
        score=entry.score,
        positive=entry.positive,
        digest=None if entry.digest is None else Digest(entry.digest),
    )


def named_in(options: BaseModel, mark: str) -> tuple[str, ...]:
    """Return the names of datasets or files (`mark`) that a check's options speak of, each once, in their order."""
    fields = marked(type(options), mark)
    return tuple(dict.fromkeys(name for field in fields for name in _names(getattr(options, field))))


@dataclass(frozen=True)
class _Builder:
    """Builds systems; holds what all of them share."""

    root: Path
    tree: Tree
    checks: CheckTypes
    files: Files
    people: Mapping[str, Person]
    aims: grammar.Aims

    @cached_property
    def suites(self) -> list[tuple[KeyPath, str]]:
        return named(self.tree, self.checks, "file")

    def system(self, id_: str, entry: grammar.System) -> System:
        return System(
            id=id_,
            name=entry.name,
            owner=entry.owner,
            policy=self.policy(id_, entry),
            models=entry.models,
            deputy=entry.deputy,
            intended_purpose=entry.intended_purpose,
            risk_class=entry.risk_class,
            number=entry.number,
            line=self.tree.place(("systems", id_), of_key=True)[0],
        )

    def policy(self, id_: str, entry: grammar.System) -> Policy:
        place: KeyPath = ("systems", id_)
        promotion = entry.promotion
        checks = tuple(self.check((*place, "checks", i), item) for i, item in enumerate(entry.checks))
        return Policy(
            system=id_,
            promotion=Promotion(**promotion.model_dump()),
            datasets=tuple(dataset_spec(self.root, name, item) for name, item in entry.data.items()),
            checks=checks,
            records=tuple(self.record((*place, "records", i), item) for i, item in enumerate(entry.records)),
            trust=self.trust(),
            text=canonical(self.text(id_, entry, checks)),
            monitor=tuple(self.check((*place, "monitor", i), item) for i, item in enumerate(entry.monitor)),
            files=self.suites_of(place),
            rules=self.rules,
            separate=tuple(frozenset(pair) for pair in self.aims.separate),
        )

    def suites_of(self, place: KeyPath) -> dict[str, bytes]:
        return {name: self.files.suites[name] for path, name in self.suites if path[: len(place)] == place}

    def check(self, place: KeyPath, entry: grammar.CheckEntry) -> CheckSpec:
        options = self.options(place, entry)
        return CheckSpec(
            id=entry.id,
            use=entry.use,
            options=options,
            datasets=named_in(options, "dataset"),
            required=entry.required,
            max_age=entry.max_age,
            controls=entry.controls,
            decide_on=entry.decide_on,
            allow_attached=entry.allow_attached,
            allow_stored_predictions=entry.allow_stored_predictions,
            line=self.tree.place(place)[0],
        )

    def options(self, place: KeyPath, entry: grammar.CheckEntry) -> BaseModel:
        """Return the check's own options object, from the keys that are not common to all entries."""
        common = grammar.MonitorEntry if isinstance(entry, grammar.MonitorEntry) else grammar.CheckEntry
        own = {key: value for key, value in self.tree.mapping(*place).items() if key not in common.model_fields}
        return self.checks[entry.use].options.model_validate_json(json.dumps(own), strict=True)

    def record(self, place: KeyPath, entry: grammar.Record) -> RecordSpec:
        line = self.tree.place(place)[0]
        return RecordSpec(entry.id, entry.signed_by, entry.required, entry.max_age, line)

    def trust(self) -> dict[str, dict[Digest, str]]:
        """Return who may sign what. Somebody inactive is trusted for nothing: whoever left cannot sign."""
        named = {kind: trusting.people_of(entry) for kind, entry in self.aims.trust.items()}
        return {
            kind: {key.id: id_ for id_ in ids if self.people[id_].active for key in self.people[id_].keys}
            for kind, ids in named.items()
        }

    @cached_property
    def rules(self) -> dict[str, tuple[Rule, ...]]:
        """The rules of those kinds of statement for which not only people are listed."""
        found = {kind: trusting.rules_of(entry) for kind, entry in self.aims.trust.items()}
        return {
            kind: tuple(Rule(rule.by, rule.systems, rule.threshold) for rule in rules)
            for kind, rules in found.items()
            if rules is not None
        }

    def text(self, id_: str, entry: grammar.System, checks: tuple[CheckSpec, ...]) -> dict[str, Any]:
        """Return what decides for a system, and nothing else.

        Paths stand as written, so that the digest is the same on every machine. Left out, for they decide nothing
        here: names, contacts, purposes, owners (the `owner` requirement looks at the register entry of the day),
        controls, which models are claimed, monitoring, line numbers, and the order of keys and entries.
        """
        suites = self.suites_of(("systems", id_, "checks"))
        return {
            "schema": "aims.policy/1",
            "system": id_,
            "promotion": _promotion_text(entry.promotion),
            "data": {name: item.model_dump(mode="json") for name, item in entry.data.items()},
            "checks": {spec.id: check_text(spec) for spec in checks},
            "records": {item.id: item.model_dump(mode="json", exclude={"id"}) for item in entry.records},
            "trust": {kind: self.trust_text(self.trusted(kind, id_)) for kind in self.aims.trust},
            "files": {name: str(Digest.of(content)) for name, content in suites.items()},
            **self.later_text(id_),
        }

    def trusted(self, kind: str, system: str) -> tuple[str, ...]:
        """Return who is trusted for a kind of statement about a system."""
        if kind not in self.rules:
            return trusting.people_of(self.aims.trust[kind])
        governing = [rule for rule in self.rules[kind] if rule.governs(system)]
        return tuple(dict.fromkeys(person for rule in governing for person in rule.by))

    def trust_text(self, ids: tuple[str, ...]) -> dict[str, Any]:
        # A key with `from:` came after another one, and when each counts is judged by today's file: neither a rotation
        # nor a revocation makes another policy, under which every result would be stale.
        people = [self.people[id_] for id_ in ids if self.people[id_].active]
        keys = {who.id: sorted(key.id for key in who.keys if key.term.start is None) for who in people}
        return {who.id: {"kind": who.kind, "keys": keys[who.id]} for who in people}

    def later_text(self, system: str) -> dict[str, Any]:
        """Return what came later than the digests of policies that are in use; nothing where it is not used."""
        several = {
            kind: [{"by": sorted(rule.by), "threshold": rule.threshold} for rule in rules if rule.governs(system)]
            for kind, rules in self.rules.items()
            if any(rule.threshold > 1 and rule.governs(system) for rule in rules)
        }
        apart = sorted(sorted(set(pair)) for pair in self.aims.separate)
        return ({"thresholds": several} if several else {}) | ({"separate": apart} if apart else {})


def _names(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [name for item in items for name in _names(item)]


def _promotion_text(entry: grammar.Promotion) -> dict[str, Any]:
    # What is left at its default is left out where it came later than the digests of policies that are in use.
    later = {"authenticated": True} if entry.authenticated else {}
    return {key: sorted(set(value)) for key, value in entry.model_dump(exclude={"authenticated"}).items()} | later


def check_text(spec: CheckSpec) -> dict[str, Any]:
    """Return what a policy's text says of a check."""
    return {
        "use": spec.use,
        "options": to_jsonable_python(_ordered(spec.options.model_dump())),
        "required": spec.required,
        "max_age": None if spec.max_age is None else int(spec.max_age.total_seconds()),
        "decide_on": spec.decide_on,
        "allow_attached": spec.allow_attached,
        "allow_stored_predictions": spec.allow_stored_predictions,
    }


def _ordered(value: Any) -> Any:
    """Give sets an order: theirs differs from one process to the next, and the digest must not."""
    if isinstance(value, Mapping):
        return {key: _ordered(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_ordered(item) for item in value), key=repr)
    return [_ordered(item) for item in value] if isinstance(value, list | tuple) else value
