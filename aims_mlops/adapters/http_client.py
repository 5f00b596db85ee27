"""Asking an MLflow server that runs our application: one question, one answer, and what each failure means."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from aims_mlops.errors import StoreError, UsageError, VerificationError

PREFIX = "/aims/api/v1"

TIMEOUT = (6.0, 60.0)
"""Seconds until a connection stands, and between two pieces of an answer."""

_PAUSE = 0.5
_ATTEMPTS = 2
_PASSING = (502, 503, 504)
_TRUE = ("true", "1")


@dataclass(frozen=True)
class Login:
    """How this client shows who it is, and whom it takes for the server: as MLflow's own clients do."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    verify: bool | str = True
    """Whether the server's certificate is verified, or the file of the authorities that may have signed it."""
    certificate: str | None = None
    """The file of this client's own certificate and key."""
    workspace: str | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read MLflow's variables: MLFLOW_TRACKING_USERNAME, …_PASSWORD, …_TOKEN, its TLS ones, MLFLOW_WORKSPACE."""
        unverified = environment.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in _TRUE
        return cls(
            username=environment.get("MLFLOW_TRACKING_USERNAME"),
            password=environment.get("MLFLOW_TRACKING_PASSWORD"),
            token=environment.get("MLFLOW_TRACKING_TOKEN"),
            verify=not unverified and (environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True),
            certificate=environment.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
            workspace=environment.get("MLFLOW_WORKSPACE", "").strip() or None,
        )

    def auth(self) -> AuthBase:
        """Return what signs a request in. Given always, so that requests looks for no password by itself."""
        if self.username and self.password:
            return HTTPBasicAuth(self.username.encode(), self.password.encode())
        return _Bearer(self.token)


class _Bearer(AuthBase):
    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class HttpClient:
    """Asks the routes under `/aims/api/v1` of one server. Every question can be repeated, and is, once.

    Raises `UsageError` for an address that is not a plain http(s) one. Redirects are not followed: a password or token
    goes to the named server alone.
    """

    def __init__(self, address: str, login: Login) -> None:
        parts = urlsplit(address)
        if parts.username is not None or parts.password is not None:
            raise UsageError("the address of a store over HTTP holds a user or password", hint=_APART)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(f"{address!r} is not the address of a server", hint=_ADDRESS)
        self.place = address.rstrip("/")
        """The server's address, for people."""
        self._login = login
        self._threads = threading.local()

    def json(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """Ask, and return the JSON answer; `body` is bytes of JSON, or a value. Raises `StoreError`."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = None if content is None else "application/json"
        return self._parsed(self._ask(method, path, query, content, kind))

    def put(self, path: str, *, query: Mapping[str, Any], content: bytes) -> None:
        """Send bytes. Raises `StoreError`."""
        self._parsed(self._ask("PUT", path, query, content, "application/octet-stream"))

    def content(self, path: str, *, query: Mapping[str, Any]) -> bytes | None:
        """Ask for bytes; None where the server says that there are none. Raises `StoreError`."""
        answer = self._ask("GET", path, query, None, None, absent="unknown-digest")
        if answer.status_code == 404:
            return None
        if answer.headers.get("Content-Type") != "application/octet-stream":
            raise self._strange("bytes were asked for")
        return answer.content

    def close(self) -> None:
        """Close this thread's connection; the next question opens another."""
        known = getattr(self._threads, "session", None)
        if known is not None:
            known[1].close()
            del self._threads.session

    def _session(self) -> requests.Session:
        known: tuple[int, requests.Session] | None = getattr(self._threads, "session", None)
        if known is None or known[0] != os.getpid():  # a forked child must not talk on its parent's connection
            known = os.getpid(), self._new_session()
            self._threads.session = known
        return known[1]

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.auth, session.cert = self._login.auth(), self._login.certificate
        session.headers["User-Agent"] = "aims-mlops"
        if self._login.workspace:
            session.headers["X-MLFLOW-WORKSPACE"] = self._login.workspace
        return session

    def _ask(
        self, method: str, path: str, query: Any, content: bytes | None, kind: str | None, *, absent: str = ""
    ) -> requests.Response:
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                answer = self._send(method, path, query, content, kind)
            except requests.ConnectionError as error:
                if last or isinstance(error, requests.exceptions.SSLError):
                    raise self._away(error) from error
            except (requests.RequestException, ValueError, OSError) as error:  # OSError: a certificate's file
                raise self._away(error) from error
            else:
                if answer.status_code not in _PASSING or last:
                    break
            time.sleep(_PAUSE)
        if answer.status_code in (200, 201):
            return answer
        said = _error(answer)
        if absent and said is not None and said["code"] == absent:
            return answer
        raise self._refused(answer, said)

    def _send(self, method: str, path: str, query: Any, content: bytes | None, kind: str | None) -> requests.Response:
        return self._session().request(
            method,
            f"{self.place}{PREFIX}{path}",
            params=query,
            data=content,
            headers={} if kind is None else {"Content-Type": kind},
            timeout=TIMEOUT,
            allow_redirects=False,
            verify=self._verify(),
        )

    def _verify(self) -> bool | str | None:
        # None lets requests look for REQUESTS_CA_BUNDLE, which True given with each request would do too, but False
        # and a file's name have to win over it.
        return None if self._login.verify is True else self._login.verify

    def _parsed(self, answer: requests.Response) -> Any:
        try:
            wire = answer.json()
        except ValueError as error:
            raise self._strange("JSON was asked for") from error
        if not isinstance(wire, dict):
            raise self._strange("a JSON object was asked for")
        return wire

    def _strange(self, what: str) -> StoreError:
        return StoreError(f"{self.place} answers something else than evidence: {what}", hint=_OTHER)

    def strange(self, error: Exception) -> StoreError:
        """Return the error for an answer whose form is not the one that was asked for."""
        return self._strange(f"{type(error).__name__}: {str(error)[:200]}")

    def _away(self, error: Exception) -> StoreError:
        if isinstance(error, requests.exceptions.SSLError):
            return StoreError(f"the certificate of {self.place} is not one that this client trusts", hint=_CERTIFICATE)
        if isinstance(error, requests.Timeout) and not isinstance(error, requests.ConnectionError):
            return StoreError(f"{self.place} has not answered for {TIMEOUT[1]:g} s", hint=_AWAY)
        return StoreError(f"{self.place} does not answer ({type(error).__name__})", hint=_AWAY)

    def _refused(self, answer: requests.Response, said: Mapping[str, str] | None) -> StoreError | VerificationError:
        status = answer.status_code
        if said is not None:
            kind = VerificationError if said["code"] == "log-broken" else StoreError
            return kind(f"{self.place}: {said['error'][:4000]}", hint=said["hint"][:1000])
        if status == 401:
            return StoreError(f"{self.place} does not know who asks (401)", hint=_LOGIN)
        if status == 403:
            return StoreError(f"{self.place} does not let this user in (403)", hint=_FORBIDDEN)
        if 300 <= status < 400:
            return StoreError(f"{self.place} sends us elsewhere ({status}), and we do not follow", hint=_ELSEWHERE)
        if status >= 500:
            return StoreError(f"{self.place} failed ({status})", hint="see the server's log, then try again")
        return StoreError(f"{self.place} serves no evidence ({status})", hint=_OTHER)


def _error(answer: requests.Response) -> dict[str, str] | None:
    """Return our own error of an answer, None where it is somebody else's."""
    try:
        wire = answer.json()
    except ValueError:
        return None
    names = ("error", "hint", "code")
    if isinstance(wire, dict) and all(isinstance(wire.get(name), str) for name in names):
        return {name: wire[name] for name in names}
    return None


_ADDRESS = "write http://HOST:PORT or https://HOST, with MLflow's static prefix where it has one"
_APART = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, instead"
_AWAY = "see that the MLflow server runs and that AIMS_STORE or `store:` names it, then try again"
_CERTIFICATE = "name its authority in MLFLOW_TRACKING_SERVER_CERT_PATH or REQUESTS_CA_BUNDLE"
_LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of somebody who may"
_FORBIDDEN = "ask its administrator; with basic-auth the server has to run as `aims server --auth basic-auth`"
_ELSEWHERE = "write the address that it leads to in AIMS_STORE or `store:`"
_OTHER = "start the server with `aims server` (or --app-name aims); AIMS_STORE needs its static prefix too"
