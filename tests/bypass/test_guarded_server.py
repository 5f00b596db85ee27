"""The same attempts and operations against a server that enforces, in each of its configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bypass.attempts.every import ATTEMPTS
from tests.bypass.conftest import Guarded, corners, guarded_server
from tests.bypass.legitimate import LEGITIMATE
from tests.bypass.servers import Corner
from tests.bypass.suite import Answer, Outcome, broken, tried
from tests.bypass.watching import found

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("guarded", corners(), indirect=True)
def test_no_legitimate_operation_is_hindered(guarded: Guarded) -> None:
    failed = broken(guarded.scene, LEGITIMATE.values())
    assert not failed, f"{len(failed)} of {len(LEGITIMATE)} operations do not work:\n" + "\n".join(failed)


@pytest.mark.parametrize("guarded", corners(), indirect=True)
def test_no_attempt_promotes_past_the_gate_unseen(guarded: Guarded) -> None:
    _hold(guarded, tried(guarded.scene, [one for one in ATTEMPTS.values() if not one.workspaces]))


@pytest.mark.xdist_group("bypass-workspaces")
def test_no_attempt_promotes_past_the_gate_between_workspaces(tmp_path: Path) -> None:
    with guarded_server(Corner(workspaces=True, prefix="/mlflow"), tmp_path) as guarded:
        _hold(guarded, tried(guarded.scene, [one for one in ATTEMPTS.values() if one.workspaces]))


def _hold(guarded: Guarded, outcomes: list[Outcome]) -> None:
    """Hold each attempt to its answer; one look of `aims watch` has to find those that nobody can prevent."""
    through = [str(one) for one in outcomes if one.promoted and one.attempt.answer is Answer.PREVENTED]
    open_ = [one for one in outcomes if one.attempt.answer is Answer.FOUND]
    idle = [f"not carried out: {one}" for one in open_ if not one.promoted]
    seen = found(guarded)
    unseen = [f"not found by aims watch: {one}" for one in open_ if one.promoted and not seen(one.scene)]
    said = through + idle + unseen
    assert not said, f"{len(said)} of {len(outcomes)}:\n" + "\n".join(said)
