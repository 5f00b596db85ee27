"""Registered models and versions: creating, copying, renaming and deleting them."""

from __future__ import annotations

from typing import Any

from aims_mlops.model.subject import Target
from aims_mlops_hooks.mlflow.guard.context import unguarded
from aims_mlops_hooks.mlflow.guard.judged import Judged
from aims_mlops_hooks.mlflow.guard.judging import Call, Guard
from aims_mlops_hooks.mlflow.guard.reading import (
    Held,
    exists,
    is_prompt,
    numbers,
    origin,
    stage_of,
    standing,
    tagged_as_prompt,
)
from aims_mlops_hooks.mlflow.guard.refusing import OTHER_NAME, look_alike_name, refuse
from aims_mlops_hooks.mlflow.guard.tags import PROMPT, copied_without_reserved, refuse_prompt_tag, without_reserved


def create_model(guard: Guard, call: Call) -> Any:
    """Refuse look-alikes, and in a client a new protected name, where an empty model would stay behind.

    A server sees a copy as two calls, of which this is the first: an empty model is let in there, since nothing can be
    loaded from it and each version that is to come is judged.
    """
    name, call = call.text("name"), without_reserved(call)
    alike = look_alike_name(guard, call, name, registers=True)
    protected = alike is None and not guard.server and _registers_into_protected(guard, call, name)
    if (alike or protected) and not exists(call.store, name):
        reason = alike or f"the name {name!r} is protected, and a new model there has no checked version"
        hint = OTHER_NAME if alike else f"aims promote NAME/VERSION --to name:{name}"
        refuse(guard, call, ("create", Target("name", name)), reason, hint)
    keys = [tag.key for tag in call.arguments["tags"] or ()]
    refuse_prompt_tag(guard, call, name, keys, act="create", registers=True)
    return guard.carry_out(call)


def create_version(guard: Guard, call: Call) -> Any:
    """Judge a version of a protected name by the registered version that it is made from; there is no other way in."""
    name, source, call = call.text("name"), call.arguments["source"], without_reserved(call)
    keys = [tag.key for tag in call.arguments["tags"] or ()]
    refuse_prompt_tag(guard, call, name, keys, act="create", registers=True)
    if (alike := look_alike_name(guard, call, name, registers=True)) is not None:
        refuse(guard, call, ("create", Target("name", name)), alike, OTHER_NAME)
    made_from = origin(source)
    if made_from is not None and guard.protects_name(call, name):
        with guard.promotion(call, *_one(made_from), Target("name", name)) as judged:
            return _copied(guard, call, judged, name)
    if made_from is None and _registers_into_protected(guard, call, name):
        reason = f"the name {name!r} is protected, and {str(source)[:200]!r} is no registered version (models:/name/3)"
        hint = f"register the model under an unprotected name, then aims promote NAME/VERSION --to name:{name}"
        refuse(guard, call, ("create", Target("name", name)), reason, hint)
    version = guard.carry_out(call)
    if not is_prompt(source):
        guard.registered(call, version)
    return version


def copy_version(guard: Guard, call: Call) -> Any:
    """Judge a copy by its source version, before anything is created."""
    source, name, call = call.arguments["src_mv"], call.text("dst_name"), copied_without_reserved(call)
    if (alike := look_alike_name(guard, call, name)) is not None:
        refuse(guard, call, ("copy", Target("name", name)), alike, OTHER_NAME)
    refuse_prompt_tag(guard, call, name, source.tags or (), act="copy")
    if guard.protects_name(call, name):
        with guard.promotion(call, source.name, [source.version], Target("name", name)) as judged:
            return _copied(guard, call, judged, name)
    version = guard.carry_out(call)
    if not is_prompt(source.source):
        guard.registered(call, version)
    return version


def _copied(guard: Guard, call: Call, judged: Judged, name: str) -> Any:
    # MLflow's own method tries again by itself where two versions are made at once: no transaction of ours fits round.
    return judged.checked_after(
        call.store,
        lambda: guard.carry_out(call),
        undo=lambda made: call.store.delete_model_version(name, made.version),
    )


def rename(guard: Guard, call: Call) -> Any:
    """Judge a rename by all that moves along: the name itself, aliases, stages, tags, and every version."""
    old, new = call.text("name"), call.text("new_name")
    if not old or not new:
        return guard.carry_out(call)
    if (alike := look_alike_name(guard, call, new)) is not None:
        refuse(guard, call, ("rename", Target("name", new)), alike, OTHER_NAME)
    old = call.store.get_registered_model(old).name
    if guard.protects_name(call, old):
        reason = f"{old!r} is a protected name, and what was promoted into it would leave it"
        hint = "copy the version that you need under another name"
        refuse(guard, call, ("rename", Target("name", old)), reason, hint)
    governed = guard.governs(call, new)
    for held in standing(call.store, old):
        target, prompt = held.target, not governed and _is_free_prompt(guard, call, old, held)
        if not prompt and (guard.protects(call, old, target) or guard.protects(call, new, target)):
            reason = f"{old!r} holds the protected {target.kind} {target.value!r}, which would move along to {new!r}"
            hint = f"remove the {target.kind}, rename, and promote again: aims promote {new}/VERSION --to {target}"
            refuse(guard, call, ("rename", target), reason, hint)
    if governed and tagged_as_prompt(call.store, old):
        reason = f"{old!r} or a version of it has the tag {PROMPT}, which would make the aliases of {new!r} unreadable"
        refuse(guard, call, ("rename", Target("name", new)), reason, "delete that tag first")
    return _rename_into_protected(guard, call) if guard.protects_name(call, new) else _rename(guard, call)


def _rename(guard: Guard, call: Call) -> Any:
    """Rename, and take it back where something protected moved along that came there while the guard looked."""
    old, new = call.text("name"), call.text("new_name")
    before = {held.target for held in standing(call.store, old)}
    result = guard.carry_out(call)
    came = [held for held in standing(call.store, new) if held.target not in before]
    for target in (held.target for held in came):
        if guard.protects(call, old, target) or guard.protects(call, new, target):
            with unguarded():
                call.store.rename_registered_model(new, old)
            reason = f"{old!r} was given the protected {target.kind} {target.value!r} while it was renamed to {new!r}"
            refuse(guard, call, ("rename", target), reason, f"remove the {target.kind}, then rename")
    return result


def _rename_into_protected(guard: Guard, call: Call) -> Any:
    old, new = call.text("name"), call.text("new_name")
    found = numbers(call.store, old)
    if not found:
        reason, hint = f"{old!r} has no version, and {new!r} is protected", f"aims promote NAME/VERSION --to name:{new}"
        refuse(guard, call, ("rename", Target("name", new)), reason, hint)
    with guard.promotion(call, old, found, Target("name", new)) as judged:
        return judged.together(
            call.store,
            lambda: guard.carry_out(call),
            undo=lambda: call.store.rename_registered_model(new, old),
            now=new,
            whole=True,
        )


def delete_model(guard: Guard, call: Call) -> Any:
    """Refuse to delete a model while it is promoted: by its aliases and stages, or by its very name."""
    name = call.text("name")
    if not name:
        return guard.carry_out(call)
    name = call.store.get_registered_model(name).name  # a database that ignores case finds it under another spelling
    for held in standing(call.store, name):
        _refuse_while_promoted(guard, call, name, held)
    if guard.protects_name(call, name) and numbers(call.store, name):
        _refuse_in_protected_name(guard, call, name)
    return guard.carry_out(call)


def delete_version(guard: Guard, call: Call) -> Any:
    """Refuse to delete a version while it is promoted."""
    name = call.text("name")
    if not name:
        return guard.carry_out(call)
    version = call.store.get_model_version(name, call.arguments["version"])
    name = version.name
    targets = [Target("alias", str(getattr(alias, "alias", alias))) for alias in version.aliases or ()]
    targets += [stage for stage in [stage_of(version)] if stage is not None]
    for target in targets:
        _refuse_while_promoted(guard, call, name, Held(target, str(version.version)))
    if guard.protects_name(call, name):
        _refuse_in_protected_name(guard, call, name)
    return guard.carry_out(call)


def _refuse_while_promoted(guard: Guard, call: Call, name: str, held: Held) -> None:
    target = held.target
    if not guard.protects(call, name, target) or _is_free_prompt(guard, call, name, held):
        return
    reason = f"{name}/{held.version} holds the protected {target.kind} {target.value!r}"
    how = "delete the alias" if target.kind == "alias" else "move the version to another stage"
    refuse(guard, call, ("delete", target), reason, f"take it out of there first ({how}), then delete it")


def _refuse_in_protected_name(guard: Guard, call: Call, name: str) -> None:
    reason = f"{name!r} is a protected name: what is in there was promoted, and is in use"
    hint = "let the policy protect that name no longer (promotion: registered_models), then delete it"
    refuse(guard, call, ("delete", Target("name", name)), reason, hint)


def _is_free_prompt(guard: Guard, call: Call, name: str, held: Held) -> bool:
    return guard.leaves_prompts(call, name) and is_prompt(call.store.get_model_version(name, held.version).source)


def _registers_into_protected(guard: Guard, call: Call, name: str) -> bool:
    if not name:
        return False
    return guard.ask_registering(call, lambda keeper: keeper.protects(name, Target("name", name)), unknown=False)


def _one(made_from: tuple[str, str]) -> tuple[str, list[str]]:
    return made_from[0], [made_from[1]]
