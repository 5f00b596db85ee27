"""`aims keys`."""

from __future__ import annotations

import click

from aims_mlops.cli.options import Settings, answer, output_options
from aims_mlops.errors import UsageError


@click.group("keys")
def keys_group() -> None:
    """The keys that sign evidence."""


@keys_group.command("new")
@click.argument("person")
@click.option("--ed25519", is_flag=True, help="Ed25519 instead of ECDSA P-256.")
@click.option("--uri", metavar="URI", help="Make none: enrol the key that is there (file:, hsm:, hv:, awskms:, …).")
@click.pass_obj
def new(settings: Settings, person: str, ed25519: bool, uri: str | None) -> None:
    """Make a key pair for a PERSON of aims.yaml: keys/PERSON.pem (encrypted) and keys/PERSON.pub.pem.

    With --uri the private key stays where it is, in a token, a vault or a KMS: its public key is read there and
    written to keys/PERSON.pub.pem, and the URI to keys/PERSON.uri. The passphrase or PIN comes from a prompt,
    AIMS_KEY_PASSPHRASE, AIMS_KEY_PASSPHRASE_FILE or the keyring. Nothing is ever overwritten.
    """
    from aims_mlops import wiring

    if uri is not None:
        if ed25519:
            raise UsageError("--uri and --ed25519: a key that is there already has its kind", hint="leave one out")
        reference, public, told = wiring.add_key(settings.project(), person, uri)
        click.echo(
            f"wrote {reference} ({told}) and {public}; no key was made, and nothing was signed with it", err=True
        )
        return
    algorithm = "ed25519" if ed25519 else "ecdsa-p256"
    private, public = wiring.new_key(settings.project(), person, algorithm=algorithm)  # type: ignore[arg-type]
    click.echo(f"wrote {private} (encrypted; keep it to yourself) and {public}", err=True)


@keys_group.command("list")
@output_options
@click.pass_obj
def list_(settings: Settings, format: str, output_file: tuple[str, ...]) -> None:
    """List the people of aims.yaml, their keys, and where the private half of each is."""
    from aims_mlops import wiring
    from aims_mlops.views.layout import Grid

    rows = wiring.list_keys(settings.project())
    wire = [
        {
            "person": row.person,
            "algorithm": row.algorithm,
            "key": row.key_id,
            "private": row.private,
            "where": row.where,
            "listed": row.listed,
        }
        for row in rows
    ]
    cells = tuple(
        (row.person, row.algorithm, str(row.key_id), row.where or "-", "yes" if row.listed else "NO") for row in rows
    )
    head = ("person", "algorithm", "key id", "private key", "in aims.yaml")
    table = Grid(head, cells, empty="no key yet: aims keys new PERSON")
    answer(settings, wire=wire, table=table, format=format, files=output_file)
