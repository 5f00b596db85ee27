"""The lists of attempts and operations are as long as they are said to be, and the documentation counts them right."""

from __future__ import annotations

import re
from collections import Counter

from tests.bypass.attempts.every import ATTEMPTS
from tests.bypass.legitimate import LEGITIMATE
from tests.bypass.suite import Answer
from tests.docs.blocks import ROOT

BEYOND_A_SERVER = {"database", "second server", "disk"}


def test_there_are_more_than_a_hundred_attempts_and_thirty_operations() -> None:
    assert len(ATTEMPTS) > 200
    assert len(LEGITIMATE) > 30


def test_only_what_passes_by_the_server_may_be_found_afterwards() -> None:
    found = [one for one in ATTEMPTS.values() if one.answer is Answer.FOUND]
    assert {one.kind for one in found} - {"workspace"} == BEYOND_A_SERVER
    assert [one.id for one in found if one.kind == "workspace"] == ["workspace-deleted-into-the-default"]


def test_the_page_about_threats_counts_the_attempts_of_each_class() -> None:
    page = (ROOT / "docs" / "explanation" / "threats.md").read_text(encoding="utf-8")
    (part,) = re.findall(r"(?ms)^## What is tried against a real server\n(.*?)^## ", page)
    counted = {kind: int(number) for kind, number in re.findall(r"(?m)^\| `([^`]+)` \| (\d+) \|", part)}
    assert counted == dict(Counter(one.kind for one in ATTEMPTS.values()))
