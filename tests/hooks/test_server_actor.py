"""Who calls a server: only somebody for whom basic-auth or a trusted proxy vouches has a name."""

from __future__ import annotations

import flask
import pytest

from aims_mlops.errors import ConfigError
from aims_mlops.model.decision import ANONYMOUS, Actor
from aims_mlops_hooks.mlflow.server.actor import TrustedProxy, caller, trusted_proxy

PROXY = TrustedProxy.parse("X-Forwarded-User@10.0.0.5, 10.0.0.6")


def called(
    address: str = "10.0.0.5",
    *,
    user: str | None = None,
    verified: str | None = None,
    proxy: TrustedProxy | None = PROXY,
) -> Actor:
    headers = {"Authorization": "Basic YWxpY2U6eA=="} | ({} if user is None else {"X-Forwarded-User": user})
    with flask.Flask("test").test_request_context(headers=headers, environ_base={"REMOTE_ADDR": address}):
        if verified is not None:
            flask.g.mlflow_authenticated_user = verified
        return caller(proxy)


def test_nobody_is_named_by_a_header_that_nobody_verified() -> None:
    assert called() == ANONYMOUS
    assert called("10.9.9.9", user="alice") == ANONYMOUS
    assert called(user="alice", proxy=None) == ANONYMOUS
    assert not ANONYMOUS.authenticated


def test_a_trusted_proxy_vouches_from_its_own_address_alone() -> None:
    assert called(user=" alice ") == Actor("alice", "proxy")
    assert called("10.0.0.6", user="bob") == Actor("bob", "proxy")
    assert called(user="  ") == ANONYMOUS
    assert called(user="mallory, alice") == ANONYMOUS


def test_the_user_whom_the_auth_app_verified_comes_before_any_header() -> None:
    assert called(user="mallory", verified="alice") == Actor("alice", "basic-auth")


def test_outside_a_request_there_is_no_caller() -> None:
    assert caller(PROXY) == ANONYMOUS


def test_an_endless_name_is_cut() -> None:
    assert len(called(user="x" * 10_000).name) == 250


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("X-Forwarded-User", "'' does not appear to be an IPv4 or IPv6 address"),
        ("X-Forwarded-User@", "'' does not appear to be an IPv4 or IPv6 address"),
        ("@10.0.0.5", "the header is missing"),
        ("X-User@proxy.example.org", "'proxy.example.org' does not appear to be"),
        ("X-User@10.0.0.5,", "'' does not appear to be"),
    ],
)
def test_a_proxy_that_is_not_named_whole_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match="does not name a proxy") as refused:
        trusted_proxy({"AIMS_TRUSTED_PROXY": text})
    assert problem in str(refused.value)
    assert "X-Forwarded-User@10.0.0.5" in refused.value.hint


def test_no_proxy_is_trusted_by_default() -> None:
    assert trusted_proxy({}) is None
    assert trusted_proxy({"AIMS_TRUSTED_PROXY": "X-User@::1"}) == TrustedProxy("X-User", frozenset({"::1"}))
