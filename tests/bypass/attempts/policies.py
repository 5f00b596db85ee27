"""Evidence and decisions that must not count: withdrawn, foreign, or made under a policy of one's own."""

from __future__ import annotations

from tests.bypass.scene import Scene
from tests.bypass.suite import attempt


@attempt("evidence", "promote-after-a-newer-failure", "a version passed, then fails, then is promoted")
def _withdrawn(scene: Scene) -> None:
    made = scene.checked()
    scene.withdraw(made)
    scene.champion(made)


@attempt("evidence", "promote-again-after-a-newer-failure", "promoted, removed, failed since, and promoted again")
def _again(scene: Scene) -> None:
    made = scene.promoted()
    scene.rest.delete("registered-models/alias", name=made.name, alias="champion").ok()
    scene.withdraw(made)
    scene.champion(made)


@attempt("evidence", "copy-after-a-newer-failure", "a version that fails by now is copied into the protected name")
def _copied(scene: Scene) -> None:
    made = scene.checked()
    scene.withdraw(made)
    scene.create(scene.protected, f"models:/{made.name}/{made.number}")


@attempt("evidence", "evidence-of-an-untrusted-person", "results of somebody whom the policy does not trust for them")
def _untrusted(scene: Scene) -> None:
    made = scene.model()
    scene.evidence.claim(made.name, made.number, how="untrusted")
    scene.champion(made)


@attempt("evidence", "evidence-under-a-lax-policy", "results under a copy of aims.yaml that asks for less")
def _lax(scene: Scene) -> None:
    made = scene.model()
    scene.evidence.claim(made.name, made.number, how="lax")
    scene.champion(made)


@attempt("evidence", "a-decision-of-a-client", "a signed `allowed` of a client with a policy of its own")
def _decided(scene: Scene) -> None:
    made = scene.model()
    scene.evidence.claim(made.name, made.number, how="decision")
    scene.champion(made)


@attempt("evidence", "promote-with-an-own-policy", "aims promote with a policy of one's own, to the alias")
def _promoted(scene: Scene) -> None:
    made = scene.model()
    scene.evidence.promote(made.name, made.number, "champion")
    scene.champion(made)


@attempt("evidence", "promote-into-a-name-with-an-own-policy", "the same into the protected name")
def _promoted_name(scene: Scene) -> None:
    made = scene.model()
    scene.evidence.promote(made.name, made.number, f"name:{scene.protected}")
    scene.create(scene.protected, f"models:/{made.name}/{made.number}")


@attempt(
    "evidence", "the-evidence-of-another-version", "version 1 is checked, and version 2 asks with its evidence in tags"
)
def _foreign(scene: Scene) -> None:
    good, bad = scene.checked(), scene.model()
    tag = {"key": "aims.evidence", "value": f"{good.name}/{good.number}"}
    scene.rest.post("model-versions/set-tag", name=bad.name, version=bad.number, **tag)
    scene.champion(bad)


@attempt(
    "evidence", "apply-a-policy-of-ones-own", "somebody who is no administrator signs and applies a laxer aims.yaml"
)
def _applied(scene: Scene) -> None:
    made = scene.model()
    scene.evidence.claim(made.name, made.number, how="applied")
    scene.champion(made)


@attempt(
    "evidence", "evidence-written-past-the-server", "results of a stranger, written into the evidence database itself"
)
def _written(scene: Scene) -> None:
    made = scene.model()
    scene.evidence.claim(made.name, made.number, how="written")
    scene.champion(made)
