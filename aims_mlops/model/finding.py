"""What a check measured and how it was judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Outcome, worst

SMALLEST_SHOWN = 10
"""Counts of rows under this, but above zero, are small cells: whose rows they are could be worked out."""


def counted(rows: int) -> str:
    """Write a count of rows for evidence: `14,652`, and `fewer than 10` for a small cell."""
    return f"fewer than {SMALLEST_SHOWN}" if 0 < rows < SMALLEST_SHOWN else f"{rows:,}"


@dataclass(frozen=True, slots=True)
class Limit:
    """The bounds of one measure. `warn` lies on the inner side of the only bound given."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}

    min: float | None = None
    max: float | None = None
    warn: float | None = None
    not_below: str | None = None
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if self.min is None and self.max is None and self.not_below is None:
            raise ValueError("a limit needs min, max or not_below")
        for name, bound in (("min", self.min), ("max", self.max), ("warn", self.warn), ("tolerance", self.tolerance)):
            if bound is not None and not math.isfinite(bound):  # Nothing compares with NaN: it would pass everything.
                raise ValueError(f"{name} {bound} is not a finite number")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}: nothing could pass")
        if self.warn is not None and (self.min is None) == (self.max is None):
            raise ValueError("warn needs exactly one of min and max beside it")
        if self.warn is not None and self.max is not None and self.warn > self.max:
            raise ValueError(f"warn {self.warn} is above max {self.max}: it would never be seen")
        if self.warn is not None and self.min is not None and self.warn < self.min:
            raise ValueError(f"warn {self.warn} is below min {self.min}: it would never be seen")
        if self.tolerance < 0:
            raise ValueError(f"tolerance {self.tolerance} is negative")

    def to_wire(self) -> dict[str, float | str]:
        """Return the JSON form with what was set and nothing else."""
        given = {"min": self.min, "max": self.max, "warn": self.warn, "not_below": self.not_below}
        wire: dict[str, float | str] = {key: value for key, value in given.items() if value is not None}
        if self.not_below is not None:
            wire["tolerance"] = self.tolerance
        return wire


Value = float | int | str | bool | None
Groups = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number and its judgement.

    `counts` are rows per group; `groups` the values per group; `too_small` the rows of groups left out; `None`
    in any of these is a suppressed cell. `bins` feed a picture: label and share per dataset.
    """

    metric: str
    outcome: Outcome
    value: Value = None
    column: str | None = None
    interval: tuple[float, float] | None = None
    limit: Limit | None = None
    counts: Mapping[str, int | None] = field(default_factory=dict)
    groups: Groups = field(default_factory=dict)
    too_small: Mapping[str, int | None] = field(default_factory=dict)
    reason: str = ""
    hint: str = ""
    suppressed: bool = False
    support: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)
    """Per group and value the rows behind it: (numerator, denominator). For suppression only; never published."""
    bins: Groups = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check hands back: its measures, judged, and the rows it saw."""

    outcome: Outcome
    measures: tuple[Measure, ...] = ()
    rows: int | None = None
    reason: str = ""
    hint: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, measures: Iterable[Measure], *, rows: int, libraries: Mapping[str, str]) -> Finding:
        """Judge a check by its measures: the worst of them; its first sentence is the reason."""
        all_measures = tuple(measures)
        outcome = worst(measure.outcome for measure in all_measures)
        culprits = [m for m in all_measures if m.outcome is outcome and m.reason]
        said = [m.reason for m in culprits] if outcome is not Outcome.PASSED else []
        hints = list(dict.fromkeys(m.hint for m in culprits if m.hint))
        reason = said[0] + (f" (and {len(said) - 1} more)" if len(said) > 1 else "") if said else ""
        return cls(outcome, all_measures, rows, reason, hints[0] if said and hints else "", libraries)


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """A dataset that a result rests on. `origin` says who chose them (`CheckSpec.objection`)."""

    name: str
    digest: Digest
    kind: str
    rows: int
    origin: str = "policy"

    def to_wire(self) -> dict[str, str | int]:
        """Return the JSON form used in a statement's header."""
        return {
            "name": self.name,
            "digest": str(self.digest),
            "kind": self.kind,
            "rows": self.rows,
            "origin": self.origin,
        }


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A finding with its place: which requirement, on which data, when, and the statement that records it."""

    id: str
    use: str
    required: bool
    finding: Finding
    measured_at: datetime
    datasets: tuple[DatasetUse, ...] = ()
    evidence: Digest | None = None
    detail: str = ""
    """Words for the person at the terminal only; may quote a library. Never signed, never stored."""

    @property
    def outcome(self) -> Outcome:
        """What came out."""
        return self.finding.outcome

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The numbers and their judgements."""
        return self.finding.measures

    @property
    def reason(self) -> str:
        """Why it came out so, in a sentence."""
        return self.finding.reason

    @property
    def hint(self) -> str:
        """What to do next."""
        return self.finding.hint
