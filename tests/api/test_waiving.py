"""Waivers from the request to the promotion, and each attempt that is refused and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from aims_mlops import api
from aims_mlops.errors import Denied, ExitCode, NothingToDo, StoreError, UsageError, VerificationError
from aims_mlops.evidence.record import ANYBODY
from aims_mlops.evidence.waivers import State, Waiver
from aims_mlops.model.outcome import Verdict
from aims_mlops.model.subject import ModelRef
from aims_mlops.plugin import CheckContext, CheckOptions, Finding, Limit, Measure, Outcome
from tests.api.world import World
from tests.builders import CHAMPION, check_spec, found, people, policy

REF = ModelRef("income", version="3")
WHY = "the next version mends it"


class Limping:
    """Fails below 0.95, with the dataset's number as its measure."""

    use: ClassVar[str] = "fairness"
    title: ClassVar[str] = "Accuracy"
    extra: ClassVar[str | None] = None
    options: ClassVar[type[CheckOptions]] = CheckOptions

    def run(self, context: CheckContext) -> Finding:
        value = float(context.data("evaluation").relation)
        outcome = Outcome.PASSED if value >= 0.95 else Outcome.FAILED
        measure = Measure("accuracy", outcome, value, limit=Limit(min=0.95), reason=f"accuracy {value} is too low")
        return Finding.of([measure], rows=100, libraries={})


@pytest.fixture
def failed(world: World) -> World:
    """income/3 was checked and failed with 0.9."""
    world.checks = {"fairness": Limping}
    api.check(world.services, REF)
    return world


def ask(world: World, person_: str = "owner", *, days: float = 14, ref: ModelRef = REF, id_: str = "parity") -> Waiver:
    world.person = person_
    return api.request_waiver(world.services, ref, id_, reason=WHY, expires_at=world.now + timedelta(days=days))


def approve(world: World, asked: Waiver, person_: str = "officer") -> Waiver:
    world.person = person_
    return api.approve_waiver(world.services, asked.record.payload.short, reason="seen")


def gate(world: World) -> Any:
    world.person = "pipeline"
    return api.gate(world.services, REF, CHAMPION)


def newest(world: World) -> dict[str, Any]:
    """The predicate of the newest statement."""
    last = api.list_evidence(world.services)[-1]
    predicate: dict[str, Any] = api.show(world.services, str(last.digest))["predicate"]
    return predicate


def refused(world: World, attempt: Callable[[], object], cause: str) -> api.WaiverRefused:
    """Hold an attempt to be refused with exit code 1, and kept under its cause; the log holds afterwards."""
    before = len(api.list_evidence(world.services))
    with pytest.raises(api.WaiverRefused) as caught:
        attempt()
    assert caught.value.exit_code is ExitCode.SHUT
    assert caught.value.hint.endswith("(the attempt is recorded)")
    assert len(api.list_evidence(world.services)) == before + 1
    kept = newest(world)
    assert (kept["act"], kept["cause"]) == ("refused", cause)
    assert str(caught.value).endswith(kept["reason"])
    assert api.verify(world.services).troubles == ()
    return caught.value


def states(world: World) -> list[tuple[str, str]]:
    return [(item.state.value, item.why) for item in api.list_waivers(world.services)]


# The way through


def test_a_waiver_is_asked_for_approved_and_promoted_by(failed: World) -> None:
    assert not gate(failed).allowed
    asked = ask(failed)
    assert (asked.state, asked.asked_by, asked.why) == (State.WAITING, "owner", "nobody approved it yet")
    approved = approve(failed, asked)
    assert (approved.state, approved.approved_by, approved.renewals) == (State.IN_FORCE, "officer", 0)

    decision = gate(failed)
    api.promote(failed.services, REF, CHAMPION, reason="with a waiver")

    assert decision.verdict is Verdict.ALLOWED_BY_WAIVER
    assert found(decision, "parity").waiver == asked.record.payload
    assert "  parity is waived: officer allows it until " in decision.explain()
    assert f"as owner asked, because {WHY}; still failed: accuracy 0.9 is too low" in decision.explain()
    assert failed.registry.acted == ["income/3 to champion"]
    assert api.verify(failed.services).troubles == ()


def test_a_server_honours_a_waiver_from_its_log(failed: World) -> None:
    approve(failed, ask(failed))
    failed.person = "pipeline"
    decision = api.promote(replace(failed.services, enforced_by="server"), REF, CHAMPION, reason="")

    assert (decision.verdict, decision.enforced_by) == (Verdict.ALLOWED_BY_WAIVER, "server")


def test_a_waiver_ends_by_itself(failed: World) -> None:
    approve(failed, ask(failed, days=1))
    assert gate(failed).allowed

    failed.now += timedelta(days=1)

    assert not gate(failed).allowed
    with pytest.raises(Denied, match="the last waiver of it is expired"):
        api.promote(failed.services, REF, CHAMPION, reason="")
    assert states(failed)[0][0] == "expired"


def test_another_value_kills_a_waiver_and_the_old_one_back_is_what_was_accepted(failed: World) -> None:
    approve(failed, ask(failed))
    failed.value = 0.8
    failed.person = "pipeline"
    api.check(failed.services, REF)

    assert not gate(failed).allowed
    assert states(failed) == [("dead", "failed: accuracy 0.8 now, and was failed: accuracy 0.9")]
    failed.value = 0.9
    api.check(failed.services, REF)
    assert gate(failed).allowed


def test_a_pass_leaves_nothing_to_waive(failed: World) -> None:
    approve(failed, ask(failed))
    failed.value = 0.99
    failed.person = "pipeline"
    api.check(failed.services, REF)

    assert gate(failed).verdict is Verdict.ALLOWED
    assert states(failed) == [("dead", "parity is passed now")]


def test_renewals_are_counted_over_the_versions_of_a_model(failed: World) -> None:
    approve(failed, ask(failed))
    newer = ModelRef("income", version="4")
    failed.registry.add("income", "4", b"other files")
    failed.person = "pipeline"
    api.check(failed.services, newer)
    second = ask(failed, ref=newer)

    assert second.renewals == 1
    approve(failed, second, "colleague")
    failed.person = "pipeline"
    decision = api.gate(failed.services, newer, CHAMPION)
    assert "; first renewal; " in found(decision, "parity").reason
    assert [item.renewals for item in api.list_waivers(failed.services)] == [0, 1]
    assert [item.renewals for item in api.list_waivers(failed.services, newer)] == [1]


def test_a_waiver_in_force_can_be_asked_for_anew_before_it_ends(failed: World) -> None:
    approve(failed, ask(failed, days=1))
    again = approve(failed, ask(failed, days=30))

    failed.now += timedelta(days=2)

    assert gate(failed).allowed
    assert again.renewals == 1


def test_a_copy_is_waived_by_its_source(failed: World) -> None:
    version, files = failed.registry.held["income/3"]
    failed.registry.held["prod.income/1"] = (
        replace(version, name="prod.income", version="1", source="models:/income/3"),
        files,
    )
    asked = ask(failed, ref=ModelRef("prod.income", version="1"))
    approve(failed, asked)

    assert asked.record.statement.header.model == "income"
    failed.person = "pipeline"
    assert api.gate(failed.services, ModelRef("prod.income", version="1"), CHAMPION).allowed


# Revoking


@pytest.mark.parametrize("who", ["officer", "colleague", "owner"], ids=["approver", "trusted", "owner and requester"])
def test_those_who_may_revoke_shut_the_gate_again(failed: World, who: str) -> None:
    asked = ask(failed)
    approve(failed, asked)
    failed.person = who
    revoked = api.revoke_waiver(failed.services, str(asked.record.payload), reason="it got worse")

    assert revoked.state is State.REVOKED
    assert not gate(failed).allowed
    assert states(failed) == [("revoked", f"by {who}: it got worse")]
    with pytest.raises(NothingToDo, match="is revoked already"):
        api.revoke_waiver(failed.services, asked.record.payload.short, reason="once more")


def test_a_deputy_may_revoke_and_so_may_who_asked(failed: World) -> None:
    failed.put_policy(failed.trusting(waiver=["officer"]))
    api.check(failed.services, REF)
    for deputy, who in (("colleague", "colleague"), (None, "owner")):
        failed.systems = (replace(failed.systems[0], deputy=deputy),)
        asked = ask(failed, who)
        failed.person = who
        api.revoke_waiver(failed.services, asked.record.payload.short, reason="no longer needed")
    assert [state for state, _ in states(failed)] == ["revoked", "revoked"]


def test_anybody_else_does_not_revoke(failed: World) -> None:
    asked = ask(failed)
    approve(failed, asked)
    failed.person = "pipeline"
    error = refused(
        failed, lambda: api.revoke_waiver(failed.services, asked.record.payload.short, reason="no"), "not-trusted"
    )
    assert str(error) == (
        "refused to revoke a waiver: pipeline neither asked for it, nor owns the system, nor is trusted for waivers"
    )
    assert gate(failed).allowed


def test_a_waiver_is_revoked_where_files_and_registry_are_gone(failed: World) -> None:
    asked = ask(failed)
    approve(failed, asked)
    failed.registry.held.clear()
    api.revoke_waiver(failed.services, asked.record.payload.short, reason="the version is gone")
    failed.registry.add("income", "3")
    assert not gate(failed).allowed


# Refused, and kept


def test_nobody_approves_what_they_asked_for(failed: World) -> None:
    asked = ask(failed, "officer")
    error = refused(failed, lambda: approve(failed, asked, "officer"), "self-approval")
    assert str(error) == "refused to approve a waiver: officer asked for it: somebody else has to approve"
    kept = newest(failed)
    assert (kept["tried"], kept["requirement"], kept["request"]) == ("approve", "parity", asked.record.payload)
    assert kept["header"]["model"] == "income"
    assert not gate(failed).allowed


def test_nobody_approves_whom_the_policy_does_not_trust(failed: World) -> None:
    asked = ask(failed, "colleague")
    refused(failed, lambda: approve(failed, asked, "owner"), "not-trusted")
    assert states(failed)[-1] == ("refused", "the policy does not trust owner for waivers")


def test_no_service_asks(failed: World) -> None:
    error = refused(failed, lambda: ask(failed, "pipeline"), "not-a-person")
    assert error.hint.startswith("sign as a person: aims --as PERSON waive …")


def test_no_service_approves(failed: World) -> None:
    failed.put_policy(failed.trusting(waiver=["officer", "pipeline"]))
    api.check(failed.services, REF)
    asked = ask(failed)
    refused(failed, lambda: approve(failed, asked, "pipeline"), "not-a-person")


def test_who_measured_does_not_approve(failed: World) -> None:
    failed.put_policy(failed.trusting(check_result=["pipeline", "officer"]))
    failed.person = "officer"
    api.check(failed.services, REF)
    asked = ask(failed)
    error = refused(failed, lambda: approve(failed, asked, "officer"), "own-result")
    assert str(error).endswith("officer signed a result of it: who measures does not approve")
    assert approve(failed, asked, "colleague").state is State.IN_FORCE


def test_nothing_longer_than_ninety_days_is_asked_for(failed: World) -> None:
    error = refused(failed, lambda: ask(failed, days=91), "too-long")
    assert str(error).endswith("asked for 90 days 23 hours, and a waiver lasts at most 90 days")
    assert ask(failed, days=90).state is State.WAITING


def test_nothing_that_passed_is_waived(failed: World) -> None:
    failed.value = 0.99
    api.check(failed.services, REF)
    error = refused(failed, lambda: ask(failed), "not-waivable")
    assert "parity is passed now: only a required check that is failed or inconclusive" in str(error)


def test_nothing_that_was_not_measured_or_is_not_required_is_waived(failed: World) -> None:
    optional = [check_spec("parity", required=False), check_spec("accuracy")]
    failed.put_policy(policy(optional, text=b"with an optional check"))
    refused(failed, lambda: ask(failed, id_="accuracy"), "not-waivable")
    assert newest(failed)["reason"].startswith("accuracy is missing now")
    failed.person = "pipeline"
    api.check(failed.services, REF)
    refused(failed, lambda: ask(failed), "not-waivable")
    assert newest(failed)["reason"].startswith("parity is not required now")


def test_nothing_is_asked_for_where_nobody_could_approve(failed: World) -> None:
    failed.put_policy(failed.trusting(waiver=[]))
    api.check(failed.services, REF)
    refused(failed, lambda: ask(failed), "no-approver")


@pytest.mark.parametrize(
    ("happens", "cause"),
    [
        pytest.param(lambda world, asked: None, "expired", id="it ended"),
        pytest.param(
            lambda world, asked: api.revoke_waiver(world.services, asked.record.payload.short, reason="no"),
            "revoked",
            id="it was revoked",
        ),
        pytest.param(lambda world, asked: measured_anew(world, 0.8), "dead", id="another value was observed"),
        pytest.param(lambda world, asked: changed_policy(world), "dead", id="the policy changed"),
        pytest.param(lambda world, asked: changed_files(world), "dead", id="the files changed"),
    ],
)
def test_a_request_that_no_longer_stands_is_not_approved(
    failed: World, happens: Callable[[World, Waiver], object], cause: str
) -> None:
    asked = ask(failed)
    happens(failed, asked)
    failed.now += timedelta(days=14) if cause == "expired" else timedelta()
    error = refused(failed, lambda: approve(failed, asked), cause)
    assert f"the request is {cause}: " in str(error)


def measured_anew(world: World, value: float) -> None:
    world.person, world.value = "pipeline", value
    api.check(world.services, REF)


def changed_policy(world: World) -> None:
    world.put_policy(replace(policy(), text=b"another policy"))
    measured_anew(world, 0.9)


def changed_files(world: World) -> None:
    world.registry.add("income", "3", b"other files")
    measured_anew(world, 0.9)


def test_a_request_that_is_not_in_the_log_is_refused_and_kept_without_a_model(failed: World) -> None:
    failed.person = "officer"
    error = refused(failed, lambda: api.approve_waiver(failed.services, "0123456789ab"), "unknown")
    assert str(error) == "refused to approve a waiver: the log has no request 0123456789ab"
    assert newest(failed)["header"]["model"] is None


def test_an_attempt_with_a_key_that_is_not_enrolled_is_refused_and_not_recorded(failed: World) -> None:
    """A statement that nobody can hold to a person would make `aims evidence verify` fail for good."""
    asked = ask(failed)
    before = len(api.list_evidence(failed.services))
    with pytest.raises(api.WaiverRefused) as caught:
        approve(failed, asked, "stranger")
    assert "not recorded: the key of stranger is not enrolled in aims.yaml" in caught.value.hint
    assert len(api.list_evidence(failed.services)) == before


def test_an_attempt_that_cannot_be_recorded_is_refused_all_the_same(
    failed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_entry: object) -> None:
        raise StoreError("the disk is full")

    asked = ask(failed, "officer")
    monkeypatch.setattr(failed.store, "append", full)
    with pytest.raises(api.WaiverRefused) as caught:
        approve(failed, asked, "officer")
    assert "(and that could not be recorded: the disk is full)" in caught.value.hint


def test_a_raw_approval_of_ones_own_request_is_kept_and_told_in_the_list(failed: World) -> None:
    asked = ask(failed, "officer")
    failed.say("waiver", {"act": "approve", "request": asked.record.payload, "reason": "mine"})

    assert states(failed) == [
        ("waiting", "an approval does not count: officer asked for it: somebody else has to approve")
    ]
    assert not gate(failed).allowed


# Usage


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda world: ask(world, id_="fairnes"), "system income has no check 'fairnes'"),
        (lambda world: ask(world, days=-1), "is over already"),
        (lambda world: api.approve_waiver(world.services, "0123"), "too short to name a request"),
        (lambda world: api.revoke_waiver(world.services, "0123456789", reason=" "), "a reason has 1 to 2000"),
        (lambda world: api.approve_waiver(world.services, "0123456789", reason="x" * 2001), "this one has 2001"),
    ],
    ids=["an unknown check", "an end that is over", "a short digest", "no reason", "a long reason"],
)
def test_what_makes_no_sense_is_usage_and_not_recorded(
    failed: World, attempt: Callable[[World], object], says: str
) -> None:
    before = len(api.list_evidence(failed.services))
    with pytest.raises(UsageError, match=says):
        attempt(failed)
    assert len(api.list_evidence(failed.services)) == before


def test_a_waiver_that_is_in_force_is_not_approved_twice(failed: World) -> None:
    asked = ask(failed)
    approve(failed, asked)
    with pytest.raises(NothingToDo, match="officer approved the waiver"):
        approve(failed, asked, "colleague")


def test_anybody_who_is_active_in_the_register_is_heard_and_nobody_who_left(failed: World) -> None:
    here = people(owner=replace(people()[0], active=False))
    services = replace(failed.services, project=replace(failed.project, people=here))
    heard = services.trust(failed.systems[0].policy).by_kind[ANYBODY]
    assert set(heard.values()) == {"officer", "colleague", "pipeline"}


# The list


def test_an_empty_log_has_no_waivers(world: World) -> None:
    assert api.list_waivers(world.services) == []


def test_the_list_tells_of_versions_that_are_gone(failed: World) -> None:
    approve(failed, ask(failed))
    failed.registry.held.clear()
    assert states(failed) == [("dead", "parity cannot be judged now: income/3 is not known")]


def test_the_list_tells_of_statements_of_any_form(failed: World) -> None:
    failed.person = "owner"
    failed.say("waiver", {"act": "request", "requirement": 7})
    failed.say("waiver", {"anything": ["goes"]})
    rows = api.list_waivers(failed.services)
    assert [(row.state, row.request, row.why) for row in rows] == [
        (State.REFUSED, None, "it does not read as a request")
    ]
    assert [row.says for row in api.list_evidence(failed.services)][-2:] == ["ill-formed", "ill-formed"]


def test_waivers_are_named_in_the_list_of_evidence(failed: World) -> None:
    asked = ask(failed, "officer")
    refused(failed, lambda: approve(failed, asked, "officer"), "self-approval")
    approve(failed, asked, "colleague")
    short = asked.record.payload.short
    assert [row.says for row in api.list_evidence(failed.services) if row.kind == "waiver"] == [
        "request for parity",
        "approve refused: self-approval",
        f"approve {short}",
    ]


def test_a_log_with_a_hole_lists_and_approves_nothing(failed: World) -> None:
    asked = ask(failed)
    approve(failed, asked)
    failed.person = "owner"
    api.revoke_waiver(failed.services, asked.record.payload.short, reason="it got worse")
    lose(failed, -1)

    attempts: list[Callable[[], object]] = [
        lambda: api.list_waivers(failed.services),
        lambda: ask(failed),
        lambda: approve(failed, asked),
        lambda: api.revoke_waiver(failed.services, asked.record.payload.short, reason="again"),
    ]
    for attempt in attempts:
        with pytest.raises(VerificationError, match="the log does not hold"):
            attempt()
    assert gate(failed).verdict is Verdict.UNDECIDED


def lose(world: World, place: int) -> None:
    """Take a statement's envelope out of the database."""
    import sqlite3
    from contextlib import closing

    payloads = [row.digest for row in api.list_evidence(world.services)]
    with closing(sqlite3.connect(world.folder / "aims.db")) as database:
        database.execute("delete from aims_envelope where payload = ?", (str(payloads[place]),))
        database.commit()


def test_another_versions_lost_waiver_shuts_a_waived_gate(failed: World) -> None:
    """Earlier waivers are read for the words; what does not hold of them shuts all the same."""
    failed.registry.add("income", "4", b"other files")
    newer = ModelRef("income", version="4")
    api.check(failed.services, newer)
    ask(failed, ref=newer)
    approve(failed, ask(failed))
    place = next(i for i, row in enumerate(api.list_evidence(failed.services)) if row.says.startswith("request"))
    lose(failed, place)

    assert gate(failed).verdict is Verdict.UNDECIDED
