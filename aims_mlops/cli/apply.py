"""`aims apply`."""

from __future__ import annotations

import os
import sys

import click

from aims_mlops.cli.options import Settings, answer, output_options


@click.command("apply")
@click.option("--dry-run", is_flag=True, help="Show what would change; sign nothing.")
@output_options
@click.pass_obj
def apply_command(settings: Settings, dry_run: bool, format: str, output_file: tuple[str, ...]) -> None:
    """Put aims.yaml in force on the server: sign it, with its keys and suites, as an administrator.

    Shows which champions the gate would judge otherwise than today. Of a dry run the exit code is 1 where one that may
    stand today may not any more. Where the server wants several signatures, each administrator runs it: --as PERSON.
    """
    from aims_mlops import api, wiring
    from aims_mlops.views.applying import apply_table, apply_wire

    known = wiring.administrators() if os.environ.get("AIMS_ADMIN_KEYS") else None
    report = api.apply(
        settings.services(),
        wiring.bundle(settings.config_path),
        wiring.load_bundle,
        administrators=known,
        dry_run=dry_run,
    )
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    answer(settings, wire=apply_wire(report), table=apply_table(report), format=format, files=output_file)
    sys.exit(report.exit_code)
