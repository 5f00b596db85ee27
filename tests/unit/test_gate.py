"""The built-in requirements, the empty policy, and what a decision says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aims_mlops.evidence.log import Fault
from aims_mlops.evidence.record import Record
from aims_mlops.gate import decide
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status, Verdict
from aims_mlops.model.policy import Policy
from aims_mlops.model.register import System
from tests.builders import (
    CHAMPION,
    MODEL_FILES,
    NOW,
    ask,
    check_spec,
    found,
    human,
    people,
    person,
    policy,
    question,
    record,
    record_spec,
    result,
    system,
    version,
    view,
)

PASS = record(result())


# What is allowed, and what the decision rests on


def test_a_passing_required_check_of_an_owned_model_is_allowed() -> None:
    answer = ask(PASS)

    assert answer.verdict is Verdict.ALLOWED
    assert answer.exit_code == 0
    assert [(item.id, item.kind, item.status) for item in answer.requirements] == [
        ("claimed", "builtin", Status.PASSED),
        ("owner", "builtin", Status.PASSED),
        ("integrity", "builtin", Status.PASSED),
        ("parity", "check", Status.PASSED),
    ]


def test_a_decision_binds_version_target_policy_log_and_time() -> None:
    answer = decide(question(), view(PASS), now=NOW, enforced_by="server")

    assert (answer.version, answer.target, answer.system) == (version(), CHAMPION, "income")
    assert answer.subject is not None
    assert answer.subject.digest == MODEL_FILES
    assert answer.policy_digest == policy().digest
    assert (answer.log_size, answer.log_head) == (1, Digest.of(b"head"))
    assert (answer.decided_at, answer.enforced_by) == (NOW, "server")
    assert answer.owner == people()[0]
    assert found(answer, "parity").evidence == PASS.payload
    assert found(answer, "parity").measured_at == PASS.statement.header.measured_at
    assert found(answer, "parity").signed_by == "pipeline"


def test_a_decision_of_a_client_says_so() -> None:
    assert ask(PASS).enforced_by == "client"


def test_nothing_in_the_environment_changes_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    shut = ask()
    for name in ("CI", "AIMS_APPROVE", "AIMS_SKIP", "AIMS_FORCE", "AIMS_ALLOW"):
        monkeypatch.setenv(name, "true")

    assert ask() == shut


# claimed


def test_a_model_that_nobody_claims_is_denied_with_the_way_to_claim_it() -> None:
    answer = decide(replace(question(), claimants=()), view(PASS), now=NOW)

    assert answer.verdict is Verdict.DENIED
    assert answer.exit_code == 1
    assert (answer.system, answer.owner, answer.policy_digest) == (None, None, None)
    (item,) = answer.requirements
    assert item.status is Status.MISSING
    assert item.reason == "no system of the register claims the model 'income'"
    assert item.hint == "add 'income' to models: of a system in aims.yaml, under its named owner, then aims check"


def test_a_model_that_two_systems_claim_is_denied_and_both_are_named() -> None:
    answer = decide(question(system(), system(id="credit")), view(PASS), now=NOW)

    assert answer.exit_code == 1
    assert found(answer, "claimed").reason == "2 systems claim the model 'income': income, credit"
    assert found(answer, "claimed").hint == "let exactly one system in aims.yaml claim it under models:"


# owner


@pytest.mark.parametrize(
    ("entry", "reason", "role"),
    [
        (system(owner="nobody"), "the owner 'nobody' is not among the people of aims.yaml", "owner"),
        (system(owner="pipeline"), "the owner 'pipeline' is a service: only a person can own a system", "owner"),
        (system(owner="left"), "the owner 'left' is no longer active", "owner"),
        (system(owner="nameless"), "the owner 'nameless' has no name", "owner"),
        (system(risk_class="high"), "risk class high needs a deputy beside the owner, and none is named", "deputy"),
        (
            system(risk_class="high", deputy="left"),
            "the deputy 'left' is no longer active",
            "deputy",
        ),
        (
            system(risk_class="high", deputy="pipeline"),
            "the deputy 'pipeline' is a service: only a person can own a system",
            "deputy",
        ),
        (system(risk_class="high", deputy="owner"), "owner and deputy are the same person, owner", "deputy"),
    ],
    ids=[
        "unknown owner",
        "a service owns it",
        "the owner left",
        "the owner has no name",
        "high risk without deputy",
        "the deputy left",
        "a service is deputy",
        "the owner is their own deputy",
    ],
)
def test_an_owner_who_cannot_own_keeps_the_gate_shut(entry: System, reason: str, role: str) -> None:
    here = (*people(), person("left", active=False), person("nameless", name=" "))
    answer = decide(replace(question(entry), people=here), view(PASS), now=NOW)

    item = found(answer, "owner")
    assert answer.exit_code == 1
    assert (item.status, item.reason) == (Status.MISSING, reason)
    assert item.hint == f"name an active person as {role} of systems.income in aims.yaml"


@pytest.mark.parametrize(
    "entry",
    [system(risk_class="high", deputy="officer"), system(risk_class="limited"), system(deputy="left")],
    ids=["high risk with a deputy", "limited risk without one", "a deputy who is not needed"],
)
def test_an_active_owner_opens(entry: System) -> None:
    answer = decide(question(entry), view(PASS), now=NOW)

    assert answer.allowed
    assert found(answer, "owner").reason == "owner owns it"


# integrity


def test_files_out_of_reach_are_undecided_and_old_results_are_not_called_mismatched() -> None:
    answer = ask(PASS, subject=None, unreadable="the registry answered 500")

    assert answer.verdict is Verdict.UNDECIDED
    assert answer.exit_code == 3
    assert found(answer, "integrity").reason == "the registry answered 500"
    assert found(answer, "integrity").hint == "make the model's files readable, then ask again"
    item = found(answer, "parity")
    assert item.status is Status.ERROR
    assert item.reason == "cannot be compared with the model: its files could not be read"
    assert item.evidence == PASS.payload


def test_files_out_of_reach_and_no_result_at_all_is_denied() -> None:
    answer = ask(subject=None, unreadable="the registry answered 500")

    assert (answer.verdict, answer.exit_code) == (Verdict.DENIED, 1)


def test_files_that_are_refused_are_mismatched() -> None:
    answer = ask(PASS, subject=None, unreadable="weights.bin is a link", files_changed=True)

    assert (answer.verdict, answer.exit_code) == (Verdict.DENIED, 4)
    assert found(answer, "integrity").status is Status.MISMATCHED
    assert found(answer, "integrity").reason == "weights.bin is a link"


def test_several_faults_are_counted_and_the_first_is_named() -> None:
    answer = ask(PASS, faults=(Fault("tampered", 1, "leaf 1 is odd"), Fault("tampered", 2, "leaf 2 is odd")))

    assert found(answer, "integrity").reason == "the evidence was changed: leaf 1 is odd (and 1 more)"
    assert answer.exit_code == 4


def test_a_hole_is_undecided_even_where_a_check_failed() -> None:
    answer = ask(record(result("failed")), faults=(Fault("hole", 1, "leaf 1 is gone"),))

    assert (answer.verdict, answer.exit_code) == (Verdict.UNDECIDED, 1)
    assert found(answer, "integrity").reason == "the log has a hole: leaf 1 is gone"
    assert "restore the store from its backup" in found(answer, "integrity").hint


def test_a_hole_is_undecided_even_where_nobody_claims_the_model() -> None:
    asked = replace(question(), claimants=())

    assert decide(asked, view(faults=[Fault("hole", 0, "gone")]), now=NOW).verdict is Verdict.UNDECIDED


# An empty policy


@pytest.mark.parametrize(
    ("empty", "records"),
    [
        (policy([]), []),
        (policy([check_spec(required=False)]), [PASS]),
        (policy([], [record_spec(required=False)]), [record(human(), signer="colleague")]),
    ],
    ids=["nothing in it", "only an optional check", "only an optional record"],
)
def test_a_policy_that_requires_nothing_allows_nothing(empty: Policy, records: list[Record]) -> None:
    answer = ask(*records, policy_=empty)

    assert (answer.verdict, answer.exit_code) == (Verdict.DENIED, 1)
    assert found(answer, "policy").reason == (
        "the policy of income requires no check and no record: an empty policy allows nothing"
    )
    assert found(answer, "policy").hint == "add a required check to systems.income.checks in aims.yaml"


def test_evidence_recorded_later_than_now_shuts_the_gate() -> None:
    """With a clock set back an old pass would be young again."""
    late = timedelta(minutes=5, seconds=1)
    answer = ask(record(result(), captured_at=NOW + late))

    assert (answer.verdict, answer.exit_code) == (Verdict.DENIED, 4)
    item = found(answer, "integrity")
    assert item.status is Status.UNTRUSTED
    assert item.reason.endswith("from now: the clock was set back")
    assert item.hint == "set this machine's clock, then ask again"


def test_evidence_recorded_later_by_what_two_clocks_may_differ_is_taken() -> None:
    assert ask(record(result(), captured_at=NOW + timedelta(minutes=5))).allowed


def test_nothing_of_a_prohibited_system_goes_live() -> None:
    answer = decide(question(system(risk_class="prohibited")), view(record(result())), now=NOW)

    assert (answer.verdict, answer.exit_code) == (Verdict.DENIED, 1)
    item = found(answer, "claimed")
    assert (item.status, item.reason) == (
        Status.FAILED,
        "system income has the risk class prohibited: nothing of it may go live",
    )
    assert "only a person can answer for another one" in item.hint
