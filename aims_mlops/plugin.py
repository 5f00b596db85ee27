"""The one door for code that we call: checks, and what they are given.

A check is one class with an id (`use`), its options, and `run`. It sees this module and its own check library,
nothing else; it asks an `Engine` for answers of bounded size and gets rows only where its library needs rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, get_args, runtime_checkable

from pydantic import BaseModel, ConfigDict

from aims_mlops.errors import CheckError, DataError, MissingExtra, PredictorError
from aims_mlops.model.digest import Digest
from aims_mlops.model.finding import SMALLEST_SHOWN, Finding, Limit, Measure, counted
from aims_mlops.model.outcome import Outcome, worst

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "PREDICTION",
    "SCORE",
    "SMALLEST_SHOWN",
    "Check",
    "CheckContext",
    "CheckError",
    "CheckOptions",
    "ColumnStats",
    "Contingency",
    "DataError",
    "Dataset",
    "DatasetName",
    "Digest",
    "Engine",
    "FileName",
    "Finding",
    "Limit",
    "Measure",
    "MissingExtra",
    "Outcome",
    "Predictor",
    "PredictorError",
    "counted",
    "judge",
    "require",
    "rows_to_decide",
    "worst",
]

PREDICTION = "aims.prediction"
"""Column of a scored dataset: the label that the model version gives a row."""

SCORE = "aims.score"
"""Column of a scored dataset: the probability of the positive class; absent where the model has none."""


class _Marker:
    """Tells the configuration what a string option means."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning


DatasetName = Annotated[str, _Marker("dataset")]
"""An option that names a dataset of the system; refused in aims.yaml where there is none of that name."""

FileName = Annotated[str, _Marker("file")]
"""An option that names a file beside aims.yaml; its bytes are part of the policy digest."""


def marked(options: type[BaseModel], meaning: str) -> tuple[str, ...]:
    """Return the names of the fields that carry a marker, in the order of the class.

    A marker inside a union or a list counts too: `FileName | None`, `tuple[DatasetName, ...]`.
    """
    return tuple(
        name
        for name, info in options.model_fields.items()
        if _carries(info.annotation, meaning)
        or any(isinstance(item, _Marker) and item.meaning == meaning for item in info.metadata)
    )


def _carries(annotation: Any, meaning: str) -> bool:
    marks = getattr(annotation, "__metadata__", ())
    return any(isinstance(item, _Marker) and item.meaning == meaning for item in marks) or any(
        _carries(part, meaning) for part in get_args(annotation)
    )


class CheckOptions(BaseModel):
    """Base of a check's options: the keys that aims.yaml takes for it. Unknown keys are refused.

    The text under a field is what `aims config explain` and an editor say about the key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


@dataclass(frozen=True)
class Dataset:
    """A dataset that an engine holds open. Only its engine knows what `relation` is."""

    name: str
    columns: Mapping[str, str]
    """Column name to kind: `number`, `text`, `boolean`, `time` or `other`, in the data's order."""
    rows: int
    digest: Digest
    digest_kind: str
    relation: Any = field(repr=False)
    label: str | None = None
    positive: Any = None
    """The label that counts as positive; None means 1 (or true)."""
    sensitive: tuple[str, ...] = ()
    origin: str = "policy"


@dataclass(frozen=True)
class Contingency:
    """How many rows have each combination of values. A null is the value None."""

    columns: tuple[str, ...]
    cells: tuple[tuple[Any, ...], ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ColumnStats:
    """Aggregates of one column. `minimum`, `maximum` and `mean` are of finite numbers, None where there are none."""

    kind: str
    rows: int
    nulls: int
    """Rows without a value; a NaN counts as one."""
    infinities: int
    distinct: int
    """Exact number of different values, nulls and infinities left out."""
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    storage: str = ""
    """How numbers are stored: `integer`, `float32` or `float64`, on which numpy's bins depend; else empty."""


class Predictor(Protocol):
    """Runs the model version, in its own process, on batches of feature rows."""

    @property
    def isolation(self) -> str:
        """How the process is held apart, e.g. `landlock-7`; written into evidence."""
        ...

    def predict(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield for each batch one of the same length with PREDICTION and, where the model has one, SCORE.

        Raises `PredictorError` where the model cannot be loaded, fails, or answers with another length.
        """
        ...


class Engine(Protocol):
    """Answers questions about a dataset. Every answer is of bounded size; only `frame` hands out rows."""

    def contingency(self, data: Dataset, columns: Sequence[str], *, limit: int = 1_000_000) -> Contingency:
        """Count every combination of values, sorted; `DataError` for a missing column or more than `limit` cells."""
        ...

    def stats(self, data: Dataset, columns: Sequence[str]) -> Mapping[str, ColumnStats]:
        """Return the aggregates of some columns from one scan; `DataError` for a missing column."""
        ...

    def value_counts(self, data: Dataset, column: str, *, limit: int = 1_000_000) -> Mapping[Any, int]:
        """Count the values of one column; nulls, NaN and infinities are left out."""
        ...

    def histogram(self, data: Dataset, column: str, edges: Sequence[float]) -> tuple[int, ...]:
        """Count finite values between edges: [a, b), the last bin closed, as numpy does."""
        ...

    def aggregate(self, data: Dataset, expressions: Mapping[str, str]) -> Mapping[str, Any]:
        """Answer named SQL aggregate expressions from one scan."""
        ...

    def frame(self, data: Dataset, columns: Sequence[str]) -> pd.DataFrame:
        """Return the rows of just these columns, for a check library that cannot do without."""
        ...


@dataclass(frozen=True)
class CheckContext:
    """What a check is given for one run."""

    options: Any
    """The check's own options object, validated."""
    engine: Engine
    data: Callable[[str], Dataset]
    """Opens a dataset by its name in aims.yaml; raises `DataError`."""
    scored: Callable[[str], Dataset]
    """The same rows with PREDICTION (and SCORE): the model version's, or stored ones where the policy names them."""
    champion: Callable[[str, str], tuple[str, float] | None]
    """(alias, metric) to what the last allowed promotion to that alias measured, as (`name/version`, value).

    None where the log never held one; raises `CheckError` where it did and does not say the metric."""
    file: Callable[[str], bytes]
    """The bytes of a `FileName` option, exactly those that the policy digest covers."""
    seed: int
    """From model, data and policy digests: the same evidence gives the same resamples."""
    decide_on: str = "interval"
    """`interval` or `point`."""


@runtime_checkable
class Check(Protocol):
    """A check. Installed under the entry-point group `aims_mlops.checks`, its name there equal to `use`."""

    use: ClassVar[str]
    """The id by which aims.yaml names it: kebab-case, and for ever."""
    title: ClassVar[str]
    """What it measures, in one line."""
    extra: ClassVar[str | None]
    """The optional extra that brings its library; None where it needs none."""
    options: ClassVar[type[CheckOptions]]

    def run(self, context: CheckContext) -> Finding:
        """Measure and judge. May raise: the runner turns any exception into an `error` outcome."""
        ...


def require(module: str, *, extra: str) -> Any:
    """Import a check library, or raise `MissingExtra` with the line that installs it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = (error.name or module).partition(".")[0]
        raise MissingExtra(
            f"the library {missing!r} is not installed, or does not import with what is installed",
            hint=f"pip install 'aims-mlops[{extra}]'",
        ) from error


def judge(value: float, limit: Limit, interval: tuple[float, float] | None = None) -> Outcome:
    """Judge a number by `min`, `max` and `warn`.

    With an interval the whole of it must lie on one side: inside is passed, outside failed, across a bound
    inconclusive; `warn` looks at the point. A bound itself is inside. NaN is an error. `not_below` is not looked at.
    """
    low, high = interval if interval is not None else (value, value)
    if any(math.isnan(number) for number in (value, low, high)):
        return Outcome.ERROR
    lower = float("-inf") if limit.min is None else limit.min
    upper = float("inf") if limit.max is None else limit.max
    if low > upper or high < lower:
        return Outcome.FAILED
    if low < lower or high > upper:
        return Outcome.INCONCLUSIVE
    if limit.warn is not None:
        beyond = value > limit.warn if limit.max is not None else value < limit.warn
        return Outcome.WARNED if beyond else Outcome.PASSED
    return Outcome.PASSED


def rows_to_decide(value: float, bound: float, interval: tuple[float, float], rows: int) -> int | None:
    """Estimate how many more rows would bring the interval to one side of `bound`; None where none would.

    An interval narrows with the square root of the rows, so that n rows with half-width h on the bound's side and
    a distance d need n·(h/d)². The estimate supposes that the value stays as it is.
    """
    distance = abs(value - bound)
    half = interval[1] - value if bound > value else value - interval[0]
    if distance == 0 or half <= 0:
        return None
    return max(0, round(rows * (half / distance) ** 2) - rows)
