"""Aliases and stages: reaching a protected one is a promotion, leaving it is recorded."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from aims_mlops.model import names
from aims_mlops.model.subject import Target
from aims_mlops_hooks.mlflow.guard.judging import Call, Guard
from aims_mlops_hooks.mlflow.guard.reading import Held, in_stage, is_prompt, stage_of
from aims_mlops_hooks.mlflow.guard.refusing import refuse_look_alike


def set_alias(guard: Guard, call: Call) -> Any:
    """Judge a protected alias; refuse one that can be taken for it."""
    name, alias = call.text("name"), call.text("alias")
    if not alias or not name:
        return guard.carry_out(call)  # No target; MLflow itself refuses it.
    target = Target("alias", alias)
    refuse_look_alike(guard, call, name, target)
    if not guard.protects(call, name, target):
        return guard.carry_out(call)
    number, call = _normalised(guard, call)
    if _is_free_prompt(guard, call, name, number):
        return guard.carry_out(call)
    with guard.promotion(call, name, [number], target) as judged:
        # The alias goes, also where it stood on another version before: that one is gone with the model.
        return judged.together(
            call.store,
            lambda: guard.carry_out(call),
            undo=lambda: call.store.delete_registered_model_alias(name, alias),
        )


def delete_alias(guard: Guard, call: Call) -> Any:
    """Let a protected alias be taken away, and record it. Which databases take for the same is asked about as well."""
    name, alias = call.text("name"), call.text("alias")
    if not alias or not name:
        return guard.carry_out(call)
    model = call.store.get_registered_model(name)
    same = [one for one in model.aliases or () if names.folded(one) == names.folded(alias)]
    # As written if it is there; else the one that a database which ignores case would delete.
    for one in sorted(same, key=lambda one: one != alias)[:1]:
        held = Held(Target("alias", one), str(model.aliases[one]))
        if _was_promoted(guard, call, model.name, held):
            with guard.removal(call, model.name, [held.version], held.target):
                return guard.carry_out(call)
    return guard.carry_out(call)


def set_stage(guard: Guard, call: Call) -> Any:
    """Judge a protected stage; record which versions leave one, by moving on or by being archived."""
    name, stage = call.text("name"), call.text("stage")
    if not stage or not name:
        return guard.carry_out(call)
    target = Target("stage", stage)
    refuse_look_alike(guard, call, name, target)
    if guard.protects(call, name, target):
        number, call = _normalised(guard, call)
        if not _is_free_prompt(guard, call, name, number):
            return _promote_to_stage(guard, call, number, target)
    version = call.store.get_model_version(name, call.arguments["version"])
    before, number = stage_of(version), str(version.version)
    if before is None or before.value.casefold() == stage.casefold():
        return guard.carry_out(call)
    if not _was_promoted(guard, call, version.name, Held(before, number)):
        return guard.carry_out(call)
    with guard.removal(call, version.name, [number], before):
        return guard.carry_out(call)


def _promote_to_stage(guard: Guard, call: Call, number: str, target: Target) -> Any:
    name = call.text("name")

    def undo() -> None:
        call.store.transition_model_version_stage(name, number, "None", False)  # noqa: FBT003  # MLflow's order

    with guard.promotion(call, name, [number], target) as judged, ExitStack() as leaving:
        for left, versions in _left_behind(guard, call, number, target):
            leaving.enter_context(guard.removal(call, name, versions, left))
        return judged.together(call.store, lambda: guard.carry_out(call), undo)


def _left_behind(guard: Guard, call: Call, number: str, target: Target) -> list[tuple[Target, list[str]]]:
    """Return which protected stages are left by a transition: the version's own, and that of those it archives."""
    name, left = call.text("name"), []
    before = stage_of(call.store.get_model_version(name, number))
    moved = before is not None and before.value.casefold() != target.value.casefold()
    if before is not None and moved and _was_promoted(guard, call, name, Held(before, number)):
        left.append((before, [number]))
    if call.arguments["archive_existing_versions"]:
        archived = [other for other in in_stage(call.store, name, target.value) if other != number]
        left += [(target, archived)] if archived else []
    return left


def _was_promoted(guard: Guard, call: Call, name: str, held: Held) -> bool:
    """Whether leaving this is to be recorded. A policy that cannot be read does not keep a version in production."""
    if not guard.ask_leniently(call, lambda keeper: keeper.protects(name, held.target), unknown=False):
        return False
    return not _is_free_prompt(guard, call, name, held.version)


def _is_free_prompt(guard: Guard, call: Call, name: str, number: str) -> bool:
    return guard.leaves_prompts(call, name) and is_prompt(call.store.get_model_version(name, number).source)


def _normalised(guard: Guard, call: Call) -> tuple[str, Call]:
    """Return the version's number, and the call with that in place of `+1` or ` 1`."""
    number = guard.ask(call, lambda _: call.number())
    version = call.arguments["version"]
    return number, call if isinstance(version, int) else call.given(version=number)
