"""`aims check`."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from aims_mlops.cli.options import Settings, answer, output_options


@click.command("check")
@click.argument("model")
@click.option("--only", multiple=True, metavar="ID", help="Run this check only; repeatable.")
@output_options
@click.pass_obj
def check_command(
    settings: Settings, model: str, only: tuple[str, ...], format: str, output_file: tuple[str, ...]
) -> None:
    """Measure a model version, sign and record the results. Never decides.

    Required checks make the exit code; a failed optional one is shown and does not change it.
    """
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef
    from aims_mlops.views import terminal, wire, words

    report = api.check(settings.services(), ModelRef.parse(model), only=only, progress=_progress(settings))
    table = terminal.check_table(report)
    answer(settings, wire=wire.check_report(report), table=table, format=format, files=output_file)
    if settings.verbose:
        for result in report.results:
            for line in result.detail.splitlines():  # a model's words are no commands to the terminal
                click.echo(f"{result.id}: {words.printable(line)}", err=True)
    sys.exit(report.exit_code)


def _progress(settings: Settings) -> Callable[[str], None]:
    if settings.quiet or not sys.stderr.isatty():
        return lambda _step: None
    return lambda step: click.echo(f"  {step} ...", err=True)
