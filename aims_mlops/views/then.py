"""What `aims systems show --at` shows, in the terminal and as JSON."""

from __future__ import annotations

from typing import Any

from aims_mlops.api import Stood, SystemThen
from aims_mlops.model.times import to_text
from aims_mlops.views.layout import Line, Lines
from aims_mlops.views.words import count


def then_wire(then: SystemThen) -> dict[str, Any]:
    """Return `aims.system-then/1`."""
    named = then.configuration
    return {
        "schema": "aims.system-then/1",
        "system": then.system,
        "at": to_text(then.at),
        "leaves": then.leaves,
        "configuration": None if named is None else {"sequence": named[0], "digest": named[1]},
        "stood": [_wire(item) for item in then.stood],
    }


def _wire(item: Stood) -> dict[str, Any]:
    return {
        "target": item.target,
        "model": item.model,
        "digest": item.digest,
        "since": to_text(item.since),
        "promotion": item.promotion,
        "decision": item.decision,
        "verdict": item.verdict,
        "owner": item.owner,
        "policy_digest": item.policy,
        "policy_text": item.policy_text,
        "requirements": [
            {
                "id": one.id,
                "status": one.status,
                "evidence": one.evidence,
                "waiver": one.waiver,
                "signed_by": one.signed_by,
                "measured_at": one.measured_at,
            }
            for one in item.requirements
        ],
        "objection": item.objection,
    }


def then_table(then: SystemThen) -> Lines:
    """Return what stood where, what it rested on, and a summary last."""
    lines = [line for item in then.stood for line in _lines(item)]
    named = then.configuration
    applied = "" if named is None else f"; configuration number {named[0]}, {named[1][7:19]}"
    many = count(len(then.stood), "target")
    told = f"{then.system} at {to_text(then.at)}: {many} held; the log had {then.leaves} leaves{applied}"
    return Lines((*lines, Line(body=((told, "bold"),))))


def _lines(item: Stood) -> list[Line]:
    verdict = "no decision" if item.verdict is None else item.verdict.replace("_", " ")
    lines = [
        Line(body=((f"{item.target}  {item.model}", "bold"), (f"  since {to_text(item.since)}: {verdict}", ""))),
        _fact("owner", item.owner or "nobody"),
        _fact("files", item.digest),
        _fact("policy", f"{item.policy}{'' if item.policy_text else ' (its text is not in the store)'}"),
        _fact("promotion", item.promotion),
    ]
    if item.decision is not None:
        lines.append(_fact("decision", item.decision))
    for one in item.requirements:
        rests = f", evidence {one.evidence[7:19]}" if one.evidence else ""
        waived = f", waiver {one.waiver[7:19]}" if one.waiver else ""
        by = f", signed by {one.signed_by}" if one.signed_by else ""
        lines.append(_fact("", f"{one.id} {one.status}{rests}{waived}{by}"))
    if item.objection is not None:
        lines.append(Line((("  ✗ ", "red"),), ((f"the promotion of {item.model} {item.objection}", ""),)))
    return lines


def _fact(name: str, value: str) -> Line:
    return Line(((f"  {name:9}  ", "dim"),), ((value, ""),))
