"""Measures recorded results again: the same files, policy, data, seed and champion, or a sentence why not.

In this order; the first that does not hold is the reason:

1. the registry has the version, and its files have the digest that the results are about;
2. the text of the policy that they were measured under is kept, and is read here as it was written;
3. the datasets that the text names have the digests that each result names;
4. the check measures, with the recorded seed, with the libraries that are here.

A limit `not_below: champion` is held to the champion of that time: the last promotion before the result in the log.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from aims_mlops.api.looking import champion_measure
from aims_mlops.api.services import Services
from aims_mlops.errors import CannotDecide
from aims_mlops.evidence import predicates
from aims_mlops.evidence.canonical import canonical, parse
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.replay import check_of
from aims_mlops.evidence.statement import Header
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Outcome
from aims_mlops.model.policy import CheckSpec, Policy
from aims_mlops.model.subject import ModelRef, ModelVersion
from aims_mlops.ports import DataEngine, Snapshot
from aims_mlops.runner import Job, Measured, Runner

PolicyReader = Callable[[bytes, Collection[str]], Policy]
"""Reads a policy again from its recorded text, with the checks of these ids; raises an `AimsError`."""

Again = Callable[[Record], Measured]
"""Measures one recorded result again; raises an `AimsError` that says why it cannot be."""


@contextmanager
def rerunning(services: Services, group: Sequence[Record], read_policy: PolicyReader) -> Iterator[Again]:
    """Open one version under one policy, to measure results about both again; files, data and predictions once.

    All of the group are about the same version, files and policy. Raises an `AimsError` where none can be measured.
    """
    header, subject = group[0].statement.header, group[0].statement.subject
    version = _version(services, header)
    ids = list(dict.fromkeys(str(check_of(record)["id"]) for record in group))
    policy = _policy(services, header.policy_digest, ids, read_policy)
    with tempfile.TemporaryDirectory(prefix="aims-") as folder, services.engine() as engine:
        snapshot = services.registry.snapshot(version, Path(folder) / "model")
        if snapshot.digest != subject:
            raise CannotDecide(
                f"the files are others: {subject.short} was measured, {snapshot.digest.short} is there",
                hint="aims evidence verify names the files",
            )
        yield _Again(services, policy, snapshot, engine)


def _version(services: Services, header: Header) -> ModelVersion:
    label = f"{header.model}/{header.version}"
    found = services.registry.resolve(ModelRef(header.model or "", version=header.version), header.registry_id)
    if (found.workspace, found.created_at) != (header.workspace, header.version_created_at):
        raise CannotDecide(f"{label} in the registry is another version: the number was used again")
    return found


def _policy(services: Services, digest: Digest | None, ids: Collection[str], read_policy: PolicyReader) -> Policy:
    text = None if digest is None else services.store.blob(digest)
    if digest is None or text is None or Digest.of(text) != digest:
        named = "no policy" if digest is None else f"the policy {digest.short}"
        raise CannotDecide(f"{named} is kept as it was", hint="restore the store from its backup")
    return read_policy(text, ids)


class _Again:
    """Measures results of one group, one after the other."""

    def __init__(self, services: Services, policy: Policy, snapshot: Snapshot, engine: DataEngine) -> None:
        self._services, self._policy = services, policy
        self._before = 0
        self._runner = Runner(
            Job(
                policy=policy,
                root=services.project.root,
                model=snapshot.digest,
                checks=services.checks,
                engine=engine,
                predictor=lambda positive: services.registry.predictor(snapshot, positive=positive),
                champion=self._champion,
                clock=services.clock,
            )
        )

    def __call__(self, record: Record) -> Measured:
        statement = record.statement
        spec = self._policy.check(str(check_of(record)["id"]))
        assert spec is not None  # the policy was read with the ids of this group
        for use in statement.header.datasets:
            if use.origin.startswith("attached"):
                raise CannotDecide(f"the data were attached by their author as {use.name}, and are not kept")
        self._before = record.seq
        seed = statement.body.get("seed")
        (measured,) = self._runner.run([spec], seed=seed if isinstance(seed, int) else None)
        _must_be_the_same(statement.header, measured)
        return measured

    def _champion(self, spec: CheckSpec, alias: str, metric: str) -> tuple[str, float] | None:
        # Whom to believe is today's to say; the policy that was read again names nobody.
        systems = [system for system in self._services.project.systems if system.id == self._policy.system]
        if not systems:
            raise CannotDecide(f"there is no system {self._policy.system} any more, whose champion it was held to")
        return champion_measure(
            self._services, systems[0].policy, spec, alias=alias, metric=metric, before=self._before
        )


def _must_be_the_same(then: Header, measured: Measured) -> None:
    now = {use.name: use.digest for use in measured.result.datasets}
    for use in then.datasets:
        if now.get(use.name, use.digest) != use.digest:
            raise CannotDecide(
                f"the data are others: {use.name} was {use.digest.short}, and is {now[use.name].short}",
                hint="put the data back as they were, where the policy names them",
            )
    if measured.result.outcome is Outcome.ERROR:
        raise CannotDecide(f"it could not be measured again: {measured.result.reason}", hint=measured.result.hint)
    if missing := sorted({use.name for use in then.datasets} ^ set(now)):
        raise CannotDecide(f"it rests on other datasets now: {', '.join(missing)}")


def body_of(measured: Measured, policy: Digest) -> dict[str, Any]:
    """Return what the statement of a result would say, as it would be read."""
    options = measured.spec.options
    body = predicates.check_result(
        measured.result,
        measured.spec,
        options=options.model_dump(mode="json", exclude_none=True) if isinstance(options, BaseModel) else {},
        seed=measured.seed,
        isolation=measured.isolation,
        policy=policy,
    )
    return parse(canonical(body), what="result")
