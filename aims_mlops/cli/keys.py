"""`aims keys`."""

from __future__ import annotations

import click

from aims_mlops.cli.options import Settings, answer, output_options


@click.group("keys")
def keys_group() -> None:
    """The keys that sign evidence."""


@keys_group.command("new")
@click.argument("person")
@click.option("--ed25519", is_flag=True, help="Ed25519 instead of ECDSA P-256.")
@click.pass_obj
def new(settings: Settings, person: str, ed25519: bool) -> None:
    """Make a key pair for a PERSON of aims.yaml: keys/PERSON.pem (encrypted) and keys/PERSON.pub.pem.

    The passphrase comes from a prompt, AIMS_KEY_PASSPHRASE, AIMS_KEY_PASSPHRASE_FILE or the keyring. Nothing is ever
    overwritten.
    """
    from aims_mlops import wiring

    algorithm = "ed25519" if ed25519 else "ecdsa-p256"
    private, public = wiring.new_key(settings.project(), person, algorithm=algorithm)  # type: ignore[arg-type]
    click.echo(f"wrote {private} (encrypted; keep it to yourself) and {public}", err=True)


@keys_group.command("list")
@output_options
@click.pass_obj
def list_(settings: Settings, format: str, output_file: tuple[str, ...]) -> None:
    """List the people of aims.yaml, their keys, and whether the private part is at hand."""
    from aims_mlops import wiring
    from aims_mlops.views.layout import Grid

    rows = wiring.list_keys(settings.project())
    wire = [
        {
            "person": row.person,
            "algorithm": row.algorithm,
            "key": row.key_id,
            "private": row.private,
            "listed": row.listed,
        }
        for row in rows
    ]
    cells = tuple(
        (row.person, row.algorithm, str(row.key_id), "at hand" if row.private else "-", "yes" if row.listed else "NO")
        for row in rows
    )
    head = ("person", "algorithm", "key id", "private key", "in aims.yaml")
    table = Grid(head, cells, empty="no key yet: aims keys new PERSON")
    answer(settings, wire=wire, table=table, format=format, files=output_file)
