"""What wiring builds, as far as it has a choice."""

from __future__ import annotations

import pytest

from aims_mlops import wiring
from aims_mlops.model.register import Project
from aims_mlops.model.subject import Target
from tests.builders import policy, project, system


def test_all_questions_about_one_call_meet_one_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call gets a gatekeeper of its own; one that read aims.yaml twice could meet two."""
    read: list[Project] = []

    def reading() -> Project:
        read.append(project(system(policy(), models=("income",) if not read else ("other",))))
        return read[-1]

    monkeypatch.setattr(wiring, "project", reading)
    first, second = wiring.gatekeeper(), wiring.gatekeeper()
    assert first.claims("income")
    assert first.resembles("income", None) is None
    assert first.protects("income", Target("alias", "champion"))
    assert len(read) == 1
    assert not second.claims("income")
    assert len(read) == 2
