"""Small models for the hooks' tests."""

from __future__ import annotations

from typing import Any

import pandas as pd


def frame(rows: int = 40) -> pd.DataFrame:
    return pd.DataFrame({"x": [index % 7 for index in range(rows)], "z": [float(index % 3) for index in range(rows)]})


def classifier() -> Any:
    from sklearn.linear_model import LogisticRegression

    data = frame()
    return LogisticRegression().fit(data, (data["x"] > 3).astype(int))


def log(name: str | None = None) -> Any:
    """Log a classifier in a run of its own, and register it under a name."""
    import mlflow

    with mlflow.start_run():
        return mlflow.sklearn.log_model(
            classifier(), name="model", registered_model_name=name, pip_requirements=["scikit-learn"]
        )
