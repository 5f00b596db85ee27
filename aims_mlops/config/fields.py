"""The kinds of value in aims.yaml that are narrower than text or a number, and what is said where one is wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from aims_mlops.config.mistakes import choices
from aims_mlops.errors import UsageError
from aims_mlops.evidence.note import COSIGNATURE, VerifierKey
from aims_mlops.evidence.statement import KINDS
from aims_mlops.model.digest import Digest
from aims_mlops.model.times import duration

FRAMEWORKS = ("iso42001", "ai-act", "nist-ai-rmf", "iso27001", "soc2", "gdpr", "iso42005", "jtc21")
"""The frameworks that a control may name: a control is written KEY ID, as in `iso42001 A.6.2.4`."""

BUILT_IN = ("claimed", "owner", "integrity", "halt", "policy")
"""Requirements of every policy; no check or record may take one of their ids."""

SIGNERS = ("not-owner", "owner", "anyone")
"""What `signed_by` may say instead of a person's id; no person may be called so."""

_ID = "[a-z0-9][a-z0-9_-]*"


def mistake(what: str, hint: str) -> PydanticCustomError:
    """Return what a validator raises: it is told at its place in the file, the hint below it."""
    # The braces of a template are filled in by pydantic; the texts themselves may hold braces.
    return PydanticCustomError("aims", "{what}", {"what": what, "hint": hint})


def _id(text: str) -> str:
    if re.fullmatch(_ID, text) is None:
        plain = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
        hint = f"for example {plain!r}; what people read goes into name:" if plain else "for example 'income'"
        raise mistake(f"{text!r} is not an id: lower-case letters, digits, - and _ only", hint)
    return text


def _person_id(text: str) -> str:
    if text in SIGNERS:
        raise mistake(f"{text!r} cannot be a person's id: signed_by gives it another meaning", "choose another id")
    return _id(text)


def _requirement_id(text: str) -> str:
    if text in BUILT_IN:
        raise mistake(f"{text!r} is the id of a built-in requirement", "choose another id")
    return _id(text)


def _span(text: Any) -> Any:
    if not isinstance(text, str):
        raise mistake("expected a duration", "write a number and s, m, h, d or w, e.g. 30d")
    try:
        span = duration(text)
    except (ValueError, OverflowError):
        hint = "write a number and s, m, h, d or w, e.g. 30d"
        raise mistake(f"{text[:40]!r} is not a duration", hint) from None
    if not span:
        raise mistake(f"{text!r} is no time at all: everything would be stale", "write e.g. 30d")
    return span


def _digest(text: str) -> str:
    try:
        return Digest(text)
    except ValueError:
        raise mistake(f"{text[:80]!r} is not a digest", "write sha256: and 64 lower-case hex digits") from None


def _kind(text: str) -> str:
    if text not in KINDS:
        raise mistake(f"{text!r} is not a kind of statement", choices(text, KINDS, what="kinds"))
    return text


def _control(text: str) -> str:
    key, _, clause = text.partition(" ")
    if key not in FRAMEWORKS:
        raise mistake(f"{key!r} is not a framework key", choices(key, FRAMEWORKS, what="framework keys"))
    if not clause.strip():
        raise mistake(f"the control {text!r} names no clause", "write KEY ID, e.g. iso42001 A.6.2.4")
    return text


def _vkey(text: str) -> str:
    try:
        key = VerifierKey.parse(text)
    except ValueError as error:
        raise mistake(f"{error}", "a witness prints its key when it starts: NAME+ID+BASE64") from None
    if key.kind != COSIGNATURE:
        raise mistake(f"{key.name} is not a witness's key: its type is 1", "a witness cosigns with a key of type 4")
    return text


def _origin(text: str) -> str:
    if not text.isprintable() or "+" in text or len(text.split()) != 1:
        raise mistake(f"{text[:80]!r} is not an origin", "one word without +, e.g. example.org/aims-log")
    return text


def _moment(text: Any, *, end: bool) -> Any:
    if isinstance(text, str) and re.fullmatch(_MOMENT, text):
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise mistake(f"{text!r} is no date of the calendar", "write e.g. 2026-11-28") from None
        if at.tzinfo is not None:
            return at
        return at.replace(tzinfo=UTC) + (timedelta(days=1) if end else timedelta(0))
    shown = f"{text[:40]!r} is not a date" if isinstance(text, str) else "expected a date"
    raise mistake(shown, "write a day, e.g. 2026-11-28, or a time in UTC, e.g. 2026-11-28T12:00:00Z")


def moment(text: str, *, end: bool = False) -> datetime:
    """Read a day, its start or its end, or a time in UTC as a command line has it; raise `UsageError` otherwise."""
    try:
        return cast("datetime", _moment(text, end=end))
    except PydanticCustomError as error:
        told = error.context or {}
        raise UsageError(str(told.get("what")), hint=str(told.get("hint"))) from None


def _start(text: Any) -> Any:
    return _moment(text, end=False)


def _end(text: Any) -> Any:
    return _moment(text, end=True)


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise mistake("expected one value of the label column", "write it as it stands in the data, e.g. 1 or '>50K'")
    return value


_PATTERN = f"^{_ID}$"
_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[0-9]+[smhdw]$"})
_MOMENT = "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?Z)?"
_MOMENT_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^{_MOMENT}$"})
_SCALAR_SCHEMA = WithJsonSchema({"type": ["string", "number", "boolean", "null"]})

Text = Annotated[str, Field(min_length=1)]
Id = Annotated[str, AfterValidator(_id), WithJsonSchema({"type": "string", "pattern": _PATTERN})]
PersonId = Annotated[str, AfterValidator(_person_id), WithJsonSchema({"type": "string", "pattern": _PATTERN})]
RequirementId = Annotated[str, AfterValidator(_requirement_id), WithJsonSchema({"type": "string", "pattern": _PATTERN})]
Kind = Annotated[str, AfterValidator(_kind), WithJsonSchema({"type": "string", "enum": list(KINDS)})]
Control = Annotated[
    str, AfterValidator(_control), WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(FRAMEWORKS)}) .+$"})
]
PinnedDigest = Annotated[
    str, AfterValidator(_digest), WithJsonSchema({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"})
]
VerifierKeyText = Annotated[
    str, AfterValidator(_vkey), WithJsonSchema({"type": "string", "pattern": "^[^+ ]+[+][0-9a-f]{8}[+].+$"})
]
Origin = Annotated[str, AfterValidator(_origin), WithJsonSchema({"type": "string", "pattern": "^[^+ ]+$"})]
Duration = Annotated[
    timedelta, BeforeValidator(_span), PlainSerializer(lambda span: span.total_seconds()), _DURATION_SCHEMA
]
Start = Annotated[datetime, BeforeValidator(_start), _MOMENT_SCHEMA]
End = Annotated[datetime, BeforeValidator(_end), _MOMENT_SCHEMA]
Scalar = Annotated[Any, AfterValidator(_scalar), _SCALAR_SCHEMA]


class Section(BaseModel):
    """A mapping of aims.yaml. Unknown keys are refused, and no value is taken for another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)
