"""What the gatekeeper says about names that can be taken for others."""

from __future__ import annotations

import pytest

from aims_mlops import api
from aims_mlops.model.register import Project
from aims_mlops.model.subject import Target
from tests.builders import project


def keeper(made: Project, *, unclaimed: str = "free") -> api.Gatekeeper:
    def no_services() -> api.Services:
        raise AssertionError("names are compared without services")

    return api.Gatekeeper(lambda: made, no_services, say=print, show=print, unclaimed=unclaimed)


CYRILLIC = Target("alias", "ch\u0430mpion")


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        pytest.param("income", None, None, id="a claimed model"),
        pytest.param("Income", None, "'income', which the system income claims", id="alike to a claimed one"),
        pytest.param("pr0d.x", None, "the protected name 'prod.*'", id="alike to a protected one"),
        pytest.param("churn", None, None, id="another model"),
        pytest.param("income", CYRILLIC, "the protected alias 'champion'", id="an alias on a claimed model"),
        pytest.param("prod.x", CYRILLIC, "the protected alias 'champion'", id="an alias on a protected name"),
        pytest.param("churn", CYRILLIC, None, id="an alias on a model that nobody governs"),
        pytest.param("income", Target("alias", "dev"), None, id="an ordinary alias"),
        pytest.param("income", Target("alias", "Champion"), None, id="the alias itself"),
        pytest.param("Income", Target("alias", "champion"), "'income', which the system income claims", id="both"),
        pytest.param("Income", CYRILLIC, "'income', which the system income claims", id="both alike"),
        pytest.param("Income", Target("alias", "dev"), None, id="an ordinary alias on a look-alike"),
        pytest.param("income", Target("stage", "Produ\u0441tion"), "the protected stage 'Production'", id="a stage"),
    ],
)
def test_a_server_says_what_a_name_looks_like(name: str, target: Target | None, words: str | None) -> None:
    assert keeper(project()).resembles(name, target) == words


def test_a_client_holds_aliases_of_unclaimed_models_against_every_system() -> None:
    assert keeper(project(), unclaimed="refuse").resembles("churn", CYRILLIC) == "the protected alias 'champion'"
    assert keeper(project(unclaimed="free"), unclaimed="refuse").resembles("churn", CYRILLIC) is None
