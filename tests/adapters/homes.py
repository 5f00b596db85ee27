from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from aims_mlops.adapters.http_store import HttpEvidenceStore
from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.stores import open_store
from aims_mlops.evidence.log import Walk, walk
from aims_mlops.evidence.statement import predicate_type
from aims_mlops.ports import Entry, EvidenceStore
from tests.adapters import appending
from tests.api.world import World
from tests.builders import result, signed


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

    def entry(self, name: str, *, model: str = "income", version: str = "3") -> Entry:
        return appending.entry(name, model=model, version=version)

    def sql(self, statement: str, **values: Any) -> list[Any]:
        engine = create_engine(self.uri.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            result = connection.execute(text(statement), values)
            rows = list(result.all()) if result.returns_rows else []
        engine.dispose()
        return rows


@dataclass
class Served:
    """A store behind an HTTP server, which takes nothing but what is signed; the client's files are in `root`."""

    uri: str
    root: Path
    world: World
    opened: list[HttpEvidenceStore] = field(default_factory=list)
    kind: str = "http"

    def open(self, head_folder: Path | None = None) -> HttpEvidenceStore:
        self.opened.append(HttpEvidenceStore(self.uri, head_folder=head_folder or self.root / ".aims"))
        return self.opened[-1]

    def entry(self, name: str, *, model: str = "income", version: str = "3") -> Entry:
        registry_id = self.world.store.registry_id()
        now = self.world.now
        said = result(nonce=name, model=model, version=version, registry_id=registry_id, measured_at=now, signed_at=now)
        envelope = signed(said)
        return Entry(
            envelope.to_bytes(),
            envelope.payload_digest,
            predicate_type(said.kind),
            said.subject,
            model=model,
            version=version,
            system="income",
        )

    def sql(self, statement: str, **values: Any) -> list[Any]:
        return Home("sqlite", f"sqlite:///{self.world.folder}/aims.db", self.world.folder).sql(statement, **values)


def audit(store: EvidenceStore) -> Walk:
    return walk(store.leaves(), registry_id=store.registry_id(), head=store.head())


def postgres_uri() -> str:
    """Return the address of a server for tests; skip, or fail where servers are demanded."""
    uri = os.environ.get("AIMS_TEST_POSTGRES")
    if not uri:
        if os.environ.get("AIMS_REQUIRE_SERVERS") == "1":
            pytest.fail("AIMS_REQUIRE_SERVERS=1, but AIMS_TEST_POSTGRES names no PostgreSQL server")
        pytest.skip("AIMS_TEST_POSTGRES names no PostgreSQL server, e.g. postgresql://postgres@127.0.0.1:5432/test")
    return uri
