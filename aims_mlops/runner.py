"""Runs checks. The one place where foreign code may fail in any way: a crash becomes an `error` outcome.

Datasets are opened once and predictions made once for all checks of a run. After the last check the data are digested
again: a result on data that changed in between is an error, whatever it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aims_mlops.errors import AimsError, CheckError, DataError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.predicates import measure as measure_to_wire
from aims_mlops.evidence.suppression import suppress
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import CheckResult, DatasetUse, Finding
from aims_mlops.model.outcome import Outcome, worst
from aims_mlops.model.policy import CheckSpec, Policy
from aims_mlops.plugin import Check, CheckContext, Dataset, Predictor
from aims_mlops.ports import Clock, DataEngine

Champion = Callable[[CheckSpec, str, str], tuple[str, float] | None]
"""(check, alias, metric) to what the last allowed promotion to that alias measured."""


@dataclass(frozen=True)
class Job:
    """Everything that one run over one model version needs."""

    policy: Policy
    root: Path
    """The project's folder: what is said of files in it goes into evidence without the way to it."""
    model: Digest
    checks: Mapping[str, type[Check]]
    engine: DataEngine
    predictor: Callable[[Any], Predictor]
    """Makes the predictor; its argument is the label that counts as positive."""
    champion: Champion
    clock: Clock
    attached: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A result with what its statement says besides."""

    result: CheckResult
    spec: CheckSpec
    seed: int
    isolation: str | None


class Runner:
    """Runs the checks of one job, one after the other."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._open: dict[str, Dataset] = {}
        self._scored: dict[str, Dataset | AimsError] = {}
        self._isolation: str | None = None

    def run(
        self,
        specs: Iterable[CheckSpec],
        *,
        progress: Callable[[str], None] = lambda _: None,
        seed: int | None = None,
    ) -> list[Measured]:
        """Run checks and return their results in the same order, without small cells.

        A `seed` takes the place of the one that model, data and policy give: to measure again what was recorded.
        """
        measured = []
        for spec in specs:
            progress(spec.id)
            measured.append(self._one(spec, seed))
        changed = self._changed()
        return [self._hold_to(changed, item) for item in measured]

    def _one(self, spec: CheckSpec, given: int | None) -> Measured:
        uses: dict[str, DatasetUse] = {}
        seed, detail = 0, ""
        try:
            for name in spec.datasets:
                uses[name] = _use(self._data(name))
            seed = self._seed(uses.values()) if given is None else given
            finding = suppress(_whole(_check_class(spec, self._job.checks)().run(self._context(spec, seed, uses))))
            canonical([measure_to_wire(measure) for measure in finding.measures])
        except AimsError as error:
            finding = self._error(error)
            detail = str(getattr(error, "detail", ""))
        except Exception as error:  # noqa: BLE001  # the boundary: foreign code, any failure, never a pass
            # A library's message may quote a row: it is for the terminal, and stays out of evidence.
            reason = f"the check crashed ({type(error).__name__})"
            finding = Finding(
                Outcome.ERROR, reason=reason, hint="aims -v check MODEL shows what it said, which may quote rows"
            )
            detail = f"{type(error).__name__}: {error}"
        result = CheckResult(
            spec.id, spec.use, spec.required, finding, self._job.clock(), tuple(uses.values()), detail=detail
        )
        return Measured(result, spec, seed, self._isolation if self._was_scored(spec) else None)

    def _was_scored(self, spec: CheckSpec) -> bool:
        return any(name in self._scored for name in spec.datasets)

    def _context(self, spec: CheckSpec, seed: int, uses: dict[str, DatasetUse]) -> CheckContext:
        def named(name: str) -> Dataset:
            _must_be_named(spec, name)
            return self._data(name)

        def scored(name: str) -> Dataset:
            _must_be_named(spec, name)
            data = self._scored_data(name)
            uses[name] = _use(data)
            return data

        return CheckContext(
            options=spec.options,
            engine=self._job.engine,
            data=named,
            scored=scored,
            champion=lambda alias, metric: self._job.champion(spec, alias, metric),
            file=lambda name: self._job.policy.files[name],
            seed=seed,
            decide_on=spec.decide_on,
        )

    def _data(self, name: str) -> Dataset:
        if name not in self._open:
            spec = self._job.policy.dataset(name)
            if spec is None:
                raise DataError(
                    f"there is no dataset {name!r}", hint=f"describe it under data: of {self._job.policy.system}"
                )
            frame = self._job.attached.get(name)
            origin = "policy" if frame is None else "attached"
            self._open[name] = self._job.engine.open(spec, frame, origin=origin)
        return self._open[name]

    def _scored_data(self, name: str) -> Dataset:
        if name not in self._scored:
            try:
                self._scored[name] = self._score(name)
            except AimsError as error:  # said again to each check that asks, instead of predicting again
                self._scored[name] = error
        scored = self._scored[name]
        if isinstance(scored, AimsError):
            raise scored
        return scored

    def _score(self, name: str) -> Dataset:
        data, spec = self._data(name), self._job.policy.dataset(name)
        if spec is not None and spec.prediction is not None:
            return self._job.engine.with_stored_predictions(data, spec)
        predictor = self._job.predictor(data.positive)
        self._isolation = predictor.isolation
        return self._job.engine.score(data, predictor)

    def _seed(self, uses: Iterable[DatasetUse]) -> int:
        """Derive the seed of resampling from model, data and policy digests, as 53 bits: JSON holds it exactly."""
        parts = [self._job.model, *sorted(use.digest for use in uses), self._job.policy.digest]
        return int(Digest.of("\n".join(parts).encode()).hex[:13], 16)

    def _changed(self) -> dict[str, AimsError]:
        changed = {}
        for name, data in self._open.items():
            try:
                self._job.engine.verify_unchanged(data)
            except AimsError as error:
                changed[name] = error
        return changed

    def _hold_to(self, changed: Mapping[str, AimsError], item: Measured) -> Measured:
        errors = [changed[name] for name in item.spec.datasets if name in changed]
        if not errors:
            return item
        return replace(item, result=replace(item.result, finding=self._error(errors[0])))

    def _error(self, error: AimsError) -> Finding:
        """Make an error a finding, without the paths of this machine."""
        above = f"{self._job.root}/"
        return Finding(Outcome.ERROR, reason=str(error).replace(above, ""), hint=error.hint.replace(above, ""))


def _use(data: Dataset) -> DatasetUse:
    return DatasetUse(data.name, data.digest, data.digest_kind, data.rows, data.origin)


def _must_be_named(spec: CheckSpec, name: str) -> None:
    """Refuse data that the statement would not speak of: where it came from could not be judged."""
    if name not in spec.datasets:
        raise CheckError(
            f"the check asks for the dataset {name!r}, which none of its options names",
            hint="its author declares the option as plugin.DatasetName",
        )


def _check_class(spec: CheckSpec, checks: Mapping[str, type[Check]]) -> type[Check]:
    if spec.use not in checks:
        raise CheckError(f"no check {spec.use!r} is installed", hint=f"installed: {', '.join(sorted(checks))}")
    return checks[spec.use]


def _whole(finding: object) -> Finding:
    """Refuse what is not a finding, and a pass that rests on nothing."""
    if not isinstance(finding, Finding):
        raise CheckError(f"the check handed back a {type(finding).__name__}, not a Finding")
    if finding.outcome.good and not finding.measures:
        raise CheckError("the check measured nothing, and nothing measured is not a pass")
    if finding.outcome.good and not worst(measure.outcome for measure in finding.measures).good:
        raise CheckError(f"the check says {finding.outcome.value}, and one of its measures does not")
    return finding
