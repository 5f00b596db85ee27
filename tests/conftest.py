"""What holds for all tests: how long the slow ones may take together."""

from __future__ import annotations

import os
import time

import pytest

_BEGAN = time.monotonic()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked slow once slow tests have had their time: a busy machine then ends with an answer, too."""
    given = os.environ.get("AIMS_SLOW_SECONDS")
    if given and item.get_closest_marker("slow") and time.monotonic() - _BEGAN > float(given):
        pytest.skip(
            f"slow tests have had their {given} seconds (AIMS_SLOW_SECONDS); `make test` alone runs all of them"
        )
