"""Every combination of how two checks, the owner, the claim and the log can stand, against the laws in plain form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product

import pytest

from aims_mlops.evidence.log import Fault
from aims_mlops.evidence.record import Record
from aims_mlops.gate import Question, decide
from aims_mlops.model.decision import Decision
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status, Verdict
from tests.builders import (
    DATA,
    NOW,
    check_spec,
    failing,
    people,
    policy,
    question,
    record,
    result,
    system,
    view,
    waiver_answer,
    waiver_request,
)

CHECK_STATES = (
    Status.PASSED,
    Status.WARNED,
    Status.FAILED,
    Status.INCONCLUSIVE,
    Status.ERROR,
    Status.MISSING,
    Status.STALE,
    Status.UNTRUSTED,
    Status.MISMATCHED,
    Status.WAIVED,
)
INTEGRITY = ("sound", "hole", "tampered", "hole and tampered", "files unreadable", "files changed")
CLAIMS = (0, 1, 2)
GOOD = {Status.PASSED, Status.WARNED, Status.WAIVED}


@dataclass(frozen=True)
class World:
    """One combination."""

    states: tuple[Status, Status]
    required: tuple[bool, bool]
    owner: bool
    claims: int
    integrity: str


def waiver_for(id_: str, *, seq: int) -> list[Record]:
    """A failed result, its waiver that a colleague asked for, and the officer's approval."""
    said = failing(id_=id_)
    asked = waiver_request(said, nonce=id_)
    request = record(asked, seq=seq + 1, signer="colleague", payload=Digest.of(asked.to_bytes()))
    approval = record(waiver_answer("approve", asked), seq=seq + 2, signer="officer")
    return [record(said, seq=seq), request, approval]


def evidence_for(id_: str, state: Status, *, seq: int) -> Record | None:
    if state is Status.MISSING:
        return None
    if state is Status.STALE:
        return record(result(id_=id_, measured_at=NOW - timedelta(days=31)), seq=seq)
    if state is Status.UNTRUSTED:
        return record(result(id_=id_), seq=seq, signer=None)
    if state is Status.MISMATCHED:
        return record(result(id_=id_, subject=DATA), seq=seq)
    return record(result(state.value, id_=id_), seq=seq)


def faults_for(integrity: str) -> list[Fault]:
    faults = [Fault("hole", 5, "a hole")] if "hole" in integrity else []
    return faults + ([Fault("tampered", 6, "a change")] if "tampered" in integrity else [])


def answer_to(world: World) -> Decision:
    specs = [check_spec(id_, required=required) for id_, required in zip("ab", world.required, strict=True)]
    entry = system(policy(specs))
    here = people() if world.owner else people(owner=replace(people()[0], active=False))
    asked: Question = replace(question(entry), people=here)
    asked = replace(asked, claimants=tuple(replace(entry, id=f"income-{n}") for n in range(world.claims)))
    if world.integrity.startswith("files"):
        changed = world.integrity == "files changed"
        asked = replace(asked, subject=None, unreadable="no files", files_changed=changed)
    records: list[Record] = []
    for place, (id_, state) in enumerate(zip("ab", world.states, strict=True)):
        if state is Status.WAIVED:
            records += waiver_for(id_, seq=10 * place)
        elif found := evidence_for(id_, state, seq=10 * place):
            records.append(found)
    return decide(asked, view(*records, faults=faults_for(world.integrity)), now=NOW)


def expected_check(state: Status, integrity: str) -> Status:
    """What can still be said about a check where something else is damaged."""
    if state is Status.MISSING and "tampered" in integrity:
        return Status.UNTRUSTED
    if state is Status.MISSING and "hole" in integrity:
        return Status.ERROR
    if state is Status.MISSING:
        return Status.MISSING
    return {"files unreadable": Status.ERROR, "files changed": Status.MISMATCHED}.get(integrity, state)


def shown(state: Status, *, required: bool) -> Status:
    """What is not required has no waiver: it shuts nothing."""
    return Status.FAILED if state is Status.WAIVED and not required else state


def expected_blocking(world: World) -> list[Status]:
    if world.claims != 1:
        return [Status.MISSING]
    builtin = {
        "sound": Status.PASSED,
        "hole": Status.ERROR,
        "tampered": Status.UNTRUSTED,
        "hole and tampered": Status.UNTRUSTED,
        "files unreadable": Status.ERROR,
        "files changed": Status.MISMATCHED,
    }[world.integrity]
    stand = [builtin, Status.PASSED if world.owner else Status.MISSING]
    checks = zip(world.states, world.required, strict=True)
    stand += [expected_check(state, world.integrity) for state, required in checks if required]
    if not any(world.required):
        stand.append(Status.MISSING)
    return [status for status in stand if status not in GOOD]


def required_states(world: World) -> list[Status]:
    return [state for state, required in zip(world.states, world.required, strict=True) if required]


def expected_code(blocking: Iterable[Status], verdict: Verdict) -> int:
    seen = set(blocking)
    if seen & {Status.FAILED, Status.INCONCLUSIVE, Status.MISSING, Status.STALE}:
        return 1
    if seen & {Status.UNTRUSTED, Status.MISMATCHED}:
        return 4
    return 3 if seen or verdict is Verdict.UNDECIDED else 0


@pytest.mark.parametrize("integrity", INTEGRITY)
@pytest.mark.parametrize("claims", CLAIMS, ids=["nobody claims it", "one claims it", "two claim it"])
def test_every_combination_answers_as_the_laws_say(claims: int, integrity: str) -> None:
    allowed = 0
    for first, second, required_first, required_second, owner in product(
        CHECK_STATES, CHECK_STATES, (True, False), (True, False), (True, False)
    ):
        world = World((first, second), (required_first, required_second), owner, claims, integrity)
        answer, blocking = answer_to(world), expected_blocking(world)
        hole = "hole" in integrity
        undecided = hole or (bool(blocking) and set(blocking) == {Status.ERROR})
        opened = Verdict.ALLOWED_BY_WAIVER if Status.WAIVED in required_states(world) else Verdict.ALLOWED
        verdict = Verdict.UNDECIDED if undecided else Verdict.DENIED if blocking else opened

        assert answer.verdict is verdict, world
        assert sorted(item.status for item in answer.blocking) == sorted(blocking), world
        assert answer.exit_code == expected_code(blocking, verdict), world
        assert (answer.exit_code == 0) is answer.allowed, world
        allowed += answer.allowed
    # Both required and good: 9; one required and good, the other anything: 2 x 3 x 10.
    assert allowed == (69 if claims == 1 and integrity == "sound" else 0)


def test_every_status_of_a_check_occurs_as_itself_in_a_sound_world() -> None:
    for state in CHECK_STATES:
        for required in (True, False):
            answer = answer_to(World((state, Status.PASSED), (required, True), True, 1, "sound"))
            assert [item.status for item in answer.requirements if item.id == "a"] == [shown(state, required=required)]


def test_the_same_inputs_give_the_same_decision() -> None:
    world = World((Status.FAILED, Status.STALE), (True, True), True, 1, "tampered")

    assert answer_to(world) == answer_to(world)


def test_the_order_in_which_records_are_handed_over_does_not_matter() -> None:
    records = [
        record(result("failed", nonce="1"), seq=1),
        record(result("passed", nonce="2"), seq=4),
        record(result("warned", nonce="3"), seq=2, signer=None),
    ]

    forwards = decide(question(), view(*records), now=NOW)
    backwards = decide(question(), view(*reversed(records)), now=NOW)

    assert forwards.requirements == backwards.requirements
    assert forwards.allowed
