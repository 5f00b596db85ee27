"""Keys that are away, locked or open to others; a registry that is away; a library that is missing; odd targets."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cli.loans import Loans

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]


def no_key(loans: Loans) -> None:
    (loans.folder / "keys" / "pipeline.pem").unlink()


def wrong_passphrase(loans: Loans) -> None:
    loans.passphrase = "another one"


def no_passphrase(loans: Loans) -> None:
    loans.passphrase = None


def open_to_others(loans: Loans) -> None:
    (loans.folder / "keys" / "pipeline.pem").chmod(0o644)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(
            no_key,
            ("no private key of 'pipeline' at hand", "keys/pipeline.pem is missing", "aims keys new pipeline"),
            id="no key",
        ),
        pytest.param(wrong_passphrase, ("wrong passphrase", "AIMS_KEY_PASSPHRASE"), id="wrong passphrase"),
        pytest.param(
            no_passphrase,
            ("no passphrase for the key of 'pipeline', and no terminal to ask at", "set AIMS_KEY_PASSPHRASE"),
            id="no passphrase",
        ),
        pytest.param(
            open_to_others,
            ("keys/pipeline.pem can be read by others (mode 0644)", "chmod 600"),
            id="a key that others can read",
        ),
    ],
)
def test_without_a_usable_key_nothing_is_recorded_or_decided(
    loans: Loans, spoil: object, says: tuple[str, ...]
) -> None:
    before = loans.payloads()
    spoil(loans)  # type: ignore[operator]  # one of the four above
    loans.aims("check", "loan/1", "--only", "drift", expect=2).says("NOT RECORDED", "drift", "passed", *says)
    loans.aims("gate", "loan/1", "--to", "champion", expect=2).says("error:", "hint:", *says)
    loans.aims("promote", "loan/1", "--to", "champion", expect=2).says(*says)
    assert loans.aliases() == {}
    loans.log_holds(more=0, before=before)


@pytest.fixture
def broken_server() -> Iterator[str]:
    """A server that answers everything with 500."""

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(500)

        def do_POST(self) -> None:
            self.send_error(500)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("kind", ["away", "answering 500"])
def test_a_registry_that_does_not_answer_leaves_the_gate_undecided_soon(
    loans: Loans, kind: str, broken_server: str
) -> None:
    before, address = loans.payloads(), broken_server
    if kind == "away":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    for command in (
        ("gate", "loan/1", "--to", "champion"),
        ("promote", "loan/1", "--to", "champion"),
        ("check", "loan/1"),
    ):
        started = time.monotonic()
        said = loans.aims(*command, expect=3, MLFLOW_TRACKING_URI=address)
        assert time.monotonic() - started < 20
        said.says(f"reading loan/1: the registry {address} does not answer", "see that the server runs")
        assert said.out == ""
    loans.log_holds(more=0, before=before)


@pytest.mark.parametrize("model", ["nobody/1", "loan/99", "loan@nowhere"])
def test_an_unknown_model_version_or_alias_is_said(loans: Loans, model: str) -> None:
    before = loans.payloads()
    for command in (("check", model), ("gate", model, "--to", "champion")):
        loans.aims(*command, expect=3).says(f"reading {model}", "does not know it", "MLFLOW_TRACKING_URI names")
    loans.log_holds(more=0, before=before)


@pytest.mark.parametrize("model", ["loan", "loan/x", ""])
def test_what_names_no_version_is_a_mistake_of_the_caller(loans: Loans, model: str) -> None:
    loans.aims("gate", model, "--to", "champion", expect=2).says("write name/3, name@alias or models:/name/3")


def test_an_unprotected_target_is_never_green(loans: Loans) -> None:
    before = loans.payloads()
    for verb in ("gate", "promote"):
        said = loans.aims(verb, "loan/1", "--to", "staging", expect=5)
        said.says("staging is not protected for loan: there is nothing to decide", "champion, stage:Production")
    assert loans.aliases() == {}
    loans.log_holds(more=0, before=before)


def test_an_unclaimed_model_says_how_to_claim_it(loans: Loans) -> None:
    before, label = loans.payloads(), loans.create("stray", str(loans.model))
    says = "no system of the register claims the model 'stray'", "add 'stray' to models: of a system in aims.yaml"
    loans.aims("check", label, expect=1).says(*says)
    loans.log_holds(more=0, before=before)
    loans.aims("gate", label, "--to", "champion", expect=1).says("denied", "claimed", "missing", *says)
    loans.aims("promote", label, "--to", "champion", expect=1).says(*says)
    assert loans.aliases("stray") == {}
    loans.log_holds(more=2, before=before)


def test_a_missing_extra_is_named_with_the_line_that_installs_it(loans: Loans, monkeypatch: pytest.MonkeyPatch) -> None:
    before = loans.payloads()
    monkeypatch.setitem(sys.modules, "fairlearn", None)  # Python's own way to say that there is none
    said = loans.aims("check", "loan/1", "--only", "parity", expect=3)
    said.says("error", "the library 'fairlearn' is not installed", "pip install 'aims-mlops[fairness]'")
    loans.aims("gate", "loan/1", "--to", "champion", expect=3).says("undecided", "pip install 'aims-mlops[fairness]'")
    loans.log_holds(more=3, before=before)


def test_a_check_that_crashes_is_an_error_and_its_words_stay_at_the_terminal(
    loans: Loans, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aims_mlops_checks.drift import Drift

    def crash(_self: object, _context: object) -> None:
        raise ZeroDivisionError("a row of Jane Doe")

    before = loans.payloads()
    monkeypatch.setattr(Drift, "run", crash)
    said = loans.aims("check", "loan/1", "--only", "drift", expect=3)
    said.says("error", "the check crashed (ZeroDivisionError)", "detail: ZeroDivisionError: a row of Jane Doe")
    gate = loans.aims("gate", "loan/1", "--to", "champion", expect=3).says("undecided", "the check crashed")
    assert "Jane" not in gate.text
    loans.log_holds(more=3, before=before)


def test_standard_output_is_json_alone_and_the_rest_goes_to_standard_error(loans: Loans) -> None:
    checked = loans.process("aims", "-v", "check", "loan/1", "--only", "quality", "--format", "json")
    assert checked.json["schema"] == "aims.check/1"
    (loans.folder / "keys" / "pipeline.pem").unlink()
    refused = loans.aims("gate", "loan/1", "--to", "champion", "--format", "json", expect=2)
    assert refused.out == ""
    refused.says("error: no private key of 'pipeline' at hand", "hint: aims keys new pipeline")
