"""What `aims evidence replay` shows, in the terminal and as `aims.replay/1`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aims_mlops.api import Replay, ReplayReport
from aims_mlops.evidence.replay import Difference, check_of
from aims_mlops.views import words
from aims_mlops.views.layout import Line, Lines

_WORDS = {
    True: ("✓ came out", "green"),
    False: ("✗ did not come out", "red"),
    None: ("! could not be replayed", "yellow"),
}
_WIDTH = max(len(word) for word, _ in _WORDS.values())
_MOST = 10


def replay_wire(report: ReplayReport) -> dict[str, Any]:
    """Return `aims.replay/1`: the sample, and of each result whether it came out."""
    return {
        "schema": "aims.replay/1",
        "exit_code": int(report.exit_code),
        "sample": report.sample.to_wire(),
        "replays": [_replay(item) for item in report.replays],
    }


def _replay(item: Replay) -> dict[str, Any]:
    header = item.replayed.statement.header
    return {
        "model": {"workspace": header.workspace, "name": header.model, "version": header.version},
        "id": check_of(item.replayed)["id"],
        "replayed": item.replayed.payload,
        "came_out": item.came_out,
        "reason": item.reason,
        "hint": item.hint,
        "differences": [difference.to_wire() for difference in item.differing],
        "versions": [{"name": change.name, "then": change.then, "now": change.now} for change in item.changed],
        "evidence": item.evidence,
        "unrecorded": item.unrecorded,
    }


def replay_table(report: ReplayReport) -> Lines:
    """Return a line for each result with what differs under it, how to choose the same again, and a summary last."""
    lines = [line for item in report.replays for line in _lines(item)]
    sample = report.sample
    chosen = f"{sample.size} of {words.count(sample.of, 'result')} below leaf {sample.log_size}, seed {sample.seed}"
    lines.append(Line((("  chosen: ", "dim"),), ((chosen, ""),)))
    good = report.exit_code == 0
    return Lines((*lines, Line(body=((_summary(report), "bold green" if good else "bold red"),))))


def _lines(item: Replay) -> Iterator[Line]:
    header, (word, style) = item.replayed.statement.header, _WORDS[item.came_out]
    about = f"{header.model}/{header.version} {check_of(item.replayed)['id']}"
    yield Line(((f"{word:{_WIDTH}}  ", style), (about, "bold")), ((f"  {item.replayed.payload.short}", "dim"),))
    if item.reason:
        yield Line((("    why:  ", "dim"),), ((item.reason, ""),))
    for difference in item.differing[:_MOST]:
        yield Line((("    ", ""),), ((_said(difference), ""),))
    if len(item.differing) > _MOST:
        yield Line((("    ", ""),), ((f"and {len(item.differing) - _MOST} more", "dim"),))
    for change in item.changed:
        told = f"{change.name} was {change.then or 'not there'}, and is {change.now or 'not there'}"
        yield Line((("    note: ", "dim"),), ((told, ""),))
    if item.hint:
        yield Line((("    next: ", "bold"),), ((item.hint, ""),))
    if item.unrecorded:
        yield Line((("    NOT RECORDED: ", "bold red"),), ((item.unrecorded, ""),))


def _said(difference: Difference) -> str:
    where = "" if difference.metric is None else f"{difference.metric} "
    where += "" if difference.column is None else f"of {difference.column} "
    if difference.then is None and difference.now is None:
        return f"{where}{difference.field} differ"
    return f"{where}{difference.field} was {difference.then}, and is {difference.now}"


def _summary(report: ReplayReport) -> str:
    outcomes = [item.came_out for item in report.replays]
    parts = [f"{outcomes.count(True)} came out"]
    parts += [f"{outcomes.count(False)} did not come out"] if False in outcomes else []
    parts += [f"{outcomes.count(None)} could not be replayed"] if None in outcomes else []
    return f"{words.count(len(outcomes), 'result')} measured again: {', '.join(parts)}"
