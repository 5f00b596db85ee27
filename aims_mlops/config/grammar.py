"""The grammar of aims.yaml. The text under each field is what `aims config explain` and an editor say about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, cast

from pydantic import ConfigDict, Field, create_model

from aims_mlops.config.anchoring import Send, Timestamps
from aims_mlops.config.fields import (
    BUILT_IN,
    FRAMEWORKS,
    SIGNERS,
    Control,
    Duration,
    Id,
    Kind,
    Origin,
    PersonId,
    PinnedDigest,
    RequirementId,
    Scalar,
    Section,
    Text,
    VerifierKeyText,
)
from aims_mlops.config.trusting import KeyEntry, Separated, TrustEntry
from aims_mlops.errors import ConfigError
from aims_mlops.model.register import LogSettings
from aims_mlops.plugin import Check

__all__ = ["BUILT_IN", "FRAMEWORKS", "SIGNERS", "Aims", "CheckEntry", "CheckTypes", "MonitorEntry", "build", "check_of"]

CheckTypes = Mapping[str, type[Check]]
"""The installed checks by their `use`."""


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
    keys: tuple[KeyEntry, ...] = ()
    """Public key files (PEM), relative to aims.yaml, which may be missing until `aims keys new`; or mappings that say
    as well from when to when each is valid, and whether it was revoked."""


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
    data: dict[Id, Dataset] = Field(default={})
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
    trust: dict[Kind, TrustEntry] = Field(default={})
    """Who may sign what: kind of statement to ids of people, or to rules that also say for which systems and how many.
    Who is not named is not trusted."""
    separate: tuple[Separated, ...] = ()
    """Pairs of kinds of statement that nobody signs both of about one version, e.g. [[check-result, waiver]]."""
    systems: dict[Id, System] = Field(default={})
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
