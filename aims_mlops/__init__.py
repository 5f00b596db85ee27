"""aims-mlops keeps a model out of production until signed evidence says that its checks passed and a person owns it.

The door for everybody; each verb is loaded when it is first used, so that importing this costs nothing:

    import mlflow, aims_mlops as aims

    aims.autolog()                                   # hooks MLflow model registration in this process
    result = aims.check("income/3")                  # result.outcome, .failed, ["id"].measures
    decision = aims.gate("income/3", to="champion")  # decision.allowed, .requirements, .explain()
    aims.promote(decision, reason="release 2026.11") # decides again under lock
    model = aims.load_model("models:/income@champion")  # only where bytes and decision hold
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from aims_mlops.model.decision import Decision
    from aims_mlops.model.report import CheckReport

__all__ = ["attach", "autolog", "check", "gate", "load_model", "promote"]
__version__ = "0.1.0"


def autolog(*, disable: bool = False) -> None:
    """Hook MLflow model registration in this process: check on registering, ask the gate on promoting.

    Guards MLflow's registry stores, whatever registry a client names. `disable=True` takes the hooks away. A client's
    hooks are convenience: who does not call this is found by the server, not here.
    """
    from aims_mlops import wiring

    wiring.platform("mlflow").autolog(wiring.gatekeeper, disable=disable)


def attach(**frames: object) -> None:
    """Check this process's versions on frames (pandas, polars, Arrow) in the place of datasets that aims.yaml names.

    For a required check the gate calls such a result `mismatched`, unless the check says `allow_attached: true` or the
    dataset is pinned by digest. `attach(evaluation=None)` goes back to the policy's data.
    """
    from aims_mlops import wiring

    wiring.attach(frames)


def check(model: str, *, only: tuple[str, ...] | list[str] = (), config: str | Path | None = None) -> CheckReport:
    """Run a version's checks, sign and record the results; never decides.

    `model` is `name/3`, `name@alias` or `models:/name/3`. Raises `aims_mlops.errors.AimsError` where there is nothing
    to measure; a result that is not a pass is returned, not raised.
    """
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef

    _show_cards()
    return api.check(_services(config), ModelRef.parse(model), only=tuple(only))


def gate(model: str, *, to: str, config: str | Path | None = None) -> Decision:
    """Decide whether a version may go to an alias (`champion`), `stage:…` or `name:…`; sign and record the decision.

    Never acts. A decision that is not `allowed` is returned, not raised.
    """
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef, Target

    _show_cards()
    return api.gate(_services(config), ModelRef.parse(model), Target.parse(to))


def promote(decision: Decision, *, reason: str = "", config: str | Path | None = None) -> Decision:
    """Decide again under lock, carry the promotion out, and sign it; return the decision that it rests on.

    A decision is single-use and expires in ten minutes. Raises `aims_mlops.errors.Denied` where the gate is shut.
    """
    from aims_mlops import api
    from aims_mlops.model.subject import ModelRef

    ref = ModelRef(decision.moves.name, version=decision.moves.version)
    return api.promote(_services(config), ref, decision.target, reason=reason, asked=decision)


def load_model(uri: str, *, servers: tuple[str, ...] | list[str] = (), config: str | Path | None = None) -> Any:
    """Load a promoted model as `mlflow.pyfunc` does, only where its bytes and the decision behind it both hold.

    `uri` is `models:/income@champion`, or a version that holds a protected alias, stage or name. `servers` names the
    people of aims.yaml whose decisions alone count, where a server enforces. Raises `VerificationError` for what does
    not hold; nothing of the model is loaded then. The model runs in this process: verified is not harmless.
    """
    import tempfile
    import weakref
    from contextlib import ExitStack
    from pathlib import Path

    from aims_mlops import api, wiring
    from aims_mlops.model.subject import ModelRef

    # A model may read its files as late as when it predicts, so they stay as long as it does.
    with ExitStack() as until_then:
        copy = Path(until_then.enter_context(tempfile.TemporaryDirectory(prefix="aims-"))) / "model"
        api.verified_copy(_services(config), ModelRef.parse(uri), copy, servers=tuple(servers))
        model = wiring.platform().load(copy)
        weakref.finalize(model, until_then.pop_all().close)
    return model


def _services(config: str | Path | None) -> _Services:
    from pathlib import Path

    from aims_mlops import wiring

    return wiring.services(config=None if config is None else Path(config))


def _show_cards() -> None:
    """In a notebook, let results and decisions show themselves as cards. Outside one this does nothing."""
    if "IPython" in sys.modules:
        from aims_mlops.views.card import register_cards

        register_cards(sys.modules["IPython"].get_ipython())


class _Front(ModuleType):
    """Keeps the verbs where a submodule has the same name: importing `aims_mlops.gate` would put it over `gate()`."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front

if TYPE_CHECKING:
    from aims_mlops.api import Services as _Services
