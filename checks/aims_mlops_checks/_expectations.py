"""What a Great Expectations suite asks for: read from a file or from aims.yaml, and which columns it needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from aims_mlops.plugin import CheckError, CheckOptions

_KEYS = ("type", "kwargs", "severity")
_COLUMN_KEYS = ("column", "column_A", "column_B", "column_list")
_RUNTIME = ("batch_id", "catch_exceptions", "result_format")


class Expectation(CheckOptions):
    """One expectation, as Great Expectations writes it into a suite."""

    type: str = Field(min_length=1)
    """Great Expectations' name of it, such as `expect_column_values_to_not_be_null`."""
    kwargs: Mapping[str, Any] = Field(default_factory=dict)
    """Its arguments."""
    severity: Literal["critical", "warning", "info"] = "critical"
    """A `warning` or `info` that does not hold gives `warned`."""
    meta: Mapping[str, Any] | None = None
    """Notes; not used."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Its arguments without those that only say how much of the data to print."""
        return {key: value for key, value in self.kwargs.items() if key not in _RUNTIME}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values it judges, or whose presence."""
        if self.type.startswith("expect_table_"):
            return ()
        return tuple(dict.fromkeys(_texts(self.kwargs.get(key) for key in _COLUMN_KEYS)))

    @property
    def about_shape(self) -> bool:
        """Whether it judges which columns there are, and needs no row."""
        return self.type.startswith("expect_table_column") or self.type == "expect_column_to_exist"

    def needs(self, known: Iterable[str]) -> set[str]:
        """Return those of the known columns that it must see, with any that a row condition may speak of."""
        condition = self.kwargs.get("row_condition")
        text = condition if isinstance(condition, str) else json.dumps(condition, ensure_ascii=False, default=str)
        spoken_of = {name for name in known if name in text} if condition else set()
        return spoken_of | (set(self.columns) & set(known))


def read_suite(content: bytes, name: str) -> tuple[Expectation, ...]:
    """Read a suite file that Great Expectations 1.x wrote (`suite.to_json_dict()`), in its order.

    `name` is how messages call the file. Raises `CheckError` where it is not such a suite, or is empty.
    """
    try:
        document = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CheckError(f"{name}: the suite is not text in UTF-8", hint="save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise CheckError(
            f"{name}:{error.lineno}:{error.colno}: not JSON: {error.msg}", hint="write it with suite.to_json_dict()"
        ) from error
    items = document.get("expectations") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise CheckError(
            f"{name}: no list of `expectations` at the top of the suite", hint="write it with suite.to_json_dict()"
        )
    return not_empty(tuple(_read(item, f"{name}: expectation {place}") for place, item in enumerate(items, 1)), name)


def not_empty(expectations: tuple[Expectation, ...], name: str) -> tuple[Expectation, ...]:
    """Return the expectations; raise `CheckError` where there are none."""
    if not expectations:
        raise CheckError(
            f"{name}: a suite without expectations would pass everything", hint="add an expectation, or drop the check"
        )
    return expectations


def _read(item: object, where: str) -> Expectation:
    if not isinstance(item, dict):
        raise CheckError(f"{where}: not an object with type and kwargs", hint="write it with suite.to_json_dict()")
    if "type" not in item and "expectation_type" in item:
        raise CheckError(
            f"{where}: written by Great Expectations before 1.0", hint="call the key `type` instead of expectation_type"
        )
    try:
        return Expectation.model_validate({key: item[key] for key in _KEYS if item.get(key) is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CheckError(f"{where}: {key}: {first['msg']}", hint="write it with suite.to_json_dict()") from error


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple):
            yield from _texts(value)
