"""The description of the evidence routes (OpenAPI 3.1). The routes themselves are made from `ROUTES`."""

from __future__ import annotations

from typing import Any

PREFIX = "/aims/api/v1"
"""Where the routes lie, after MLflow's static prefix."""

MAX_LEAVES = 1000
"""Leaves in one answer."""

MAX_PLACES = 100
"""Places that one question names."""

MAX_ASKED = 1000
"""Payloads that one question names."""

MAX_QUESTION = 100_000
"""Bytes of such a question."""

ROUTES = {
    "/health": {"GET": "health"},
    "/openapi.json": {"GET": "openapi"},
    "/registry-id": {"GET": "registry_id"},
    "/head": {"GET": "head"},
    "/leaves": {"GET": "leaves"},
    "/envelopes": {"GET": "envelope"},
    "/envelope-digests": {"GET": "envelope_digests", "POST": "some_envelope_digests"},
    "/find": {"GET": "find"},
    "/blobs": {"GET": "blob", "PUT": "keep_blob"},
    "/statements": {"POST": "hand_in"},
}
"""Path and method of each route, and the name of what answers it. Every path is exact: arguments are in the query."""

_DIGEST = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_WORDS = {"type": "object", "additionalProperties": {"type": "string"}}
_SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "required": ["error", "hint", "code"],
        "properties": {
            "error": {"type": "string", "description": "What was refused and why."},
            "hint": {"type": "string", "description": "What to do next."},
            "code": {"type": "string", "description": "A word for programs; never changed or reused."},
        },
    },
    "Health": {
        "type": "object",
        "required": ["version", "mlflow", "mode", "guarded", "configuration", "authentication", "freeze", "problem"],
        "properties": {
            "version": {"type": "string", "description": "Of aims-mlops."},
            "mlflow": {"type": "string", "description": "Of MLflow."},
            "mode": {"type": "string", "enum": ["server", "client"], "description": "Who decides in this process."},
            "guarded": {"type": "boolean", "description": "Whether this worker's registry store is behind the gate."},
            "configuration": {
                "type": ["string", "null"],
                "description": "Which applied configuration is in force: its number and digest.",
            },
            "authentication": {
                "type": ["string", "null"],
                "description": "Who vouches for callers: basic-auth or a trusted proxy; null where nobody does.",
            },
            "freeze": {"type": "boolean", "description": "Whether checked models cannot be written over here."},
            "problem": {"type": ["string", "null"], "description": "The kind of error that keeps the gate shut."},
        },
    },
    "Stored": {
        "type": "object",
        "required": ["leaf", "digest"],
        "properties": {"leaf": {**_BASE64, "description": "The leaf's bytes."}, "digest": _DIGEST},
    },
    "Head": {
        "type": ["object", "null"],
        "required": ["v", "seq", "leaf"],
        "properties": {"v": {"const": 1}, "seq": {"type": "integer", "minimum": 0}, "leaf": _DIGEST},
    },
}


def description(*, version: str, root: str = "") -> dict[str, Any]:
    """Return the description; `root` is MLflow's static prefix, `version` that of aims-mlops."""
    paths: dict[str, Any] = {path: {} for path in ROUTES}
    for path, method, operation in _operations():
        paths[path][method] = {"operationId": ROUTES[path][method.upper()], **operation}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aims-mlops evidence",
            "version": version,
            "description": "Hand in and read signed evidence. What is stored is answered as it stands: verify it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root + PREFIX}],
        "security": [{}, {"basic": []}],
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}},
    }


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        ("/health", "get", _operation("How this worker stands", _ref("Health"))),
        ("/openapi.json", "get", _operation("This description", {"type": "object"})),
        ("/registry-id", "get", _operation("The registry's UUID", _only("registryId", {"type": "string"}))),
        ("/head", "get", _operation("The newest leaf that this server has seen", _only("head", _ref("Head")))),
        ("/leaves", "get", _leaves()),
        ("/envelopes", "get", _bytes("An envelope, as it stands", "payload")),
        ("/envelope-digests", "get", _operation("The digest of every envelope's bytes", _only("envelopes", _WORDS))),
        ("/envelope-digests", "post", _some_digests()),
        ("/find", "get", _find()),
        ("/blobs", "get", _bytes("A manifest or policy text, by its digest", "digest")),
        ("/blobs", "put", _put()),
        ("/statements", "post", _hand_in()),
    ]


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _only(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: schema}}


def _parameter(name: str, schema: dict[str, Any], description_: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description_}


def _refusals(*statuses: int) -> dict[str, Any]:
    found = sorted({400, 401, 403, 409, 503, *statuses})
    answer = {"application/json": {"schema": _ref("Error")}}
    refusals: dict[str, Any] = {str(status): {"description": _MEANING[status], "content": answer} for status in found}
    refusals["401"] = {"description": _MEANING[401]}  # MLflow's own answer
    return refusals


_MEANING = {
    400: "A parameter or the body is not of the form that is asked for.",
    401: "Nobody vouches for the caller (only where MLflow's basic-auth is on).",
    403: "Well-formed, and not taken from this signer or from clients; or MLflow's basic-auth refuses.",
    404: "There is nothing with this digest.",
    409: "The log of this server does not hold: nothing is read or written before it is mended.",
    413: "Larger than anything that is kept here.",
    415: "Another media type than the one that is asked for.",
    422: "Well signed, and not about this registry, its versions and systems, or not of now.",
    503: "The store or the applied configuration cannot be had now.",
}


def _operation(summary: str, schema: dict[str, Any], *, refusals: tuple[int, ...] = (), **more: Any) -> dict[str, Any]:
    answer = {"description": summary, "content": {"application/json": {"schema": schema}}}
    return {"summary": summary, **more, "responses": {"200": answer, **_refusals(*refusals)}}


def _leaves() -> dict[str, Any]:
    answer = {
        "type": "object",
        "required": ["leaves", "next"],
        "properties": {
            "leaves": {"type": "object", "additionalProperties": _BASE64, "description": "Bytes by their place."},
            "next": {"type": ["integer", "null"], "description": "The `start` of what follows; null at the end."},
        },
    }
    place = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
    several = {"type": "string", "pattern": rf"^[0-9]{{1,15}}(,[0-9]{{1,15}}){{0,{MAX_PLACES - 1}}}$"}
    return _operation(
        "Leaves from a place on, or those at some places",
        answer,
        parameters=[
            _parameter("start", {**place, "default": 0}, "The first place."),
            _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LEAVES}, "At most so many places."),
            _parameter("at", several, "Places, with commas between them; alone."),
        ],
    )


def _bytes(summary: str, name: str) -> dict[str, Any]:
    answer = {"description": summary, "content": {"application/octet-stream": {"schema": {}}}}
    parameters = [_parameter(name, _DIGEST, "The SHA-256 by which it is known.", required=True)]
    return {"summary": summary, "parameters": parameters, "responses": {"200": answer, **_refusals(404)}}


def _some_digests() -> dict[str, Any]:
    asked = _only("payloads", {"type": "array", "items": _DIGEST, "maxItems": MAX_ASKED})
    body = {"required": True, "content": {"application/json": {"schema": {**asked, "additionalProperties": False}}}}
    summary = "The digests of some envelopes' bytes; what is not there is left out"
    return _operation(summary, _only("envelopes", _WORDS), refusals=(413, 415), requestBody=body)


def _find() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "pattern": r"^[^\u0000]+$"}
    named = [
        _parameter("model", text, "A registered model's name."),
        _parameter("version", text, "A version's number."),
        _parameter("system", text, "A system's id."),
        _parameter("newest", {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}, "Only so many of the newest."),
    ]
    answer = _only("payloads", {"type": "array", "items": _DIGEST})
    return _operation("Statements by the look-up columns, oldest first; a view", answer, parameters=named)


def _put() -> dict[str, Any]:
    return _operation(
        "Keep a text that a statement refers to",
        _only("digest", _DIGEST),
        refusals=(413, 415),
        parameters=[_parameter("digest", _DIGEST, "The SHA-256 of the body.", required=True)],
        requestBody={"required": True, "content": {"application/octet-stream": {"schema": {}}}},
    )


def _hand_in() -> dict[str, Any]:
    signature = {"type": "object", "required": ["sig"], "properties": {"keyid": {"type": "string"}, "sig": _BASE64}}
    envelope = {
        "type": "object",
        "required": ["payload", "payloadType", "signatures"],
        "additionalProperties": False,
        "properties": {
            "payload": {**_BASE64, "description": "An in-toto statement of ours, RFC 8785."},
            "payloadType": {"const": "application/vnd.in-toto+json"},
            "signatures": {
                "type": "array",
                "minItems": 1,
                "maxItems": 16,
                "items": {**signature, "additionalProperties": False},
            },
        },
    }
    made = _operation(
        "Hand one DSSE envelope in; the same one again gets the same answer",
        _ref("Stored"),
        refusals=(413, 415, 422),
        requestBody={"required": True, "content": {"application/json": {"schema": envelope}}},
    )
    made["responses"]["201"] = made["responses"].pop("200")
    return made
