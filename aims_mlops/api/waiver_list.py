"""`aims waive list`: every request and every refused attempt, and how each stands today."""

from __future__ import annotations

from aims_mlops.api.services import Services
from aims_mlops.api.waiver_cases import Case, case, persons
from aims_mlops.api.waiving import requests_and_answers
from aims_mlops.errors import AimsError
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.waiver_body import Refused, Request, read_or_none
from aims_mlops.evidence.waivers import Ground, State, Waiver, waivers
from aims_mlops.model.subject import ModelRef

_Place = tuple[str | None, str | None]


def list_waivers(services: Services, ref: ModelRef | None = None) -> list[Waiver]:
    """List waivers and refused attempts, oldest first; those of one version where it is named.

    Raises `VerificationError` where the log does not hold: a revocation may be missing.
    """
    if ref is not None and ref.version is None:
        ref = ModelRef(ref.name, version=services.registry.resolve(ref, services.store.registry_id()).version)
    said = requests_and_answers(services)
    look = _Look(services, said)
    found = [look.judged(record) for record in said if ref is None or _place(record) == (ref.name, ref.version)]
    return [item for item in found if item is not None]


class _Look:
    """Judges requests; looks at each version once."""

    def __init__(self, services: Services, said: list[Record]) -> None:
        self._services = services
        self._said = said
        self._cases: dict[_Place, Case | str] = {}
        self._judged: dict[tuple[_Place, str], list[Waiver]] = {}

    def judged(self, record: Record) -> Waiver | None:
        """Return how a request or a refused attempt stands; None for an answer, which is told with its request."""
        body = read_or_none(record.statement.body)
        if isinstance(body, Refused):
            return Waiver(record, None, State.REFUSED, body.reason, asked_by=record.signer, refused=body)
        if not isinstance(body, Request):
            asked = record.statement.body.get("act") == "request"
            return Waiver(record, None, State.REFUSED, "it does not read as a request") if asked else None
        key = _place(record), body.requirement
        if key not in self._judged:
            alike = [item for item in self._said if item.statement.header.model == key[0][0]]
            self._judged[key] = waivers(alike, self._ground(*key))
        return next(item for item in self._judged[key] if item.record.payload == record.payload)

    def _ground(self, place: _Place, requirement: str) -> Ground:
        if place not in self._cases:
            self._cases[place] = self._case(place)
        seen, project = self._cases[place], self._services.project
        if isinstance(seen, Case):
            return seen.ground(requirement)
        stands = f"cannot be judged now: {seen}"
        return Ground(None, stands, (), persons(project), "", self._services.clock())

    def _case(self, place: _Place) -> Case | str:
        services, (model, version) = self._services, place
        try:
            ref = ModelRef(str(model), version=version)
            return case(services, services.registry.resolve(ref, services.store.registry_id()))
        except AimsError as error:  # the version is gone, or out of reach: the rest of the list is wanted all the same
            return str(error)


def _place(record: Record) -> _Place:
    return record.statement.header.model, record.statement.header.version
