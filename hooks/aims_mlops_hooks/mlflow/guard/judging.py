"""Who is asked about a call, and what becomes of the answer.

Only the outermost guarded call is judged, since MLflow's stores call each other's methods (a copy creates; a subclass
calls the class that it extends).
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Protocol, TypeVar

from aims_mlops.errors import AimsError
from aims_mlops.model import names
from aims_mlops.model.decision import Refusal
from aims_mlops.model.subject import ModelVersion, Target
from aims_mlops_hooks.mlflow.guard.context import denial, is_acting, is_unguarded, ours, unguarded, version_number
from aims_mlops_hooks.mlflow.guard.judged import Judged

_logger = logging.getLogger(__name__)
_asked: ContextVar[dict[str | None, Gatekeeper] | None] = ContextVar("aims_gatekeepers_of_this_call", default=None)
_NAMES = ("name", "new_name", "dst_name", "alias", "stage", "key")
"""The arguments that are compared with other names, wherever a method has them."""

_Answer = TypeVar("_Answer")


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

    def resembles(self, name: str, target: Target | None) -> str | None:
        """Say what the target, or without one the model's own name, can be taken for without being it.

        The words follow `looks like`, e.g. `the protected alias 'champion'`. None: for nothing.
        """
        ...

    def promotion(
        self, name: str, versions: Sequence[str], target: Target
    ) -> AbstractContextManager[Sequence[ModelVersion]]:
        """Return a `with` that decides about all versions on entry and records on leaving what its body then did.

        It gives the versions that were judged; none where a server behind this judges. On entry raises an `AimsError`
        whose text is the whole readable refusal.
        """
        ...

    def removal(
        self, name: str, versions: Sequence[str], target: Target, workspace: str = "default"
    ) -> AbstractContextManager[object]:
        """Return a `with` that records on leaving that versions were taken away from a protected target.

        On entry raises an `AimsError` where the caller may not. The gate is not asked: less is promoted than before.
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
    """One call of a store's method: the store, the arguments by name, and what carries it out."""

    store: Any
    bound: inspect.BoundArguments
    original: Callable[..., Any]

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments by name, those that the caller left out too."""
        return self.bound.arguments

    def proceed(self) -> Any:
        """Carry the call out, unjudged."""
        return self.original(*self.bound.args, **self.bound.kwargs)

    def given(self, **arguments: Any) -> Call:
        """Return the same call with other arguments: what is judged is what is carried out."""
        bound = inspect.BoundArguments(self.bound.signature, dict(self.bound.arguments) | arguments)
        return Call(self.store, bound, self.original)

    def text(self, name: str) -> str:
        """Return an argument as it was written; nothing at all is the empty text, which MLflow itself refuses."""
        value = self.arguments[name]
        return "" if value is None else str(value)

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


class Guard:
    """Judges registry calls.

    `gatekeeper` makes the one for a registry's URI, at the first call that needs it: evidence about a version of one
    registry says nothing about the version of the same name in another. A `server` also keeps the reserved tags to
    itself, and registers nothing while its policy cannot be read.
    """

    def __init__(self, gatekeeper: Callable[[str | None], Gatekeeper], *, server: bool = False) -> None:
        """Keep the way to the gatekeeper; nothing is loaded yet."""
        self._gatekeeper = gatekeeper
        self.server = server

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Who judges which method of a store."""
        from aims_mlops_hooks.mlflow.guard.tables import HANDLERS, SERVER_HANDLERS

        return SERVER_HANDLERS if self.server else HANDLERS

    def judge(self, call: Call, handler: Handler) -> Any:
        """Let the outermost guarded call go through its handler and every call inside it straight on."""
        if is_unguarded():
            return call.proceed()
        for name in _NAMES:
            if len(call.text(name) if name in call.arguments else "") > names.LONGEST:
                raise denial(f"the {name} is longer than {names.LONGEST} characters, and is compared with no other")
        token = _asked.set({})
        try:
            return handler(self, call)
        finally:
            _asked.reset(token)

    def _keeper(self, call: Call) -> Gatekeeper:
        """Return the gatekeeper of this call: the same for all of its questions, so that they meet one policy."""
        asked = _asked.get()
        if asked is None:
            return self._gatekeeper(call.registry)
        if call.registry not in asked:
            asked[call.registry] = self._gatekeeper(call.registry)
        return asked[call.registry]

    def carry_out(self, call: Call) -> Any:
        """Run MLflow's own method; guarded calls that it makes itself are part of it."""
        with unguarded():
            return call.proceed()

    def ask(self, call: Call, question: Callable[[Gatekeeper], _Answer]) -> _Answer:
        """Ask the gatekeeper; one that cannot say is a refusal."""
        with _FailClosed():
            return question(self._keeper(call))

    def ask_leniently(self, call: Call, question: Callable[[Gatekeeper], _Answer], unknown: _Answer) -> _Answer:
        """Ask about what a broken policy must not stop, and say so: `unknown` is then the answer.

        In a client that is registering a model (it stays unchecked, and no alias, stage, copy or rename passes), and
        everywhere taking a version away from where it was promoted to.
        """
        try:
            return question(self._keeper(call))
        except AimsError as error:
            _logger.warning("[aims] the policy of %r cannot be read: %s", call.arguments.get("name"), error)
            return unknown

    def ask_registering(self, call: Call, question: Callable[[Gatekeeper], _Answer], unknown: _Answer) -> _Answer:
        """Ask leniently in a client; a server has no such excuse."""
        return self.ask(call, question) if self.server else self.ask_leniently(call, question, unknown)

    def protects(self, call: Call, name: str, target: Target) -> bool:
        """Ask whether this is a promotion."""
        return self.ask(call, lambda keeper: keeper.protects(name, target))

    def protects_name(self, call: Call, name: str) -> bool:
        """Ask whether a registered model of this name can only be reached by promotion. MLflow refuses an empty one."""
        return bool(name) and self.protects(call, name, Target("name", name))

    def governs(self, call: Call, name: str) -> bool:
        """Ask whether a policy speaks about this model: a system claims it, or its very name is protected."""
        return self.ask(call, lambda keeper: keeper.claims(name)) or self.protects_name(call, name)

    def governs_leniently(self, call: Call, name: str) -> bool:
        """Ask the same while a model is registered."""
        claimed = self.ask_registering(call, lambda keeper: keeper.claims(name), unknown=False)
        target = Target("name", name)
        return claimed or self.ask_registering(call, lambda keeper: keeper.protects(name, target), unknown=False)

    def leaves_prompts(self, call: Call, name: str) -> bool:
        """Whether prompts under this name are left alone: anyone may give a governed model a prompt's source."""
        return not self.ask(call, lambda keeper: keeper.claims(name))

    @contextmanager
    def promotion(self, call: Call, name: str, versions: Iterable[object], target: Target) -> Iterator[Judged]:
        """Refuse on entry unless the gate allows each of these, or it is the one that we are carrying out ourselves.

        Gives what was judged, which carries the call out on just that.
        """
        with ExitStack() as decided:
            with _FailClosed():
                mine, asked = ours(name, versions, target)
                if asked:
                    with self._recorded(call, name, target):
                        mine += decided.enter_context(self._keeper(call).promotion(name, asked, target))
                judged = Judged(name, {version_number(version.version): version.created_at for version in mine})
            yield judged
            # It stands now; what could not be recorded has to reach the caller in its own words.
            with _FailClosed():
                decided.close()

    @contextmanager
    def _recorded(self, call: Call, name: str, target: Target) -> Iterator[None]:
        """Record a refusal that came before there was any decision to record."""
        try:
            yield
        except AimsError as error:
            if getattr(error, "decision", None) is None:
                refusal = Refusal(name, target.kind, target, str(error), error.hint, workspace())
                recorded = self._keeper(call).refused(refusal)
                # What keeps it from being recorded is often the very reason, and is not said twice.
                error.args = (f"{error}\n  {recorded}",) if str(error) not in recorded else error.args
            raise

    @contextmanager
    def removal(self, call: Call, name: str, versions: Iterable[object], target: Target) -> Iterator[None]:
        """Record on leaving that these were taken away; refuse on entry where the caller may not."""
        with ExitStack() as allowed:
            with _FailClosed():
                if asked := ours(name, versions, target)[1]:
                    allowed.enter_context(self._keeper(call).removal(name, asked, target, workspace()))
            yield

    def refuse(self, call: Call, refusal: Refusal) -> NoReturn:
        """Refuse whatever the gate would say about a version, and record that."""
        with _FailClosed():
            recorded = self._keeper(call).refused(refusal)
        raise denial(f"{refusal.act} refused: {refusal.reason}\n  {recorded}", refusal.hint)

    def registered(self, call: Call, version: Any) -> None:
        """Start the checks of a new version, unless a promotion of ours made it. What breaks them is only said."""
        if not is_acting():
            with _SaidLoudly():
                self._keeper(call).registered(version.name, str(version.version))


def workspace() -> str:
    """Return the workspace that the present call is about."""
    from mlflow.utils.workspace_context import get_request_workspace

    return get_request_workspace() or "default"


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
        return guard.judge(Call(store, bound, original), handler)

    return guarded
