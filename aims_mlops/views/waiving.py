"""Waivers at the terminal and as JSON: what was asked for, by whom, who approved it, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aims_mlops.evidence.waiver_body import told
from aims_mlops.evidence.waivers import State, Waiver, ordinal
from aims_mlops.model.times import to_text
from aims_mlops.views import words
from aims_mlops.views.layout import Grid, Line, Lines

_STYLES = {State.IN_FORCE: "yellow", State.WAITING: "bold", State.REFUSED: "red"}


def waivers_wire(found: Sequence[Waiver]) -> dict[str, Any]:
    """Return waivers as `aims.waivers/1`."""
    return {"schema": "aims.waivers/1", "exit_code": 0, "waivers": [_wire(item) for item in found]}


def _wire(item: Waiver) -> dict[str, Any]:
    statement, request, approval = item.record.statement, item.request, item.approval
    header, refused = statement.header, item.refused
    named = request.requirement if request is not None else None if refused is None else refused.requirement
    return {
        "waiver": item.record.payload,
        "state": item.state.value.replace(" ", "_"),
        "why": item.why,
        "model": {
            "registry_id": header.registry_id,
            "workspace": header.workspace,
            "name": header.model,
            "version": header.version,
            "digest": None if header.model is None else statement.subject,
        },
        "system": header.system,
        "policy_digest": header.policy_digest,
        "requirement": named,
        "result": None if request is None else request.result,
        "observed": None if request is None else request.observed,
        "observed_digest": None if request is None else request.observed_digest,
        "reason": None if request is None else request.reason,
        "asked_by": item.asked_by,
        "asked_at": to_text(item.record.captured_at),
        "approval": None if approval is None else approval.payload,
        "approved_by": item.approved_by,
        "approved_at": None if approval is None else to_text(approval.captured_at),
        "expires_at": None if request is None else to_text(request.expires_at),
        "renewals": item.renewals,
        "tried": None if refused is None else refused.tried,
        "cause": None if refused is None else refused.cause,
        "request": None if refused is None else refused.request,
    }


def waivers_table(found: Sequence[Waiver]) -> Grid:
    """Return waivers, in the order given. Digests are shortened for people, and long enough to name a request."""
    return Grid(
        ("waiver", "model", "requirement", "state", "asked by", "approved by", "until", "why"),
        tuple(_row(item) for item in found),
        empty="no waiver was asked for",
        style=lambda cell: _STYLES.get(State(cell), "") if cell in set(State) else "",
    )


def _row(item: Waiver) -> tuple[str, ...]:
    refused, request = item.refused, item.request
    named = request.requirement if request is not None else refused.requirement if refused is not None else None
    why = item.why if refused is None else f"{refused.tried}: {item.why}"
    return (
        item.record.payload.short,
        _label(item),
        named or "-",
        item.state.value,
        item.asked_by or "-",
        item.approved_by or "-",
        "-" if request is None else words.moment(request.expires_at),
        "; ".join(part for part in (why, _renewal(item)) if part) or "-",
    )


def waiver_lines(item: Waiver) -> Lines:
    """Return one waiver after it was asked for, approved or revoked: what is accepted, until when, and what is next."""
    facts = [("waiver", str(item.record.payload)), ("asked by", item.asked_by or "-")]
    if item.request is not None:
        facts += [
            ("until", words.moment(item.request.expires_at)),
            ("observed", told(item.request.observed)),
            ("because", item.request.reason),
        ]
    facts += [("approved", item.approved_by)] if item.approved_by else []
    facts += [("renewal", _renewal(item))] if item.renewals else []
    facts += [("why", item.why)] if item.why else []
    facts += [("next", f"aims --as PERSON waive approve {item.record.payload.short}")] * (item.state is State.WAITING)
    named = "" if item.request is None else f" of {item.request.requirement} for {_label(item)}"
    last = f"waiver {item.record.payload.short}{named}: {item.state.value}"
    lines = [Line(((f"  {name:9} ", "dim"),), ((value, ""),)) for name, value in facts]
    return Lines((*lines, Line(body=((last, "bold"),))))


def _label(item: Waiver) -> str:
    header = item.record.statement.header
    return "/".join(part for part in (header.model, header.version) if part) or "-"


def _renewal(item: Waiver) -> str:
    return f"{ordinal(item.renewals)} renewal" if item.renewals else ""
