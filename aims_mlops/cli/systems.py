"""`aims systems`."""

from __future__ import annotations

from typing import Any

import click

from aims_mlops.cli.options import Settings, answer, moment, output_options


@click.group("systems")
def systems_group() -> None:
    """The AI-system register."""


@systems_group.command("list")
@output_options
@click.pass_obj
def list_(settings: Settings, format: str, output_file: tuple[str, ...]) -> None:
    """List the systems, their owners, risk class, models, and the newest decision about each."""
    from aims_mlops import api
    from aims_mlops.views import terminal

    entries = api.systems(settings.services())
    rows = [
        terminal.SystemRow(
            entry.system.id,
            entry.system.name,
            entry.system.owner,
            entry.system.risk_class,
            entry.system.models,
            entry.newest or "no decision yet",
        )
        for entry in entries
    ]
    wire = [_wire(entry) for entry in entries]
    answer(settings, wire=wire, table=terminal.systems_table(rows), format=format, files=output_file)


@systems_group.command("show")
@click.argument("system")
@click.option("--at", metavar="TIME", help="What stood then, by the log: a moment in UTC, or the end of a day.")
@output_options
@click.pass_obj
def show(settings: Settings, system: str, at: str | None, format: str, output_file: tuple[str, ...]) -> None:
    """Show one SYSTEM: its owner, what it is for, what must hold, and the newest decision.

    With --at, show what stood at each of its aliases, stages and names at that moment: under which policy, on which
    evidence and waivers, and who owned it. The log answers, not the registry.
    """
    from aims_mlops import api
    from aims_mlops.views import terminal

    if at is not None:
        from aims_mlops.views.then import then_table, then_wire

        then = api.system_then(settings.services(), system, moment(at, after=True))
        answer(settings, wire=then_wire(then), table=then_table(then), format=format, files=output_file)
        return
    entry = api.system(settings.services(), system)
    facts = [(name.replace("_", " "), _text(value)) for name, value in _wire(entry).items()]
    table = terminal.system_detail(entry.system.name, facts)
    answer(settings, wire=_wire(entry), table=table, format=format, files=output_file)


def _wire(entry: Any) -> dict[str, Any]:
    system = entry.system
    promotion = system.policy.promotion
    return {
        "id": system.id,
        "name": system.name,
        "number": system.number,
        "owner": system.owner,
        "deputy": system.deputy,
        "intended_purpose": system.intended_purpose,
        "risk_class": system.risk_class,
        "models": list(system.models),
        "protected": [
            *promotion.aliases,
            *(f"stage:{stage}" for stage in promotion.stages),
            *(f"name:{name}" for name in promotion.registered_models),
        ],
        "required": [spec.id for spec in (*system.policy.checks, *system.policy.records) if spec.required],
        "not_required": [spec.id for spec in (*system.policy.checks, *system.policy.records) if not spec.required],
        "policy_digest": str(system.policy.digest),
        "newest_decision": entry.newest,
    }


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
