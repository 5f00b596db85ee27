"""Refusals that several handlers share: names that can be taken for others, and what a governed model must not be."""

from __future__ import annotations

from typing import NoReturn

from aims_mlops.model.decision import Refusal
from aims_mlops.model.subject import Target
from aims_mlops_hooks.mlflow.guard.judging import Call, Gatekeeper, Guard, workspace

OTHER_NAME = "choose a name that nobody can take for it, or let a system of the register claim this one too"
"""What to do about a registered model whose name can be taken for another."""

_SHOWN = 200


def refuse(guard: Guard, call: Call, tried: tuple[str, Target | None], reason: str, hint: str) -> NoReturn:
    """Refuse a call and record that; `tried` is the act and its target."""
    model = (call.arguments["name"] if "name" in call.arguments else call.arguments["dst_name"]) or ""
    guard.refuse(call, Refusal(str(model), *tried, reason, hint, workspace()))


def refuse_look_alike(guard: Guard, call: Call, name: str, target: Target) -> None:
    """Refuse an alias or stage that can be taken for a protected one, or that a look-alike of a model would get."""
    found = guard.ask(call, lambda keeper: keeper.resembles(name, target))
    if found is not None:
        shown = f"the {target.kind} {target.value!a}" if found.startswith("the protected") else f"the name {name!a}"
        hint = "write the protected one as it is, or choose one that nobody can take for it"
        refuse(guard, call, (target.kind, target), f"{shown} looks like {found}", hint)


def look_alike_name(guard: Guard, call: Call, name: str, *, registers: bool = False) -> str | None:
    """Say in a sentence what a registered model's name can be taken for; None for nothing.

    A call that `registers` a model is not stopped in a client whose policy cannot be read.
    """
    if not name:
        return None

    def question(keeper: Gatekeeper) -> str | None:
        return keeper.resembles(name, None)

    found = guard.ask_registering(call, question, None) if registers else guard.ask(call, question)
    return None if found is None else f"the name {name[:_SHOWN]!a} looks like {found}"
