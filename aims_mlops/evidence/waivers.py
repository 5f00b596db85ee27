"""Which waivers stand. Pure: the gate and the list of waivers judge by the same rules, in this order.

1. The request reads, a person of the register signed it, and it is not for longer than `LONGEST`: else `refused`.
2. Nobody revoked it. A revocation can only shut, so that it counts whoever signed it: were it forgotten with its
   signer's key, the waiver would come back.
3. It has not ended.
4. Nothing changed: it is bound to this registry, workspace, version, files, system, policy and owner, and the newest
   trusted result of the requirement shuts the gate with exactly what was observed; and no result of these files was
   erased. Else it is `dead`.
5. Somebody approved it who is trusted for it, after it was asked for and before it ended: a person, not one of those
   who asked, not by a key of theirs, and nobody who signed a result of the requirement for this version. Until then it
   is `waiting`.

Whether the log has holes, and whether its clock was set back, is for the gate's `integrity` to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.record import Record
from aims_mlops.evidence.waiver_body import Answer, Refused, Request, observation, read_or_none, told
from aims_mlops.model.decision import RequirementStatus
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status
from aims_mlops.model.times import duration_text

LONGEST = timedelta(days=90)
"""How long a waiver may last from the moment in which it was recorded; then somebody has to ask again."""


class State(StrEnum):
    """How a waiver stands."""

    IN_FORCE = "in force"
    WAITING = "waiting"
    DEAD = "dead"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a waiver of one requirement is held to. `newest` is the result that shuts the gate; None where none does."""

    newest: Record | None
    stands: str
    """How the requirement stands where nothing shuts, in words that follow its id: `is passed now`."""
    results: Sequence[Record]
    """All results of the requirement for this version."""
    persons: Collection[str]
    """The active people of the register who are persons."""
    owner: str
    now: datetime
    erased: str = ""
    """How a result of these files was erased; empty where none was. Who signed it may not have approved, and it may
    have shown something else: nobody can tell any more."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """A request and what became of it, or an attempt that was refused. `request` is None where it does not read."""

    record: Record
    request: Request | None
    state: State
    why: str = ""
    asked_by: str | None = None
    approval: Record | None = None
    approved_by: str | None = None
    renewals: int = 0
    """Waivers of the same requirement of the same registered model that were approved before this was asked for."""
    refused: Refused | None = None


def waivers(said: Iterable[Record], ground: Ground) -> list[Waiver]:
    """Judge every request among statements of the kind `waiver`, oldest first."""
    read_ones = [(record, read_or_none(record.statement.body)) for record in sorted(said, key=lambda item: item.seq)]
    answers: dict[tuple[Digest, Digest], list[Record]] = {}
    for record, body in read_ones:
        if isinstance(body, Answer):  # it names the request, and is about the same files
            answers.setdefault((body.request, record.statement.subject), []).append(record)
    approved: Counter[Hashable] = Counter()
    found = []
    for record, body in read_ones:
        if isinstance(body, Request):
            place = _place(record, body)
            about = answers.get((record.payload, record.statement.subject), [])
            found.append(replace(_judged(record, body, about, ground), renewals=approved[place]))
            approved[place] += found[-1].approval is not None
        elif record.statement.body.get("act") == "request":
            found.append(Waiver(record, None, State.REFUSED, "it does not read as a request"))
    return found


def _judged(record: Record, request: Request, about: Sequence[Record], ground: Ground) -> Waiver:
    approval, approver, problem = _approved(record, request, about, ground)
    state, why = _state(record, request, about, ground)
    if state is State.IN_FORCE and approval is None:
        state, why = State.WAITING, problem
    return Waiver(record, request, state, why, requester(record, ground), approval, approver)


def _place(record: Record, request: Request) -> Hashable:
    """Return what renewals are counted for: a requirement of a registered model, whatever the version."""
    header = record.statement.header
    return header.registry_id, header.workspace, header.model, request.requirement


def _state(record: Record, request: Request, about: Sequence[Record], ground: Ground) -> tuple[State, str]:
    """Judge all but the approval."""
    if requester(record, ground) is None:
        return State.REFUSED, "not asked for by an active person of aims.yaml, with a key that is enrolled there"
    lasts = request.expires_at - record.captured_at
    if lasts > LONGEST:
        return State.REFUSED, f"asked for {duration_text(lasts)}, the limit is {duration_text(LONGEST)}"
    revoked = [item for item in about if item.statement.body.get("act") == "revoke"]
    if revoked:
        last = max(revoked, key=lambda item: item.seq)
        return State.REVOKED, f"by {last.signer or 'somebody who is not trusted today'}: {_reason(last)}"
    if ground.now >= request.expires_at:
        return State.EXPIRED, f"{duration_text(ground.now - request.expires_at)} ago"
    changed = what_changed(record, request, ground)
    return (State.IN_FORCE, "") if changed is None else (State.DEAD, changed)


def requester(record: Record, ground: Ground) -> str | None:
    """Return the person who asked for a waiver; None where no active person of the register signed the request."""
    return next((person for person in _people(record) if person in ground.persons), None)


def what_changed(record: Record, request: Request, ground: Ground) -> str | None:
    """Say what is no longer as it was when a waiver was asked for; None where all of it is."""
    if ground.newest is None:
        return f"{request.requirement} {ground.stands}"
    result, check = ground.newest.statement, ground.newest.statement.body.get("check")
    observed = observation(result)
    same = observed is not None and Digest.of(canonical(observed)) == request.observed_digest
    seen = told(observed or {"status": result.body.get("outcome")})
    now, then = _bound(ground.newest), _bound(record)
    found = (
        (bool(ground.erased), f"a result of these files was {ground.erased}: nothing is waived for them"),
        (now.version != then.version, "it is about another version, or another registration of this number"),
        (now.files != then.files, "the model's files are others"),
        (now.policy != then.policy, "the policy is another"),
        (not isinstance(check, dict) or check.get("id") != request.requirement, "it is about another requirement"),
        (ground.owner != request.owner, f"the owner is {ground.owner} now, and was {request.owner}"),
        (not same, f"{seen} now, and was {told(request.observed)}"),
    )
    return next((why for changed, why in found if changed), None)


def objection(
    person: str, keys: Collection[Digest], record: Record, ground: Ground, *, trusted: bool
) -> tuple[str, str] | None:
    """Say why somebody may not approve a request: a word for programs and the reason; None where they may."""
    if not trusted:
        return "not-trusted", f"the policy does not trust {person} for waivers"
    if person not in ground.persons:
        return "not-a-person", f"{person} is no active person of aims.yaml: a waiver is approved by a person"
    if person in _people(record) or set(keys) & set(record.keys):
        return "self-approval", f"{person} asked for it: somebody else has to approve"
    if any(person in _people(result) or set(keys) & set(result.keys) for result in ground.results):
        return "own-result", f"{person} signed a result of it: who measures does not approve"
    return None


def _approved(
    record: Record, request: Request, about: Sequence[Record], ground: Ground
) -> tuple[Record | None, str | None, str]:
    """Return the first approval that counts and who gave it, or what is wrong with the last one that does not."""
    problem = "nobody approved it yet"
    for item in sorted(about, key=lambda item: item.seq):
        if item.statement.body.get("act") != "approve":
            continue
        if _bound(item) != _bound(record) or not record.seq < item.seq or item.captured_at >= request.expires_at:
            problem = "its approval is about something else, or came before it or after its end"
            continue
        for person in _people(item):
            keys = [key for key, whose in item.keys.items() if whose == person]
            said = objection(person, keys, record, ground, trusted=True)
            if said is None:
                return item, person, ""
            problem = f"an approval does not count: {said[1]}"
        if item.signer is None:
            problem = "an approval does not count: nobody signed it whom the policy trusts for waivers"
    return None, None, problem


class _Bound(NamedTuple):
    """What a statement is bound to, but for its data."""

    version: tuple[object, ...]
    files: Digest
    policy: tuple[str | None, Digest | None]


def _bound(record: Record) -> _Bound:
    header = record.statement.header
    version = header.registry_id, header.workspace, header.model, header.version, header.version_created_at
    return _Bound(version, record.statement.subject, (header.system, header.policy_digest))


def _people(record: Record) -> tuple[str, ...]:
    """Return who signed a statement, of those who are trusted for it."""
    return tuple(dict.fromkeys(record.keys.values())) or (() if record.signer is None else (record.signer,))


def _reason(record: Record) -> str:
    return str(record.statement.body.get("reason"))


def applied(
    found: RequirementStatus, said: Iterable[Record], ground: Ground, *, label: str, approvable: bool
) -> RequirementStatus:
    """Return how a requirement that a result shuts stands once waivers were heard.

    `waived` where one is in force; else as it was found, with what became of the last one, and with how to have one
    where the policy trusts anybody to approve it (`approvable`).
    """
    about = [
        item for item in waivers(said, ground) if item.request is not None and item.request.requirement == found.id
    ]
    standing = [item for item in about if item.state is State.IN_FORCE]
    if standing:
        last = standing[-1]
        return replace(found, status=Status.WAIVED, waiver=last.record.payload, reason=_in_words(found, last))
    ended = about[-1] if about and about[-1].state in (State.DEAD, State.EXPIRED, State.REVOKED) else None
    reason = found.reason if ended is None else f"{found.reason} (the last waiver of it is {ended.state}: {ended.why})"
    waivable = ground.newest is not None and not ground.erased and observation(ground.newest.statement) is not None
    if not approvable or not waivable:
        return replace(found, reason=reason)
    waiting = [item.record for item in about if item.state is State.WAITING]
    command = f"aims waive request {label} --requirement {found.id}"
    way = f"approve its waiver: aims waive approve {waiting[-1].payload.short}" if waiting else f"for a time: {command}"
    return replace(found, reason=reason, hint=f"{found.hint}; or, {way}" if found.hint else way)


def _in_words(found: RequirementStatus, waiver: Waiver) -> str:
    request = waiver.request
    until = "" if request is None else f" until {request.expires_at:%Y-%m-%d %H:%M} UTC"
    why = "" if request is None else f", because {request.reason}"
    renewed = f"; {ordinal(waiver.renewals)} renewal" if waiver.renewals else ""
    still = f"; still {found.status}: {found.reason}" if found.reason else f"; still {found.status}"
    return f"{waiver.approved_by} allows it{until}, as {waiver.asked_by} asked{why}{renewed}{still}"


def ordinal(number: int) -> str:
    """Write a place in a row: `first`, `second`, `third`, `4th`, `21st`."""
    if number <= len(_FIRST):
        return _FIRST[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else _ENDINGS.get(number % 10, "th")
    return f"{number}{ending}"


_FIRST = ("first", "second", "third")
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
