"""`aims watch`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import click

from aims_mlops.cli.interrupting import interruptible
from aims_mlops.cli.options import Settings, answer, output_options
from aims_mlops.errors import AimsError, UsageError

if TYPE_CHECKING:
    from aims_mlops.api import Services, WatchReport
    from aims_mlops.model.bypass import Bypass
    from aims_mlops.model.digest import Digest
    from aims_mlops.ports import Signer


_STOP, _LOOK = "stop", "look"


def _span(_context: click.Context, _option: click.Parameter, given: str) -> timedelta:
    from aims_mlops.model.times import duration

    try:
        span = duration(given)
    except ValueError as error:
        raise UsageError(f"--every: {error}") from error
    if span < timedelta(seconds=1):
        raise UsageError("--every 0s would never rest", hint="5m is the default")
    return span


@click.command("watch")
@click.option("--once", is_flag=True, help="Look once and answer; else look until interrupted.")
@click.option("--enforce", is_flag=True, help="Put back what was promoted before, or take away what never was.")
@click.option(
    "--every", default="5m", show_default=True, callback=_span, metavar="SPAN", help="Time between two looks."
)
@click.option(
    "--server-signer",
    "servers",
    multiple=True,
    metavar="PERSON",
    help="Where a server enforces: its id in aims.yaml. Only its decisions count then; repeatable.",
)
@click.option("--listen", metavar="HOST:PORT", help="Also look whenever a signed webhook of the registry arrives here.")
@click.option("--secret-file", type=click.Path(path_type=Path), help="The webhook's secret, in a file of mode 0600.")
@output_options
@click.pass_obj
def watch_command(
    settings: Settings,
    once: bool,
    enforce: bool,
    every: timedelta,
    servers: tuple[str, ...],
    listen: str | None,
    secret_file: Path | None,
    format: str,
    output_file: tuple[str, ...],
) -> None:
    """Compare the registry with the log, and find what went round the gate.

    Each finding is signed and recorded once, and told to the addresses in AIMS_NOTIFY. Exits with 0 where everything
    holds, 4 where something went round the gate, 3 where it could not look, 5 where nothing is protected.
    """
    from aims_mlops.views.watching import watch_table, watch_wire

    watcher = _Watcher(settings, enforce=enforce, servers=servers)
    if (listen is None) != (secret_file is None) or (once and listen):
        raise UsageError(
            "--listen and --secret-file go together, and not with --once",
            hint="aims watch --listen 127.0.0.1:8787 --secret-file webhook.secret",
        )
    if once:
        report = watcher.look()
        table = watch_table(report)
        answer(settings, wire=watch_wire(report), table=table, format=format, files=output_file)
        sys.exit(report.exit_code)
    if format != "table" or output_file:
        raise UsageError("--format and --output-file are for --once", hint="without it each look is a line on stderr")
    _keep_looking(watcher, every, listen=listen, secret_file=secret_file)


@dataclass
class _Watcher:
    """Looks again and again, with aims.yaml as it is at each look, and one signer for all of them."""

    settings: Settings
    enforce: bool
    servers: tuple[str, ...]
    signer: Signer | None = None
    untold: list[Bypass] = field(default_factory=list)
    known: set[Digest] = field(default_factory=set)

    def look(self) -> WatchReport:
        from aims_mlops import api

        services = self._services()
        strange = [id_ for id_ in self.servers if services.project.person(id_) is None]
        if strange:
            people = ", ".join(person.id for person in services.project.people)
            raise UsageError(f"--server-signer: aims.yaml names no person {strange[0]!r}", hint=f"it names {people}")
        report = api.watch(services, enforce=self.enforce, servers=self.servers)
        self._tell(report)
        return report

    def _services(self) -> Services:
        services = self.settings.services()

        def one_signer() -> Signer:
            if self.signer is None:  # a passphrase is asked for once, not at every look
                self.signer = services.signer()
            return self.signer

        return replace(services, signer=one_signer)

    def _tell(self, report: WatchReport) -> None:
        """Tell people once of each new finding; what nobody could be told of is told again at the next look."""
        from aims_mlops import wiring
        from aims_mlops.views.watching import watch_message

        self.untold += [found for found in report.fresh if found.id not in self.known]
        self.known.update(found.id for found in report.fresh)
        notifier = wiring.notifier() if self.untold else None
        if notifier is None:
            self.untold.clear()
            return
        try:
            notifier.notify(*watch_message(self.untold))
            self.untold.clear()
        except AimsError as error:
            _say(f"nobody was told: {error}" + (f" ({error.hint})" if error.hint else ""))


def _keep_looking(watcher: _Watcher, every: timedelta, *, listen: str | None, secret_file: Path | None) -> None:
    from aims_mlops import wiring

    wake: SimpleQueue[str] = SimpleQueue()
    if listen is not None and secret_file is not None:
        listener = wiring.listener(listen, secret_file, lambda: wake.put(_LOOK))
    else:
        listener = nullcontext(0)
    with interruptible(lambda: wake.put(_STOP)), listener as port:
        if port:
            _say(f"listening at port {port}")
        stop = False
        while not stop:
            _one_line(watcher)
            stop = _wait(wake, every)
    _say("stopped")


def _wait(wake: SimpleQueue[str], every: timedelta) -> bool:
    """Wait for the next look; return whether to stop. However many deliveries came during a look, one follows."""
    told: list[str] = []
    try:
        told.append(wake.get(timeout=every.total_seconds()))
        while True:
            told.append(wake.get_nowait())
    except Empty:
        return _STOP in told


def _one_line(watcher: _Watcher) -> None:
    from aims_mlops.views.watching import watch_line

    try:
        report = watcher.look()
    except AimsError as error:  # the next look may succeed: an alarm does not go home because the phone was engaged
        _say(f"COULD NOT LOOK: {error}")
        return
    _say(watch_line(report))
    for found in report.fresh:
        done = f" [{found.done}]" if found.done else ""
        _say(f"  {found.word.value}: {found.seen}; {found.logged}{done}")
    for notice in report.notices:
        _say(f"  {notice}")


def _say(text: str) -> None:
    click.echo(f"aims watch: {text}", err=True)
