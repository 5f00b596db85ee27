"""`aims keys trust`, `revoke` and `rotate` as people meet them, and what gate and verification say afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("keys")]

REVOKE = ("--as", "risk-officer", "keys", "revoke", "pipeline", "--reason")
FUTURE = "2126-01-01"


@pytest.fixture(scope="module")
def ruled(template: Loans, tmp_path_factory: pytest.TempPathFactory) -> Loans:
    """loan/1, checked under a policy that trusts the risk officer for key events."""
    made = template.copy(tmp_path_factory.mktemp("ruled") / "project")
    made.keep_drift_alone()
    made.edit("  promotion: [pipeline]\n", "  promotion: [pipeline]   # the release job\n  key-event: [risk-officer]\n")
    made.aims("check", "loan/1", expect=0)
    made.aims("gate", "loan/1", "--to", "champion", expect=0)
    return made


@pytest.fixture
def project(ruled: Loans, tmp_path: Path) -> Loans:
    return ruled.copy(tmp_path / "project")


def text(project: Loans) -> str:
    return (project.folder / "aims.yaml").read_text()


def keys(project: Loans) -> list[dict[str, Any]]:
    """Return the pipeline's keys as `aims keys list` has them."""
    rows = project.aims("keys", "list", "--format", "json", expect=0).json
    return [row for row in rows if row["person"] == "pipeline"]


def test_trust_shows_who_may_sign_what_and_hands_out_the_keys(project: Loans) -> None:
    answer = project.aims("keys", "trust", expect=0)
    answer.says("check-result pipeline", "key-event risk-officer", "every - - 1 in force")

    told = project.aims("keys", "trust", "--format", "json", expect=0).json

    assert told["schema"] == "aims.keys/1"
    assert told["kinds"]["key-event"] == [{"by": ["risk-officer"], "systems": None, "threshold": 1}]
    (pipeline,) = [someone for someone in told["people"] if someone["id"] == "pipeline"]
    (enrolled,) = pipeline["keys"]
    assert set(enrolled) == {"key", "algorithm", "spki", "from", "until", "revoked", "in_force"}
    assert (enrolled["algorithm"], enrolled["revoked"], enrolled["in_force"]) == ("ecdsa-p256", None, True)


def test_a_compromised_key_is_told_everywhere_and_signs_no_more(project: Loans) -> None:
    today = datetime.now(UTC).date().isoformat()

    project.aims(*REVOKE, "compromised", "--at", today, expect=0).says(
        f"of pipeline from {today} on (compromised); aims.yaml says so"
    )

    line = f"keys: [{{file: keys/pipeline.pub.pem, revoked: {{at: {today}, reason: compromised}}}}]}}\n"
    assert line in text(project)
    assert "# the release job" in text(project)
    project.aims("evidence", "list", expect=0).says("key-event", "revoke a key of pipeline")
    project.aims("evidence", "verify", expect=4).says("does not count: signed at", "(compromised)")
    project.aims("check", "loan/1", expect=2).says(
        f"the key of 'pipeline' was revoked on {today} (compromised): what it signs now counts for nothing",
        "next: aims keys rotate pipeline; aims keys trust shows which keys are in force",
    )
    project.edit("gate-decision: [pipeline]", "gate-decision: [risk-officer]")
    project.aims("--as", "risk-officer", "gate", "loan/1", "--to", "champion", expect=4).says("! untrusted drift check")
    project.aims("keys", "trust", expect=0).says(f"was revoked on {today} (compromised)")
    project.aims(*REVOKE, "lost", "--at", today, expect=5).says("pipeline is revoked already")


def test_without_an_anchor_nothing_of_a_compromised_key_counts_though_it_was_signed_before(project: Loans) -> None:
    project.aims(*REVOKE, "compromised", "--at", FUTURE, expect=0)

    project.aims("gate", "loan/1", "--to", "champion", expect=4).says(
        "no outside anchor before the key was revoked: the key was revoked at 2126-01-01T00:00:00.000Z (compromised)"
    )


def test_what_a_superseded_key_signed_before_stays_good(project: Loans) -> None:
    project.aims(*REVOKE, "superseded", "--at", FUTURE, expect=0)

    project.aims("gate", "loan/1", "--to", "champion", expect=0)
    project.aims("evidence", "verify", expect=0)


def test_after_a_rotation_old_results_stay_good_and_the_new_key_signs(project: Loans) -> None:
    today = datetime.now(UTC).date().isoformat()
    (before,) = [row["key"] for row in keys(project)]

    project.aims("--as", "risk-officer", "keys", "rotate", "pipeline", expect=0).says(
        f"from {today} on", "the old pair is in keys/retired"
    )

    rows = keys(project)
    assert [row["private"] for row in rows] == [False, True]
    assert rows[0]["key"] == before != rows[1]["key"]
    retired = f"keys/retired/pipeline-until-{today}-{before.removeprefix('sha256:')[:8]}"
    assert (
        f"keys: [{{file: {retired}.pub.pem, to: {today}}}, {{file: keys/pipeline.pub.pem, from: {today}}}]}}\n"
        in text(project)
    )
    assert (project.folder / f"{retired}.pem").stat().st_mode & 0o077 == 0
    assert [path.name for path in (project.folder / "keys" / "retired").iterdir() if path.is_dir()] == []
    project.aims("gate", "loan/1", "--to", "champion", expect=0)
    project.aims("check", "loan/1", expect=0)
    project.aims("gate", "loan/1", "--to", "champion", expect=0)
    project.aims("evidence", "verify", expect=0)
    listed = project.aims("evidence", "list", "--format", "json", expect=0).json
    (event,) = [row for row in listed if row["kind"] == "key-event"]
    shown = project.aims("evidence", "show", event["digest"], expect=0)
    body = json.loads(shown.out)["predicate"]
    assert (body["act"], body["person"], body["key"], body["successor"]) == (
        "rotate",
        "pipeline",
        before,
        rows[1]["key"],
    )


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        pytest.param(
            ("keys", "revoke", "pipeline", "--at", FUTURE, "--reason", "lost"),
            2,
            "pipeline may not sign a key-event: the policy trusts risk-officer for it",
            id="by somebody who is no administrator",
        ),
        pytest.param(
            ("keys", "rotate", "pipeline"),
            2,
            "pipeline may not sign a key-event: the policy trusts risk-officer for it",
            id="a rotation by somebody who is no administrator",
        ),
        pytest.param(
            ("--as", "risk-officer", "keys", "revoke", "risk-officer", "--at", FUTURE, "--reason", "lost"),
            2,
            "would sign with the very key that is revoked",
            id="of the key that signs",
        ),
        pytest.param((*REVOKE, "lost", "--at", "soon"), 2, "'soon' is not a date", id="at no time"),
        pytest.param(
            ("keys", "revoke", "nobody", "--at", FUTURE, "--reason", "lost"),
            2,
            "no key of aims.yaml by the name 'nobody'",
            id="of nobody",
        ),
        pytest.param(
            ("--as", "risk-officer", "keys", "rotate", "nobody"),
            2,
            "is not a key that aims.yaml lists for 'nobody'",
            id="a rotation of nobody's key",
        ),
    ],
)
def test_a_change_that_is_refused_changes_nothing(
    project: Loans, command: tuple[str, ...], code: int, said: str
) -> None:
    before = text(project), len(project.payloads()), sorted((project.folder / "keys").glob("*.pem"))

    project.aims(*command, expect=code).says(said, "hint: ")

    assert (text(project), len(project.payloads()), sorted((project.folder / "keys").glob("*.pem"))) == before
