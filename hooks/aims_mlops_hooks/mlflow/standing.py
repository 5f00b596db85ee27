"""What holds aliases and stages in MLflow's registry now, by MLflow's client alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aims_mlops_hooks.mlflow.guard.reading import is_prompt

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 1000
_TAGGED = "tags.`mlflow.prompt.is_prompt` = 'true'"


@dataclass(frozen=True)
class Listed:
    """The versions of a registry or workspace, by model and number, and for each model its aliases by their name."""

    versions: list[Any]
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def held_by(self, version: Any) -> tuple[str, ...]:
        """Return the aliases of a version, sorted. One that leads to a version which is gone is nobody's."""
        number = str(int(version.version))
        return tuple(sorted(alias for alias, to in self.aliases.get(version.name, {}).items() if to == number))


def listed(client: MlflowClient, *, managed: bool) -> Listed:
    """List all versions; real prompts are left out. `managed` registries do not search by tags, and have no prompts.

    MLflow hides what somebody tagged as a prompt: that is asked for apart, since anybody may set the tag.
    """
    filters = (None,) if managed else (None, _TAGGED)
    models = [model for tagged in filters for model in _pages(client.search_registered_models, tagged)]
    if managed:
        return _by_model(client, models)
    versions = [version for tagged in filters for version in _pages(client.search_model_versions, tagged)]
    kept = [version for version in versions if not is_prompt(version.source)]
    return Listed(_ordered(kept), {model.name: _aliases(model) for model in models})


def _by_model(client: MlflowClient, models: list[Any]) -> Listed:
    """Ask model by model, as Unity Catalog wants it: its search knows no aliases, and lists versions of one model."""
    aliases = {model.name: _aliases(client.get_registered_model(model.name)) for model in models}
    versions = [found for name in aliases for found in _pages(client.search_model_versions, f"name='{name}'")]
    return Listed(_ordered(versions), aliases)


def _aliases(model: Any) -> dict[str, str]:
    return {alias: str(number) for alias, number in dict(model.aliases or {}).items()}


def _ordered(versions: list[Any]) -> list[Any]:
    return sorted(versions, key=lambda found: (found.name, int(found.version)))


def _pages(search: Any, wanted: str | None) -> Iterator[Any]:
    token: str | None = ""
    while token is not None:
        page = search(wanted, max_results=_PAGE, page_token=token or None)
        yield from page
        token = page.token or None
