"""What the commands share: settings, options, and how an answer is put out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aims_mlops.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from aims_mlops.api import Services
    from aims_mlops.model.register import Project
    from aims_mlops.views.layout import Grid, Lines

_FORMATS = ("table", "json")
_WIDTH = 132
"""Columns of a table that goes into a file or a pipe: there is no edge there to wrap at."""
_Command = TypeVar("_Command", bound=Callable[..., Any])


def exit_code_lines() -> list[str]:
    """Describe the exit codes, for `--help` and the documentation."""
    return [
        f"{ExitCode.OK.value}  passed, allowed, or allowed by waiver",
        f"{ExitCode.SHUT.value}  a requirement is failed, inconclusive, missing or stale; or an unclaimed model",
        f"{ExitCode.USAGE.value}  usage or configuration",
        f"{ExitCode.UNDECIDED.value}  could not decide (registry away, data missing, library broken, hole in the log)",
        f"{ExitCode.UNVERIFIED.value}  evidence does not verify (untrusted, mismatched, tampered with)",
        f"{ExitCode.NOTHING.value}  nothing to check, or a target that is not protected",
    ]


@dataclass(frozen=True)
class Settings:
    """The options before the command."""

    config: str | None = None
    registry_uri: str | None = None
    tracking_uri: str | None = None
    person: str | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def config_path(self) -> Path | None:
        """The aims.yaml that was named, if one was."""
        return None if self.config is None else Path(self.config)

    def services(self) -> Services:
        """Build what the use cases stand on."""
        from aims_mlops import wiring

        return wiring.services(
            config=self.config_path,
            registry_uri=self.registry_uri,
            tracking_uri=self.tracking_uri,
            person=self.person,
        )

    def project(self) -> Project:
        """Read aims.yaml."""
        from aims_mlops import wiring

        return wiring.project(self.config_path)


def output_options(command: _Command) -> _Command:
    """Add `--format` and `--output-file` to a command; it takes them as `format` and `output_file`."""
    put_out = click.option("--format", type=click.Choice(_FORMATS), default="table", show_default=True, help="Form.")
    files = click.option(
        "--output-file",
        multiple=True,
        metavar="FORMAT=PATH",
        callback=_writable,
        help="Also write the answer to a file; repeatable.",
    )
    return put_out(files(command))


def _writable(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Hold `--output-file` to its form and its folder before anything is done: an answer must not be lost after it."""
    for item in given:
        form, equals, path = item.partition("=")
        if form not in _FORMATS or not equals or not path:
            known = " or ".join(_FORMATS)
            raise UsageError(f"--output-file {item!r} is not FORMAT=PATH", hint=f"FORMAT is {known}")
        folder = Path(path).absolute().parent
        if Path(path).is_dir() or not os.access(Path(path) if Path(path).exists() else folder, os.W_OK):
            raise UsageError(f"--output-file {path} cannot be written", hint="name a file in a folder that is there")
    return given


def moment(text: str, *, after: bool = False) -> datetime:
    """Read a day or a time in UTC; with `after`, of a day the moment when it is over. Raises `UsageError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no date", hint="2026-11-21, or 2026-11-21T20:31:34Z") from error
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return found + timedelta(days=1) if after and len(text) <= len("2026-11-21") else found


def answer(
    settings: Settings, *, wire: Mapping[str, Any] | list[Any], table: Lines | Grid, format: str, files: Iterable[str]
) -> None:
    """Put an answer out on stdout in one form, and into files in others."""
    from aims_mlops.views.terminal import render

    def as_text(form: str, *, terminal: bool) -> str:
        if form == "json":
            return json.dumps(wire, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        width = None if terminal else _WIDTH
        return render(table, width=width, colour=terminal, encoding=sys.stdout.encoding or "utf-8")

    for item in files:
        form, _, path = item.partition("=")
        try:
            Path(path).write_text(as_text(form, terminal=False), encoding="utf-8")
        except OSError as error:
            click.echo(f"error: --output-file {path} could not be written ({error.strerror})", err=True)
    text = as_text(format, terminal=sys.stdout.isatty())
    if settings.quiet and format == "table":
        text = text.rstrip("\n").rpartition("\n")[2].strip() + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()
