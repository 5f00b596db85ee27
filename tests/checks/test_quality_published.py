"""Data quality on data with published numbers."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from aims_mlops.data.duckdb_engine import DuckEngine
from aims_mlops.model.policy import DatasetSpec
from aims_mlops.plugin import Outcome
from aims_mlops_checks.data_quality import DataQuality, DataQualityOptions
from tests.checks.memory_engine import MemoryEngine, context_of

SHARED = Path(os.environ.get("AIMS_SHARED", Path(__file__).parents[3] / "shared"))
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared folder is not there (AIMS_SHARED names it)")


@needs_shared
@pytest.mark.slow
def test_the_income_suite_passes_on_duckdb_with_the_numbers_that_were_computed(tmp_path: Path) -> None:
    project = SHARED / "contract" / "income"
    adult = SHARED / "data" / "fairness" / "adult.parquet"
    subprocess.run([sys.executable, "-W", "ignore", project / "make_data.py", adult, tmp_path], check=True)
    expected = json.loads((project / "expected.json").read_text(encoding="utf-8"))
    suite = json.loads((project / "quality" / "evaluation.json").read_text(encoding="utf-8"))["expectations"]
    options = DataQualityOptions(data="evaluation", suite="quality/evaluation.json")
    with DuckEngine() as engine:
        data = engine.open(DatasetSpec("evaluation", str(tmp_path / "evaluation.parquet"), label="income"))
        context = context_of(options, data, engine=engine, file=lambda name: (project / name).read_bytes())
        finding = DataQuality().run(context)
    assert finding.outcome is Outcome.PASSED
    assert finding.rows == expected["rows"]["evaluation"]
    assert [measure.metric for measure in finding.measures] == [item["type"] for item in suite]
    assert len(finding.measures) == expected["quality"]["statistics"]["successful_expectations"] == 12
    assert finding.measures[0].value == 14652


@needs_shared
@pytest.mark.parametrize("kind", ["memory", "duckdb"])
def test_the_published_errors_of_the_beers_are_found(kind: str) -> None:
    """Every size has a word behind the number; 127 rows have the state in the city's column."""
    path = SHARED / "data" / "quality" / "beers_dirty.csv"
    inline = [
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "ounces", "regex": r"^\d+\.\d+$"}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "state"}},
    ]
    options = DataQualityOptions.model_validate({"data": "beers", "expectations": inline})
    if kind == "memory":
        memory = MemoryEngine()
        finding = DataQuality().run(
            context_of(options, memory.open("beers", pd.read_csv(io.BytesIO(path.read_bytes()))), engine=memory)
        )
    else:
        with DuckEngine() as duck:
            data = duck.open(DatasetSpec("beers", str(path)))
            finding = DataQuality().run(context_of(options, data, engine=duck))
    assert [measure.value for measure in finding.measures] == [2410, 127]


@needs_shared
def test_the_published_errors_of_the_hospitals_are_found() -> None:
    path = SHARED / "data" / "quality" / "hospital_dirty.csv"
    published = pd.read_csv(path.with_name("hospital_errors.csv"), dtype=str)["column"].value_counts()
    inline = [
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "emergency_service", "value_set": ["yes", "no"]},
        },
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "zip", "regex": r"^\d{5}$"}},
    ]
    options = DataQualityOptions.model_validate({"data": "hospitals", "expectations": inline})
    with DuckEngine() as duck:
        data = duck.open(DatasetSpec("hospitals", str(path)))
        finding = DataQuality().run(context_of(options, data, engine=duck))
    assert [measure.value for measure in finding.measures] == [published["emergency_service"], published["zip"]]
