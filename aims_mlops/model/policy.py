"""What must hold before a promotion, as frozen values. The policy digest covers exactly what decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from aims_mlops.model import names
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import DatasetUse
from aims_mlops.model.subject import Target
from aims_mlops.model.trust import Rule

_CHOSEN_BY_AUTHOR = {
    "policy": (False, False),
    "attached": (True, False),
    "stored-predictions": (False, True),
    "attached-stored-predictions": (True, True),
}
"""A dataset use's origin: whether the author chose the data, and whether the author chose the predictions."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What counts as promotion: protected aliases, stages, and globs of registered model names."""

    aliases: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    registered_models: tuple[str, ...] = ()
    authenticated: bool = False
    """Whether a promotion needs a caller for whom somebody vouches."""

    def protects(self, target: Target) -> bool:
        """Whether reaching this target is a promotion. Aliases and stages are compared without case."""
        value = target.value.strip()
        if target.kind == "alias":
            return value.casefold() in {alias.casefold() for alias in self.aliases}
        if target.kind == "stage":
            return value.casefold() in {stage.casefold() for stage in self.stages}
        return any(fnmatchcase(value.casefold(), glob.casefold()) for glob in self.registered_models)

    def resembles(self, target: Target) -> str | None:
        """Return the protected alias, stage or glob that a target can be taken for without being it; None for none.

        A database may take it for the same (case beyond ASCII, accents, space, what cannot be seen), or an eye may
        (letters of other scripts; `0` for `o` and the like). A name that a glob matches is one of its names, unless it
        holds something that nobody sees. What is `protects` too is to be refused here first.
        """
        value = target.value
        if target.kind == "name":
            globs = [glob for glob in self.registered_models if names.alike_glob(value, glob)]
            matched = any(fnmatchcase(names.lower(value), names.lower(glob)) for glob in globs)
            return None if not globs or (matched and not names.is_unseen(value)) else globs[0]
        wanted = self.aliases if target.kind == "alias" else self.stages
        if any(names.same(value, one) for one in wanted):
            return None
        return next((one for one in wanted if names.alike(value, one)), None)


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A dataset as the policy names it. `path` is a file or glob, relative paths already resolved."""

    name: str
    path: str
    label: str | None = None
    sensitive: tuple[str, ...] = ()
    prediction: str | None = None
    score: str | None = None
    positive: Any = None
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A requirement that a check fulfils. `options` are the check's own, already validated and frozen."""

    id: str
    use: str
    options: Any
    datasets: tuple[str, ...]
    """Names of the datasets that the options speak of, in the order of the check's own fields."""
    required: bool = True
    max_age: timedelta | None = None
    controls: tuple[str, ...] = ()
    decide_on: str = "interval"
    allow_attached: bool = False
    allow_stored_predictions: bool = False
    line: int = 0

    def objection(self, use: DatasetUse, dataset: DatasetSpec | None) -> str | None:
        """Say why data do not count for this check; None where they do. `dataset` is the policy's of that name.

        Law 3 and design 5: data or predictions that an author chose count only where the check itself permits them,
        or where the policy pins the dataset's digest.
        """
        if dataset is None or use.name not in self.datasets:
            return f"measured on a dataset {use.name!r} that the policy does not name for it"
        if use.origin not in _CHOSEN_BY_AUTHOR:
            return f"measured on {use.name} data of unknown origin"
        if dataset.digest is not None:
            return None if use.digest == dataset.digest else f"measured on other data than the pinned {use.name}"
        attached, stored = _CHOSEN_BY_AUTHOR[use.origin]
        if attached and not self.allow_attached:
            return f"measured on {use.name} data that the author attached; the policy does not allow that for {self.id}"
        if stored and not self.allow_stored_predictions:
            return f"measured on predictions stored in {use.name}; the policy does not allow that for {self.id}"
        return None


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """A requirement that a signed record fulfils, by `not-owner`, `owner`, `anyone` or one person (an id)."""

    id: str
    signed_by: str = "anyone"
    required: bool = True
    max_age: timedelta | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """What decides about one system's models, and the digest of it.

    `trust` says which key ids may sign which kind of statement, with the person each key belongs to, for any system;
    `rules` narrow that for the kinds that have some, to systems and to several people at once.
    `text` is the canonical JSON whose SHA-256 is `digest`. `files` are the bytes of the files that checks name, by
    the name written in aims.yaml: exactly what the digest covers, whatever lies on the disk by now.
    """

    system: str
    promotion: Promotion
    datasets: tuple[DatasetSpec, ...]
    checks: tuple[CheckSpec, ...]
    records: tuple[RecordSpec, ...]
    trust: Mapping[str, Mapping[Digest, str]]
    text: bytes
    monitor: tuple[CheckSpec, ...] = field(default=())
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    separate: tuple[frozenset[str], ...] = ()
    """Pairs of kinds of statement that nobody signs both of about one version."""

    @property
    def digest(self) -> Digest:
        """The policy digest that evidence is bound to."""
        return Digest.of(self.text)

    def trusted(self, kind: str) -> dict[Digest, str]:
        """Return the keys that may sign a kind of statement about this system, each with its person."""
        keys, rules = self.trust.get(kind, {}), self.rules.get(kind)
        if rules is None:
            return dict(keys)
        people = {person for rule in rules if rule.governs(self.system) for person in rule.by}
        return {key: person for key, person in keys.items() if person in people}

    def enough(self, kind: str, people: Collection[str]) -> bool:
        """Whether these people, who are trusted for a kind, are as many as this system demands."""
        rules = [rule for rule in self.rules.get(kind, ()) if rule.governs(self.system)]
        return any(rule.is_met(people) for rule in rules) if rules else bool(people)

    def demanded(self, kind: str) -> int:
        """Return how many people a kind of statement needs, where different rules say so the fewest of these."""
        return min((rule.threshold for rule in self.rules.get(kind, ()) if rule.governs(self.system)), default=1)

    def apart(self, kind: str) -> frozenset[str]:
        """Return the kinds of statement whose signers may not sign this kind about the same version."""
        return frozenset(other for pair in self.separate if kind in pair for other in pair - {kind})

    def dataset(self, name: str) -> DatasetSpec | None:
        """Return the dataset with this name, if there is one."""
        return next((spec for spec in self.datasets if spec.name == name), None)

    def check(self, id_: str) -> CheckSpec | None:
        """Return the check requirement with this id, if there is one."""
        return next((spec for spec in self.checks if spec.id == id_), None)
