"""`aims evidence`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from aims_mlops.cli.options import Settings, answer, output_options
from aims_mlops.errors import ExitCode, worst_exit_code

FORMS = ("test-result", "slsa-vsa", "model-signature", "sigstore")
"""As `api.interop.FORMS` has them: `--help` loads no use case."""

REASONS = ("data-subject-request", "legal-obligation", "recorded-by-mistake", "retention-ended")
ASKED_BY = ("data-subject", "controller", "authority", "court")
"""As `evidence.tombstone` has them."""


@click.group("evidence")
def evidence_group() -> None:
    """What was recorded, whether it holds, and a copy for others to check."""


@evidence_group.command("list")
@click.argument("model", required=False)
@output_options
@click.pass_obj
def list_(settings: Settings, model: str | None, format: str, output_file: tuple[str, ...]) -> None:
    """List the log's statements, oldest first; those about one MODEL where it is named."""
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef
    from aims_mlops.model.times import to_text
    from aims_mlops.views import terminal

    rows = api.list_evidence(settings.services(), None if model is None else ModelRef.parse(model))
    wire = [
        {
            "seq": row.seq,
            "digest": row.digest,
            "kind": row.kind,
            "model": row.model,
            "captured_at": None if row.captured_at is None else to_text(row.captured_at),
            "signed_by": row.signer,
            "says": row.says,
            "state": row.state,
        }
        for row in rows
    ]
    shown = [
        terminal.EvidenceRow(
            row.seq, row.captured_at, row.kind, row.model, row.says, row.signer or "-", row.digest, row.state
        )
        for row in rows
    ]
    answer(settings, wire=wire, table=terminal.evidence_table(shown), format=format, files=output_file)
    codes = {"tampered": ExitCode.UNVERIFIED, "hole": ExitCode.UNDECIDED}
    sys.exit(worst_exit_code([codes[row.state] for row in rows if row.state in codes]))


@evidence_group.command("show")
@click.argument("digest")
@click.pass_obj
def show(settings: Settings, digest: str) -> None:
    """Print one statement, found by the beginning of its DIGEST (8 digits or more)."""
    from aims_mlops import api

    statement = api.show(settings.services(), digest)
    click.echo(json.dumps(statement, indent=2, ensure_ascii=False))


@evidence_group.command("verify")
@click.argument("model", required=False)
@click.option("--pin", is_flag=True, help="Write the outside head anew: you looked, and nothing was cut off.")
@click.option(
    "--server-signer",
    "servers",
    multiple=True,
    metavar="PERSON",
    help="Where a server enforces: its id in aims.yaml. Only its decisions count then; repeatable.",
)
@output_options
@click.pass_obj
def verify(
    settings: Settings,
    model: str | None,
    pin: bool,
    servers: tuple[str, ...],
    format: str,
    output_file: tuple[str, ...],
) -> None:
    """Walk every leaf, open every statement, and digest MODEL's files again where it is named.

    MODEL named by a protected alias (income@champion) must have been put there by a decision that holds: what a deploy
    job asks.
    """
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef
    from aims_mlops.views.verification import verification_table, verification_wire

    services = settings.services()
    if pin:
        head = api.pin_head(services)
        click.echo(f"pinned the head at leaf {head.seq}: {head.digest}", err=True)
    ref = None if model is None else ModelRef.parse(model)
    found = api.verify(services) if ref is None else api.verify_live(services, ref, servers=servers)
    table = verification_table(found)
    answer(settings, wire=verification_wire(found), table=table, format=format, files=output_file)
    sys.exit(found.exit_code)


@evidence_group.command("erase")
@click.argument("digest")
@click.option("--reason", required=True, type=click.Choice(REASONS), help="Why: a word, and nothing personal.")
@click.option("--asked-by", required=True, type=click.Choice(ASKED_BY), help="Who asked for it: a role.")
@click.option("--basis", required=True, metavar="TEXT", help="The legal basis, e.g. GDPR Art. 17(1)(a).")
@output_options
@click.pass_obj
def erase(
    settings: Settings,
    digest: str,
    reason: str,
    asked_by: str,
    basis: str,
    format: str,
    output_file: tuple[str, ...],
) -> None:
    """Erase one statement for good, found by the beginning of its DIGEST; a signed tombstone takes its place.

    The leaf stays, and what was erased counts as missing. Only check results, records, incidents and intents can be
    erased; sign as somebody whom the policy trusts for `tombstone` (--as).
    """
    from aims_mlops import api
    from aims_mlops.views.erasing import erased_table, erased_wire

    done = api.erase(settings.services(), digest, api.Why(reason, asked_by, basis))
    answer(settings, wire=erased_wire(done), table=erased_table(done), format=format, files=output_file)


@evidence_group.command("export")
@click.argument("model")
@click.option("-o", "--output", "folder", required=True, type=click.Path(path_type=Path), help="A new or empty folder.")
@click.option(
    "--as",
    "forms",
    multiple=True,
    type=click.Choice(FORMS),
    help="Also in a form of other tools, signed by your key where it has to be signed anew; repeatable.",
)
@click.pass_obj
def export(settings: Settings, model: str, folder: Path, forms: tuple[str, ...]) -> None:
    """Write MODEL's envelopes, manifest, policy and the public keys into a folder, to check with openssl.

    --as test-result and slsa-vsa: the newest result of each check as in-toto test-result, the newest decision about
    each target as SLSA verification summary. --as model-signature: the files signed for OpenSSF's model_signing. --as
    sigstore: each envelope as a Sigstore bundle too.
    """
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef

    for path in api.export(settings.services(), ModelRef.parse(model), folder, forms=forms):
        click.echo(path)
