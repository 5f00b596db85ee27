"""The same job with the evidence in PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.adapters.homes import postgres_uri
from tests.e2e.conftest import Income

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("income")]


@pytest.fixture
def database() -> Iterator[str]:
    """A fresh database, dropped afterwards."""
    server = make_url(postgres_uri()).set(drivername="postgresql+psycopg")
    name = f"aims_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))
    engine.dispose()


def test_check_gate_and_verify_with_the_evidence_in_postgresql(income: Income, database: str) -> None:
    report = income.aims("check", "income/2", AIMS_STORE=database)
    assert "income/2: 4 checks passed" in report.stdout
    allowed = income.aims("gate", "income/2", "--to", "champion", AIMS_STORE=database)
    assert allowed.stdout.rstrip().endswith("income/2: allowed for champion")
    verified = income.aims("evidence", "verify", "income/2", AIMS_STORE=database)
    assert "verified: 7 leaves walked, 7 statements opened" in verified.stdout

    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text("delete from aims_leaf where seq = 6"))
    engine.dispose()
    cut = income.aims("evidence", "verify", AIMS_STORE=database, expect=4)
    assert "its tail is cut off" in cut.stdout
    refused = income.aims("gate", "income/2", "--to", "champion", AIMS_STORE=database, expect=None)
    assert refused.returncode in (3, 4), refused.stdout + refused.stderr
