"""Decisions that were used, or have expired; and hooks under which nothing may break registering."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import aims_mlops as aims
from aims_mlops import wiring
from aims_mlops.errors import Denied
from tests.cli.loans import Answer, Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

REGISTER = """\
import sys
from pathlib import Path
import aims_mlops as aims
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

CRASH
aims.autolog()
client = MlflowClient()
source = SOURCE
version = client.create_model_version("loan", source)
print("registered", version.name, version.version)
try:
    client.set_registered_model_alias("loan", "champion", version.version)
except MlflowException as error:
    print("refused", error.error_code, error)
print("aliases", dict(client.get_registered_model("loan").aliases))
"""

CRASH = """\
from aims_mlops_checks.drift import Drift
def crash(self, context): raise ZeroDivisionError("the library broke")
Drift.run = crash"""


def test_a_decision_is_used_once(loans: Loans) -> None:
    before = loans.payloads()
    with loans.inside():
        decision = aims.gate("loan/1", to="champion")
        assert aims.promote(decision, reason="first release").allowed
        with pytest.raises(Denied, match="was used already: a decision is single-use") as refused:
            aims.promote(decision, reason="again")
    assert refused.value.hint == "ask the gate again"
    assert loans.aliases() == {"champion": "1"}
    loans.log_holds(more=3, before=before)


def test_a_decision_expires(loans: Loans, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # only ever asked for UTC
            return datetime.now(UTC) + timedelta(minutes=10, seconds=1)

    before = loans.payloads()
    with loans.inside():
        decision = aims.gate("loan/1", to="champion")
        monkeypatch.setattr(wiring, "datetime", Later)
        with pytest.raises(Denied, match="has expired") as refused:
            aims.promote(decision, reason="too late")
    assert refused.value.hint == "ask the gate again"
    assert loans.aliases() == {}
    loans.log_holds(more=1, before=before)


def test_a_refusal_is_not_believed_and_an_allowance_is_decided_again(loans: Loans) -> None:
    before = loans.payloads()
    with loans.inside():
        decision = aims.gate("loan/1", to="champion")
        (loans.model / "more.py").write_text("print('hello')\n")
        with pytest.raises(Denied, match="parity is mismatched"):
            aims.promote(decision, reason="the model changed in between")
    assert loans.aliases() == {}
    loans.log_holds(more=2, before=before)


def registered(loans: Loans, *, crash: str = "", **environment: str) -> Answer:
    """Register loan/2 under autolog in a process of its own, and try to promote it."""
    script = REGISTER.replace("SOURCE", repr(str(loans.model))).replace("CRASH", crash)
    answer = loans.process("python", "-c", script, **environment)
    answer.says("registered loan 2", "refused PERMISSION_DENIED", "aliases {}")
    return answer


def test_a_missing_key_breaks_no_registration_and_is_said(loans: Loans) -> None:
    before = loans.payloads()
    loans.keep_drift_alone()
    (loans.folder / "keys" / "pipeline.pem").unlink()
    said = registered(loans)
    assert re.search(r"NOT RECORDED: no private key of 'pipeline' at hand", said.err), said.err
    assert "aims keys new pipeline" in said.err
    loans.log_holds(more=0, before=before)


def test_a_check_that_crashes_and_an_extra_that_is_missing_break_no_registration(loans: Loans) -> None:
    before = loans.payloads()
    text = (loans.folder / "aims.yaml").read_text()
    loans.write(text[: text.index("      - id: quality")])
    (loans.folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'fairlearn': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
    )
    said = registered(loans, crash=CRASH, PYTHONPATH=str(loans.folder))
    assert "drift: error: the check crashed (ZeroDivisionError)" in said.err, said.err
    assert "pip install 'aims-mlops[fairness]'" in said.err
    assert "parity is error" in said.out
    loans.log_holds(more=4, before=before)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("schema: aims/1\npeople: [\n", r"aims\.yaml:\d+:\d+", id="broken"),
        pytest.param(None, "aims init", id="missing"),
    ],
)
def test_without_a_readable_aims_yaml_registering_works_and_promoting_does_not(
    loans: Loans, text: str | None, says: str
) -> None:
    before, path = loans.payloads(), loans.folder / "aims.yaml"
    held = path.read_text()
    path.unlink()
    if text is not None:
        path.write_text(text)
    said = registered(loans)
    assert re.search(says, said.err), said.err
    assert "loan" in said.err
    assert "NOT CHECKED" in said.err
    assert re.search(says, said.out), said.out
    path.write_text(held)
    loans.log_holds(more=0, before=before)


def test_an_unclaimed_model_is_registered_under_autolog_and_told_how_to_be_claimed(loans: Loans) -> None:
    before = loans.payloads()
    loans.create("stray", str(Path(loans.model)))
    script = REGISTER.replace("SOURCE", repr(str(loans.model))).replace("CRASH", "").replace('"loan"', '"stray"')
    said = loans.process("python", "-c", script)
    said.says("registered stray 2", "refused PERMISSION_DENIED", "aliases {}")
    assert "cannot be promoted: no system of the register claims the model 'stray'" in said.err
    assert "next: add 'stray' to models:" in said.err
    loans.log_holds(more=1, before=before)
