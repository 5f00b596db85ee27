"""The consumer's side: hand a model out only where its bytes and the decision that let it live both hold.

What is verified is a private copy of the files, and that same copy is what is loaded: nothing can be put in its place
between the look and the load.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from aims_mlops.api.acts import read_acts
from aims_mlops.api.evidence import Verification, verify
from aims_mlops.api.looking import walk_log
from aims_mlops.api.reconciling import Files, Reconciler
from aims_mlops.api.services import Services, trust_of
from aims_mlops.api.troubles import Trouble
from aims_mlops.errors import NothingToDo, VerificationError
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, ModelVersion, Target
from aims_mlops.ports import Snapshot, Standing

_LOOK = "aims watch --once shows what went round the gate; aims promote puts a checked version there"


def verified_copy(services: Services, ref: ModelRef, folder: Path, *, servers: Collection[str] = ()) -> Snapshot:
    """Copy a promoted version's files into an empty folder, and return them only where everything holds.

    The log has no hole and nothing in it was changed; a trusted promotion, resting on a trusted decision that allowed
    it, put exactly this version where it stands; the copied files are those that were promoted. `servers` are the
    people whose decisions alone count, where a server enforces. Raises `VerificationError` for what does not hold, and
    `NothingToDo` for a version that stands at nothing protected: there is no decision that could vouch for it.
    What the gate would say today is not asked.
    """
    registry_id = services.store.registry_id()
    version = services.registry.resolve(ref, registry_id)
    snapshot = services.registry.snapshot(version, folder)
    prove(services, version, snapshot.digest, ref=ref, servers=servers)
    return snapshot


def prove(
    services: Services, version: ModelVersion, digest: Digest, *, ref: ModelRef, servers: Collection[str] = ()
) -> Target:
    """Return what a version with these files rightly stands at; raise as `verified_copy` does."""
    walked = walk_log(services)
    if walked.faults:
        raise VerificationError(f"the log does not hold: {walked.faults[0].what}", hint="aims evidence verify")
    reconciler = Reconciler(
        services.project,
        read_acts(services, walked, trust_of(services), servers=servers),
        lambda _version: Files(digest),
        services.store.registry_id(),
        servers,
    )
    protected = [target for target in _targets(version, ref) if reconciler.protects(version.name, target)]
    if not protected:
        where = f"the alias {ref.alias}" if ref.alias else "any alias, stage or name that it stands at"
        raise NothingToDo(
            f"{version.label}: no policy protects {where}, so that no decision vouches for it",
            hint="load it by its protected alias, e.g. models:/NAME@champion",
        )
    objections = [reconciler.objection(Standing(version, target)) for target in protected]
    for target, objection in zip(protected, objections, strict=True):
        if objection is None:
            return target
    first = objections[0]
    assert first is not None
    what = f"{version.label} stands at {protected[0]} without right ({first.word.value}): {first.logged}"
    raise VerificationError(what, hint=_LOOK)


def verify_live(services: Services, ref: ModelRef, *, servers: Collection[str] = ()) -> Verification:
    """Verify a version's evidence, and where it is named by an alias, that a good decision put it there.

    An alias that no policy protects needs none: the note says so.
    """
    found = verify(services, ref)
    if ref.alias is None or found.digest is None:
        return found
    version = services.registry.resolve(ref, services.store.registry_id())
    try:
        target = prove(services, version, found.digest, ref=ref, servers=servers)
    except NothingToDo:
        return replace(found, note=f"no decision vouches for {ref.alias}: no policy protects that alias")
    except VerificationError as error:
        return replace(found, troubles=(*found.troubles, Trouble("unproved", version.label, str(error))))
    return replace(found, note=f"a decision that holds put it at {target}")


def _targets(version: ModelVersion, ref: ModelRef) -> list[Target]:
    """List what a version stands at; only the alias where it was asked for by one."""
    if ref.alias is not None:
        return [Target("alias", ref.alias)]
    found = [Target("alias", alias) for alias in version.aliases]
    found += [Target("stage", version.stage)] if version.stage else []
    return [*found, Target("name", version.name)]
