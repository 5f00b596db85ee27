"""`aims doctor`: does the server that this project uses really enforce, and what cannot be guarded here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from aims_mlops.errors import ExitCode
from aims_mlops.views.examination import examination_lines, examination_wire

if TYPE_CHECKING:
    from aims_mlops.cli.options import Settings


@click.command(name="doctor")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Form."
)
@click.pass_obj
def doctor_command(settings: Settings, form: str) -> None:
    """Look whether the registry's server enforces the gate, by a harmless call that it must refuse.

    Says which MLflow runs there and here, which were tested, and what no server can guard. Exit code 0: it enforces;
    1: it does not; 3: that could not be found out.
    """
    from aims_mlops import wiring

    found = wiring.platform().examine(settings.registry_uri, tracking_uri=settings.tracking_uri)
    if form == "json":
        click.echo(json.dumps(examination_wire(found), indent=2))
    else:
        for line in examination_lines(found):
            click.echo(line)
    raise SystemExit(_code(found.enforces))


def _code(enforces: bool | None) -> ExitCode:
    if enforces is None:
        return ExitCode.UNDECIDED
    return ExitCode.OK if enforces else ExitCode.SHUT
