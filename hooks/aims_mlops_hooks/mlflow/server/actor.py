"""Who calls an MLflow server: the user whom basic-auth or a trusted proxy vouches for, else nobody.

A name in a request's own `Authorization` header is worth nothing unless MLflow's auth app has verified it, so it is
never read here.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from aims_mlops.errors import ConfigError
from aims_mlops.model.decision import ANONYMOUS, Actor

VARIABLE = "AIMS_TRUSTED_PROXY"
_LONGEST = 250


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """A proxy that authenticates users and names them in a header. Believed from these addresses alone."""

    header: str
    addresses: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `X-Forwarded-User@10.0.0.5,10.0.0.6`; raise `ConfigError` for anything else."""
        header, at, addresses = text.partition("@")
        try:
            found = frozenset(str(ipaddress.ip_address(address.strip())) for address in addresses.split(","))
        except ValueError as error:
            at, problem = "", str(error)
        else:
            problem = "the header is missing"
        if not at or not header.strip():
            raise ConfigError(
                f"{VARIABLE}: {text!r} does not name a proxy: {problem}",
                hint="write HEADER@ADDRESS[,ADDRESS…], e.g. X-Forwarded-User@10.0.0.5",
            )
        return cls(header.strip(), found)

    def user(self, headers: Mapping[str, str], address: str | None) -> str | None:
        """Return the user that the proxy names; None where the request does not come from it or names nobody."""
        if address not in self.addresses:
            return None
        named = {name.casefold(): value for name, value in headers.items()}
        user = named.get(self.header.casefold(), "").strip()
        # Two headers of one name arrive as one with a comma, and nobody can tell which the proxy wrote.
        return user[:_LONGEST] if user and "," not in user else None


def trusted_proxy(environment: Mapping[str, str] | None = None) -> TrustedProxy | None:
    """Return the proxy that AIMS_TRUSTED_PROXY names, if it names one. Raises `ConfigError`."""
    text = (os.environ if environment is None else environment).get(VARIABLE)
    return TrustedProxy.parse(text) if text else None


def caller(proxy: TrustedProxy | None) -> Actor:
    """Return who made the request that is being served; `ANONYMOUS` where nobody vouches, or there is no request."""
    import flask

    if not flask.has_request_context():
        return ANONYMOUS
    verified = getattr(flask.g, "mlflow_authenticated_user", None)
    if verified:
        return Actor(str(verified)[:_LONGEST], "basic-auth")
    user = proxy.user(dict(flask.request.headers), flask.request.remote_addr) if proxy is not None else None
    return ANONYMOUS if user is None else Actor(user, "proxy")
