"""`aims pack`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aims_mlops.cli.options import Settings, answer, moment, output_options
from aims_mlops.errors import UsageError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PACK = click.Path(exists=True, path_type=Path)
_trust = click.option(
    "--trust", multiple=True, type=_FILE, metavar="FILE", help="What `aims pack trust` wrote; repeatable."
)


@click.group("pack")
def pack_group() -> None:
    """Evidence for an auditor: a folder that verifies offline, without this software."""


@pack_group.command("build")
@click.argument("system")
@click.option("--from", "start", required=True, metavar="DATE", help="The first day, or moment, in UTC.")
@click.option("--to", "end", required=True, metavar="DATE", help="The last day, or the moment before which, in UTC.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder, or a file that ends in .zip."
)
@click.option("--checkpoint", "brought", multiple=True, type=_FILE, metavar="FILE", help="Another one; repeatable.")
@output_options
@click.pass_obj
def build(
    settings: Settings,
    system: str,
    start: str,
    end: str,
    output: Path,
    brought: tuple[Path, ...],
    format: str,
    output_file: tuple[str, ...],
) -> None:
    """Pack all that is recorded of one SYSTEM in a period, and sign its index.

    Older statements that it rests on are in it too. Sign a checkpoint before (`aims log checkpoint`), and have it
    witnessed, so that the pack proves that its statements are in the log.
    """
    from aims_mlops import api, pack_wiring
    from aims_mlops.views.packing import pack_table, pack_wire

    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is there already: a pack never overwrites", hint="name a new folder or ZIP file")
    period = moment(start), moment(end, after=True)
    notes = [path.read_bytes() for path in brought]
    made = api.build_pack(settings.services(), system, *period, brought=notes)
    pack_wiring.write_pack(output, made.files)
    place = str(output)
    answer(settings, wire=pack_wire(made, place), table=pack_table(made, place), format=format, files=output_file)


@pack_group.command("trust")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file [default: stdout].")
@click.pass_obj
def trust(settings: Settings, output: Path | None) -> None:
    """Write whom a reader of packs believes, by aims.yaml: keys, what each may sign, the log and its witnesses.

    It has to reach the auditor by another way than the pack, or its SHA-256 has to. No pack has it.
    """
    from aims_mlops import api

    content = api.pack_trust(settings.services()).to_bytes()
    if output is None:
        sys.stdout.write(content.decode())
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror})", hint="name another file") from error
    from aims_mlops.model.digest import Digest

    click.echo(f"{Digest.of(content).hex}  {output}")


@pack_group.command("verify")
@click.argument("pack", type=_PACK)
@_trust
@click.option(
    "--checkpoint", "brought", multiple=True, type=_FILE, metavar="FILE", help="One that you kept yourself; repeatable."
)
@output_options
@click.pass_obj
def verify(
    settings: Settings,
    pack: Path,
    trust: tuple[Path, ...],
    brought: tuple[Path, ...],
    format: str,
    output_file: tuple[str, ...],
) -> None:
    """Verify a PACK, a folder or a ZIP file. Needs no aims.yaml, no store and no network.

    VALID exits with 0, or 5 where nobody outside has seen any of it (unwitnessed); INVALID with 4; INCOMPLETE, and a
    pack without --trust, with 3.
    """
    from aims_mlops import pack_wiring
    from aims_mlops.views.packing import report_table, report_wire

    kept = {str(path): path.read_bytes() for path in brought}
    found = pack_wiring.verify_at(pack, pack_wiring.trust_from(trust), brought=kept)
    place = str(pack)
    answer(settings, wire=report_wire(found, place), table=report_table(found, place), format=format, files=output_file)
    sys.exit(found.exit_code)


@pack_group.command("compare")
@click.argument("old", type=_PACK)
@click.argument("new", type=_PACK)
@_trust
@output_options
@click.pass_obj
def compare(
    settings: Settings, old: Path, new: Path, trust: tuple[Path, ...], format: str, output_file: tuple[str, ...]
) -> None:
    """Verify two packs of one system, and hold the OLD one to the NEW one.

    What both periods cover has to be in both, and a checkpoint of the old one among those of the new one.
    """
    from aims_mlops import pack_wiring
    from aims_mlops.evidence.pack_compare import compare_packs
    from aims_mlops.views.packing import comparison_table, comparison_wire

    believed = pack_wiring.trust_from(trust)
    found = compare_packs(pack_wiring.verify_at(old, believed), pack_wiring.verify_at(new, believed))
    wire = comparison_wire(found, str(old), str(new))
    table = comparison_table(found, str(old), str(new))
    answer(settings, wire=wire, table=table, format=format, files=output_file)
    sys.exit(found.exit_code)
