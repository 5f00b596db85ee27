from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aims_mlops.config import CheckTypes, load, starter, write_starter
from aims_mlops.errors import ConfigError, UsageError
from aims_mlops.model.register import Project

Read = Callable[[str | bytes], Project]


def test_a_start_claims_each_registered_model_in_a_system_of_its_own(read: Read) -> None:
    project = read(starter(["income", "Churn Model"], datasets=["data/evaluation.parquet"]))
    assert [(system.id, system.models) for system in project.systems] == [
        ("churn-model", ("Churn Model",)),
        ("income", ("income",)),
    ]
    assert [spec.name for spec in project.systems[0].policy.datasets] == ["evaluation"]


def test_a_start_names_nobody_and_requires_nothing_so_that_nothing_is_promoted(read: Read) -> None:
    project = read(starter(["income"]))
    owner = project.person(project.systems[0].owner)
    assert owner is not None
    assert not owner.active
    assert project.systems[0].policy.checks == ()


def test_a_start_without_models_shows_an_example_that_loads_once_its_comment_signs_are_gone(read: Read) -> None:
    text = starter([])
    assert read(text).systems == ()
    head, example = text.split("systems: {}", 1)
    lines = example.splitlines()[1:]
    assert all(line.startswith("# ") for line in lines)
    project = read(head + "systems:\n" + "\n".join(line.removeprefix("# ") for line in lines) + "\n")
    assert project.systems[0].models == ("my-model",)


def test_the_hints_are_given_once(read: Read) -> None:
    text = starter(["a", "b", "c"])
    assert text.count("# - id: parity") == 1
    assert len(read(text).systems) == 3


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    models=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=4),
    datasets=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), max_size=3
    ),
)
def test_whatever_models_are_called_the_start_loads_and_claims_exactly_them(
    read: Read, models: list[str], datasets: list[str]
) -> None:
    project = read(starter(models, datasets=datasets))
    assert {len(project.claimants(model)) for model in models} <= {1}


def test_a_start_is_written_once_and_never_over_another(tmp_path: Path, checks: CheckTypes) -> None:
    path = tmp_path / "aims.yaml"
    write_starter(path, starter(["income"]))
    assert load(path, checks).systems[0].id == "income"
    with pytest.raises(UsageError, match=r"aims\.yaml exists already") as caught:
        write_starter(path, "")
    assert caught.value.hint == "edit it, or run aims config validate; remove it yourself to start anew"
    assert load(path, checks).systems[0].id == "income"


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "aims.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="exists already"):
        write_starter(tmp_path / "aims.yaml", "x")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        write_starter(tmp_path / "gone" / "aims.yaml", "x")
