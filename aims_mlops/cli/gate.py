"""`aims gate` and `aims promote`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from aims_mlops.cli.options import Settings, answer, output_options
from aims_mlops.errors import Denied

if TYPE_CHECKING:
    from aims_mlops.model.decision import Decision

_to = click.option(
    "--to", "target", required=True, metavar="TARGET", help="An alias (champion), stage:Production or name:prod.income."
)


@click.command("gate")
@click.argument("model")
@_to
@output_options
@click.pass_obj
def gate_command(settings: Settings, model: str, target: str, format: str, output_file: tuple[str, ...]) -> None:
    """Decide whether a model version may go to a target; sign and record the decision. Never acts."""
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef, Target

    decision = api.gate(settings.services(), ModelRef.parse(model), Target.parse(target))
    _answer(settings, decision, format=format, files=output_file)
    sys.exit(decision.exit_code)


@click.command("promote")
@click.argument("model")
@_to
@click.option("--reason", default="", help="Why; recorded with the promotion.")
@output_options
@click.pass_obj
def promote_command(
    settings: Settings, model: str, target: str, reason: str, format: str, output_file: tuple[str, ...]
) -> None:
    """Decide under lock, move the alias (or stage, or copy into the name), and sign the promotion."""
    from aims_mlops import api
    from aims_mlops.model.decision import Decision
    from aims_mlops.model.subject import ModelRef, Target

    goal = Target.parse(target)
    try:
        decision = api.promote(settings.services(), ModelRef.parse(model), goal, reason=reason)
    except Denied as error:  # a script that asked for JSON gets the decision; a person reads why on stderr
        if isinstance(error.decision, Decision) and (format != "table" or output_file):
            _answer(settings, error.decision, format=format, files=output_file)
        raise
    _answer(settings, decision, format=format, files=output_file)
    click.echo(f"promoted: {decision.version.label} is now {goal}", err=True)


def _answer(settings: Settings, decision: Decision, *, format: str, files: tuple[str, ...]) -> None:
    from aims_mlops.views import terminal, wire

    table = terminal.decision_table(decision)
    answer(settings, wire=wire.decision(decision), table=table, format=format, files=files)
