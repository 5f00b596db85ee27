"""Data that cannot be judged: said with a hint, exit 3 or 1, and what was recorded before stays."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]


def test_template(loans: Loans) -> None:
    loans.log_holds(more=0, before=loans.payloads())
    a = loans.aims("check", "loan/1", expect=0)
    print(a.out, a.err)
    a = loans.aims("gate", "loan/1", "--to", "champion", expect=0)
    print(a.out, a.err)
