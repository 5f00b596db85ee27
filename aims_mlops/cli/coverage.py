"""`aims coverage`."""

from __future__ import annotations

import sys

import click

from aims_mlops.cli.options import Settings, answer, output_options


@click.command("coverage")
@click.argument("system", required=False)
@output_options
@click.pass_obj
def coverage_command(settings: Settings, system: str | None, format: str, output_file: tuple[str, ...]) -> None:
    """Show of every version what was measured, how often, and what never ran; of one SYSTEM, or of all.

    The exit code is 1 where a version that stands at a protected alias, stage or name was never measured by a required
    check, or has no required record; 3 where the registry did not answer; 5 where no version is known. What came out
    does not change it: that is the gate's to say.
    """
    from aims_mlops import api
    from aims_mlops.views.covering import coverage_table, coverage_wire

    report = api.coverage(settings.services(), system)
    answer(settings, wire=coverage_wire(report), table=coverage_table(report), format=format, files=output_file)
    sys.exit(report.exit_code)
