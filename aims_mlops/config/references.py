"""What the parts of aims.yaml say about each other: people, datasets, ids, and whose model it is.

Everything is looked up in the tree as it was read, so that one mistake of form does not hide another of meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from aims_mlops.config.files import named
from aims_mlops.config.grammar import SIGNERS, CheckTypes
from aims_mlops.config.mistakes import choices
from aims_mlops.config.positions import KeyPath, Tree
from aims_mlops.config.trusting import SEVERAL
from aims_mlops.evidence.tombstone import KIND as TOMBSTONE
from aims_mlops.model.policy import Promotion
from aims_mlops.model.subject import Target


def refer(tree: Tree, checks: CheckTypes) -> None:
    """Note every reference that leads nowhere, every id given twice, and every model with two homes."""
    _people(tree)
    _trust(tree)
    _datasets(tree, checks)
    _requirement_ids(tree)
    _numbers(tree)
    _promotions(tree)
    _champions(tree)
    _claims(tree)
    _log(tree)


def _people(tree: Tree) -> None:
    people = tree.get(("people",))
    if not isinstance(people, dict):
        return  # It is missing or of another type, which is told already; every reference would only repeat it.
    for path, person in _references(tree):
        if isinstance(person, str) and person not in people:
            hint = choices(person, people, what="people") or "add the person under people:"
            tree.mistake(path, f"there is no person {person!r} under people", hint)
    for id_, system in tree.mapping("systems").items():
        if isinstance(system, dict) and system.get("deputy") is not None and system["deputy"] == system.get("owner"):
            what = f"owner and deputy are the same person, {system['owner']!r}"
            tree.mistake(("systems", id_, "deputy"), what, "name somebody else, who answers when the owner does not")


def _references(tree: Tree) -> Iterator[tuple[KeyPath, object]]:
    yield ("signer",), tree.get(("signer",))
    yield ("log", "key"), tree.get(("log", "key"))
    for kind in tree.mapping("trust"):
        yield from _trusted(tree, kind)
    for system in tree.mapping("systems"):
        for role in ("owner", "deputy"):
            yield ("systems", system, role), tree.get(("systems", system, role))
        for path, _ in tree.items("systems", system, "records"):
            signer = tree.get((*path, "signed_by"))
            if signer not in SIGNERS:
                yield (*path, "signed_by"), signer


def _trusted(tree: Tree, kind: str) -> Iterator[tuple[KeyPath, object]]:
    """Yield everybody who is named for a kind of statement, whatever the form of the entry."""
    place: KeyPath = ("trust", kind)
    yield from (found for found in tree.items(*place) if not isinstance(found[1], dict))
    for path in _rules(tree, kind):
        yield from tree.items(*path, "by")


def _rules(tree: Tree, kind: str) -> list[KeyPath]:
    place: KeyPath = ("trust", kind)
    if isinstance(tree.get(place), dict):
        return [place]
    return [path for path, entry in tree.items(*place) if isinstance(entry, dict)]


def _trust(tree: Tree) -> None:
    """A rule that can never be met, or never speaks about anything, trusts nobody and looks as if it did."""
    systems = [str(id_) for id_ in tree.mapping("systems")]
    for kind in tree.mapping("trust"):
        for path in _rules(tree, kind):
            for place, pattern in tree.items(*path, "systems"):
                if isinstance(pattern, str) and not any(fnmatchcase(id_, pattern) for id_ in systems):
                    hint = choices(pattern, systems, what="systems") or "write a glob of ids under systems:"
                    tree.mistake(place, f"no system matches {pattern!r}", hint)
            _self_declared(tree, kind, path)
            _threshold(tree, kind, path)


def _self_declared(tree: Tree, kind: str, path: KeyPath) -> None:
    """A leaf names no system: for which one a tombstone is, only its own header would say (ADR 0025)."""
    if kind == TOMBSTONE and tree.get((*path, "systems")) is not None:
        what = "a tombstone cannot be bound to systems: the leaf of what it erases names none, only its signer would"
        tree.mistake((*path, "systems"), what, "take systems: away; whoever may erase may do so for every system")


def _threshold(tree: Tree, kind: str, path: KeyPath) -> None:
    threshold = tree.get((*path, "threshold"))
    if not isinstance(threshold, int) or isinstance(threshold, bool) or threshold < 2:
        return
    here = (*path, "threshold")
    if kind not in SEVERAL:
        hint = "several people sign records and waivers; several administrators, with aims apply, --admin-keys"
        tree.mistake(here, f"a {kind} is signed by one: it cannot demand {threshold}", hint)
        return
    people = {who for _, who in tree.items(*path, "by") if isinstance(who, str)}
    able = [who for who in people if tree.get(("people", who, "active")) is not False]
    if len(able) < threshold:
        hint = "name more active people, or demand fewer; each person counts once, whatever their keys"
        tree.mistake(here, f"{threshold} of {len(able)} people can never be reached", hint)


def _datasets(tree: Tree, checks: CheckTypes) -> None:
    for path, name in named(tree, checks, "dataset"):
        data = tree.mapping(*path[:2], "data")
        if name not in data:
            hint = choices(name, data, what="datasets") or f"add it under systems.{path[1]}.data:"
            tree.mistake(path, f"there is no dataset {name!r} in this system", hint)


def _champions(tree: Tree) -> None:
    """`not_below:` names a protected alias: nothing is ever promoted to another, and nothing would be compared."""
    for system in tree.mapping("systems"):
        aliases = [
            alias for _, alias in tree.items("systems", system, "promotion", "aliases") if isinstance(alias, str)
        ]
        known = {alias.casefold() for alias in aliases}
        for path, _ in tree.items("systems", system, "checks"):
            for metric in tree.mapping(*path, "metrics"):
                place: KeyPath = (*path, "metrics", metric, "not_below")
                alias = tree.get(place)
                if isinstance(alias, str) and alias.casefold() not in known:
                    hint = choices(alias, aliases, what="protected aliases") or "protect an alias under promotion:"
                    tree.mistake(place, f"not_below: {alias!r} is no protected alias of this system", hint)


def _requirement_ids(tree: Tree) -> None:
    """Checks, records and monitoring share one space of ids: a waiver or a result names the id alone."""
    for system in tree.mapping("systems"):
        first: dict[str, int] = {}
        for key in ("checks", "records", "monitor"):
            for path, _ in tree.items("systems", system, key):
                here, id_ = (*path, "id"), tree.get((*path, "id"))
                if not isinstance(id_, str):
                    continue
                if id_ in first:
                    what = f"the id {id_!r} is used twice in this system; first on line {first[id_]}"
                    tree.mistake(here, what, "give each check and record an id of its own")
                first.setdefault(id_, tree.place(here)[0])


def _numbers(tree: Tree) -> None:
    first: dict[str, str] = {}
    for system in tree.mapping("systems"):
        number = tree.get(("systems", system, "number"))
        if not isinstance(number, str):
            continue
        if number in first:
            what = f"the number {number!r} belongs to the system {first[number]!r} already"
            tree.mistake(("systems", system, "number"), what, "a register number names one system")
        first.setdefault(number, system)


def _promotions(tree: Tree) -> None:
    for system in tree.mapping("systems"):
        path: KeyPath = ("systems", system, "promotion")
        promotion = tree.get(path)
        if isinstance(promotion, dict) and not any(promotion.values()):
            tree.mistake(path, "nothing is protected", "name at least one alias, stage or registered model")
        globs = tuple(glob for _, glob in tree.items(*path, "registered_models") if isinstance(glob, str))
        for place, model in tree.items("systems", system, "models"):
            if isinstance(model, str) and model and Promotion(registered_models=globs).protects(Target("name", model)):
                what = f"the model {model!r} is also a protected name: each version would be born promoted"
                tree.mistake(place, what, "protect names that versions are copied into, e.g. prod.*")


def _claims(tree: Tree) -> None:
    names: dict[str, KeyPath] = {}
    globs: dict[str, KeyPath] = {}
    for system in tree.mapping("systems"):
        for path, model in tree.items("systems", system, "models"):
            if not isinstance(model, str):
                continue
            # A plain name is looked up; only globs are tried one by one, so that thousands of names stay quick.
            is_glob = any(letter in model for letter in "*?[")
            rivals = {model: names[model]} if model in names else {}
            rivals |= {**names, **globs} if is_glob else globs
            for other, place in rivals.items():
                if place[1] != system and _overlap(model, other):
                    _tell_claim(tree, path, place)
                    break
            (globs if is_glob else names).setdefault(model, path)


def _tell_claim(tree: Tree, path: KeyPath, rival: KeyPath) -> None:
    model, other = tree.get(path), tree.get(rival)
    said = "" if other == model else f" as {other!r}"
    where = f"by the system {str(rival[1])!r} on line {tree.place(rival)[0]}{said}"
    tree.mistake(path, f"the model {model!r} is claimed {where} already", "let exactly one system claim a model")


def _overlap(one: str, other: str) -> bool:
    """Whether two globs are known to meet: equal, or one covers the other's text.

    Globs that merely cross, such as `a*` and `*b`, are not found here; a model that both match is refused by the gate.
    """
    return one == other or fnmatchcase(one, other) or fnmatchcase(other, one)


def _log(tree: Tree) -> None:
    """The log's key signs nothing else: who holds the one must not be able to rewrite what the other says."""
    place: KeyPath = ("log", "key")
    signer = tree.get(place)
    evidence = [kind for kind in tree.mapping("trust") if signer in [who for _, who in _trusted(tree, kind)]]
    if isinstance(signer, str) and (evidence or signer == tree.get(("signer",))):
        what = f"trusted for {', '.join(evidence)}" if evidence else "the signer of runs"
        hint = "add a service of its own under people:, then aims keys new NAME --ed25519"
        tree.mistake(place, f"the log's key must be another than evidence keys, and {signer!r} is {what}", hint)
    witnesses = [(path, text) for path, text in tree.items("log", "witnesses") if isinstance(text, str)]
    first: dict[str, KeyPath] = {}
    for path, text in witnesses:
        key = text.rpartition("+")[2]
        if key in first:
            tree.mistake(path, "this witness's key stands here already", "each witness counts once")
        first.setdefault(key, path)
    quorum = tree.get(("log", "quorum"))
    if isinstance(quorum, int) and witnesses and quorum > len(first):
        what = f"a quorum of {quorum} can never be reached with {len(first)} known"
        tree.mistake(("log", "quorum"), what, "name more witnesses, or a smaller quorum")
