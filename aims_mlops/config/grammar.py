"""The grammar of aims.yaml. The text under each field is what `aims config explain` and an editor say about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Union, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from aims_mlops.config.anchoring import Send, Timestamps
from aims_mlops.config.mistakes import choices
from aims_mlops.errors import ConfigError
from aims_mlops.evidence.note import COSIGNATURE, VerifierKey
from aims_mlops.evidence.statement import KINDS
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import LogSettings
from aims_mlops.model.times import duration
from aims_mlops.plugin import Check

CheckTypes = Mapping[str, type[Check]]
"""The installed checks by their `use`."""

FRAMEWORKS = ("iso42001", "ai-act", "nist-ai-rmf", "iso27001", "soc2", "gdpr", "iso42005", "jtc21")
"""The frameworks that a control may name: a control is written KEY ID, as in `iso42001 A.6.2.4`."""

BUILT_IN = ("claimed", "owner", "integrity", "halt", "policy")
"""Requirements of every policy; no check or record may take one of their ids."""

SIGNERS = ("not-owner", "owner", "anyone")
"""What `signed_by` may say instead of a person's id; no person may be called so."""

_ID = "[a-z0-9][a-z0-9_-]*"


def _mistake(what: str, hint: str) -> PydanticCustomError:
    # The braces of a template are filled in by pydantic; the texts themselves may hold braces.
    return PydanticCustomError("aims", "{what}", {"what": what, "hint": hint})


def _id(text: str) -> str:
    if re.fullmatch(_ID, text) is None:
        plain = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
        hint = f"for example {plain!r}; what people read goes into name:" if plain else "for example 'income'"
        raise _mistake(f"{text!r} is not an id: lower-case letters, digits, - and _ only", hint)
    return text


def _person_id(text: str) -> str:
    if text in SIGNERS:
        raise _mistake(f"{text!r} cannot be a person's id: signed_by gives it another meaning", "choose another id")
    return _id(text)


def _requirement_id(text: str) -> str:
    if text in BUILT_IN:
        raise _mistake(f"{text!r} is the id of a built-in requirement", "choose another id")
    return _id(text)


def _span(text: Any) -> Any:
    if not isinstance(text, str):
        raise _mistake("expected a duration", "write a number and s, m, h, d or w, e.g. 30d")
    try:
        span = duration(text)
    except (ValueError, OverflowError):
        hint = "write a number and s, m, h, d or w, e.g. 30d"
        raise _mistake(f"{text[:40]!r} is not a duration", hint) from None
    if not span:
        raise _mistake(f"{text!r} is no time at all: everything would be stale", "write e.g. 30d")
    return span


def _digest(text: str) -> str:
    try:
        return Digest(text)
    except ValueError:
        raise _mistake(f"{text[:80]!r} is not a digest", "write sha256: and 64 lower-case hex digits") from None


def _kind(text: str) -> str:
    if text not in KINDS:
        raise _mistake(f"{text!r} is not a kind of statement", choices(text, KINDS, what="kinds"))
    return text


def _control(text: str) -> str:
    key, _, clause = text.partition(" ")
    if key not in FRAMEWORKS:
        raise _mistake(f"{key!r} is not a framework key", choices(key, FRAMEWORKS, what="framework keys"))
    if not clause.strip():
        raise _mistake(f"the control {text!r} names no clause", "write KEY ID, e.g. iso42001 A.6.2.4")
    return text


def _vkey(text: str) -> str:
    try:
        key = VerifierKey.parse(text)
    except ValueError as error:
        raise _mistake(f"{error}", "a witness prints its key when it starts: NAME+ID+BASE64") from None
    if key.kind != COSIGNATURE:
        raise _mistake(f"{key.name} is not a witness's key: its type is 1", "a witness cosigns with a key of type 4")
    return text


def _origin(text: str) -> str:
    if not text.isprintable() or "+" in text or len(text.split()) != 1:
        raise _mistake(f"{text[:80]!r} is not an origin", "one word without +, e.g. example.org/aims-log")
    return text


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise _mistake("expected one value of the label column", "write it as it stands in the data, e.g. 1 or '>50K'")
    return value


_PATTERN = f"^{_ID}$"
_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[0-9]+[smhdw]$"})
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
Scalar = Annotated[Any, AfterValidator(_scalar), _SCALAR_SCHEMA]


class Section(BaseModel):
    """A mapping of aims.yaml. Unknown keys are refused, and no value is taken for another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


class Organisation(Section):
    """Who keeps the register."""

    name: Text
    """The organisation's name, as reports show it."""
    contact: str = ""
    """Where people ask about its AI systems, e.g. a mailbox."""


class Person(Section):
    """Someone who owns systems or signs evidence."""

    name: Text
    """The full name. A team is not a person."""
    email: str = ""
    """Where the person is reached."""
    kind: Literal["person", "service"] = "person"
    """`person`, or `service` for a pipeline. Only a person can own a system or sign a human record."""
    active: bool = True
    """False once somebody has left: an inactive person owns nothing and is trusted for nothing."""
    keys: tuple[Text, ...] = ()
    """Public key files (PEM), relative to aims.yaml. They may be missing until `aims keys new`."""


class Promotion(Section):
    """What counts as promotion, and is refused unless the gate allows it."""

    aliases: tuple[Text, ...] = ()
    """Protected aliases of registered models, e.g. champion."""
    stages: tuple[Text, ...] = ()
    """Protected stages, e.g. Production."""
    registered_models: tuple[Text, ...] = ()
    """Globs of registered model names that a version may only be copied, created or renamed into by promotion."""
    authenticated: bool = False
    """True: a promotion needs a caller whom the server knows, by basic-auth or a trusted proxy."""


class Dataset(Section):
    """A dataset that checks name."""

    path: Text
    """A parquet or CSV file, a glob or a URI; a relative path starts from aims.yaml."""
    label: Text | None = None
    """The column with the true outcome."""
    sensitive: tuple[Text, ...] = ()
    """The columns with protected attributes."""
    prediction: Text | None = None
    """The column with stored predictions, instead of letting the model version predict."""
    score: Text | None = None
    """The column with stored scores: the probability of the positive class."""
    positive: Scalar = None
    """The value of the label that counts as positive; by default 1 or true."""
    digest: PinnedDigest | None = None
    """Pins the data: results on other bytes do not count."""


class CheckEntry(Section):
    """A requirement that a check fulfils. All other keys are options of the check that `use` names."""

    id: RequirementId
    """The requirement's id, for ever: waivers and evidence name it."""
    use: Text
    """Which check measures it."""
    required: bool = True
    """False: shown, but does not shut the gate."""
    max_age: Duration | None = None
    """How old a result may be at promotion, e.g. 30d; by default any age."""
    controls: tuple[Control, ...] = ()
    """The clauses that it gives evidence for, written KEY ID, e.g. iso42001 A.6.2.4."""
    decide_on: Literal["interval", "point"] = "interval"
    """`interval`: passed or failed only if the whole 95 % interval is on one side of the limit. `point` ignores it."""
    allow_attached: bool = False
    """True: data attached by the author counts for this requirement."""
    allow_stored_predictions: bool = False
    """True: a stored prediction column counts for this requirement."""


class MonitorEntry(CheckEntry):
    """A check that is to run on live data. Nothing of it decides about a promotion."""

    every: Duration
    """How often it is due, e.g. 7d."""
    window: Literal["file"] | None = None
    """`file`: each new file, by digest, is judged once."""


class Record(Section):
    """A requirement that a person's signed record fulfils."""

    id: RequirementId
    """The kind of record, e.g. peer-review."""
    signed_by: Text = "anyone"
    """Whose signature counts: `not-owner`, `owner`, `anyone` that is trusted for records, or a person's id."""
    required: bool = True
    """False: shown, but does not shut the gate."""
    max_age: Duration | None = None
    """How old a record may be at promotion, e.g. 365d; by default any age."""


class System(Section):
    """One AI system of the register."""

    name: Text
    """What people call it."""
    owner: Text
    """The id of the person who answers for it. Exactly one."""
    deputy: Text | None = None
    """The id of the person who answers for it when the owner does not; needed where the risk class is high."""
    intended_purpose: str = ""
    """What it is for, in a sentence or two."""
    risk_class: Literal["unclassified", "minimal", "limited", "high", "prohibited", "out_of_scope"] = "unclassified"
    """The organisation's classification."""
    number: Text | None = None
    """The number in the organisation's own register, e.g. AIS-7."""
    models: tuple[Text, ...] = Field(min_length=1)
    """Registered models of this system; globs allowed. A model belongs to one system only."""
    promotion: Promotion
    """What counts as promotion."""
    data: dict[Id, Dataset] = {}
    """The datasets by the names that checks use."""
    checks: tuple[CheckEntry, ...] = ()
    """What must be measured before a promotion. A policy that requires nothing allows nothing."""
    records: tuple[Record, ...] = ()
    """What a person must have signed before a promotion."""
    monitor: tuple[MonitorEntry, ...] = ()
    """What is to be measured on live data."""


class Log(Section):
    """Who signs the log's checkpoints, and who witnesses them. Nothing of it decides about a promotion."""

    key: PersonId
    """The id of the person or service whose Ed25519 key signs checkpoints: one that signs nothing else."""
    origin: Origin | None = None
    """The log's name in its checkpoints, for ever: another origin is another log. By default `aims-mlops/` and the
    registry's id, which no other log has; a name under a domain of yours reads better to a public witness."""
    witnesses: tuple[VerifierKeyText, ...] = ()
    """The keys of the witnesses that are trusted, as they print them: NAME+ID+BASE64."""
    quorum: Annotated[int, Field(ge=1)] = 1
    """How many of them must have cosigned a checkpoint before it is called witnessed."""
    timestamps: tuple[Timestamps, ...] = ()
    """Authorities that time-stamp checkpoints (`aims log timestamp`)."""
    send: tuple[Send, ...] = ()
    """Who is sent checkpoints (`aims log anchor --send`)."""

    def to_value(self) -> LogSettings:
        """Return what the log is to be told by."""
        stamps, send = tuple(item.to_value() for item in self.timestamps), tuple(item.to_value() for item in self.send)
        return LogSettings(self.key, self.origin, self.witnesses, self.quorum, stamps, send)


class Aims(Section):
    """The whole of aims.yaml."""

    schema_: Literal["aims/1"] = Field(alias="schema")
    """The version of this grammar."""
    organisation: Organisation
    """Who keeps the register."""
    people: dict[PersonId, Person]
    """Everybody who owns or signs, by id."""
    signer: Text | None = None
    """The id of the person or service whose key signs a run; AIMS_SIGNER goes before it."""
    store: Text | None = None
    """The evidence store: an SQLAlchemy URI or an http(s) address; AIMS_STORE goes before it."""
    unclaimed: Literal["refuse", "free"] | None = None
    """Whether a model that no system claims may have a protected alias or stage: `refuse` or `free`. By default a
    client refuses, and a server leaves such models alone."""
    trust: dict[Kind, tuple[Text, ...]] = {}
    """Who may sign what: kind of statement to ids of people. Who is not named is not trusted."""
    systems: dict[Id, System] = {}
    """The AI systems by id."""
    log: Log | None = None
    """Who signs the log's checkpoints, and who witnesses them."""


class AnyCheck(CheckEntry):
    """An entry whose check is not known: its common keys can still be judged, its options cannot."""

    model_config = ConfigDict(extra="ignore")


class AnyMonitor(MonitorEntry):
    """A monitoring entry whose check is not known."""

    model_config = ConfigDict(extra="ignore")


def check_of(entry: object, checks: CheckTypes) -> type[Check] | None:
    """Return the check that an entry's `use` names, as far as anything sensible stands there."""
    use = entry.get("use") if isinstance(entry, dict) else None
    return checks.get(use) if isinstance(use, str) else None


def build(checks: CheckTypes) -> type[Aims]:
    """Return the grammar with one form of check entry for each installed check, told apart by `use`.

    Raises `ConfigError` for a check whose option has the name of a key that all entries have.
    """
    # The types are made at run time, out of what is installed: no type checker can follow them.
    lists: dict[str, Any] = {
        "checks": (tuple[_entry(CheckEntry, checks), ...], _like(System, "checks")),  # type: ignore[misc]
        "monitor": (tuple[_entry(MonitorEntry, checks), ...], _like(System, "monitor")),  # type: ignore[misc]
    }
    system = create_model("System", __base__=System, __doc__=System.__doc__, **lists)
    systems: Any = (dict[Id, system], _like(Aims, "systems"))  # type: ignore[valid-type]
    return create_model("Aims", __base__=Aims, __doc__=Aims.__doc__, systems=systems)


def _like(section: type[Section], name: str) -> Any:
    """Take over default and description of a field whose type is made anew."""
    field = section.model_fields[name]
    return Field(default=field.default, description=field.description)


def _entry(base: type[CheckEntry], checks: CheckTypes) -> Any:
    forms = tuple(_form(base, check) for _, check in sorted(checks.items()))
    if not forms:
        return AnyMonitor if base is MonitorEntry else AnyCheck
    # A union of one is no union, and needs no word that tells it from others.
    return forms[0] if len(forms) == 1 else Annotated[Union[forms], Field(discriminator="use")]  # noqa: UP007


def _form(base: type[CheckEntry], check: type[Check]) -> type[CheckEntry]:
    clash = sorted(set(base.model_fields) & set(check.options.model_fields))
    if clash:
        what = f"the check {check.use!r} has the option {clash[0]!r}, which every entry of aims.yaml has already"
        raise ConfigError(what, hint="rename the option in the check's class")
    name = "".join(word.capitalize() for word in re.split(r"[^a-zA-Z0-9]+", check.use)) + base.__name__
    use: Any = (Literal[check.use], Field(description=CheckEntry.model_fields["use"].description))
    return cast(
        "type[CheckEntry]",
        create_model(name, __base__=(base, check.options), __doc__=check.title, use=use),
    )
