"""Runs the contract with MLflow on the oldest and the newest version that we support: `nox -s contracts`.

pyproject.toml says which those are. `make test` runs the same tests on the locked version alone.
"""

from __future__ import annotations

import nox

OLDEST, NEWEST = "mlflow==3.10.*", "mlflow<4"

nox.options.sessions = ["contracts"]


@nox.session
@nox.parametrize("mlflow", [OLDEST, NEWEST], ids=["oldest", "newest"])
def contracts(session: nox.Session, mlflow: str) -> None:
    """Hold the guard against one version of MLflow: its methods, its signatures, and every route on a real store."""
    session.install("-e", ".", mlflow, "flask-wtf", "pytest", "hypothesis")
    tests = ("tests/contracts/test_mlflow_registry.py", "tests/hooks/test_guard.py")
    session.run("pytest", "-q", *tests, *session.posargs)
