"""What was judged, and how a call is carried out on just that.

A model that is deleted and made anew between the judgement and the act has versions of the same name and number, and
is another model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aims_mlops.model.times import from_millis
from aims_mlops_hooks.mlflow.guard.context import denial, unguarded
from aims_mlops_hooks.mlflow.guard.transaction import created, joins_transactions, to_primary, transaction


@dataclass(frozen=True)
class Judged:
    """Versions of a registered model, by number, with the times at which those that were judged were made.

    Empty where nobody here judged: behind a client stands a server that does.
    """

    name: str
    made: Mapping[str, datetime]

    def together(
        self,
        store: Any,
        act: Callable[[], Any],
        undo: Callable[[], object],
        *,
        now: str | None = None,
        whole: bool = False,
    ) -> Any:
        """Act in one transaction with a last look at the versions; on a store without any, as `checked_after` does.

        With `whole`, the model must have no other versions: all of it is moved. Refuses where it differs.
        """
        if not joins_transactions(store):
            return self.checked_after(store, act, lambda _: undo(), now=now)
        with transaction(store, self.name) as session:
            there = created(store, session, self.name) if self.made else {}
            if (difference := self._difference(there, whole=whole)) is not None:
                raise difference
            return act()

    def checked_after(
        self, store: Any, act: Callable[[], Any], undo: Callable[[Any], object], *, now: str | None = None
    ) -> Any:
        """Act, look at the versions again, and take it back where they differ; `undo` is given what `act` returned.

        `now` is the name that the versions have after it, where it changes. Refuses where they differ.
        """
        result = act()
        difference = self._difference({number: _created(store, now or self.name, number) for number in self.made})
        if difference is not None:
            with unguarded():
                undo(result)
            raise difference
        return result

    def _difference(self, there: Mapping[str, datetime | None], *, whole: bool = False) -> Exception | None:
        """Return the refusal where other versions are there than those that were judged."""
        for number, made in self.made.items():
            if there.get(number) != made:
                what = f"{self.name}/{number} was deleted or made anew while it was judged: nothing was promoted"
                return denial(what, "check the version that is there now, and ask again")
        for number in there if whole and self.made else ():
            if number not in self.made:
                what = f"{self.name}/{number} was registered while the others were judged: nothing was promoted"
                return denial(what, "check it, and ask again")
        return None


def _created(store: Any, name: str, number: str) -> datetime | None:
    """Return when a version was made; None where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        if not hasattr(store, "_get_sql_model_version"):
            return from_millis(store.get_model_version(name, number).creation_timestamp)
        # The public method loads tags and aliases too, which costs several times this on every promotion.
        with store.ManagedSessionMaker(**to_primary(store)) as session:
            return from_millis(store._get_sql_model_version(session, name, number).creation_time)  # noqa: SLF001
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
