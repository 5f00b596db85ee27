"""`aims keys`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


@keys_group.command("trust")
@output_options
@click.pass_obj
def trust(settings: Settings, format: str, output_file: tuple[str, ...]) -> None:
    """Show who may sign what, for which systems, with which keys, from when to when.

    The JSON has the keys themselves: it is what an auditor is handed by another way than the evidence.
    """
    from aims_mlops.api.trusting import trust_rows, trust_wire
    from aims_mlops.views.layout import Grid

    project, now = settings.project(), datetime.now(UTC)
    cells = tuple(
        (
            row.kind,
            row.person,
            row.key.id.short,
            "every" if row.systems is None else ", ".join(row.systems),
            "-" if row.key.term.start is None else f"{row.key.term.start:%Y-%m-%d %H:%M}",
            "-" if row.key.term.end is None else f"{row.key.term.end:%Y-%m-%d %H:%M}",
            str(row.threshold),
            row.closed or "in force",
        )
        for row in trust_rows(project, now=now)
    )
    head = ("kind", "person", "key", "systems", "from", "until", "people", "today")
    table = Grid(head, cells, empty="nobody is trusted for anything: trust: in aims.yaml, and aims keys new PERSON")
    answer(settings, wire=trust_wire(project, now=now), table=table, format=format, files=output_file)


@keys_group.command("revoke")
@click.argument("name", metavar="KEY|PERSON")
@click.option("--at", required=True, metavar="TIME", help="From when on: a day or a time in UTC.")
@click.option("--reason", required=True, type=click.Choice(["lost", "compromised", "superseded", "left"]), help="Why.")
@click.pass_obj
def revoke(settings: Settings, name: str, at: str, reason: str) -> None:
    """Revoke a key, named by its id, or every key of a PERSON: in the log and in aims.yaml.

    Somebody who is trusted for key-event signs (--as). After `compromised`, what the key signed counts only where
    somebody outside saw it in the log before that time; after the other reasons, what was recorded before it.
    """
    from aims_mlops import key_wiring
    from aims_mlops.api.key_events import KeyEvent, record_key_event

    project = settings.project()
    moment = _time(at)
    keys = key_wiring.to_revoke(project, name)
    services = settings.services()
    person = {item.key.id: item.person for item in keys}

    def record(key: Any) -> Any:
        return record_key_event(services, KeyEvent("revoke", person[key], key, moment, reason))

    key_wiring.revoke(project, keys, at=at, reason=reason, record=record)
    for item in keys:
        click.echo(f"revoked {item.key.id.short} of {item.person} from {at} on ({reason}); aims.yaml says so", err=True)
    click.echo("have it applied where a server decides: aims apply; then: aims evidence verify", err=True)


@keys_group.command("rotate")
@click.argument("person")
@click.option("--on", "day", metavar="DATE", help="The old key's last day and the new one's first. [default: today]")
@click.option("--ed25519", is_flag=True, help="Ed25519 instead of ECDSA P-256.")
@click.option("--uri", metavar="URI", help="Make none: enrol the key that is there (file:, hsm:, hv:, awskms:, …).")
@click.pass_obj
def rotate(settings: Settings, person: str, day: str | None, ed25519: bool, uri: str | None) -> None:
    """Give a PERSON a new key: what the old one signed until then stays good.

    The old pair moves to keys/retired, and aims.yaml gets both with their terms. Somebody who is trusted for key-event
    signs (--as); the new passphrase comes from a prompt, AIMS_KEY_PASSPHRASE, AIMS_KEY_PASSPHRASE_FILE or the keyring.
    """
    from aims_mlops import key_wiring, wiring
    from aims_mlops.api.key_events import must_be_administrator, record_key_event

    if uri is not None and ed25519:
        raise UsageError("--uri and --ed25519: a key that is there already has its kind", hint="leave one out")
    project = settings.project()
    on = (datetime.now(UTC) if day is None else _time(day)).date()
    services = settings.services()
    must_be_administrator(services)

    def make(folder: Path) -> object:
        if uri is not None:
            return wiring.add_key(project, person, uri, folder=folder)
        return wiring.new_key(project, person, algorithm="ed25519" if ed25519 else "ecdsa-p256", folder=folder)

    old, made = key_wiring.rotate(
        project, person, on=on, make=make, record=lambda event: record_key_event(services, event)
    )
    click.echo(f"{person} signs with {made.short} from {on} on; {old.short} ends with that day", err=True)
    click.echo("the old pair is in keys/retired: destroy its private half once nobody needs it", err=True)
    click.echo("have it applied where a server decides: aims apply", err=True)


def _time(text: str) -> datetime:
    from aims_mlops.config.fields import moment

    return moment(text)
