"""What the guard reads in a registry, through any store of MLflow's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from aims_mlops.errors import UsageError
from aims_mlops.model.subject import ModelRef, Target
from aims_mlops_hooks.mlflow.guard.context import version_number

_PLACEHOLDERS = ("dummy-source", "prompt-template")
_ALL_PROMPTS = " AND tags.`mlflow.prompt.is_prompt` = 'true'"


@cache
def _placeholders() -> frozenset[str]:
    from mlflow.prompt import constants

    # Older versions write these two without naming them; a contract test holds them against the newest.
    return frozenset(getattr(constants, "_PROMPT_SOURCE_PLACEHOLDERS", _PLACEHOLDERS))


def is_prompt(source: object) -> bool:
    """Whether a version holds a prompt: by its placeholder source alone, since anybody can set the prompt tag."""
    return source in _placeholders()


def exists(store: Any, name: str) -> bool:
    """Whether the registry has a registered model of this name."""
    from mlflow.exceptions import MlflowException

    try:
        store.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return True


def origin(source: object) -> tuple[str, str] | None:
    """Return name and number of a `models:/name/3` source; an alias could move between the judgement and the copy."""
    if not isinstance(source, str) or not source.startswith("models:/"):
        return None
    try:
        ref = ModelRef.parse(source)
    except UsageError:
        return None
    return (ref.name, ref.version) if ref.version is not None else None


@dataclass(frozen=True)
class Held:
    """An alias or stage that a version holds."""

    target: Target
    version: str


def standing(store: Any, name: str) -> list[Held]:
    """List the aliases and stages that a registered model's versions hold; of each stage the newest version."""
    model = store.get_registered_model(name)
    held = [Held(Target("alias", alias), str(number)) for alias, number in sorted((model.aliases or {}).items())]
    staged = ((stage_of(version), str(version.version)) for version in model.latest_versions or ())
    return held + [Held(stage, number) for stage, number in staged if stage is not None]


def stage_of(version: Any) -> Target | None:
    """Return the stage that a version is in."""
    stage = version.current_stage
    return None if stage in (None, "", "None") else Target("stage", stage)


def in_stage(store: Any, name: str, stage: str) -> list[str]:
    """List the numbers of all versions that are in a stage."""
    return [
        version_number(version.version)
        for version in _versions(store, name)
        if (held := stage_of(version)) is not None and held.value.casefold() == stage.casefold()
    ]


def numbers(store: Any, name: str) -> list[str]:
    """List the numbers of all versions of a registered model. Where some are tagged as prompts, only those."""
    return sorted({version_number(version.version) for version in _versions(store, name)}, key=int)


def tagged_as_prompt(store: Any, name: str) -> bool:
    """Whether a registered model or one of its versions has the prompt tag, which hides the others in searches."""
    if store.get_registered_model(name)._is_prompt():  # noqa: SLF001  # `tags` leaves this one out
        return True
    return bool(store.search_model_versions(_named(name) + _ALL_PROMPTS, 1, None, None))


def _versions(store: Any, name: str) -> Iterator[Any]:
    # MLflow leaves out what is tagged as a prompt unless the tag is asked for, and anybody can set it.
    for more in ("", _ALL_PROMPTS):
        token: str | None = ""
        while token is not None:
            page = store.search_model_versions(_named(name) + more, 1000, None, token or None)
            yield from page
            token = page.token or None


def _named(name: str) -> str:
    quote = '"' if "'" in name else "'"
    return f"name={quote}{name}{quote}"
