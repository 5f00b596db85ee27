"""`aims server`: an MLflow server that enforces the gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aims_mlops.errors import UsageError

if TYPE_CHECKING:
    from aims_mlops.model.serving import ServerOptions

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(name="server", context_settings={"ignore_unknown_options": True})
@click.option("--backend-store-uri", "backend", required=True, help="MLflow's tracking database, a SQLAlchemy URI.")
@click.option("--registry-store-uri", "registry", help="MLflow's registry database.  [default: the tracking database]")
@click.option("--artifacts-destination", "artifacts", required=True, help="Folder or URI; what was checked is frozen.")
@click.option("--store", "evidence", envvar="AIMS_STORE", required=True, help="Evidence store.  [env: AIMS_STORE]")
@click.option(
    "--state", envvar="AIMS_STATE", type=_FOLDER, required=True, help="Folder for the pin.  [env: AIMS_STATE]"
)
@click.option("--keys", envvar="AIMS_KEYS", type=_FOLDER, required=True, help="Folder with its key.  [env: AIMS_KEYS]")
@click.option(
    "--admin-keys",
    "administrators",
    envvar="AIMS_ADMIN_KEYS",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    required=True,
    help="Public key, or folder of them, whose configuration counts; repeatable.  [env: AIMS_ADMIN_KEYS]",
)
@click.option("--admin-threshold", "threshold", default=1, show_default=True, help="How many of them must have signed.")
@click.option("--auth", type=click.Choice(["basic-auth"]), help="Let MLflow ask for user and password.")
@click.option("--trusted-proxy", "proxy", metavar="HEADER@ADDRESS", help="Believe this header from this address.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True)
@click.option("--workers", default=4, show_default=True)
@click.option("--gunicorn", is_flag=True, help="Serve with gunicorn in place of uvicorn.")
@click.option("--workspaces", is_flag=True, help="Enable MLflow's workspaces.")
@click.option("--dry-run", is_flag=True, help="Check everything and print the command; start nothing.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def server_command(context: click.Context, /, *, dry_run: bool, **given: Any) -> None:
    """Start MLflow's server with the gate in it; further arguments go to mlflow server as they stand.

    It signs its decisions with the key of --as PERSON (or AIMS_SIGNER), and does not start where it could not enforce.
    Without an applied configuration (aims apply) it denies every promotion.
    """
    from aims_mlops import wiring

    options = _options(context.obj.person, given)
    if dry_run:
        click.echo(wiring.platform().server_command(options))
        return
    wiring.platform().serve(options)


def _options(person: str | None, given: dict[str, Any]) -> ServerOptions:
    import os

    from aims_mlops.model.serving import ServerOptions

    signer = person or os.environ.get("AIMS_SIGNER")
    if not signer:
        raise UsageError(
            "nobody to sign as: a server signs its decisions with a key of its own",
            hint="aims --as server server …, where `server` is an id under people: in the applied aims.yaml",
        )
    given["registry"] = given["registry"] or given["backend"]
    given["artifacts"] = _absolute(given["artifacts"])
    for name in ("state", "keys"):
        given[name] = given[name].absolute()
    given["administrators"] = tuple(path.absolute() for path in given["administrators"])
    return ServerOptions(signer=signer, **given)


def _absolute(artifacts: str) -> str:
    """Write a plain path as an absolute one, since each worker has to mean the same folder; leave a URI as it is."""
    return artifacts if ":" in artifacts else str(Path(artifacts).absolute())
