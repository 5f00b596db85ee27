"""What the freeze asks of the log."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aims_mlops.adapters.stores import open_store
from aims_mlops.api import NotApplied, Server, newest_statement, protection, versions_with_evidence
from aims_mlops.errors import ExitCode, StoreError
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Promotion
from aims_mlops.model.subject import Target
from aims_mlops.ports import Entry


def server_over(store: object, *, protects: Promotion | None = None) -> Server:
    """A server of which only the log and the configuration are asked."""

    def current() -> Any:
        if protects is None:
            raise NotApplied("none was ever applied here", hint="aims apply", code=ExitCode.SHUT)
        system = SimpleNamespace(policy=SimpleNamespace(promotion=protects))
        return SimpleNamespace(project=SimpleNamespace(systems=(system,)))

    made = SimpleNamespace(log=SimpleNamespace(store=store), configuration=SimpleNamespace(current=current))
    return cast("Server", made)


def test_each_version_that_is_spoken_of_is_told_once(tmp_path: Path) -> None:
    store = open_store("sqlite:///aims.db", root=tmp_path)
    server = server_over(store)
    assert versions_with_evidence(server) == ()
    assert newest_statement(server) is None
    said = [("income", "1"), ("income", "1"), ("income", "2"), ("credit", "1"), ("income", None)]
    digests = [Digest.of(str(number).encode()) for number in range(len(said))]
    for number, (model, version) in enumerate(said):
        store.append(
            Entry(str(number).encode(), digests[number], "urn:x", digests[number], model=model, version=version)
        )
    assert sorted(versions_with_evidence(server)) == [("credit", "1"), ("income", "1"), ("income", "2")]
    assert newest_statement(server) == str(digests[4])
    assert newest_statement(server, "income", "1") == str(digests[1])
    assert newest_statement(server, "income", "3") is None


def test_without_a_configuration_in_force_what_holds_anything_is_protected_and_no_name_is() -> None:
    protects = protection(server_over(None))
    assert protects(Target("alias", "dev"))
    assert protects(Target("stage", "Staging"))
    assert not protects(Target("name", "income"))


def test_with_a_configuration_its_targets_are_protected() -> None:
    protects = protection(server_over(None, protects=Promotion(("champion",), ("Production",), ("prod.*",))))
    targets = [Target("alias", "champion"), Target("alias", "dev"), Target("name", "prod.a"), Target("name", "a")]
    assert [protects(target) for target in targets] == [True, False, True, False]


def test_a_store_without_look_up_columns_is_an_error_and_no_empty_answer() -> None:
    with pytest.raises(StoreError, match="a SimpleNamespace does not tell which versions it speaks about"):
        versions_with_evidence(server_over(SimpleNamespace()))
