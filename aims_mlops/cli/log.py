"""`aims log`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, Protocol, TypeVar

import click

from aims_mlops.cli.interrupting import interruptible
from aims_mlops.cli.options import Settings, answer, output_options
from aims_mlops.errors import AimsError, ExitCode, UsageError, worst_exit_code

_Made = TypeVar("_Made")


class _Placed(Protocol):
    """What is asked somewhere else, and where."""

    @property
    def place(self) -> str: ...  # said above


_Asked = TypeVar("_Asked", bound=_Placed)


@click.group("log")
def log_group() -> None:
    """The log as others can hold it to account: signed checkpoints, proofs, and witnesses."""


@log_group.command("checkpoint")
@click.option("--pin", is_flag=True, help="Write the checkpoint outside anew where it is gone: you looked.")
@output_options
@click.pass_obj
def checkpoint(settings: Settings, pin: bool, format: str, output_file: tuple[str, ...]) -> None:
    """Sign the log as it stands, with the key that `log:` in aims.yaml names.

    Every leaf is walked first, and the log must contain every checkpoint signed before: the last one is kept outside
    the database too. Exits with 4 where it does not, 5 where no leaf is new.
    """
    from aims_mlops import api, wiring
    from aims_mlops.views.checkpoints import checkpoint_table, checkpoint_wire

    services = settings.services()
    signer = wiring.signer(services.project, settings.person or api.identity(services).person)
    made = api.checkpoint(services, signer, pin=pin)
    answer(settings, wire=checkpoint_wire(made), table=checkpoint_table(made), format=format, files=output_file)


@log_group.command("verify")
@click.option(
    "--checkpoint",
    "brought",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A checkpoint that you kept yourself; repeatable.",
)
@click.option(
    "--against",
    "messages",
    multiple=True,
    type=click.File("rb"),
    metavar="FILE",
    help="A mail or another text with a checkpoint in it, - for standard input; repeatable.",
)
@click.option(
    "--git",
    "repositories",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A repository that checkpoints were committed to; repeatable.",
)
@output_options
@click.pass_obj
def verify(
    settings: Settings,
    brought: tuple[Path, ...],
    messages: tuple[BinaryIO, ...],
    repositories: tuple[Path, ...],
    format: str,
    output_file: tuple[str, ...],
) -> None:
    """Walk the log, compute its root anew, and hold its tiles and every kept checkpoint to it.

    Exits with 5 where all holds but nobody outside has seen any of it: no quorum of witnesses, and nothing of yours.
    """
    from aims_mlops import anchor_wiring, api
    from aims_mlops.views.checkpoints import log_table, log_wire

    services = settings.services()
    kept = {str(path): path.read_bytes() for path in brought}
    if messages or repositories:
        origin = api.identity(services).origin
        kept |= {file.name: api.pasted(file.read(), origin=origin) for file in messages}
        for folder in repositories:
            kept |= anchor_wiring.git_anchor(folder).checkpoints(origin)
    found = api.verify_checkpoints(services, kept)
    answer(settings, wire=log_wire(found), table=log_table(found), format=format, files=output_file)
    sys.exit(found.exit_code)


@log_group.command("timestamp")
@output_options
@click.pass_obj
def timestamp(settings: Settings, format: str, output_file: tuple[str, ...]) -> None:
    """Have the newest checkpoint time-stamped by every authority that `log: timestamps:` in aims.yaml names.

    Each answer is verified before it is kept, and by `aims log verify` from then on, offline. The extra `timestamp`
    has to be installed.
    """
    from aims_mlops import api
    from aims_mlops.views.anchors import stamps_table, stamps_wire

    services = settings.services()
    made, failed, code = _each(api.must_stamp(services), lambda asked: api.stamp_newest(services, asked))
    table, wire = stamps_table(made, failed), stamps_wire(made, failed, int(code))
    answer(settings, wire=wire, table=table, format=format, files=output_file)
    sys.exit(code)


@log_group.command("anchor")
@click.option(
    "--git",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Commit the newest checkpoint to this repository, and push it where a remote is set.",
)
@click.option("--send", "sending", is_flag=True, help="Send it to everybody whom `log: send:` in aims.yaml names.")
@output_options
@click.pass_obj
def anchor(settings: Settings, folder: Path | None, sending: bool, format: str, output_file: tuple[str, ...]) -> None:
    """Give the newest checkpoint away: commit it to a repository of others, mail it, or post it.

    Before a commit the log is held to every checkpoint that the repository ever had; exits with 4 where it was
    rewritten.
    """
    from aims_mlops import anchor_wiring, api
    from aims_mlops.views.anchors import given_table, given_wire

    services = settings.services()
    recipients = () if services.project.log is None else services.project.log.send
    if (folder is None and not sending) or (sending and not recipients):
        raise UsageError(
            "nowhere to give the checkpoint to" if not sending else "log: send: in aims.yaml names nobody",
            hint="aims log anchor --git DIR; or --send, with log: {send: [{url: https://…}]} in aims.yaml",
        )
    given = None if folder is None else api.give(services, anchor_wiring.git_anchor(folder))
    sent, failed, codes = [], {}, [ExitCode.OK]
    origin, signed = api.to_send(services)
    for recipient in recipients if sending else ():
        try:
            anchor_wiring.send_checkpoint(recipient, signed.note.to_bytes(), origin=origin, size=signed.size)
            sent.append(recipient.place)
        except AimsError as error:  # what was given away already is told, whatever is wrong with this one
            failed[recipient.place] = f"{error}"
            codes.append(error.exit_code)
    code = worst_exit_code(codes)
    table = given_table(given, sent, failed, signed.size)
    wire = given_wire(given, sent, failed, size=signed.size, code=int(code))
    answer(settings, wire=wire, table=table, format=format, files=output_file)
    sys.exit(code)


@log_group.command("prove")
@click.argument("digest")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The proof's file."
)
@output_options
@click.pass_obj
def prove(settings: Settings, digest: str, output: Path, format: str, output_file: tuple[str, ...]) -> None:
    """Prove that the statement with this DIGEST (8 digits or more) is in the log: a C2SP tlog-proof for offline use."""
    from aims_mlops import api
    from aims_mlops.views.checkpoints import proof_table, proof_wire

    made = api.prove_logged(settings.services(), digest)
    try:
        output.write_bytes(made.proof.to_bytes())
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror})", hint="name another file") from error
    file = str(output)
    answer(settings, wire=proof_wire(made, file), table=proof_table(made, file), format=format, files=output_file)


@log_group.command("witness")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--serve", metavar="HOST:PORT", help="Be a witness at this address, for logs of others.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Where it remembers what it saw.")
@click.option("--key", "person", metavar="PERSON", help="Whose Ed25519 key cosigns.")
@click.option("--name", help="Its name for others, a word without +  [default: aims-witness/PERSON].")
@click.option("--log", "logs", multiple=True, metavar="KEY", help="A log's verifier key; repeatable.")
@output_options
@click.pass_obj
def witness(
    settings: Settings,
    urls: tuple[str, ...],
    serve: str | None,
    state: Path | None,
    person: str | None,
    name: str | None,
    logs: tuple[str, ...],
    format: str,
    output_file: tuple[str, ...],
) -> None:
    """Show the newest checkpoint to the witnesses at these URLs, and keep what they cosign.

    With --serve, be such a witness, until interrupted: it cosigns a log that it knows as long as that only grows.
    """
    if serve is not None:
        if urls or state is None or person is None or not logs:
            raise UsageError(
                "--serve takes --state, --key and a --log, and no URL",
                hint="aims log witness --serve 127.0.0.1:8790 --state seen.json --key PERSON --log KEY",
            )
        _serve(settings, serve, state, person, name or f"aims-witness/{person}", logs)
        return
    if not urls or state or person or name or logs:
        raise UsageError("name the witnesses' URLs, or --serve", hint="aims log witness https://witness.example.org")
    _ask(settings, urls, format=format, output_file=output_file)


def _each(asked: Iterable[_Asked], ask: Callable[[_Asked], _Made]) -> tuple[list[_Made], dict[str, str], ExitCode]:
    """Ask each, whatever became of the others; return what they made, what failed by its place, and the exit code.

    What is wrong here, and not there, is raised.
    """
    made: list[_Made] = []
    failed: dict[str, str] = {}
    codes = [ExitCode.OK]
    for one in asked:
        try:
            made.append(ask(one))
        except AimsError as error:
            if error.exit_code in (ExitCode.USAGE, ExitCode.NOTHING):
                raise
            failed[one.place] = f"{error}" + (f" ({error.hint})" if error.hint else "")
            codes.append(error.exit_code)
    return made, failed, worst_exit_code(codes)


def _ask(settings: Settings, urls: tuple[str, ...], *, format: str, output_file: tuple[str, ...]) -> None:
    from aims_mlops import api, wiring
    from aims_mlops.views.checkpoints import cosigned_table, cosigned_wire

    services = settings.services()
    witnesses = [wiring.witness(url) for url in urls]
    made, failed, code = _each(witnesses, lambda asked: api.cosign_at(services, asked))
    table, wire = cosigned_table(made, failed), cosigned_wire(made, failed, int(code))
    answer(settings, wire=wire, table=table, format=format, files=output_file)
    sys.exit(code)


def _serve(settings: Settings, address: str, state: Path, person: str, name: str, logs: tuple[str, ...]) -> None:
    from aims_mlops import wiring

    key, served = wiring.be_witness(settings.project(), person, name=name, state=state, logs=logs, address=address)
    stop: SimpleQueue[None] = SimpleQueue()
    with interruptible(lambda: stop.put(None)), served as port:
        click.echo(key)
        sys.stdout.flush()
        wiring.say(f"witness {name} listens at port {port}; it is trusted by the key above")
        stop.get()
    wiring.say("witness stopped")
