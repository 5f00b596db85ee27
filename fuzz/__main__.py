"""`python -m fuzz [--seconds N] [TARGET…]`, or `--replay FILE…` for inputs that were kept."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from fuzz.search import has_atheris, with_atheris, with_hypothesis
from fuzz.target import Target, judge
from fuzz.targets import TARGETS

LEAST_FOR_ATHERIS = 5
"""Seconds below which starting atheris is not worth it."""


def _chosen(names: Sequence[str]) -> list[Target]:
    known = [target.name for target in TARGETS]
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(f"there is no target {unknown[0]!r}; there are {', '.join(known)}")
    return [target for target in TARGETS if not names or target.name in names]


def _replay(files: Sequence[Path]) -> None:
    for path in files:
        (target,) = _chosen([re.sub(r"-[0-9a-f]{12}$", "", path.name)])
        taken = judge(target, path.read_bytes())
        click.echo(f"{path.name}: {'taken' if taken else 'refused'}")


@click.command()
@click.option("--seconds", default=20.0, show_default=True, help="How long in all.")
@click.option("--replay", is_flag=True, help="The arguments are files that a search kept.")
@click.argument("names", nargs=-1, metavar="[TARGET]...")
def main(seconds: float, replay: bool, names: tuple[str, ...]) -> None:  # noqa: FBT001  # click hands it over
    """Attack the parsers for a bounded time. Ends with an error as soon as one breaks."""
    if replay:
        _replay([Path(name) for name in names])
        return
    targets = _chosen(names)
    guided = int(seconds / 2) if has_atheris() and seconds / 2 >= LEAST_FOR_ATHERIS else 0
    start = time.time_ns() % 10**9
    for target in targets:
        tally = with_hypothesis(target, (seconds - guided) / len(targets), start=start)
        click.echo(f"{target.name:12} {tally.seen:8} inputs, {tally.taken:6} taken, held")
    if not guided:
        click.echo("atheris      not used: " + ("too short a time" if has_atheris() else "it is not installed"))
        return
    held, said = with_atheris(targets, guided)
    runs = re.findall(r"(?m)^(?:#|Done )([0-9]+)", said)
    click.echo(f"atheris      {runs[-1] if runs else '?':>8} inputs, {'held' if held else 'BROKEN'}")
    if not held:
        click.echo(said[-4000:], err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
