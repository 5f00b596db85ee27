"""The grammar of keys and trust: who may sign what, from when to when, for which systems, and how many of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from aims_mlops.config.fields import End, Section, Start, Text, mistake

SEVERAL = ("record", "waiver")
"""The kinds for which a threshold can be demanded: those that people sign one after the other."""


class Revoked(Section):
    """The end of a key before its time."""

    at: Start
    """From when on it signs nothing, a day or a time in UTC. Where it was stolen: when that can have been at the
    earliest."""
    reason: Literal["lost", "compromised", "superseded", "left"]
    """Why. After `compromised`, what it signed counts only where somebody outside saw it in the log before."""


class Key(Section):
    """A public key with the time for which it is valid."""

    file: Text
    """The public key file (PEM), relative to aims.yaml."""
    from_: Start | None = Field(default=None, alias="from")
    """The first day, or a time in UTC, from which it signs; by default from ever."""
    to: End | None = None
    """The last day, or a time in UTC, until which it signs; what was recorded until then stays good."""
    revoked: Revoked | None = None
    """Set once it must not be used any more; it stays in the list, so that what it signed before can be judged."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise mistake("the key ends before it begins", "let to: be a day after from:")
        return self


class Rule(Section):
    """Who may sign a kind of statement, for which systems, and how many of them have to."""

    by: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The ids of the people."""
    systems: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Globs of system ids; by default every system, and what is about none."""
    threshold: Annotated[int, Field(ge=1)] = 1
    """How many of the people have to sign, each once whatever their keys; for records and waivers only."""


def _form_of_key(value: Any) -> str:
    return "entry" if isinstance(value, dict | Key) else "path"


def _form_of_trust(value: Any) -> str:
    if isinstance(value, dict | Rule):
        return "rule"
    several = isinstance(value, list | tuple) and any(isinstance(item, dict | Rule) for item in value)
    return "rules" if several else "people"


KeyEntry = Annotated[Annotated[Text, Tag("path")] | Annotated[Key, Tag("entry")], Discriminator(_form_of_key)]
TrustEntry = Annotated[
    Annotated[tuple[Text, ...], Tag("people")]
    | Annotated[Rule, Tag("rule")]
    | Annotated[tuple[Rule, ...], Tag("rules")],
    Discriminator(_form_of_trust),
]


def _pair(kinds: tuple[str, ...]) -> tuple[str, ...]:
    if len(kinds) != 2 or kinds[0] == kinds[1]:
        raise mistake("expected two different kinds of statement", "write e.g. [check-result, waiver]")
    return kinds


Separated = Annotated[tuple[Literal["check-result", "record", "waiver"], ...], AfterValidator(_pair)]


def rules_of(entry: tuple[str, ...] | Rule | tuple[Rule, ...]) -> tuple[Rule, ...] | None:
    """Return the rules of a kind; None where only people are listed, who are trusted for everything."""
    if isinstance(entry, Rule):
        return (entry,)
    rules = tuple(item for item in entry if isinstance(item, Rule))
    return rules or None


def people_of(entry: tuple[str, ...] | Rule | tuple[Rule, ...]) -> tuple[str, ...]:
    """Return everybody whom an entry names, each once."""
    rules = rules_of(entry)
    named = [id_ for id_ in entry if isinstance(id_, str)] if rules is None and not isinstance(entry, Rule) else []
    return tuple(dict.fromkeys([*named, *(id_ for rule in rules or () for id_ in rule.by)]))
