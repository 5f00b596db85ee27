"""Tags: those that a server keeps to itself, and the one that hides a model's aliases."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from aims_mlops.model import names
from aims_mlops_hooks.mlflow.guard.judging import Call, Guard
from aims_mlops_hooks.mlflow.guard.refusing import look_alike_name, refuse

RESERVED = "aims."
"""What the keys of our own tags begin with. They point people to evidence; nothing ever decides from one."""

PROMPT = "mlflow.prompt.is_prompt"
"""The tag that makes a registered model or version a prompt in MLflow's eyes. MLflow's own constant, by a test."""


def is_reserved(key: str) -> bool:
    """Whether a tag's key begins as ours do, to a database or, where it is not plain ASCII, to the eye."""
    if names.folded(key).startswith(RESERVED):
        return True
    return not names.is_plain(key) and names.skeleton(key).startswith(names.skeleton(RESERVED))


def is_prompt_key(key: str) -> bool:
    """Whether a tag's key is the prompt tag, as MLflow or a database compares it."""
    return names.folded(key) == PROMPT


def set_tag(guard: Guard, call: Call) -> Any:
    """Refuse the prompt tag on a governed model or its versions: no alias of it could be read any more."""
    refuse_prompt_tag(guard, call, call.text("name"), [call.arguments["tag"].key], act="tag")
    return guard.carry_out(call)


def set_tag_at_server(guard: Guard, call: Call) -> Any:
    """Refuse reserved tags from whoever calls; the server writes its own unguarded. Then as `set_tag`."""
    _refuse_reserved(guard, call, str(call.arguments["tag"].key))
    return set_tag(guard, call)


def delete_tag_at_server(guard: Guard, call: Call) -> Any:
    """Refuse to delete reserved tags. The prompt tag may go: that mends a model."""
    _refuse_reserved(guard, call, call.text("key"))
    return guard.carry_out(call)


def refuse_prompt_tag(
    guard: Guard, call: Call, name: str, keys: Iterable[str], *, act: str, registers: bool = False
) -> None:
    """Refuse the prompt tag among keys where a policy speaks about the model."""
    if not name or not any(is_prompt_key(str(key)) for key in keys):
        return
    governed = guard.governs_leniently(call, name) if registers else guard.governs(call, name)
    # A database that ignores case would write it on the model that this one looks like.
    if governed or look_alike_name(guard, call, name, registers=registers) is not None:
        reason = f"the tag {PROMPT} on {name!r}, which a policy governs, would make its aliases unreadable"
        refuse(guard, call, (act, None), reason, "register the prompt under a name that no system claims")


def without_reserved(call: Call) -> Call:
    """Return a creating call without reserved tags: a copy brings those of its source, and its verdict with them."""
    tags = call.arguments["tags"]
    if not any(is_reserved(str(tag.key)) for tag in tags or ()):
        return call
    return call.given(tags=[tag for tag in tags if not is_reserved(str(tag.key))])


def copied_without_reserved(call: Call) -> Call:
    """Return a copying call whose source version shows no reserved tags."""
    source = call.arguments["src_mv"]
    if not any(is_reserved(str(key)) for key in source.tags or ()):
        return call
    bare = copy.copy(source)
    bare._tags = {key: value for key, value in source.tags.items() if not is_reserved(str(key))}  # noqa: SLF001  # the property has no setter
    return call.given(src_mv=bare)


def _refuse_reserved(guard: Guard, call: Call, key: str) -> None:
    if is_reserved(key):
        reason = f"tags that begin with {RESERVED!r} are the server's own, and {key[:200]!a} is one of them"
        refuse(guard, call, ("tag", None), reason, "write under another key")
