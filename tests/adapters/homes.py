from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.stores import open_store
from aims_mlops.evidence.log import Walk, walk


@dataclass
class Home:
    """A fresh place for one store, and a back door into its tables."""

    kind: str
    uri: str
    root: Path
    opened: list[SqlEvidenceStore] = field(default_factory=list)

    def open(self, **options: Any) -> SqlEvidenceStore:
        self.opened.append(open_store(self.uri, root=self.root, **options))
        return self.opened[-1]

    def sql(self, statement: str, **values: Any) -> list[Any]:
        engine = create_engine(self.uri.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            result = connection.execute(text(statement), values)
            rows = list(result.all()) if result.returns_rows else []
        engine.dispose()
        return rows


def audit(store: SqlEvidenceStore) -> Walk:
    return walk(store.leaves(), registry_id=store.registry_id(), head=store.head())


def postgres_uri() -> str:
    """Return the address of a server for tests; skip, or fail where servers are demanded."""
    uri = os.environ.get("AIMS_TEST_POSTGRES")
    if not uri:
        if os.environ.get("AIMS_REQUIRE_SERVERS") == "1":
            pytest.fail("AIMS_REQUIRE_SERVERS=1, but AIMS_TEST_POSTGRES names no PostgreSQL server")
        pytest.skip("AIMS_TEST_POSTGRES names no PostgreSQL server, e.g. postgresql://postgres@127.0.0.1:5432/test")
    return uri
