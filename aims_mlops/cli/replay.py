"""`aims evidence replay`."""

from __future__ import annotations

import sys

import click

from aims_mlops.cli.options import Settings, answer, output_options


@click.command("replay")
@click.argument("model", required=False)
@click.option("--sample", default=5, show_default=True, metavar="N", help="How many results to measure again.")
@click.option("--seed", type=int, metavar="S", help="Choose the sample of this seed again; else a random one is drawn.")
@output_options
@click.pass_obj
def replay_command(
    settings: Settings, model: str | None, sample: int, seed: int | None, format: str, output_file: tuple[str, ...]
) -> None:
    """Measure a random sample of recorded results again, of MODEL or of all, and sign whether they came out.

    Same files, policy, data and seed: what is not there any more as it was cannot be replayed, and is said. Sign as
    somebody whom trust: record names (--as PERSON). Nothing at the gate depends on it.

    The exit code is 0 where all came out, 1 where one did not, 3 where one could not be replayed, 5 where there is
    nothing to replay.
    """
    from aims_mlops import api, wiring
    from aims_mlops.model.subject import ModelRef
    from aims_mlops.views.replaying import replay_table, replay_wire

    services = settings.services()
    shown = not settings.quiet and sys.stderr.isatty()
    report = api.replay(
        services,
        None if model is None else ModelRef.parse(model),
        read_policy=wiring.policy_reader(services),
        size=sample,
        seed=seed,
        progress=lambda step: click.echo(f"  {step} ...", err=True) if shown else None,
    )
    answer(settings, wire=replay_wire(report), table=replay_table(report), format=format, files=output_file)
    sys.exit(report.exit_code)
