"""What a server asks of a waiver beyond what it asks of any evidence. Whether it counts is for the gate to say."""

from __future__ import annotations

from collections.abc import Iterable

from aims_mlops.api.looking import walk_log
from aims_mlops.api.services import Services, trust_of
from aims_mlops.api.waiving import may_revoke
from aims_mlops.errors import VerificationError
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.statement import Statement
from aims_mlops.evidence.waiver_body import Answer, Refused, Request, read, read_or_none

Problem = tuple[str, str, str]
"""A word for programs, the message, and the hint."""


def waiver_problem(services: Services, statement: Statement, signers: Iterable[str]) -> Problem | None:
    """Say why a waiver is not taken; None where it is. `signers` are those who are trusted for it.

    It has to read, and name a version; an answer has to name a request of the log about the same files, and a
    revocation to be signed by who may revoke that. A self-approval is taken: it counts for nothing, and is kept.
    """
    try:
        body = read(statement.body)
    except VerificationError as error:
        return "malformed", str(error), "let `aims waive` write and sign it (docs/predicates/waiver.md)"
    if isinstance(body, Refused):
        return None
    if statement.header.version is None:
        return "malformed", "waiver: it names no version", "let `aims waive` write and sign it"
    if isinstance(body, Request):
        return None
    request = _request(services, body, statement)
    if request is None:
        what = f"the log has no request {body.request.short} about these files"
        return "mismatched", what, "hand the request in first; aims waive list shows those that are there"
    return _not_to_be_revoked(services, body, request, set(signers))


def _not_to_be_revoked(services: Services, body: Answer, request: Record, signers: set[str]) -> Problem | None:
    system = next((one for one in services.project.systems if one.id == request.statement.header.system), None)
    allowed = may_revoke(system, request)
    if body.act != "revoke" or signers & allowed:
        return None
    who = ", ".join(sorted(allowed)) or "nobody"
    return "untrusted", f"a waiver is revoked by {who}, and none of them signed this", "have one of them revoke it"


def _request(services: Services, body: Answer, answer: Statement) -> Record | None:
    read_leaf = walk_log(services).of(body.request)
    opened = None if read_leaf is None else services.log.opened.open(read_leaf, trust_of(services))
    if not isinstance(opened, Record) or opened.statement.subject != answer.subject:
        return None
    is_request = opened.statement.kind == "waiver" and isinstance(read_or_none(opened.statement.body), Request)
    return opened if is_request else None
