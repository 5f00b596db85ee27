"""Holds what stands in the registry against what the log says was done there.

For each alias, stage or name that is protected, in this order; the first that fails is the finding:

1. the newest act that the log knows about the place is a promotion (or restoration) of exactly this version;
2. the decision that it rests on is there, allowed it, and counts here;
3. the version's files, digested now, are those that were promoted.

Then the other way round: where the log says that something stands, something does. What the gate would say today is
not asked here: evidence that has become stale is nobody's bypass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aims_mlops.api.acts import PLACES, REMOVES, Act, Acts, Identity, Place, place, what_fails
from aims_mlops.evidence.canonical import canonical
from aims_mlops.model.bypass import Bypass, Word
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Promotion
from aims_mlops.model.register import Project
from aims_mlops.model.subject import ModelVersion, RegisteredModel, Target
from aims_mlops.model.times import to_text
from aims_mlops.ports import Standing


@dataclass(frozen=True)
class Files:
    """A version's files as they are now: their digest, or in one word and a sentence why there is none."""

    digest: Digest | None
    word: Word = Word.CHANGED
    what: str = ""


@dataclass(frozen=True)
class _Fault:
    """Why a version has no business where it stands."""

    word: Word
    logged: str
    newest: Act | None = None
    files: Files | None = None


@dataclass(frozen=True)
class Reconciler:
    """Compares one look at the registry with one reading of the log.

    `servers` are the people whose decisions alone count, where a server enforces; empty means that a client's count
    too. `unclaimed` is `refuse` or `free`, for a model that no system claims.
    """

    project: Project
    acts: Acts
    files: Callable[[ModelVersion], Files]
    registry_id: str
    servers: Collection[str] = ()
    unclaimed: str = "refuse"

    def protects(self, model: str, target: Target) -> bool:
        """Whether something that stands at the target needs a record."""
        return any(promotion.protects(target) for promotion in self._promotions(model, target))

    def concerns(self, model: str) -> bool:
        """Whether every version under a registered model's name is of interest: the name is protected, or looks so."""
        return self.protects(model, Target("name", model)) or self.project.resembles(model) is not None

    def findings(self, standing: Sequence[Standing]) -> Iterator[Bypass]:
        """Yield what does not hold, in the order of what stands, and then what is missing."""
        moved: set[Place] = set()
        alike: set[tuple[str, Target]] = set()
        for item in standing:
            fault = self._fault(item, moved)
            if fault is None:
                continue
            if fault.word is Word.LOOK_ALIKE and item.target.kind == "name":
                name = item.version.workspace, item.target
                if name in alike:  # it is the name that is odd, however many versions it has
                    continue
                alike.add(name)
            yield self._found(item.version, item.target, fault, seen=_seen(item))
        yield from self._missing(standing, moved)

    def objection(self, item: Standing) -> Bypass | None:
        """Say why one version has no business where it stands; None where it has, or where nothing is protected."""
        fault = self._fault(item, set())
        return None if fault is None else self._found(item.version, item.target, fault, seen=_seen(item))

    def proved(self, act: Act) -> bool:
        """Whether a promotion rests on a decision that counts."""
        return what_fails(act, self.acts, servers=self.servers) is None

    def _promotions(self, model: str, target: Target) -> list[Promotion]:
        systems = self.project.systems if target.kind == "name" else self.project.governing(model)
        return [system.policy.promotion for system in systems]

    def _fault(self, item: Standing, moved: set[Place]) -> _Fault | None:
        model, target = item.version.name, item.target
        taken_for = self._taken_for(model, target)
        if taken_for is not None:
            return _Fault(Word.LOOK_ALIKE, f"{target} is not {taken_for}, and can be taken for it")
        if self.protects(model, target):
            look = self._in_name if target.kind == "name" else self._at_target
            return look(item.version, target, moved)
        governed = target.kind == "name" or self.project.governing(model)
        anywhere = any(system.policy.promotion.protects(target) for system in self.project.systems)
        if anywhere and not governed and self.unclaimed == "refuse":
            return _Fault(Word.UNCLAIMED, f"no system of the register claims {model}, and {target} is protected")
        return None

    def _taken_for(self, model: str, target: Target) -> str | None:
        if target.kind == "name":
            return self.project.resembles(model)
        found = (promotion.resembles(target) for promotion in self._promotions(model, target))
        return next((f"the protected {target.kind} {one!r}" for one in found if one is not None), None)

    def _at_target(self, version: ModelVersion, target: Target, moved: set[Place]) -> _Fault | None:
        """Judge what holds an alias, or is in a stage, in which several versions may stand at once."""
        history = self.acts.at(place(version.workspace, version.name, target))
        if target.kind == "stage":
            history = [act for act in history if act.moved.version in (None, version.version)]
        if not history:
            return self._never(version, target, moved)
        newest = history[-1]
        if newest.kind in REMOVES:
            return _Fault(Word.REMOVED, f"it was taken away from {target} {_when(newest)}", newest)
        if newest.moved != Identity.of(version):
            again = (newest.moved.model, newest.moved.version) == (version.name, version.version)
            if again:
                what = f"another version of that name and number was promoted {_when(newest)}: this one is newer"
                return _Fault(Word.RECREATED, what, newest)
            return _Fault(Word.SUPERSEDED, f"{newest.moved.label} was promoted to {target} {_when(newest)}", newest)
        return self._unsound(version, newest)

    def _unsound(self, version: ModelVersion, act: Act) -> _Fault | None:
        fails = what_fails(act, self.acts, servers=self.servers)
        if fails is not None:
            return _Fault(Word.UNPROVED, f"the promotion of {act.moved.label} {fails}", act)
        files = self.files(version)
        if files.digest == act.digest:
            return None
        if files.digest is None:
            return _Fault(files.word, f"{files.what}; {act.digest.short} was promoted {_when(act)}", act, files)
        what = f"{act.digest.short} was promoted {_when(act)}, and the files are {files.digest.short} now"
        return _Fault(Word.CHANGED, what, act, files)

    def _never(self, version: ModelVersion, target: Target, moved: set[Place]) -> _Fault:
        """Say what there is in place of a promotion to here."""
        for act in reversed(self._elsewhere(version.workspace, target)):
            if act.moved == replace(Identity.of(version), workspace=act.moved.workspace):
                moved.add(act.place)
                what = f"it was promoted to {target} in workspace {act.moved.workspace} {_when(act)}"
                return _Fault(Word.MOVED, what, act)
        if any(act.target == target and act.moved == Identity.of(version) for act in self.acts.unsigned):
            return _Fault(Word.UNPROVED, "the promotion that names it is not signed by anyone trusted for it")
        return _Fault(Word.UNRECORDED, f"no promotion of it to {target} is recorded")

    def _elsewhere(self, workspace: str, target: Target) -> list[Act]:
        acts = [act for act in self.acts.acts if act.target == target and act.kind in PLACES]
        return [act for act in acts if act.moved.workspace != workspace]

    def _in_name(self, version: ModelVersion, target: Target, moved: set[Place]) -> _Fault | None:
        """Judge a version in a protected name by its bytes: the copy has a number and a time of its own."""
        history = self.acts.at(place(version.workspace, version.name, target))
        files, own = self.files(version), Identity.of(version)
        taken = [act for act in history if act.kind in REMOVES and act.moved == own]
        placed = [act for act in history if act.kind in PLACES]
        same = [act for act in placed if act.digest == files.digest]
        if taken and (not same or taken[-1].seq > same[-1].seq):
            return _Fault(Word.REMOVED, f"it was taken out of {version.name} {_when(taken[-1])}", taken[-1], files)
        if same:
            if any(self.proved(act) for act in same):
                return None
            return self._unsound(version, same[-1])
        origin = version.copied_from
        source = [
            act for act in placed if origin and (act.moved.model, act.moved.version) == (origin.name, origin.version)
        ]
        if source or (files.digest is None and placed):
            return self._unsound(version, (source or placed)[-1])
        for act in reversed(self._elsewhere(version.workspace, target)):
            if act.digest == files.digest:
                moved.add(act.place)
                what = f"these files were promoted into {version.name} in workspace {act.moved.workspace} {_when(act)}"
                return _Fault(Word.MOVED, what, act, files)
        return _Fault(Word.STRAY, f"nothing like it was ever promoted into {version.name}", None, files)

    def _missing(self, standing: Sequence[Standing], moved: Collection[Place]) -> Iterator[Bypass]:
        """Yield where the newest act placed a version, and nothing stands there now."""
        newest = {act.place: act for act in self.acts.acts}
        for where, act in newest.items():
            model = where[1]
            if act.kind in REMOVES or where in moved or not self.protects(model, act.target):
                continue
            here = [item.version for item in standing if _place(item) == where]
            if any(self._is_what_was_placed(version, act) for version in here):
                continue
            logged = f"{act.moved.label} was promoted to {act.target} {_when(act)}, and no removal is recorded"
            gone = RegisteredModel(self.registry_id, act.moved.workspace, model)
            seen = (
                f"nothing of {model} holds {act.target}" if act.target.kind != "name" else f"{model} holds no version"
            )
            yield self._found(gone, act.target, _Fault(Word.ABSENT, logged, act), seen=seen)

    def _is_what_was_placed(self, version: ModelVersion, act: Act) -> bool:
        """Whether a version keeps a place from being empty. What holds an alias in another's place has its finding."""
        if act.target.kind == "alias":
            return True
        if act.target.kind == "stage":
            return Identity.of(version) == act.moved
        origin = version.copied_from
        copied = origin is not None and (origin.name, origin.version) == (act.moved.model, act.moved.version)
        return copied or self.files(version).digest == act.digest

    def _found(self, version: ModelVersion | RegisteredModel, target: Target, fault: _Fault, *, seen: str) -> Bypass:
        digest = None if fault.files is None else fault.files.digest
        promotion = None if fault.newest is None else fault.newest.record.payload
        created = version.created_at
        identity = {
            "word": fault.word.value,
            "registryId": self.registry_id,
            "workspace": version.workspace,
            "model": version.name,
            "version": version.version,
            "createdAt": None if created is None else to_text(created),
            "to": target.to_wire(),
            "digest": digest,
            "promotion": promotion,
        }
        return Bypass(
            fault.word,
            version,
            target,
            seen,
            fault.logged,
            _hint(fault.word, version, target),
            Digest.of(canonical(identity)),
            digest,
            promotion,
        )


def _place(item: Standing) -> Place:
    return place(item.version.workspace, item.version.name, item.target)


def _seen(item: Standing) -> str:
    if item.target.kind == "name":
        return f"{item.version.label} lies in {item.target.value}"
    return f"{item.version.label} holds {item.target}"


def _when(act: Act) -> str:
    return f"on {to_text(act.record.captured_at)}"


def _hint(word: Word, version: ModelVersion | RegisteredModel, target: Target) -> str:
    label = version.name if version.version is None else f"{version.name}/{version.version}"
    if word is Word.UNREADABLE:
        return "run aims watch where the registry's files can be read, and see that their store answers"
    if word is Word.ABSENT:
        return f"see who took it away; aims promote NAME/VERSION --to {target} puts a version there by the gate"
    if word is Word.UNCLAIMED:
        return f"add {version.name!r} to models: of a system in aims.yaml, or take {target} away from {label}"
    if target.kind == "name":
        return f"see who put it there, and delete {label}: nothing can move it back"
    return f"see who did it; aims watch --enforce puts it back, or aims promote {label} --to {target} asks the gate"


def models_of(findings: Iterable[Bypass]) -> frozenset[str]:
    """Return the registered models whose promotions must stand still while findings are looked at again."""
    names: set[str] = set()
    for found in findings:
        names.add(found.version.name)
        if isinstance(found.version, ModelVersion) and found.version.copied_from is not None:
            names.add(found.version.copied_from.name)
    return frozenset(names)
