"""Whom the reader of a pack believes: a file that reaches him by another way than the pack.

It says for one registry which keys may sign which kind of statement, and who the log and its witnesses are. A field
that is not known here is refused: it could take trust away, and whoever does not understand it would give too much.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from aims_mlops.errors import CannotDecide
from aims_mlops.evidence.canonical import reject_constant, unique_keys
from aims_mlops.evidence.note import ED25519, VerifierKey
from aims_mlops.evidence.record import Trust
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import PublicKey
from aims_mlops.model.times import from_text, to_text
from aims_mlops.model.trust import ALWAYS, REASONS, Revocation, Rule, Term

SCHEMA = "aims.trust/1"
"""The version of the file's form."""

_FIELDS = {"schema", "registry", "keys", "kinds", "log"}
_KEY_FIELDS = {"id", "algorithm", "spki", "person"}
_TERM = {"from", "until", "revoked"}
"""Fields of a key that has a term; `rules` stands in a file where some kind has any. The programs in a pack know
neither and refuse such a file: `aims pack verify` reads it."""
_LOG_FIELDS = {"origin", "keys", "witnesses", "quorum"}
_ALGORITHMS = ("ecdsa-p256", "ed25519")


@dataclass(frozen=True, slots=True)
class PackTrust:
    """Which keys may sign what for one registry, and who its log is. Without `origin` no checkpoint is believed."""

    registry: str
    trust: Trust
    origin: str | None = None
    log_keys: tuple[VerifierKey, ...] = ()
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 1

    def to_bytes(self) -> bytes:
        """Write the file: indented JSON, sorted, so that two of them can be compared by eye."""
        people = {key: person for keys in self.trust.by_kind.values() for key, person in keys.items()}
        keys = [
            {
                "id": str(id_),
                "algorithm": self.trust.keys[id_].algorithm,
                "spki": base64.b64encode(self.trust.keys[id_].spki).decode(),
                "person": people[id_],
            }
            | _term_wire(self.trust.keys[id_].term)
            for id_ in sorted(people)
            if id_ in self.trust.keys
        ]
        log = {
            "origin": self.origin,
            "keys": [str(key) for key in self.log_keys],
            "witnesses": [str(key) for key in self.witnesses],
            "quorum": self.quorum,
        }
        kinds = {kind: sorted(map(str, keys)) for kind, keys in self.trust.by_kind.items() if keys}
        wire: dict[str, Any] = {
            "schema": SCHEMA,
            "registry": self.registry,
            "keys": keys,
            "kinds": kinds,
            "log": None if self.origin is None else log,
        }
        if self.trust.rules:
            wire["rules"] = {kind: [_rule_wire(rule) for rule in rules] for kind, rules in self.trust.rules.items()}
        return (json.dumps(wire, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the file; raise `CannotDecide` for any other form: without trust nothing can be said of a pack."""
        try:
            wire = json.loads(content.decode(), object_pairs_hook=unique_keys, parse_constant=reject_constant)
            _must_have(wire, _FIELDS, "the file", optional={"rules"})
            if wire["schema"] != SCHEMA:
                raise ValueError(f"its schema is {str(wire['schema'])[:40]!r}, not {SCHEMA}")
            people: dict[Digest, str] = {}
            keys: dict[Digest, PublicKey] = {}
            for item in wire["keys"]:
                key = _key(item)
                keys[key.id], people[key.id] = key, str(item["person"])
            by_kind = {
                str(kind): {Digest(id_): people[Digest(id_)] for id_ in ids} for kind, ids in wire["kinds"].items()
            }
            rules = {kind: tuple(map(_rule, items)) for kind, items in wire.get("rules", {}).items()}
            return cls(str(wire["registry"]), Trust(by_kind, keys, rules), *_log(wire["log"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CannotDecide(
                f"the trust file does not read: {type(error).__name__}: {error}",
                hint="aims pack trust writes one; it has to come by another way than the pack",
            ) from error


def _must_have(wire: Any, fields: set[str], what: str, *, optional: Collection[str] = ()) -> None:
    if not isinstance(wire, Mapping) or set(wire) - set(optional) != fields:
        strange = sorted(set(wire) ^ fields) if isinstance(wire, Mapping) else type(wire).__name__
        raise ValueError(f"{what} has other fields than this version knows: {strange}")


def _key(wire: Any) -> PublicKey:
    _must_have(wire, _KEY_FIELDS, "a key", optional=_TERM)
    key = PublicKey(base64.b64decode(wire["spki"], validate=True), wire["algorithm"], _term(wire))
    if key.id != wire["id"] or key.algorithm not in _ALGORITHMS:
        raise ValueError(f"the key {str(wire['id'])[:19]} is not the one that its id names, or of an unknown algorithm")
    if key.algorithm == "ed25519":
        VerifierKey("key", ED25519, key)  # refuses another form
    return key


def _term_wire(term: Term) -> dict[str, Any]:
    """Return the fields of a term that are set."""
    wire: dict[str, Any] = {}
    if term.start is not None:
        wire["from"] = to_text(term.start)
    if term.end is not None:
        wire["until"] = to_text(term.end)
    if term.revoked is not None:
        wire["revoked"] = {"at": to_text(term.revoked.at), "reason": term.revoked.reason}
    return wire


def _term(wire: Mapping[str, Any]) -> Term:
    start, end = (from_text(wire[name]) if name in wire else None for name in ("from", "until"))
    if "revoked" not in wire:
        return Term(start, end)
    _must_have(wire["revoked"], {"at", "reason"}, "revoked")
    if wire["revoked"]["reason"] not in REASONS:
        raise ValueError(f"the reason of a revocation is one of {', '.join(REASONS)}")
    return Term(start, end, Revocation(from_text(wire["revoked"]["at"]), wire["revoked"]["reason"]))


def _rule_wire(rule: Rule) -> dict[str, Any]:
    systems = None if rule.systems is None else list(rule.systems)
    return {"by": list(rule.by), "systems": systems, "threshold": rule.threshold}


def _rule(wire: Any) -> Rule:
    _must_have(wire, {"by", "systems", "threshold"}, "a rule")
    people, systems, threshold = wire["by"], wire["systems"], wire["threshold"]
    lists = [people] if systems is None else [people, systems]
    if not all(isinstance(item, list) and all(isinstance(text, str) for text in item) for item in lists):
        raise ValueError("`by` and `systems` of a rule are lists of text")
    if type(threshold) is not int or threshold < 1:
        raise ValueError("the threshold of a rule is a whole number from 1")
    return Rule(tuple(people), None if systems is None else tuple(systems), threshold)


def _log(wire: Any) -> tuple[str | None, tuple[VerifierKey, ...], tuple[VerifierKey, ...], int]:
    if wire is None:
        return None, (), (), 1
    _must_have(wire, _LOG_FIELDS, "log")
    if type(wire["quorum"]) is not int or wire["quorum"] < 1:
        raise ValueError("log.quorum is a whole number from 1")
    keys, witnesses = ([VerifierKey.parse(text) for text in wire[name]] for name in ("keys", "witnesses"))
    return str(wire["origin"]), tuple(keys), tuple(witnesses), wire["quorum"]


def united(trusts: list[PackTrust]) -> PackTrust:
    """Return what several files say together, as of the time before and after keys were changed.

    The term of a key is that of the file that gives it one. Raises `CannotDecide` where they are about different
    registries or logs, name one key as two people's, give it two terms, or have different rules for a kind.
    """
    first, *rest = trusts
    for other in rest:
        origins = {item.origin for item in (first, other) if item.origin is not None}
        if other.registry != first.registry or len(origins) > 1:
            raise CannotDecide("the trust files are about different registries or logs", hint="give those of one")
        by_kind: dict[str, dict[Digest, str]] = {kind: dict(keys) for kind, keys in first.trust.by_kind.items()}
        for kind, keys in other.trust.by_kind.items():
            mine = by_kind.setdefault(kind, {})
            if any(mine.get(key, person) != person for key, person in keys.items()):
                raise CannotDecide("the trust files give one key to two people", hint="ask which of them is right")
            mine.update(keys)
        first = PackTrust(
            first.registry,
            Trust(by_kind, _keys(first.trust, other.trust), _rules(first.trust, other.trust)),
            first.origin or other.origin,
            tuple(dict.fromkeys((*first.log_keys, *other.log_keys))),
            tuple(dict.fromkeys((*first.witnesses, *other.witnesses))),
            max(first.quorum, other.quorum),
        )
    return first


def _keys(one: Trust, other: Trust) -> dict[Digest, PublicKey]:
    """Return both files' keys. A key that only one of them bounds is bounded."""
    found = dict(one.keys)
    for id_, key in other.keys.items():
        mine = found.get(id_, key)
        if ALWAYS not in (mine.term, key.term) and mine.term != key.term:
            raise CannotDecide("the trust files give one key two terms", hint="ask which of them is right")
        found[id_] = key if mine.term == ALWAYS else mine
    return found


def _rules(one: Trust, other: Trust) -> dict[str, tuple[Rule, ...]]:
    """Return both files' rules. A kind that both name has the same rules in both, or none: all would be let in."""
    for kind in {*one.rules, *other.rules} & {*one.by_kind} & {*other.by_kind}:
        if one.rules.get(kind) != other.rules.get(kind):
            raise CannotDecide(
                f"the trust files have different rules for a {kind}", hint="give the one that is in force"
            )
    return {**one.rules, **other.rules}
