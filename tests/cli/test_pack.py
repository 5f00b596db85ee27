"""`aims pack` and `aims systems show --at` from the command line, over the loan project's own log."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.loans import EARLIER, Loans
from tests.cli.test_log import keep_a_log

pytestmark = pytest.mark.slow
PERIOD = ("--from", "2020-01-01", "--to", "2099-12-31")


def test_a_pack_from_the_log_to_the_verdict(loans: Loans, tmp_path: Path) -> None:
    pack, trust = tmp_path / "pack", tmp_path / "trust.json"
    keep_a_log(loans)
    loans.aims("log", "checkpoint", expect=0)
    made = loans.aims("pack", "build", "loans", *PERIOD, "-o", str(pack), "--format", "json", expect=0).json
    assert (made["schema"], made["statements"]) == ("aims.pack/1", {"period": EARLIER, "before": 0})
    assert made["warnings"] == ["unwitnessed: nobody outside has seen this log. `aims log witness URL`"]
    loans.aims("pack", "build", "loans", *PERIOD, "-o", str(pack), expect=2).says("never overwrites")
    loans.aims("pack", "trust", "-o", str(trust), expect=0).says("trust.json")
    assert loans.aims("pack", "trust", expect=0).out == trust.read_text()
    assert "example.org" not in trust.read_text()

    loans.aims("pack", "verify", str(pack), expect=3).says("INCOMPLETE", "no --trust says whose signatures count")
    told = loans.aims("pack", "verify", str(pack), "--trust", str(trust), expect=5)
    told.says(f"VALID: {EARLIER} statements", f"UNWITNESSED: {EARLIER} leaves that nobody outside has seen")
    kept = loans.folder / "aims.db.checkpoint"
    loans.aims("pack", "verify", str(pack), "--trust", str(trust), "--checkpoint", str(kept), expect=0).says(
        f"compared up to {EARLIER} leaves"
    )
    found = loans.aims("pack", "verify", str(pack), "--trust", str(trust), "--format", "json", expect=5).json
    assert (found["verdict"], found["statements"], found["troubles"]) == ("VALID", EARLIER, [])

    spoiled = shutil.copytree(pack, tmp_path / "spoiled")
    (spoiled / "index.csv").write_text("nothing")
    loans.aims("pack", "verify", str(spoiled), "--trust", str(trust), expect=4).says("INVALID", "✗ tampered index.csv")
    loans.aims("pack", "verify", str(spoiled / "verify.py"), expect=2).says("neither a folder nor a ZIP file")
    (tmp_path / "no.json").write_text(json.dumps({**json.loads(trust.read_text()), "revoked": []}))
    loans.aims("pack", "verify", str(pack), "--trust", str(tmp_path / "no.json"), expect=3).says(
        "other fields than this version knows: ['revoked']"
    )


def test_two_packs_are_compared(loans: Loans, tmp_path: Path) -> None:
    old, new, trust = tmp_path / "old.zip", tmp_path / "new", tmp_path / "trust.json"
    keep_a_log(loans)
    loans.aims("pack", "trust", "-o", str(trust), expect=0)
    loans.aims("log", "checkpoint", expect=0)
    loans.aims("pack", "build", "loans", *PERIOD, "-o", str(old), expect=0)
    loans.aims("gate", "loan/1", "--to", "champion", expect=0)
    loans.aims("log", "checkpoint", expect=0)
    loans.aims("pack", "build", "loans", *PERIOD, "-o", str(new), expect=0)
    told = loans.aims("pack", "compare", str(old), str(new), "--trust", str(trust), expect=5)
    told.says(f"{EARLIER} leaves in both, 1 in the new alone, 0 in the old alone", "the log only grew between them")
    # The other way round nothing is left out either: the later statement was not there when the other pack was made.
    back = loans.aims("pack", "compare", str(new), str(old), "--trust", str(trust), "--format", "json", expect=5).json
    assert (back["added"], back["gone"], back["grew"], back["troubles"]) == ([], [EARLIER], True, [])


def test_wrong_periods_and_systems_are_told(loans: Loans, tmp_path: Path) -> None:
    place = str(tmp_path / "pack")
    loans.aims("pack", "build", "loans", "--from", "soon", "--to", "2026-01-01", "-o", place, expect=2).says("no date")
    swapped = ("--from", "2026-02-01", "--to", "2026-01-01", "-o", place)
    loans.aims("pack", "build", "loans", *swapped, expect=2).says("ends before it begins")
    loans.aims("pack", "build", "cars", *PERIOD, "-o", place, expect=2).says("no system 'cars'")
    early = ("--from", "2020-01-01", "--to", "2020-12-31", "-o", place)
    loans.aims("pack", "build", "loans", *early, expect=5).says("the log has nothing of loans")
    loans.aims("--as", "risk-officer", "pack", "build", "loans", *PERIOD, "-o", place, expect=2).says(
        "'risk-officer' is not trusted to sign a pack", "trust: {pack: [risk-officer]}"
    )
    assert not Path(place).exists()


def test_a_system_is_shown_as_it_was(loans: Loans) -> None:
    loans.aims("systems", "show", "loans", "--at", "2099-01-01", expect=0).says("0 targets held; the log had 6 leaves")
    loans.aims("promote", "loan/1", "--to", "champion", "--reason", "release", expect=0)
    loans.aims("systems", "show", "loans", "--at", "2099-01-01", expect=0).says(
        "champion loan/1", "owner loan-owner", "parity passed, evidence", "1 target held"
    )
    then = loans.aims("systems", "show", "loans", "--at", "2020-01-01", "--format", "json", expect=0).json
    assert (then["schema"], then["stood"], then["leaves"]) == ("aims.system-then/1", [], 0)
