from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from aims_mlops.config import CheckTypes, find, load
from aims_mlops.errors import ConfigError
from aims_mlops.model.register import Project

Read = Callable[[str | bytes], Project]

SHARED = Path(os.environ.get("AIMS_SHARED", Path(__file__).parents[4] / "shared"))
INCOME = SHARED / "contract" / "income" / "aims.yaml"


def test_the_file_becomes_frozen_values(read: Read, base: str, tmp_path: Path) -> None:
    project = read(base)
    (system,) = project.systems
    assert (project.organisation, project.contact, project.signer, project.store) == (
        "Example",
        "ai@example.org",
        "robot",
        None,
    )
    assert [(who.id, who.name, who.kind, who.active, who.keys) for who in project.people] == [
        ("ann", "Ann", "person", True, ()),
        ("ben", "Ben", "person", True, ()),
        ("robot", "Robot", "service", True, ()),
    ]
    assert (system.id, system.owner, system.deputy, system.risk_class, system.line) == (
        "loans",
        "ann",
        "ben",
        "high",
        14,
    )
    assert system.models == ("loans", "loans-*")
    policy = system.policy
    assert (policy.promotion.aliases, policy.promotion.registered_models) == (("champion",), ("prod.*",))
    assert [spec.path for spec in policy.datasets] == [f"{tmp_path}/data/*.parquet", f"{tmp_path}/data/then.parquet"]
    gap, shape = policy.checks
    assert (gap.id, gap.use, gap.max_age, gap.line) == ("gap", "parity", timedelta(days=30), 27)
    assert gap.controls == ("iso42001 A.6.2.4",)
    assert type(gap.options).__name__ == "ParityOptions"
    assert gap.options.limits["difference"].max == 0.1
    assert (gap.datasets, shape.datasets) == (("now",), ("now", "then"))
    assert [(spec.id, spec.signed_by, spec.required) for spec in policy.records] == [("peer-review", "not-owner", True)]
    assert [spec.id for spec in policy.monitor] == ["live"]
    assert policy.files == {"quality/now.json": b"{}"}


def test_paths_start_at_the_file_and_the_folders_own_name_is_no_pattern(
    base: str, checks: CheckTypes, tmp_path: Path
) -> None:
    folder = tmp_path / "a[b]"
    (folder / "quality").mkdir(parents=True)
    (folder / "quality" / "now.json").write_bytes(b"{}")
    (folder / "aims.yaml").write_text(base.replace("data/then.parquet", "s3://bucket/then.parquet"), encoding="utf-8")
    now, then = load(folder / "aims.yaml", checks).systems[0].policy.datasets
    assert now.path == f"{tmp_path}/a[[]b]/data/*.parquet"
    assert then.path == "s3://bucket/then.parquet"


def test_aliases_comments_a_byte_order_mark_and_windows_line_ends_are_read(read: Read, base: str) -> None:
    text = base.replace("[sex]", "&columns [sex, race]").replace(
        "then: {path: data/then.parquet}", "then: {path: data/then.parquet, sensitive: *columns}"
    )
    project = read(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert project.systems[0].policy.datasets[1].sensitive == ("sex", "race")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("yes", "yes", id="yes is text"),
        pytest.param("true", True, id="true is true"),
        pytest.param("1", 1, id="a whole number"),
        pytest.param("1.5", 1.5, id="a fraction"),
        pytest.param("0x10", 16, id="hexadecimal"),
        pytest.param("010", 10, id="a leading zero is decimal"),
        pytest.param("1_000", 1000, id="grouped digits"),
        pytest.param("2026-11-21", "2026-11-21", id="a date is text"),
        pytest.param("'1'", "1", id="a quoted number is text"),
        pytest.param("null", None, id="null is the default"),
        pytest.param('">50K"', ">50K", id="quoted text"),
    ],
)
def test_values_are_those_of_yaml_1_2(read: Read, base: str, written: str, value: object) -> None:
    positive = read(base.replace("label: paid", f"positive: {written}")).systems[0].policy.datasets[0].positive
    assert (positive, type(positive)) == (value, type(value))


def test_a_file_that_several_checks_name_is_read_once(read: Read, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    plain = Path.open

    def counting(self: Path, *arguments: object, **named: object) -> object:
        opened.append(self.name)
        return plain(self, *arguments, **named)  # type: ignore[call-overload]

    twice = base.replace(
        "    records:", "      - {id: again, use: suite, on: [now], file: quality/now.json}\n    records:"
    )
    monkeypatch.setattr(Path, "open", counting)
    read(twice)
    # The first opening of aims.yaml is the fixture's own, which writes it.
    assert sorted(opened) == ["aims.yaml", "aims.yaml", "now.json"]


def test_a_missing_file_says_what_to_do(checks: CheckTypes, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"aims.yaml cannot be read: No such file") as caught:
        load(tmp_path / "aims.yaml", checks)
    assert caught.value.hint == "make it readable, or run aims init"


def test_the_hint_names_the_whole_path(checks: CheckTypes, tmp_path: Path) -> None:
    (tmp_path / "aims.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "aims.yaml", checks)
    assert caught.value.hint == f"correct {tmp_path}/aims.yaml; `aims config explain KEY` says what a key means"


class TestFind:
    def test_it_looks_upwards(self, tmp_path: Path) -> None:
        (tmp_path / "aims.yaml").touch()
        below = tmp_path / "a" / "b"
        below.mkdir(parents=True)
        assert find(below, environment={}) == tmp_path / "aims.yaml"

    def test_the_explicit_file_goes_before_the_variable_and_that_before_the_folders(self, tmp_path: Path) -> None:
        for name in ("aims.yaml", "one.yaml", "two.yaml"):
            (tmp_path / name).touch()
        variable = {"AIMS_CONFIG": str(tmp_path / "two.yaml")}
        assert find(tmp_path, tmp_path / "one.yaml", environment=variable) == tmp_path / "one.yaml"
        assert find(tmp_path, environment=variable) == tmp_path / "two.yaml"

    def test_a_folder_means_the_file_in_it(self, tmp_path: Path) -> None:
        (tmp_path / "aims.yaml").touch()
        assert find(Path("/"), tmp_path, environment={}) == tmp_path / "aims.yaml"

    def test_what_was_named_is_never_replaced_by_something_found(self, tmp_path: Path) -> None:
        (tmp_path / "aims.yaml").touch()
        with pytest.raises(ConfigError, match=r"AIMS_CONFIG: .*gone.yaml does not exist") as caught:
            find(tmp_path, environment={"AIMS_CONFIG": str(tmp_path / "gone.yaml")})
        assert caught.value.hint == "name an existing aims.yaml, or run aims init"

    def test_nothing_found_names_aims_init(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"no aims.yaml in .* or any folder above it") as caught:
            find(tmp_path, environment={})
        assert caught.value.hint == "aims init writes one; --config or AIMS_CONFIG names one elsewhere"


def test_the_income_project_loads_as_it_stands_with_the_checks_that_come_with_the_product() -> None:
    if not INCOME.is_file():
        pytest.skip(f"the example project is not at {INCOME}; AIMS_SHARED names its folder")
    from aims_mlops_checks.data_quality import DataQuality
    from aims_mlops_checks.drift import Drift
    from aims_mlops_checks.fairness import Fairness
    from aims_mlops_checks.performance import Performance

    checks: CheckTypes = {check.use: check for check in (DataQuality, Drift, Fairness, Performance)}
    (system,) = load(INCOME, checks).systems
    specs = {spec.id: spec for spec in system.policy.checks}
    assert list(specs) == ["parity-by-sex", "parity-by-race", "input-drift", "evaluation-quality", "accuracy"]
    assert not specs["parity-by-race"].required
    assert specs["input-drift"].datasets == ("reference", "evaluation")
    assert specs["accuracy"].options.metrics["roc_auc"].not_below == "champion"
    assert list(system.policy.files) == ["quality/evaluation.json"]
    assert [spec.id for spec in system.policy.monitor] == ["live-drift"]


def test_reading_the_configuration_imports_no_engine_and_no_check_library() -> None:
    heavy = "pandas numpy mlflow duckdb pyarrow sklearn fairlearn evidently great_expectations sqlalchemy polars"
    code = f"import sys, aims_mlops.config; print(sorted(set({heavy.split()!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
