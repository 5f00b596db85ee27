"""Runs Great Expectations quietly, beside whatever the caller does with it, and lets only counts out."""

from __future__ import annotations

import builtins
import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from aims_mlops.plugin import CheckError, require
from aims_mlops_checks._expectations import Expectation

if TYPE_CHECKING:
    import pandas as pd

_PLACE = "aims_place"
# BASIC with a partial count of 0 gives counts and empty lists; BOOLEAN_ONLY would give no counts at all.
_COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class Answer:
    """What Great Expectations says of one expectation. `observed` may be a value of a row: do not print it."""

    success: bool
    unexpected: int | None = None
    rows: int | None = None
    """Rows that were looked at: those that the row condition selects."""
    missing: int | None = None
    observed: Any = None
    exception: str = ""
    """Type of the exception that it raised, if it did."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's bars, warnings and log lines in, and put the caller's data context back afterwards."""
    log = logging.getLogger("great_expectations")
    level = log.level
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        log.setLevel(logging.CRITICAL + 1)
        try:
            manager = require("great_expectations.data_context", extra="quality").project_manager
            # The library has one current context for the whole process, and no other way to ask whether there is one.
            before = vars(manager).get("_ProjectManager__project")
            try:
                yield
            finally:
                manager.set_project(before)
        finally:
            log.setLevel(level)


def build(expectations: Sequence[Expectation], where: str) -> list[Any]:
    """Return the library's own objects. Raises `CheckError` for an unknown type or arguments that do not fit."""
    return [_build(item, place, f"{where}: expectation {place + 1}") for place, item in enumerate(expectations)]


def validate(built: Sequence[Any], frame: pd.DataFrame) -> dict[int, Answer]:
    """Let the library judge a frame. The answers are by place in the suite, since it answers in its own order."""
    if not built:
        return {}
    library = require("great_expectations", extra="quality")
    context = library.get_context(mode="ephemeral", project_config=_configuration())
    source = context.data_sources.add_pandas("aims")
    batch = source.add_dataframe_asset("data").add_batch_definition_whole_dataframe("all")
    suite = library.ExpectationSuite(name="aims", expectations=list(built))
    results = batch.get_batch({"dataframe": frame}).validate(suite, result_format=_COUNTS_ONLY).results
    answers = {result.expectation_config.meta[_PLACE]: _answer(result) for result in results}
    if len(answers) != len(built):
        raise CheckError(
            f"Great Expectations answered {len(answers)} of {len(built)} expectations",
            hint="report this with the suite and the library's version",
        )
    return answers


def _configuration() -> Any:
    types = require("great_expectations.data_context.types.base", extra="quality")
    return types.DataContextConfig(
        # Without this it would make a folder for its web pages.
        store_backend_defaults=types.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars={"globally": False},
        analytics_enabled=False,
    )


def _build(item: Expectation, place: int, where: str) -> Any:
    registry = require("great_expectations.expectations.registry", extra="quality")
    known = registry.list_registered_expectation_implementations()
    if item.type not in known:
        close = get_close_matches(item.type, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "see greatexpectations.io/expectations for the types"
        raise CheckError(f"{where}: {item.type} is not an expectation type of Great Expectations", hint=hint)
    if any(isinstance(value, dict) and "$PARAMETER" in value for value in item.kwargs.values()):
        raise CheckError(f"{where}: {item.type} has a suite parameter", hint="write the value in its place")
    kind = registry.get_expectation_impl(item.type)
    invalid = require("great_expectations.compatibility.pydantic", extra="quality").ValidationError
    try:
        return kind(**{**item.arguments, "severity": item.severity, "meta": {_PLACE: place}})
    except invalid as error:
        said = "; ".join(_said(problem) for problem in error.errors())
        raise CheckError(
            f"{where}: {item.type} does not take these arguments: {said}",
            hint="compare its kwargs with Great Expectations' page of this expectation",
        ) from error


def _said(problem: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"] if part != "__root__")
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])


def _answer(result: Any) -> Answer:
    found = result.result
    return Answer(
        success=bool(result.success),  # the quantile expectation answers with a numpy.bool
        unexpected=_whole(found.get("unexpected_count")),
        rows=_whole(found.get("element_count")),
        missing=_whole(found.get("missing_count")),
        observed=found.get("observed_value"),
        exception=_exception(result.exception_info or {}),
    )


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)


def _exception(info: dict[str, Any]) -> str:
    """Name the type of a raised exception, never its message. The library keeps one record, or one for each metric."""
    records = [info] if "raised_exception" in info else [record for record in info.values() if isinstance(record, dict)]
    raised = [record for record in records if record.get("raised_exception")]
    if not raised:
        return ""
    known = {*vars(builtins), *vars(require("great_expectations.exceptions", extra="quality"))}
    lines = str(raised[0].get("exception_traceback") or "")
    types = [match.rpartition(".")[2] for match in re.findall(r"^([\w.]+)(?=:|$)", lines, re.MULTILINE)]
    return next((name for name in reversed(types) if name in known and name.endswith("Error")), "an exception")
