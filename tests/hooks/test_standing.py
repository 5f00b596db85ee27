"""How a managed registry is asked, whose search knows no aliases and lists the versions of one model at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.store.entities import PagedList

from aims_mlops_hooks.mlflow.standing import listed


class UnityClient:
    """Refuses what Unity Catalog's store refuses."""

    def __init__(self) -> None:
        self.models = {"main.ml.loan": {"champion": 2}, "main.ml.other": {}}

    def search_registered_models(self, wanted: str | None, *, max_results: int, page_token: str | None) -> Any:
        from mlflow.entities.model_registry.registered_model_search import RegisteredModelSearch

        assert wanted is None, "Argument 'filter_string' is unsupported"
        names = sorted(self.models)
        place = int(page_token or 0)
        found = [RegisteredModelSearch(names[place])]  # type: ignore[no-untyped-call]  # MLflow's own
        return PagedList(found, str(place + 1) if place + 1 < len(names) else None)

    def get_registered_model(self, name: str) -> Any:
        return SimpleNamespace(name=name, aliases=self.models[name])

    def search_model_versions(self, wanted: str | None, *, max_results: int, page_token: str | None) -> Any:
        assert wanted is not None
        assert wanted.startswith("name='"), "Unity Catalog lists versions of one model"
        name = wanted[6:-1]
        numbers = ("10", "2") if name == "main.ml.loan" else ("1",)
        return PagedList([SimpleNamespace(name=name, version=number, source="s3://x") for number in numbers], None)


def test_unity_catalog_is_asked_model_by_model() -> None:
    client: Any = UnityClient()
    found = listed(client, managed=True)
    assert [(item.name, item.version, found.held_by(item)) for item in found.versions] == [
        ("main.ml.loan", "2", ("champion",)),
        ("main.ml.loan", "10", ()),
        ("main.ml.other", "1", ()),
    ]


def test_an_ordinary_registry_is_not_asked_that_way() -> None:
    client: Any = UnityClient()
    with pytest.raises(AssertionError, match="unsupported"):
        listed(client, managed=False)
