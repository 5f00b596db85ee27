"""`aims systems status`."""

from __future__ import annotations

import sys

import click

from aims_mlops.cli.options import Settings, answer, output_options


@click.command("status")
@click.option("--on", "day", metavar="DATE", help="A day to come, judged at its end (UTC). [default: now]")
@output_options
@click.pass_obj
def status_command(settings: Settings, day: str | None, format: str, output_file: tuple[str, ...]) -> None:
    """Say of everything that holds a protected target what will be stale, ended or expired, with nothing done.

    Nothing is measured or recorded. Exit code 0 where nothing will be, 1 otherwise.
    """
    from aims_mlops.api.forecasting import status_on
    from aims_mlops.config.fields import moment
    from aims_mlops.views import forecasting

    on = None if day is None else moment(day, end=True)
    report = status_on(settings.services(), on)
    answer(settings, wire=forecasting.wire(report), table=forecasting.table(report), format=format, files=output_file)
    when = "today" if day is None else f"on {day}"
    count = len(report.shut)
    click.echo(f"{count or 'nothing'} of it will not do {when}, if nothing is done", err=True)
    sys.exit(report.exit_code)
