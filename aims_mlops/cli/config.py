"""`aims config` and `aims init`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from aims_mlops.cli.options import Settings


@click.group("config")
def config_group() -> None:
    """aims.yaml: is it right, what does it mean, what can it say."""


@config_group.command("validate")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def validate(settings: Settings, file: Path | None) -> None:
    """Read aims.yaml and name every mistake at once, with line, column and a hint."""
    from aims_mlops import wiring

    found = wiring.project(file or settings.config_path)
    systems = len(found.systems)
    click.echo(f"{found.path.name}: no mistakes, {systems} system{'' if systems == 1 else 's'}")


@config_group.command("show")
@click.pass_obj
def show(settings: Settings) -> None:
    """Print what is in force: each setting with where it comes from."""
    from aims_mlops import wiring

    click.echo(wiring.show_config(settings.config_path), nl=False)


@config_group.command("schema")
def schema() -> None:
    """Print the JSON Schema of aims.yaml, for editors."""
    from aims_mlops import wiring

    click.echo(json.dumps(wiring.config_schema(), indent=2))


@config_group.command("explain")
@click.argument("topic", default="")
def explain(topic: str) -> None:
    """Explain a check (fairness), a key of aims.yaml (max_age) or exit-codes; without TOPIC, list what there is."""
    from aims_mlops import wiring

    click.echo(wiring.explain_config(topic), nl=False)


@click.command("init")
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def init_command(settings: Settings, folder: Path) -> None:
    """Write a commented aims.yaml from what the registry holds. Never overwrites."""
    from aims_mlops import wiring

    written, models, problem = wiring.write_starter(
        folder, registry_uri=settings.registry_uri, tracking_uri=settings.tracking_uri
    )
    found = ", ".join(models) if models else "an example name is in it: no registered model was found"
    click.echo(f"wrote {written} ({found})")
    if problem:
        click.echo(f"the registry did not answer: {problem}", err=True)
    click.echo("next: read it, aims keys new PERSON for each person, aims config validate")
