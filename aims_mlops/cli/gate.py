"""`aims gate` and `aims promote`."""

from __future__ import annotations

import sys

import click

from aims_mlops.cli.options import Settings, answer, output_options

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
    from aims_mlops.views import terminal, wire

    decision = api.gate(settings.services(), ModelRef.parse(model), Target.parse(target))
    table = terminal.decision_table(decision)
    answer(settings, wire=wire.decision(decision), table=table, format=format, files=output_file)
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
    from aims_mlops.model.subject import ModelRef, Target
    from aims_mlops.views import terminal, wire

    goal = Target.parse(target)
    decision = api.promote(settings.services(), ModelRef.parse(model), goal, reason=reason)
    table = terminal.decision_table(decision)
    answer(settings, wire=wire.decision(decision), table=table, format=format, files=output_file)
    click.echo(f"promoted: {decision.version.label} is now {goal}", err=True)
