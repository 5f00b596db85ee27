"""Reads the fenced blocks of a Markdown file, and turns them into a shell script that runs as a reader would."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"(?m)^( *)```([a-z]*)(?: file=(\S+))?\n(.*?)^\1```$", re.DOTALL)
_EXIT = re.compile(r"\s+# exits with ([0-9])$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is the content of (or nothing), and its lines."""

    language: str
    file: str
    text: str


@dataclass(frozen=True)
class Step:
    """A command of a console block or a whole bash block, how it ends, and what it shows."""

    command: str
    exit_code: int = 0
    shown: tuple[str, ...] = ()


def documents() -> list[Path]:
    """Return every Markdown file that a reader may open."""
    tops = [path for path in ROOT.glob("*.md") if path.read_text(encoding="utf-8").strip()]
    more = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md"), *(ROOT / "checks").glob("*.md")]
    return sorted([*tops, *more])


def name_of(path: Path) -> str:
    """Return a document's path from the repository's root."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a file, without the indentation that they have in a list."""
    found = []
    for indent, language, file, text in _FENCE.findall(path.read_text(encoding="utf-8")):
        lines = [line.removeprefix(indent) for line in text.splitlines()]
        found.append(Block(language, file, "\n".join(lines) + "\n"))
    return found


def steps(block: Block) -> list[Step]:
    """Return what a reader would run of a block."""
    if block.language == "bash":
        return [Step(block.text)]
    if block.language != "console":
        return []
    found: list[Step] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            ends = _EXIT.search(line)
            command = _EXIT.sub("", line[2:])
            found.append(Step(command, int(ends[1]) if ends else 0))
        elif found and line.strip():
            last = found[-1]
            found[-1] = Step(last.command, last.exit_code, (*last.shown, line))
    return found


def commands(path: Path) -> list[Step]:
    """Return all commands of a document, in order."""
    return [step for block in blocks(path) for step in steps(block)]


def script(path: Path, out: Path, *, left_out: set[str], before: dict[str, str]) -> tuple[str, list[Step]]:
    """Return a bash script that runs a document from its first block to its last, and the steps that it runs.

    What step N says comes to `out/N.txt`, its exit code to `out/N.code`. Files are written where they stand in the
    document; `before` has a line of shell to be run ahead of a command.
    """
    lines: list[str] = []
    ran: list[Step] = []
    for place, block in enumerate(blocks(path)):
        if block.file:
            content = out / f"file-{place}"
            content.write_text(block.text, encoding="utf-8")
            lines.append(f"cp {shlex.quote(str(content))} {shlex.quote(block.file)}")
        for step in steps(block):
            if step.command in left_out:
                continue
            if step.command in before:
                lines.append(before[step.command])
            # A command line runs in this shell, so that what it exports stays; a block may exit by itself.
            told = f"( set -euo pipefail\n{step.command})" if block.language == "bash" else f"{{ {step.command}\n}}"
            number = len(ran)
            lines += [f"{told} > {out}/{number}.txt 2>&1 < /dev/null", f"echo $? > {out}/{number}.code"]
            ran.append(step)
    return "\n".join(lines) + "\n", ran


def differs(step: Step, said: str) -> str:
    """Return the first line that a document shows and the command did not say, in this order; empty where all were.

    `…` stands for anything; blanks count as one, since widths of columns change with what is in them.
    """
    rest = [" ".join(line.split()) for line in said.splitlines()]
    for line in step.shown:
        parts = [re.escape(" ".join(part.split())) for part in line.split("…")]
        pattern = re.compile(r"\s*.*?\s*".join(parts))
        place = next((index for index, candidate in enumerate(rest) if pattern.fullmatch(candidate)), None)
        if place is None:
            return line
        # A line that stands for any number of lines does not use one up.
        rest = rest if line.strip() == "…" else rest[place + 1 :]
    return ""
