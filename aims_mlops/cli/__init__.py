"""The command `aims`. Importing it loads click and nothing heavier; each command loads what it needs when it runs."""

from __future__ import annotations

import sys
import traceback
from contextlib import AbstractContextManager
from types import TracebackType

import click

from aims_mlops.cli.apply import apply_command
from aims_mlops.cli.check import check_command
from aims_mlops.cli.config import config_group, init_command
from aims_mlops.cli.coverage import coverage_command
from aims_mlops.cli.doctor import doctor_command
from aims_mlops.cli.evidence import evidence_group
from aims_mlops.cli.gate import gate_command, promote_command
from aims_mlops.cli.keys import keys_group
from aims_mlops.cli.log import log_group
from aims_mlops.cli.options import Settings, exit_code_lines
from aims_mlops.cli.pack import pack_group
from aims_mlops.cli.replay import replay_command
from aims_mlops.cli.server import server_command
from aims_mlops.cli.systems import systems_group
from aims_mlops.cli.systems_status import status_command
from aims_mlops.cli.waive import waive_group
from aims_mlops.cli.watch import watch_command
from aims_mlops.errors import AimsError, ExitCode

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {line}" for line in exit_code_lines())


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="aims-mlops", prog_name="aims")
@click.option("--config", "config", type=click.Path(), help="aims.yaml to use (else AIMS_CONFIG, else found upwards).")
@click.option("--registry-uri", help="Model registry (else MLFLOW_REGISTRY_URI, else the tracking server).")
@click.option("--tracking-uri", help="Tracking server (else MLFLOW_TRACKING_URI).")
@click.option("--as", "person", metavar="PERSON", help="Sign as this person (else AIMS_SIGNER, else signer:).")
@click.option("-q", "--quiet", is_flag=True, help="The last line only.")
@click.option("-v", "--verbose", is_flag=True, help="Also what libraries said when something broke.")
@click.pass_context
def cli(
    context: click.Context,
    config: str | None,
    registry_uri: str | None,
    tracking_uri: str | None,
    person: str | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Keep a model out of production until signed evidence says that its checks passed and a person owns it.

    `check` measures and records, `gate` decides and signs, `promote` decides again and acts. MODEL is name/3,
    name@alias or models:/name/3.
    """
    context.obj = Settings(config, registry_uri, tracking_uri, person, quiet=quiet, verbose=verbose)


for _command in (
    check_command,
    gate_command,
    promote_command,
    waive_group,
    watch_command,
    apply_command,
    systems_group,
    evidence_group,
    keys_group,
    config_group,
    init_command,
    server_command,
    doctor_command,
    coverage_command,
    log_group,
    pack_group,
):
    cli.add_command(_command)
evidence_group.add_command(replay_command)
systems_group.add_command(status_command)


def main() -> None:
    """Run the command line. The one place that turns errors into exit codes."""
    with _ExitCodes():
        cli.main(prog_name="aims", standalone_mode=True)


class _ExitCodes(AbstractContextManager[None]):
    """Ends the process with the code of what went wrong. A crash of ours is an answer that nobody gave: still shut."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if isinstance(error, AimsError):
            click.echo(f"error: {error}", err=True)
            if error.hint and error.hint not in str(error):
                click.echo(f" hint: {error.hint}", err=True)
            sys.exit(error.exit_code)
        if isinstance(error, Exception):
            traceback.print_exception(error)
            click.echo("error: aims itself failed; nothing was decided", err=True)
            sys.exit(ExitCode.UNDECIDED)
