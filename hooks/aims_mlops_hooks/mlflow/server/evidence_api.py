"""Evidence over HTTP: the routes under `/aims/api/v1`, as a Flask blueprint, so that each server of MLflow's has them.

Each path is fixed and takes its arguments from the query: MLflow's basic-auth knows paths by their exact text. What
a route takes and answers is described in `openapi.py`, served at `/aims/api/v1/openapi.json`. Answers about what is
stored are the bytes as they stand: a client verifies them itself, and believes none.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version as installed_version
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from aims_mlops.api import Intake, NotAccepted, hand_in, keep_blob
from aims_mlops.api.handing_in import MAX_BLOB, MAX_ENVELOPE
from aims_mlops.errors import AimsError, VerificationError
from aims_mlops.model.digest import Digest
from aims_mlops_hooks.mlflow.server.openapi import (
    MAX_ASKED,
    MAX_LEAVES,
    MAX_PLACES,
    MAX_QUESTION,
    PREFIX,
    ROUTES,
    description,
)

_log = logging.getLogger(__name__)

STATUS = {
    "bad-parameter": 400,
    "malformed": 400,
    "mismatched": 400,
    "untrusted": 403,
    "not-for-clients": 403,
    "claims-the-server": 403,
    "unknown-digest": 404,
    "log-broken": 409,
    "too-large": 413,
    "wrong-type": 415,
    "another-registry": 422,
    "another-version": 422,
    "from-the-future": 422,
    "too-late": 422,
    "unknown-system": 422,
    "unknown-version": 422,
    "unavailable": 503,
}
"""The status of each code that a refusal can have. Codes are published: none is changed or reused."""

_LAST_PLACE = 10**15 - 1
_WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)


def blueprint(intake: Callable[[], Intake], health: Callable[[], Mapping[str, Any]], *, prefix: str = "") -> Blueprint:
    """Return the routes. `intake` is asked for at each request; `health` says how the server stands, without secrets.

    `prefix` is MLflow's static prefix. Who may call is for the application that it is registered with to say.
    """
    routes = _Routes(intake, health, root=prefix.rstrip("/"))
    made = Blueprint("aims", __name__, url_prefix=routes.root + PREFIX)
    for path, methods in ROUTES.items():
        for method, name in methods.items():
            made.add_url_rule(path, f"{method.lower()}_{name}", getattr(routes, name), methods=[method])
    made.register_error_handler(AimsError, _refused)
    made.register_error_handler(RequestEntityTooLarge, _too_large)
    made.register_error_handler(ClientDisconnected, _cut_short)
    made.after_request(_inert)
    return made


class _Routes:
    """One method for each route; `openapi.ROUTES` names them."""

    def __init__(self, intake: Callable[[], Intake], health: Callable[[], Mapping[str, Any]], *, root: str) -> None:
        self.root = root
        self._intake, self._health = intake, health

    def openapi(self) -> Response:
        _arguments()
        return _json(description(version=installed_version("aims-mlops"), root=self.root))

    def health(self) -> Response:
        _arguments()
        return _json(self._health())

    def registry_id(self) -> Response:
        _arguments()
        return _json({"registryId": self._intake().store.registry_id()})

    def head(self) -> Response:
        _arguments()
        head = self._intake().store.head()
        return _json({"head": None if head is None else json.loads(head.to_bytes())})

    def leaves(self) -> Response:
        """Answer the leaves from a place on, or those at some places, each under its place in the database."""
        given = _arguments("start", "limit", "at")
        if "at" in given:
            if len(given) > 1:
                raise _bad("at stands beside start or limit", "ask for places, or from a place on")
            return self._leaves_at(_places(given["at"]), following=None)
        start = _whole(given, "start", default=0, most=_LAST_PLACE)
        limit = _whole(given, "limit", default=MAX_LEAVES, least=1, most=MAX_LEAVES)
        return self._leaves_at(range(start, start + limit), following=start + limit)

    def _leaves_at(self, places: Collection[int], *, following: int | None) -> Response:
        store = self._intake().store
        with store.reading():
            found = store.leaves_at(places)
            # Places are without gaps unless the log is damaged: then what comes after the gap has to be shown too.
            if following is not None and len(found) < len(places) and next(store.leaves(following), None) is None:
                following = None
        leaves = {str(place): base64.b64encode(found[place]).decode() for place in sorted(found)}
        return _json({"leaves": leaves, "next": following})

    def envelope(self) -> Response:
        payload = _digest("payload")
        return _content(self._intake().store.envelope(payload), payload)

    def envelope_digests(self) -> Response:
        _arguments()
        return _json({"envelopes": dict(self._intake().store.envelope_digests())})

    def some_envelope_digests(self) -> Response:
        _arguments()
        asked = _asked(_body("application/json", MAX_QUESTION))
        return _json({"envelopes": dict(self._intake().store.envelope_digests(asked))})

    def find(self) -> Response:
        given = _arguments("model", "version", "system", "newest")
        named = {name: given[name] for name in given if name != "newest"}
        newest = _whole(given, "newest", default=0, least=1, most=_LAST_PLACE) if "newest" in given else None
        return _json({"payloads": list(self._intake().store.find(**named, newest=newest))})

    def blob(self) -> Response:
        digest = _digest("digest")
        return _content(self._intake().store.blob(digest), digest)

    def keep_blob(self) -> Response:
        digest = _digest("digest")
        keep_blob(self._intake().store, digest, _body("application/octet-stream", MAX_BLOB))
        return _json({"digest": digest})

    def hand_in(self) -> Response:
        _arguments()
        stored = hand_in(self._intake(), _body("application/json", MAX_ENVELOPE))
        _log.info("leaf %d: %s was handed in", stored.leaf.seq, stored.leaf.payload)
        return _json({"leaf": base64.b64encode(stored.leaf.to_bytes()).decode(), "digest": stored.digest}, status=201)


def _bad(message: str, hint: str) -> NotAccepted:
    return NotAccepted("bad-parameter", message, hint=hint)


def _arguments(*known: str) -> dict[str, str]:
    """Return the query's arguments, each once; refuse any other, since a mistyped one would be left unread."""
    takes = f"it takes {', '.join(known) or 'none'}; see {PREFIX}/openapi.json"
    for name, values in request.args.lists():
        if name not in known:
            raise _bad(f"there is no parameter {name[:100]!r} here", takes)
        if len(values) != 1:
            raise _bad(f"the parameter {name} is given {len(values)} times", "give it once")
        if not values[0] or "\x00" in values[0]:
            raise _bad(f"the parameter {name} is empty, or holds a zero character", "leave it out, or give a value")
    return {name: request.args[name] for name in known if name in request.args}


def _whole(given: Mapping[str, str], name: str, *, default: int, most: int, least: int = 0) -> int:
    text = given.get(name, str(default))
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise _bad(f"{name} is {text[:40]!r}", f"give a whole number from {least} to {most}")
    return int(text)


def _places(text: str) -> list[int]:
    words = text.split(",")
    if len(words) > MAX_PLACES or not all(_WHOLE.fullmatch(word) for word in words):
        raise _bad(f"at is {text[:40]!r}", f"give at most {MAX_PLACES} places, whole numbers with commas between them")
    return [int(word) for word in words]


def _asked(body: bytes) -> list[Digest]:
    form = '{"payloads": ["sha256:…", …]}, at most ' + str(MAX_ASKED)
    try:
        wire = json.loads(body.decode(), object_pairs_hook=_once)
        if set(wire) != {"payloads"} or not isinstance(wire["payloads"], list) or len(wire["payloads"]) > MAX_ASKED:
            raise ValueError("another form")
        return [Digest(item) for item in wire["payloads"]]
    except (ValueError, TypeError, RecursionError) as error:
        raise NotAccepted("malformed", f"the body is not a list of payloads: {error}", hint=f"send {form}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("an object names a key twice")
    return dict(pairs)


def _digest(name: str) -> Digest:
    text = _arguments(name).get(name, "")
    try:
        return Digest(text)
    except ValueError as error:
        raise _bad(f"{name}: {error}", f"write ?{name}=sha256:… with 64 lower-case hex digits") from error


def _body(kind: str, most: int) -> bytes:
    """Return the request's body, bounded before it is read; refuse another media type (so that no form can post it)."""
    if request.mimetype != kind:
        raise NotAccepted(
            "wrong-type",
            f"the body is {request.mimetype[:80] or 'of no type'!r}",
            hint=f"send it with Content-Type: {kind}",
        )
    if (request.content_length or 0) > most:
        raise RequestEntityTooLarge
    request.max_content_length = most
    return request.get_data(cache=False)


def _json(answer: Any, *, status: int = 200) -> Response:
    return Response(json.dumps(answer, allow_nan=False), status=status, mimetype="application/json")


def _content(content: bytes | None, digest: Digest) -> Response:
    if content is None:
        raise NotAccepted("unknown-digest", f"there is nothing with the digest {digest}", hint=f"see {PREFIX}/leaves")
    return Response(content, mimetype="application/octet-stream")


def _refused(error: AimsError) -> Response:
    if isinstance(error, NotAccepted):
        code = error.code
    else:
        code = "log-broken" if isinstance(error, VerificationError) else "unavailable"
    return _json({"error": str(error), "hint": error.hint, "code": code}, status=STATUS[code])


def _too_large(_error: RequestEntityTooLarge) -> Response:
    hint = f"an envelope has at most {MAX_ENVELOPE} bytes, a text {MAX_BLOB}"
    return _refused(NotAccepted("too-large", "the body is larger than anything that is kept here", hint=hint))


def _cut_short(_error: ClientDisconnected) -> Response:
    return _refused(NotAccepted("malformed", "the body is shorter than its Content-Length says", hint="send it again"))


def _inert(response: Response) -> Response:
    """Keep browsers from running what anybody may have handed in, and proxies from keeping answers."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "no-store"
    if response.mimetype == "application/octet-stream":
        response.headers["Content-Disposition"] = "attachment"
    return response
