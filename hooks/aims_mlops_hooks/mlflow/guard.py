"""The guard on MLflow's registry calls: which calls promote, who is asked, and how a refusal looks.

It knows the names and parameters of the methods of MLflow's abstract registry store, and no particular store: the same
guard sits before a store in a client and in a server. Only the outermost guarded call is judged, since MLflow's stores
call each other's methods (a copy creates; a subclass calls the class that it extends).
"""

from __future__ import annotations

import functools
import inspect
import logging
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Protocol

from aims_mlops.errors import AimsError, UsageError
from aims_mlops.model.decision import Refusal
from aims_mlops.model.subject import ModelRef, ModelVersion, Target

_logger = logging.getLogger(__name__)
_inside: ContextVar[bool] = ContextVar("aims_inside_guarded_call", default=False)
_acting: ContextVar[tuple[str, str, str, str] | None] = ContextVar("aims_acting", default=None)


class Gatekeeper(Protocol):
    """Decides about promotions and runs the checks on registration. The core provides it."""

    def protects(self, name: str, target: Target) -> bool:
        """Whether reaching the target is a promotion.

        `name` is the registered model that is spoken of. For a target of kind `name` it is that name itself, and the
        answer is yes where any system's policy protects it, since the model that moves in may belong to any system.
        """
        ...

    def claims(self, name: str) -> bool:
        """Whether a system of the register claims the model."""
        ...

    def promotion(self, name: str, versions: Sequence[str], target: Target) -> AbstractContextManager[object]:
        """Return a `with` that decides about all versions on entry and records on leaving what its body then did.

        On entry raises an `AimsError` whose text is the whole readable refusal.
        """
        ...

    def refused(self, refusal: Refusal) -> str:
        """Record a call that is refused whatever the evidence says; say where, or why not. Never raises for that."""
        ...

    def registered(self, name: str, version: str) -> None:
        """Run the checks for a version that was just registered. Never raises."""
        ...


@dataclass(frozen=True)
class Call:
    """One call of a store's method: its arguments by name, and `proceed`, which carries it out."""

    store: Any
    arguments: Mapping[str, Any]
    proceed: Callable[[], Any]

    def text(self, name: str) -> str:
        """Return an argument as text without surrounding space, in compatibility form (NFKC)."""
        return unicodedata.normalize("NFKC", str(self.arguments[name])).strip()

    def number(self, name: str = "version") -> str:
        """Return a version as its plain number; refuse what is none."""
        return version_number(self.arguments[name])

    @property
    def registry(self) -> str | None:
        """The URI of the registry that is called, with password; None where the store does not say."""
        credentials = getattr(self.store, "get_host_creds", None)
        if credentials is not None:
            return str(credentials().host)
        return getattr(self.store, "db_uri", None) or getattr(self.store, "root_directory", None)


Handler = Callable[["Guard", Call], Any]


def version_number(version: object) -> str:
    """Write a version as MLflow counts it: `1` for `01`, `+1` and ` 1`. Raises `UsageError` for what is no number."""
    try:
        return str(int(str(version)))
    except ValueError:
        raise UsageError(f"{str(version)[:40]!r} is not the number of a model version") from None


@contextmanager
def acting(version: ModelVersion, target: Target) -> Iterator[None]:
    """Let exactly this promotion through in this context: `aims promote` has decided it and carries it out."""
    token = _acting.set((version.name, version_number(version.version), target.kind, _folded(target.value)))
    try:
        yield
    finally:
        _acting.reset(token)


def denial(message: str, hint: str = "") -> Exception:
    """Return the exception that MLflow carries to the caller as 403 PERMISSION_DENIED, text and all."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

    text = message if not hint or hint in message else f"{message}\nNext: {hint}"
    return MlflowException(f"[aims] {text}", error_code=PERMISSION_DENIED)


class Guard:
    """Judges registry calls.

    `gatekeeper` makes the one for a registry's URI, at the first call that needs it: evidence about a version of one
    registry says nothing about the version of the same name in another.
    """

    def __init__(self, gatekeeper: Callable[[str | None], Gatekeeper]) -> None:
        """Keep the way to the gatekeeper; nothing is loaded yet."""
        self._gatekeeper = gatekeeper

    def judge(self, call: Call, handler: Handler) -> Any:
        """Let the outermost guarded call go through its handler and every call inside it straight on."""
        return call.proceed() if _inside.get() else handler(self, call)

    def carry_out(self, call: Call) -> Any:
        """Run MLflow's own method; guarded calls that it makes itself are part of it."""
        token = _inside.set(True)
        try:
            return call.proceed()
        finally:
            _inside.reset(token)

    def protects(self, call: Call, name: str, target: Target) -> bool:
        """Ask whether this is a promotion; a gatekeeper that cannot say is a refusal."""
        with _FailClosed():
            return self._gatekeeper(call.registry).protects(name, target)

    def protects_name(self, call: Call, name: str) -> bool:
        """Ask whether a registered model of this name can only be reached by promotion. MLflow refuses an empty one."""
        return bool(name) and self.protects(call, name, Target("name", name))

    def leaves_prompts(self, call: Call, name: str) -> bool:
        """Whether prompts under this name are left alone: anyone may give a governed model a prompt's source."""
        with _FailClosed():
            return not self._gatekeeper(call.registry).claims(name)

    def registers_into_protected(self, call: Call, name: str) -> bool:
        """Ask the same for a model that is registered anew, which a broken policy must not break.

        Where the policy cannot be read the model is registered, unchecked, and that is said; no alias, stage, copy or
        rename passes in that state.
        """
        try:
            return bool(name) and self._gatekeeper(call.registry).protects(name, Target("name", name))
        except AimsError as error:
            _logger.warning("[aims] the policy of %r cannot be read: %s", name, error)
            return False

    @contextmanager
    def promotion(self, call: Call, name: str, versions: Iterable[object], target: Target) -> Iterator[None]:
        """Refuse on entry unless the gate allows each of these, or it is the one that we are carrying out ourselves."""
        with ExitStack() as decided:
            with _FailClosed():
                place = (target.kind, _folded(target.value))
                asked = [n for n in map(version_number, versions) if _acting.get() != (name, n, *place)]
                if asked:
                    decided.enter_context(self._gatekeeper(call.registry).promotion(name, asked, target))
            yield

    def refuse(self, call: Call, refusal: Refusal) -> NoReturn:
        """Refuse whatever the gate would say about a version, and record that."""
        with _FailClosed():
            recorded = self._gatekeeper(call.registry).refused(refusal)
        raise denial(f"promotion refused: {refusal.reason}\n  {recorded}", refusal.hint)

    def registered(self, call: Call, version: Any) -> None:
        """Start the checks of a new version, unless a promotion of ours made it. What breaks them is only said."""
        if _acting.get() is None:
            with _SaidLoudly():
                self._gatekeeper(call.registry).registered(version.name, str(version.version))


class _FailClosed(AbstractContextManager[None]):
    """Turns every error of a judgement into a refusal: an open gate must be somebody's answer, never an accident."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if isinstance(error, AimsError):
            raise denial(str(error), error.hint) from error
        if isinstance(error, Exception):
            cause = f"the gate could not decide ({type(error).__name__}: {error}), so it stays shut"
            raise denial(cause, "ask aims gate NAME/VERSION --to TARGET, which shows the whole error") from error


class _SaidLoudly(AbstractContextManager[None]):
    """Keeps a check that breaks from breaking `log_model`; without its evidence the gate stays shut."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        _logger.error("[aims] registered, but NOT checked: %s: %s", type(error).__name__, error)
        return True


def around(original: Callable[..., Any], handler: Handler, guard: Guard) -> Callable[..., Any]:
    """Return a method that judges before it runs, with the very signature of the original."""
    signature = inspect.signature(original)

    @functools.wraps(original)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        store, *_ = bound.arguments.values()
        return guard.judge(Call(store, bound.arguments, functools.partial(original, *args, **kwargs)), handler)

    return guarded


def is_prompt(source: object) -> bool:
    """Whether a version holds a prompt: by its placeholder source alone, since anybody can set the prompt tag."""
    from mlflow.prompt.constants import _PROMPT_SOURCE_PLACEHOLDERS

    return source in _PROMPT_SOURCE_PLACEHOLDERS


def _folded(value: str) -> str:
    return unicodedata.normalize("NFKC", value).strip().casefold()


def _set_alias(guard: Guard, call: Call) -> Any:
    return _move(guard, call, kind="alias")


def _set_stage(guard: Guard, call: Call) -> Any:
    return _move(guard, call, kind="stage")


def _move(guard: Guard, call: Call, *, kind: str) -> Any:
    name, value = call.arguments["name"], call.text(kind)
    # An empty alias or stage is no target; MLflow itself refuses it.
    if value and guard.protects(call, name, target := Target(kind, value)):
        with _FailClosed():
            number = call.number()
        if not (is_prompt(call.store.get_model_version(name, number).source) and guard.leaves_prompts(call, name)):
            with guard.promotion(call, name, [number], target):
                return guard.carry_out(call)
    return guard.carry_out(call)


def _create_model(guard: Guard, call: Call) -> Any:
    """Refuse a new protected name: an empty model would stay behind when its first version is refused."""
    name = call.text("name")
    if guard.registers_into_protected(call, name) and not _exists(call.store, call.arguments["name"]):
        reason = f"the name {name!r} is protected, and a new model there has no checked version"
        _refuse(guard, call, ("create", Target("name", name)), reason, f"aims promote NAME/VERSION --to name:{name}")
    return guard.carry_out(call)


def _create_version(guard: Guard, call: Call) -> Any:
    name, source = call.text("name"), call.arguments["source"]
    if is_prompt(source) and not guard.protects_name(call, name):
        return guard.carry_out(call)
    origin = _origin(source)
    if origin is not None and guard.protects_name(call, name):
        with guard.promotion(call, origin[0], [origin[1]], Target("name", name)):
            return guard.carry_out(call)
    if origin is None and guard.registers_into_protected(call, name):
        reason = f"the name {name!r} is protected, and {str(source)[:200]!r} is no registered version (models:/name/3)"
        hint = f"register the model under an unprotected name, then aims promote NAME/VERSION --to name:{name}"
        _refuse(guard, call, ("create", Target("name", name)), reason, hint)
    version = guard.carry_out(call)
    guard.registered(call, version)
    return version


def _copy(guard: Guard, call: Call) -> Any:
    """Judge a copy by its source version, before anything is created."""
    source, name = call.arguments["src_mv"], call.text("dst_name")
    if guard.protects_name(call, name):
        with guard.promotion(call, source.name, [source.version], Target("name", name)):
            return guard.carry_out(call)
    version = guard.carry_out(call)
    if not is_prompt(source.source):
        guard.registered(call, version)
    return version


def _rename(guard: Guard, call: Call) -> Any:
    """Judge a rename by all that moves along: the name itself, aliases, stages, and every version."""
    old, new = call.text("name"), call.text("new_name")
    if guard.protects_name(call, old):
        reason = f"{old!r} is a protected name, and what was promoted into it would leave it"
        _refuse(
            guard, call, ("rename", Target("name", old)), reason, "copy the version that you need under another name"
        )
    for target in _standing(call.store, call.arguments["name"]):
        if guard.protects(call, old, target) or guard.protects(call, new, target):
            reason = f"{old!r} holds the protected {target.kind} {target.value!r}, which would move along to {new!r}"
            hint = f"remove the {target.kind}, rename, and promote again: aims promote {new}/VERSION --to {target}"
            _refuse(guard, call, ("rename", target), reason, hint)
    if guard.protects_name(call, new):
        numbers = _numbers(call.store, call.arguments["name"])
        if not numbers:
            reason, hint = (
                f"{old!r} has no version, and {new!r} is protected",
                f"aims promote NAME/VERSION --to name:{new}",
            )
            _refuse(guard, call, ("rename", Target("name", new)), reason, hint)
        with guard.promotion(call, call.arguments["name"], numbers, Target("name", new)):
            return guard.carry_out(call)
    return guard.carry_out(call)


def _refuse(guard: Guard, call: Call, tried: tuple[str, Target], reason: str, hint: str) -> NoReturn:
    from mlflow.utils.workspace_context import get_request_workspace

    workspace = get_request_workspace() or "default"
    guard.refuse(call, Refusal(call.text("name"), *tried, reason, hint, workspace))


def _origin(source: object) -> tuple[str, str] | None:
    """Return name and number of a `models:/name/3` source; an alias could move between the judgement and the copy."""
    if not isinstance(source, str) or not source.startswith("models:/"):
        return None
    try:
        ref = ModelRef.parse(source)
    except UsageError:
        return None
    return (ref.name, ref.version) if ref.version is not None else None


def _exists(store: Any, name: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        store.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return True


def _standing(store: Any, name: str) -> list[Target]:
    """List the aliases and stages that a registered model's versions hold."""
    model = store.get_registered_model(name)
    stages = {version.current_stage for version in model.latest_versions or ()} - {None, "", "None"}
    aliases = [Target("alias", alias) for alias in sorted(model.aliases or ())]
    return aliases + [Target("stage", stage) for stage in sorted(stages)]


def _numbers(store: Any, name: str) -> list[str]:
    """List the numbers of all versions of a registered model, those that carry the prompt tag too."""
    quote = '"' if "'" in name else "'"
    found: set[str] = set()
    # MLflow leaves out what is tagged as a prompt unless the tag is asked for, and anybody can set it.
    for more in ("", " AND tags.`mlflow.prompt.is_prompt` = 'true'"):
        token: str | None = ""
        while token is not None:
            page = store.search_model_versions(f"name={quote}{name}{quote}{more}", 1000, None, token or None)
            found.update(version_number(version.version) for version in page)
            token = page.token or None
    return sorted(found, key=int)


HANDLERS: Mapping[str, Handler] = {
    "set_registered_model_alias": _set_alias,
    "transition_model_version_stage": _set_stage,
    "create_registered_model": _create_model,
    "create_model_version": _create_version,
    "copy_model_version": _copy,
    "rename_registered_model": _rename,
}
"""Every method of MLflow's abstract registry store that can promote, and who judges it."""
