"""What `aims check` answers: all results of one run, and whether they were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aims_mlops.errors import ExitCode, worst_exit_code
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import CheckResult
from aims_mlops.model.outcome import Outcome, worst
from aims_mlops.model.subject import ModelVersion


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The results of one run over one version. `unrecorded` says why nothing was written; empty where it was."""

    version: ModelVersion
    digest: Digest
    system: str
    results: tuple[CheckResult, ...]
    unrecorded: str = ""
    unrecorded_hint: str = ""
    unrecorded_code: ExitCode = ExitCode.USAGE
    notices: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of the required checks; of all checks where none is required."""
        required = [result.outcome for result in self.results if result.required]
        return worst(required or [result.outcome for result in self.results])

    @property
    def exit_code(self) -> ExitCode:
        """What `aims check` answers: required checks are judged, and a run that was not recorded is never green."""
        required = [result.outcome.exit_code for result in self.results if result.required]
        if not self.results:
            return ExitCode.NOTHING
        return worst_exit_code([*required, *([self.unrecorded_code] if self.unrecorded else [])])

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The results that are neither passed nor warned, required or not."""
        return tuple(result for result in self.results if not result.outcome.good)

    def __getitem__(self, id_: str) -> CheckResult:
        for result in self.results:
            if result.id == id_:
                return result
        known = ", ".join(result.id for result in self.results)
        raise KeyError(f"no result {id_!r}; there are: {known}")

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self.results)
