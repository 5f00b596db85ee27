"""The bodies of `waiver` statements: what was asked for, approved, revoked or refused (docs/predicates/waiver.md).

Anyone may sign anything: `read` takes these forms alone, and nothing else ever counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.statement import Statement
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Outcome
from aims_mlops.model.times import from_text, to_text

WAIVABLE = (Outcome.FAILED.value, Outcome.INCONCLUSIVE.value)
"""The outcomes of a result that can be waived. An error, like all that does not count, was never looked at."""

LONGEST_REASON = 2000
"""Characters of the longest reason that is taken."""

ACTS = ("request", "approve", "revoke", "refused")
"""What a `waiver` statement can be."""

_SHOWN = ("metric", "column", "value", "interval", "limit", "outcome")


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks that what a check found be accepted for a time."""

    requirement: str
    result: Digest
    """The statement of the result that shuts the gate."""
    observed: Mapping[str, Any]
    """What was observed, as `observation` writes it: a waiver is for exactly this."""
    reason: str
    expires_at: datetime
    owner: str
    """Who owned the system then: a new owner does not take over what another answered for."""

    @property
    def observed_digest(self) -> Digest:
        """The digest of the canonical JSON of what was observed."""
        return Digest.of(canonical(self.observed))

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "act": "request",
            "requirement": self.requirement,
            "result": self.result,
            "observedDigest": self.observed_digest,
            "observed": self.observed,
            "reason": self.reason,
            "expiresAt": to_text(self.expires_at),
            "owner": {"id": self.owner},
        }

    @classmethod
    def _from_wire(cls, wire: Mapping[str, Any]) -> Self:
        made = cls(
            requirement=_text(wire["requirement"]),
            result=Digest(wire["result"]),
            observed=_object(wire["observed"]),
            reason=_reason(wire["reason"]),
            expires_at=from_text(_text(wire["expiresAt"])),
            owner=_text(_object(wire["owner"])["id"]),
        )
        if made.observed.get("status") not in WAIVABLE:
            raise ValueError(f"a result that is {made.observed.get('status')!r} cannot be waived")
        if wire["observedDigest"] != made.observed_digest:
            raise ValueError("observedDigest is not the digest of what was observed")
        return made


@dataclass(frozen=True, slots=True)
class Answer:
    """An approval or a revocation of a request."""

    act: str
    request: Digest
    reason: str

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"act": self.act, "request": self.request, "reason": self.reason}

    @classmethod
    def _from_wire(cls, wire: Mapping[str, Any]) -> Self:
        needed = wire["act"] == "revoke"
        return cls(_text(wire["act"]), Digest(wire["request"]), _reason(wire["reason"], needed=needed))


@dataclass(frozen=True, slots=True)
class Refused:
    """An attempt that was refused, kept by whoever refused it and signed by who tried. It decides nothing."""

    tried: str
    cause: str
    """A short word for programs, e.g. `self-approval`."""
    reason: str
    requirement: str | None = None
    request: Digest | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "act": "refused",
            "tried": self.tried,
            "cause": self.cause,
            "reason": self.reason,
            "requirement": self.requirement,
            "request": self.request,
        }

    @classmethod
    def _from_wire(cls, wire: Mapping[str, Any]) -> Self:
        named, request = wire["requirement"], wire["request"]
        if wire["tried"] not in ACTS[:3]:
            raise ValueError(f"{wire['tried']!r} is nothing that can be tried")
        return cls(
            tried=_text(wire["tried"]),
            cause=_text(wire["cause"]),
            reason=_reason(wire["reason"]),
            requirement=None if named is None else _text(named),
            request=None if request is None else Digest(request),
        )


WaiverBody = Request | Answer | Refused


def read(body: Mapping[str, Any]) -> WaiverBody:
    """Read the body of a `waiver`; raise `VerificationError` for any other form. Unknown fields are let pass."""
    try:
        match body["act"]:
            case "request":
                return Request._from_wire(body)  # noqa: SLF001  # the one way in, so that its errors are ours
            case "approve" | "revoke":
                return Answer._from_wire(body)  # noqa: SLF001
            case "refused":
                return Refused._from_wire(body)  # noqa: SLF001
        raise ValueError(f"the act {str(body['act'])[:40]!r} is none of {', '.join(ACTS)}")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise VerificationError(f"waiver: {type(error).__name__}: {error}") from error


def read_or_none(body: Mapping[str, Any]) -> WaiverBody | None:
    """Read the body of a `waiver`; None for any other form."""
    try:
        return read(body)
    except VerificationError:
        return None


def observation(result: Statement) -> dict[str, Any] | None:
    """Return what a check result observed, as far as it shuts the gate; None where nothing of it can be waived.

    Its status, the digest of each dataset, and every measure that is not good: a result without one says nothing
    that somebody could accept.
    """
    body = result.body
    status, measures = body.get("outcome"), body.get("measures")
    if status not in WAIVABLE or not isinstance(measures, list):
        return None
    if not all(isinstance(item, dict) and isinstance(item.get("outcome"), str) for item in measures):
        return None
    good = [outcome.value for outcome in Outcome if outcome.good]
    bad = [{name: item.get(name) for name in _SHOWN} for item in measures if item["outcome"] not in good]
    data = {use.name: use.digest for use in result.header.datasets}
    observed = {"status": status, "data": data, "measures": bad}
    try:
        canonical(observed)
    except (ValueError, TypeError, RecursionError):
        return None
    return observed if bad else None


def told(observed: Mapping[str, Any]) -> str:
    """Say what was observed in a few words: `failed: psi(age) 0.31 (and 1 more)`."""
    measures = observed.get("measures")
    names = [_measure(item) for item in measures] if isinstance(measures, Sequence) else []
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"{observed.get('status')}: {names[0]}{more}" if names else str(observed.get("status"))


def _measure(item: object) -> str:
    if not isinstance(item, Mapping):
        return "?"
    value, column = item.get("value"), item.get("column")
    named = str(item.get("metric")) + (f"({column})" if column else "")
    return f"{named} {value:g}" if isinstance(value, float) else f"{named} {'no value' if value is None else value}"


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("text expected")
    return value


def _reason(value: object, *, needed: bool = True) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_REASON or (needed and not value.strip()):
        raise ValueError(f"a reason is text of 1 to {LONGEST_REASON} characters")
    return value


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"object expected, got {type(value).__name__}")
    return value
