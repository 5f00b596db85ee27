"""`aims watch --enforce`: puts back what was proved before, or takes away what was not.

Nothing is made live that was not promoted to the very place by a decision that counts, or whose files are no longer
those that were promoted, or that was taken away since. The registry is acted on first and the act recorded after it:
an act that fails leaves no record, and is tried again at the next look.
"""

from __future__ import annotations

from collections.abc import Sequence

from aims_mlops.api.acts import PLACES, REMOVES, Act, Identity, Place, place, since_removal
from aims_mlops.api.reconciling import Reconciler
from aims_mlops.api.services import Said, Services, kept_policy, write
from aims_mlops.errors import AimsError
from aims_mlops.evidence import predicates
from aims_mlops.model.bypass import Bypass, Word
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelVersion, Subject, Target
from aims_mlops.ports import Standing

_LEFT = {
    Word.ABSENT: "nothing: what was taken away is not made live again unasked",
    Word.UNREADABLE: "nothing: the files could not be read",
    Word.UNCLAIMED: "nothing: no system of the register claims the model",
}


class Restorer:
    """Acts on findings. `standing` lists every version of the models that they are about."""

    def __init__(self, services: Services, reconciler: Reconciler, standing: Sequence[Standing]) -> None:
        self._services, self._reconciler, self._standing = services, reconciler, standing
        self._restored: set[Place] = set()

    def put_back(self, found: Bypass) -> str:
        """Act on one finding; say in words what was done, or why nothing was. Raises nothing of ours."""
        version, target = found.version, found.target
        if found.word in _LEFT:
            return _LEFT[found.word]
        if target.kind == "name" or not isinstance(version, ModelVersion):
            return "nothing: a version cannot be moved out of a name; delete it by hand"
        try:
            return self._act(found, version, target)
        except AimsError as error:
            return f"NOT PUT BACK: {error}"

    def _act(self, found: Bypass, version: ModelVersion, target: Target) -> str:
        where = place(version.workspace, version.name, target)
        good = None if found.word is Word.LOOK_ALIKE else self._last_good(where, version)
        told = []
        if good is None or target.kind == "stage":  # several versions can be in one stage: setting moves none out
            self._services.registry.remove(version, target)
            self._record("remove", found, version, found.digest)
            told.append(f"taken away from {version.label}")
        if good is not None and where not in self._restored and not self._stands(good, where):
            self._restored.add(where)
            self._services.registry.act(good, target)
            self._record("restore", found, good, self._reconciler.files(good).digest)
            told.append(f"put back to {good.label}")
        return ", ".join(told)

    def _last_good(self, where: Place, instead_of: ModelVersion) -> ModelVersion | None:
        """Return the version of the newest promotion to a place that proves something and whose bytes still hold."""
        for act in self._candidates(where):
            version = self._find(act)
            if version is None or Identity.of(version) == Identity.of(instead_of):
                continue
            if self._reconciler.proved(act) and self._reconciler.files(version).digest == act.digest:
                return version
        return None

    def _candidates(self, where: Place) -> list[Act]:
        """Return what was placed and not taken away since, newest first."""
        history = self._reconciler.acts.at(where)
        if where[2] == "alias":
            return since_removal(history)
        placed = [act for act in history if act.kind in PLACES]
        taken = [act for act in history if act.kind in REMOVES]
        gone = [a for a in placed for b in taken if b.seq > a.seq and b.moved.version in (None, a.moved.version)]
        return [act for act in reversed(placed) if act not in gone]

    def _find(self, act: Act) -> ModelVersion | None:
        versions = (item.version for item in self._standing)
        return next((version for version in versions if Identity.of(version) == act.moved), None)

    def _stands(self, version: ModelVersion, where: Place) -> bool:
        return where[2] == "stage" and any(
            Identity.of(item.version) == Identity.of(version)
            and place(item.version.workspace, item.version.name, item.target) == where
            for item in self._standing
        )

    def _record(self, act: str, found: Bypass, version: ModelVersion, digest: Digest | None) -> None:
        services = self._services
        policy = kept_policy(services, version.name)
        subject = None if digest is None else Subject.of(version, digest)
        body = predicates.enforcement(act, found, actor=services.actor(), at=services.clock())
        said = Said("gate-decision", version, subject, policy, body, measured_at=services.clock())
        write(services, said, signer=services.signer())
