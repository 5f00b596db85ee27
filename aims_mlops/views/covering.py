"""What `aims coverage` shows, in the terminal and as `aims.coverage/1`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aims_mlops.api import CoverageReport, VersionCoverage
from aims_mlops.evidence.coverage import Covered, Standing
from aims_mlops.model.times import to_text
from aims_mlops.views import words
from aims_mlops.views.layout import Line, Lines

_SAID = {Standing.NEVER: "never ran", Standing.UNFINISHED: "unfinished"}
_SIGNS = {Standing.PASSED: "✓", Standing.FAILED: "✗", Standing.WAIVED: "~", Standing.INCONCLUSIVE: "?"}
_COLOURS = {Standing.PASSED: "green"} | dict.fromkeys(
    (Standing.WARNED, Standing.WAIVED, Standing.INCONCLUSIVE), "yellow"
)
_WORD_WIDTH = len("inconclusive")


def coverage_wire(report: CoverageReport) -> dict[str, Any]:
    """Return `aims.coverage/1`: versions by requirements, and how often each came out how."""
    return {
        "schema": "aims.coverage/1",
        "exit_code": int(report.exit_code),
        "registry": report.registry or None,
        "log": [{"word": fault.kind, "where": fault.seq, "what": fault.what} for fault in report.faults],
        "systems": [
            {
                "system": one.system,
                "policy_digest": one.policy_digest,
                "versions": [_version(row) for row in one.versions],
            }
            for one in report.systems
        ],
    }


def _version(row: VersionCoverage) -> dict[str, Any]:
    version = row.version
    return {
        "model": {
            "workspace": version.workspace,
            "name": version.model,
            "version": version.version,
            "created_at": to_text(version.created_at),
        },
        "registered": row.registered,
        "holds": list(row.holds),
        "never_ran": list(row.never_ran),
        "requirements": [_requirement(item) for item in row.requirements],
    }


def _requirement(item: Covered) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "use": item.use,
        "required": item.required,
        "in_policy": item.in_policy,
        "standing": item.standing.value,
        "runs": dict(item.runs),
        "unfinished": item.unfinished,
        "unannounced": item.unannounced,
        "untrusted": item.untrusted,
        "evidence": item.evidence,
        "measured_at": None if item.measured_at is None else to_text(item.measured_at),
        "stale": item.stale,
    }


def coverage_table(report: CoverageReport) -> Lines:
    """Return each version with a line for each requirement, and what never ran where it matters last."""
    rows = [row for system in report.systems for row in system.versions]
    width = max((len(words.printable(item.id)) for row in rows for item in row.requirements), default=0)
    lines = [line for row in rows for line in _lines(row, width)]
    lines += [Line((("the log does not hold: ", "bold red"),), ((fault.what, ""),)) for fault in report.faults]
    if report.registry:
        told = "only what the log knows is listed, and nothing of what holds an alias: "
        lines.append(Line((("the registry did not answer: ", "bold red"),), ((f"{told}{report.registry}", ""),)))
    good = report.exit_code == 0
    return Lines((*lines, Line(body=((_summary(report), "bold green" if good else "bold red"),))))


def _lines(row: VersionCoverage, width: int) -> Iterator[Line]:
    facts = [f"holds {', '.join(row.holds)}"] if row.holds else []
    facts += ["no longer in the registry"] if row.registered is False else []
    yield Line(body=((row.version.label, "bold"), (f"  {', '.join(facts)}" if facts else "", "dim")))
    for item in row.requirements:
        word = f"{_SIGNS.get(item.standing, '!')} {_SAID.get(item.standing, item.standing.value):{_WORD_WIDTH}}  "
        lead = ((f"  {word}", _COLOURS.get(item.standing, "red")), (f"{words.printable(item.id):{width}}  ", "bold"))
        yield Line(lead, ((_facts(item), "dim"),))


def _facts(item: Covered) -> str:
    total = sum(item.runs.values())
    came = f"{words.count(total, 'run')}: " + ", ".join(f"{number} {word}" for word, number in item.runs.items())
    facts = [came] if total else []
    facts += [f"{item.unfinished} announced without result"] if item.unfinished else []
    facts += [f"{item.unannounced} not announced"] if item.unannounced else []
    facts += [f"{item.untrusted} not trusted"] if item.untrusted else []
    facts += ["under another policy"] if item.stale else []
    facts += [] if item.in_policy else ["no longer in the policy"]
    facts += ["not required"] if item.in_policy and not item.required else []
    facts += [f"newest {item.evidence.short}"] if item.evidence is not None else []
    return ", ".join(facts) or "no record" if item.kind == "record" else ", ".join(facts)


def _summary(report: CoverageReport) -> str:
    rows = [row for system in report.systems for row in system.versions]
    if not rows:
        return "no version of any claimed model is known"
    open_ = [row for row in rows if row.never_ran]
    told = f"{words.count(len(rows), 'version')}, {len(open_)} with something required that never ran"
    held = [f"{row.version.label} ({', '.join(row.holds)}): {', '.join(row.never_ran)}" for row in report.uncovered]
    return f"{told}; in use: {'; '.join(held)}" if held else f"{told}, none of them in use" if open_ else told
