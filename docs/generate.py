# ruff: noqa: INP001
"""Writes the generated parts of the documentation: python docs/generate.py [--check].

A generated part stands between two comments, `<!-- generated: NAME -->` and `<!-- end -->`; the text around it is
written by hand. `--check` writes nothing, names each file that is not up to date, and exits with 1.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from aims_mlops import wiring
from aims_mlops.cli import cli
from aims_mlops.config.explaining import _Key, _keys, _kind
from aims_mlops.config.grammar import CheckEntry, MonitorEntry
from aims_mlops.errors import ExitCode
from aims_mlops.model.outcome import Status
from aims_mlops_checks._disparity import DISPARITIES
from aims_mlops_checks._fit import METRICS

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(r"(<!-- generated: ([a-z -]+) -->\n).*?(<!-- end -->)", re.DOTALL)
LIBRARY = {
    "fairness": "fairlearn",
    "drift": "none at run time; numbers equal Evidently's",
    "data-quality": "Great Expectations",
    "performance": "scikit-learn",
}
MEANING = {
    "organisation": "Who keeps the register.",
    "min": "The least value that passes; the bound itself passes.",
    "max": "The largest value that passes; the bound itself passes.",
    "warn": "Beyond this, on the good side of the only one of `min` and `max`, the measure is `warned`.",
    "not_below": "An alias: not below what the last allowed promotion to it measured. Performance only.",
    "tolerance": "How far below it may lie and still pass.",
}
SECTIONS = (
    ("The file", ""),
    ("organisation", "organisation."),
    ("people", "people.ID."),
    ("log", "log."),
    ("A system", "systems.ID."),
    ("promotion", "systems.ID.promotion."),
    ("A dataset", "systems.ID.data.ID."),
    ("A check", "systems.ID.checks[]."),
    ("A record", "systems.ID.records[]."),
    ("Monitoring", "systems.ID.monitor[]."),
)


def documents() -> tuple[Path, ...]:
    """Return the files that have a generated part, sorted."""
    found = [*(ROOT / "docs").rglob("*.md"), ROOT / "checks" / "README.md"]
    return tuple(sorted(path for path in found if path.exists() and PART.search(path.read_text(encoding="utf-8"))))


def render(text: str) -> str:
    """Return a document with its generated parts made anew; raise `KeyError` for a part that nobody makes."""
    made = makers()
    return PART.sub(lambda found: f"{found[1]}{made[found[2]]().strip()}\n{found[3]}", text)


def makers() -> Mapping[str, Callable[[], str]]:
    """Return what makes each part, by its name."""
    checks = {f"check {name}": (lambda name=name: _check(name)) for name in wiring.checks()}
    return {
        **checks,
        "commands": _commands,
        "settings": _settings,
        "catalogue": _catalogue,
        "exit codes": _exit_codes,
        "fairness metrics": _fairness_metrics,
        "performance metrics": _performance_metrics,
    }


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with `--check` look whether they are as they would be written."""
    stale = 0
    for path in documents():
        text = path.read_text(encoding="utf-8")
        fresh = render(text)
        if fresh == text:
            continue
        if "--check" in arguments:
            stale = 1
            sys.stderr.write(f"{path.relative_to(ROOT)} is not up to date: make docs\n")
        else:
            path.write_text(fresh, encoding="utf-8")
    return stale


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _commands() -> str:
    def pages(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
        settings = {**command.context_settings, "terminal_width": 100, "color": False}
        context = click.Context(command, info_name=name, parent=parent, **settings)
        yield f"## {context.command_path}\n\n```text\n{command.get_help(context).strip()}\n```\n"
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                yield from pages(command.commands[child], child, context)

    return "\n".join(pages(cli, "aims", None))


def _settings() -> str:
    keys = list({key.place: key for key in _keys(wiring.config_schema()) if "(use:" not in key.place}.values())
    prefixes = sorted((prefix for _, prefix in SECTIONS), key=len, reverse=True)
    parts = []
    for title, prefix in SECTIONS:
        own = [key for key in keys if next(p for p in prefixes if key.place.startswith(p)) == prefix]
        if prefix == "systems.ID.monitor[].":
            own = [key for key in own if key.name in set(MonitorEntry.model_fields) - set(CheckEntry.model_fields)]
        parts.append(f"## {title}\n\n" + _table(("key", "value", "default", "meaning"), map(_setting, own)))
    return "\n".join(parts)


def _setting(key: _Key) -> tuple[str, str, str, str]:
    kind = "one of " + ", ".join(sorted(wiring.checks())) if key.name == "use" else _kind(key.node)
    default = "needed" if key.required else _default(key.node.get("default"))
    meaning = str(key.node.get("description") or MEANING.get(key.name) or "").replace("\n", " ")
    return f"`{key.place.partition('(use: ')[2].partition(').')[2] or key.place}`", kind, default, meaning


def _default(value: object) -> str:
    return "none" if value in (None, "", [], {}) else f"`{json.dumps(value)}`"


def _check(name: str) -> str:
    check = wiring.checks()[name]
    mark = f"systems.ID.checks[] (use: {name})."
    own = {key.place: key for key in _keys(wiring.config_schema()) if key.place.startswith(mark)}
    if name == "fairness":  # it refuses them: they compare with a champion
        own = {place: key for place, key in own.items() if key.name not in ("not_below", "tolerance")}
    facts = [
        ("`use`", f"`{name}`"),
        ("what", check.title),
        ("library", LIBRARY.get(name, "")),
        ("extra", f"`pip install 'aims-mlops[{check.extra}]'`" if check.extra else "none"),
    ]
    options = _table(("option", "value", "default", "meaning"), map(_setting, own.values()))
    return _table(("", ""), facts) + "\n## Options\n\n" + options


def _catalogue() -> str:
    def row(name: str) -> tuple[str, str, str, str, str]:
        check = wiring.checks()[name]
        page = f"[`{name}`](../docs/reference/checks/{name}.md)"
        source = f"[`{check.__module__.rpartition('.')[2]}.py`]({check.__module__.replace('.', '/')}.py)"
        return page, check.title, LIBRARY[name], f"`{check.extra}`", source

    rows = [row(name) for name in sorted(wiring.checks())]
    return _table(("use", "what it measures", "library", "extra", "file"), rows)


def _exit_codes() -> str:
    words = {code: [f"`{s.value}`" for s in Status if s.exit_code is code] for code in ExitCode}
    meanings = dict(line.split("  ", 1) for line in wiring.explain_config("exit-codes").splitlines())
    rows = [(f"**{code.value}**", meanings[str(code.value)], ", ".join(words[code]) or "-") for code in ExitCode]
    return _table(("code", "meaning", "statuses of a required requirement"), rows)


def _fairness_metrics() -> str:
    def listed(*ways: str) -> str:
        return ", ".join(f"`{name}`" for name, metric in DISPARITIES.items() if metric.spread in ways)

    rows = [
        ("difference between the highest and the lowest group", listed("difference")),
        ("ratio of the lowest to the highest group", listed("ratio")),
        ("the worst group", listed("group_min", "group_max")),
        ("a plain rate that each group must keep", listed("each")),
    ]
    return _table(("kind", "metrics, as in `fairlearn.metrics`"), rows)


def _performance_metrics() -> str:
    def listed(reads: str) -> str:
        return ", ".join(f"`{name}`" for name, metric in METRICS.items() if metric.reads == reads)

    kinds = {"labels": "labels, any number", "two labels": "two labels", "score": "a score", "numbers": "numbers"}
    return _table(("reads", "metrics"), [(told, listed(reads)) for reads, told in kinds.items()])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
