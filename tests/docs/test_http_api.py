"""The page about the HTTP API says what the routes and their description say."""

from __future__ import annotations

import re

from aims_mlops.api.handing_in import CLIENT_KINDS
from aims_mlops_hooks.mlflow.server.evidence_api import STATUS
from aims_mlops_hooks.mlflow.server.openapi import PREFIX, ROUTES, description
from tests.docs.test_reference import DOCS, REFERENCE, read, rows

PAGE = REFERENCE / "http-api.md"
OPENAPI = description(version="1")


def test_each_route_has_a_row_with_its_parameters() -> None:
    told = re.findall(r"(?m)^\| `([A-Z]+) (/[a-z.-]+)` \|(.*?)\|", read(PAGE))
    assert {(path, method) for method, path, _ in told} == {
        (path, method) for path, methods in ROUTES.items() for method in methods
    }
    for path, methods in OPENAPI["paths"].items():
        for method, operation in methods.items():
            takes = " ".join(
                cell for told_method, told_path, cell in told if (told_method, told_path) == (method.upper(), path)
            )
            for parameter in operation.get("parameters", []):
                assert re.search(rf"`{parameter['name']}\b", takes), (path, parameter["name"])
    assert PREFIX in read(PAGE)


def test_each_code_has_a_row_with_its_status() -> None:
    told = dict(re.findall(r"(?m)^\| `([a-z-]+)` \| ([0-9]{3}) \|", read(PAGE)))
    assert told == {code: str(status) for code, status in STATUS.items()}


def test_each_field_of_health_has_a_row() -> None:
    assert rows(PAGE, "health") == set(OPENAPI["components"]["schemas"]["Health"]["properties"])


def test_each_kind_that_a_client_may_hand_in_is_told() -> None:
    assert rows(DOCS / "how-to" / "hand-evidence-in-over-http.md", "What the server takes") == set(CLIENT_KINDS)
