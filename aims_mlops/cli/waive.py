"""`aims waive`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from aims_mlops.cli.options import Settings, answer, output_options
from aims_mlops.errors import UsageError

if TYPE_CHECKING:
    from aims_mlops.evidence.waivers import Waiver


@click.group("waive")
def waive_group() -> None:
    """Time-limited exceptions to a failed or inconclusive check.

    One person asks, another approves; both sign with --as PERSON. A waiver is for exactly one version, policy and
    observed value, and dies when any of them changes.
    """


@waive_group.command("request")
@click.argument("model")
@click.option("--requirement", required=True, metavar="ID", help="The check to be waived.")
@click.option("--reason", required=True, help="Why it can be accepted; recorded for good.")
@click.option("--expires", metavar="DURATION", help="For how long, e.g. 14d.")
@click.option("--until", metavar="DATE", help="Or the last day, in UTC, e.g. 2026-12-31.")
@output_options
@click.pass_obj
def request(
    settings: Settings,
    model: str,
    requirement: str,
    reason: str,
    expires: str | None,
    until: str | None,
    format: str,
    output_file: tuple[str, ...],
) -> None:
    """Ask that what a required check found for MODEL be accepted for a time: 90 days at most."""
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef

    ends, ref = _end(expires, until), ModelRef.parse(model)
    asked = api.request_waiver(settings.services(), ref, requirement, reason=reason, expires_at=ends)
    _answer(settings, asked, format=format, files=output_file)


@waive_group.command("approve")
@click.argument("digest")
@click.option("--reason", default="", help="Why; recorded for good.")
@output_options
@click.pass_obj
def approve(settings: Settings, digest: str, reason: str, format: str, output_file: tuple[str, ...]) -> None:
    """Approve a request, found by the beginning of its DIGEST (8 digits or more).

    Whoever approves is trusted for waivers, did not ask for it, and did not sign a result of the check.
    """
    from aims_mlops import api

    approved = api.approve_waiver(settings.services(), digest, reason=reason)
    _answer(settings, approved, format=format, files=output_file)


@waive_group.command("revoke")
@click.argument("digest")
@click.option("--reason", required=True, help="Why; recorded for good.")
@output_options
@click.pass_obj
def revoke(settings: Settings, digest: str, reason: str, format: str, output_file: tuple[str, ...]) -> None:
    """Revoke a waiver or a request, found by the beginning of the request's DIGEST. Nothing brings it back."""
    from aims_mlops import api

    revoked = api.revoke_waiver(settings.services(), digest, reason=reason)
    _answer(settings, revoked, format=format, files=output_file)


@waive_group.command("list")
@click.argument("model", required=False)
@output_options
@click.pass_obj
def list_(settings: Settings, model: str | None, format: str, output_file: tuple[str, ...]) -> None:
    """List waivers and refused attempts, oldest first, and how each stands; of one MODEL where it is named."""
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef
    from aims_mlops.views.waiving import waivers_table, waivers_wire

    found = api.list_waivers(settings.services(), None if model is None else ModelRef.parse(model))
    answer(settings, wire=waivers_wire(found), table=waivers_table(found), format=format, files=output_file)


def _answer(settings: Settings, item: Waiver, *, format: str, files: tuple[str, ...]) -> None:
    from aims_mlops.views.waiving import waiver_lines, waivers_wire

    answer(settings, wire=waivers_wire([item]), table=waiver_lines(item), format=format, files=files)


def _end(expires: str | None, until: str | None) -> datetime:
    """Return when a waiver is to end: so long from now, or with the end of a day."""
    from aims_mlops.model.times import duration

    if (expires is None) == (until is None):
        raise UsageError("say until when: either --expires or --until", hint="--expires 14d, or --until 2026-12-31")
    try:
        if expires is not None:
            return datetime.now(UTC) + duration(expires)
        return datetime.strptime(str(until), "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        given = f"--expires {expires}" if expires is not None else f"--until {until}"
        raise UsageError(f"{given} is no end of a waiver", hint="--expires 14d, or --until 2026-12-31") from error
