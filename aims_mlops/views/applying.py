"""What `aims apply` shows, in the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aims_mlops.api import ApplyReport, Flip
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project
from aims_mlops.views.layout import Line, Lines
from aims_mlops.views.words import count


def apply_wire(report: ApplyReport) -> dict[str, Any]:
    """Return `aims.apply/1`: what was signed or would be, and how the gate judges what stands today."""
    before, after = _policies(report.before), _policies(report.project)
    return {
        "schema": "aims.apply/1",
        "dry_run": report.statement is None,
        "sequence": report.sequence,
        "configuration": report.bundle.digest,
        "previous": report.previous,
        "statement": report.statement,
        "signed_by": report.signer,
        "signatures": report.signatures,
        "threshold": report.threshold,
        "in_force": report.in_force,
        "exit_code": int(report.exit_code),
        "files": [{"name": name, "digest": digest} for name, digest in report.bundle.digests.items()],
        "systems": [
            {"id": id_, "before": before.get(id_), "after": after.get(id_)} for id_ in sorted(before.keys() | after)
        ],
        "standing": [_flip_wire(report, item) for item in report.standing],
        "warnings": list(report.warnings),
    }


def _policies(project: Project | None) -> dict[str, Digest]:
    return {} if project is None else {system.id: system.policy.digest for system in project.systems}


def _flip_wire(report: ApplyReport, item: Flip) -> dict[str, Any]:
    return {
        "model": {"workspace": item.version.workspace, "name": item.version.name, "version": item.version.version},
        "to": item.target.to_wire(),
        "before": _before(report, item),
        "after": _word(item.after),
        "flips": item.flips,
        "reasons": _reasons(item),
    }


def _before(report: ApplyReport, item: Flip) -> str:
    return "unapplied" if report.before is None else _word(item.before)


def _word(decision: Decision | None) -> str:
    return "free" if decision is None else decision.verdict.value


def _reasons(item: Flip) -> list[str]:
    """Say what keeps the gate shut: afterwards where it is shut then, else what kept it shut before."""
    told = item.before if _opens(item) else item.after
    return [] if told is None else [f"{it.id} is {it.status.value}: {it.reason}" for it in told.blocking]


def _opens(item: Flip) -> bool:
    return item.flips and not item.shuts


def apply_table(report: ApplyReport) -> Lines:
    """Return what flips, worst first, then what stays as it is, the policies that change, and the summary last."""
    lines = [Line(body=((f"configuration {report.bundle.digest.short}", "bold"), (_about(report), "dim"))), Line()]
    for item in sorted(report.standing, key=lambda it: (not it.shuts, not it.flips, it.version.label, str(it.target))):
        lines += _flip(report, item)
    lines += [Line()] if report.standing else []
    lines += _changes(report)
    lines.append(Line(body=((_summary(report), "bold"),)))
    return Lines(tuple(lines))


def _about(report: ApplyReport) -> str:
    before = "the first here" if report.previous is None else f"after {report.previous.short}"
    return f"  number {report.sequence}, {before}, {count(len(report.bundle.files), 'file')}"


def _flip(report: ApplyReport, item: Flip) -> Iterator[Line]:
    sign, style = ("✗", "red") if item.shuts else ("✓", "green") if item.flips else ("·", "dim")
    words = f"{_before(report, item)} → {_word(item.after)}".replace("_", " ")
    where = f"{item.version.label} at {item.target}"
    yield Line(((f"{sign} ", style), (f"{where}  ", "bold")), ((words, style),))
    for reason in _reasons(item):
        yield Line((("    why:  ", "dim"),), ((reason, ""),))


def _changes(report: ApplyReport) -> Iterator[Line]:
    before, after = _policies(report.before), _policies(report.project)
    for id_ in sorted(before.keys() | after):
        if before.get(id_) != after.get(id_):
            pair = [digest.short if digest else "none" for digest in (before.get(id_), after.get(id_))]
            told = f"{pair[0]} → {pair[1]}; what was measured under the former is stale" if before.get(id_) else pair[1]
            yield Line(((f"  policy of {id_}  ", "dim"),), ((told, ""),))


def _summary(report: ApplyReport) -> str:
    shut = sum(item.shuts for item in report.standing)
    stands = count(len(report.standing), "protected place")
    judged = f"{shut} of {stands} would be refused" if shut else f"none of {stands} would be refused"
    if report.statement is None:
        return f"dry run, nothing signed: {judged}"
    signed = f"signed by {report.signer}, {report.signatures} of {count(report.threshold, 'signature')}"
    state = "in force" if report.in_force else "NOT IN FORCE YET"
    return f"{state}: number {report.sequence}, {signed}; {judged}"
