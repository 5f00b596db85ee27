"""What the terminal shows, in full lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from aims_mlops.model.outcome import Verdict
from aims_mlops.views.layout import Grid, render
from aims_mlops.views.terminal import (
    EvidenceRow,
    SystemRow,
    check_table,
    decision_table,
    evidence_table,
    system_detail,
    systems_table,
)
from tests.unit.views.examples import (
    EVIDENCE,
    FAILED,
    HOSTILE,
    NOON,
    OPTIONAL,
    PASSED,
    WAIVED,
    accuracy,
    broken,
    by_race,
    by_sex,
    decision,
    drift,
    income,
    quality,
    report,
)

ROW = EvidenceRow(12, NOON, "check-result", "income/1", "failed", "pipeline", EVIDENCE, "verified")
SYSTEM = SystemRow("income", "Income estimator", "Income Model Owner", "high", ("income",), "denied")


@pytest.fixture(autouse=True)
def _colour_is_not_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def everything() -> list[object]:
    full = report(accuracy(), by_race(), quality(), by_sex(), drift(), broken(), notices=("n",), unrecorded="no key")
    return [
        check_table(full),
        decision_table(decision(PASSED, FAILED, OPTIONAL)),
        systems_table([SYSTEM]),
        evidence_table([ROW]),
        system_detail("Income estimator", [("owner", "Income Model Owner"), ("deputy", "")]),
    ]


def test_a_run_shows_what_failed_first_with_its_numbers_and_the_next_step() -> None:
    assert render(check_table(report(accuracy(), by_race(), by_sex())), width=110).splitlines() == [
        "income/1  9372c470eead  system income  2026-11-21 20:31 UTC",
        "",
        "✗ failed        parity-by-sex   fairness, 14652 rows",
        "    demographic_parity_difference(sex) 0.176 [0.165, 0.188], limit at most 0.12: failed",
        "    why:  demographic_parity_difference by sex is 0.176 (0.165 to 0.188), the limit is at most 0.12",
        "    next: compare the selection rates of Female (0.0765) and Male (0.253); retrain, or move the threshold",
        "? inconclusive  parity-by-race  fairness, 14652 rows, not required",
        "    demographic_parity_difference(race) 0.130 [0.0921, 0.211], limit at most 0.2: inconclusive",
        "    why:  demographic_parity_difference by race is 0.13, between 0.0921 and 0.211 at 95 %; the limit is at",
        "          most 0.2; about 900 more rows would decide it",
        "    next: measure on more rows; a model further from the limit needs fewer",
        "✓ passed        accuracy        performance, 14652 rows, 2 measures",
        "",
        "income/1: parity-by-sex failed, 1 check passed, 1 not required is inconclusive",
    ]


def test_a_decision_shows_its_owner_and_ends_with_the_verdict() -> None:
    lines = render(decision_table(decision(PASSED, FAILED, OPTIONAL)), width=110).splitlines()
    assert lines[0] == "income/1 → champion  9372c470eead  system income"
    assert lines[2] == "✗ failed        parity-by-sex  check, signed by pipeline, 2026-11-21 20:31 UTC"
    assert lines[4] == "    next: retrain, or ask for a waiver: aims waive request parity-by-sex income/1"
    assert lines[5] == "! missing       peer-review    record, not required"
    assert lines[8] == "✓ passed        accuracy       check, signed by pipeline, 2026-11-21 20:31 UTC"
    assert "  owner     Income Model Owner <income-owner@example.org>" in lines
    assert lines[-1] == "income/1: denied for champion: parity-by-sex failed"


def test_waived_is_printed_as_waived() -> None:
    shown = render(decision_table(decision(PASSED, WAIVED, verdict=Verdict.ALLOWED_BY_WAIVER)), width=110)
    assert "~ waived        parity-by-sex" in shown
    assert "waiver e87e2b72bcde" in shown
    assert "✓ passed        parity-by-sex" not in shown


def test_a_run_that_was_not_recorded_says_so_loudly_and_what_to_do() -> None:
    unrecorded = report(accuracy(), unrecorded="no private key at hand", unrecorded_hint="aims keys new pipeline")
    assert render(check_table(unrecorded), width=100).splitlines()[-3:] == [
        "NOT RECORDED: no private key at hand",
        "  next: aims keys new pipeline",
        "income/1: 1 check passed, not recorded",
    ]


def test_a_decision_that_was_not_recorded_says_so() -> None:
    assert "decision  NOT RECORDED" in render(decision_table(decision(FAILED, digest=None)), width=100)


def test_what_a_library_said_is_shown_at_the_terminal() -> None:
    assert "    detail: ImportError: x" in render(check_table(report(broken())), width=100)


def test_many_bad_measures_are_cut_short_with_their_number() -> None:
    many = drift()
    bad = tuple(replace(many.measures[0], column=f"c{place}") for place in range(9))
    shown = render(check_table(report(replace(many, finding=replace(many.finding, measures=bad)))), width=100)
    assert shown.count("limit at most 0.1: failed") == 5
    assert "    and 4 more" in shown


@pytest.mark.parametrize("width", [30, 60, 80, 120])
@pytest.mark.parametrize("which", range(5))
def test_nothing_is_wider_than_the_terminal_and_nothing_is_lost(which: int, width: int) -> None:
    shown = render(everything()[which], width=width)  # type: ignore[arg-type]
    assert max(cell_len(line) for line in shown.splitlines()) <= width
    wide = render(everything()[which], width=400)  # type: ignore[arg-type]
    letters = {letter for letter in "".join(wide.split()) if letter.isalnum()}
    assert letters <= set(shown)
    assert "…" not in shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("which", range(5))
def test_a_terminal_without_unicode_gets_ascii(which: int, encoding: str) -> None:
    assert render(everything()[which], width=100, encoding=encoding).isascii()  # type: ignore[arg-type]


def test_names_that_ascii_does_not_have_are_spelled_out() -> None:
    shown = render(decision_table(decision(replace(FAILED, reason="Größe ≥ 3"))), width=100, encoding="ascii")
    assert "why:  Gr\\xf6\\xdfe >= 3" in shown
    assert "income/1 -> champion" in shown


def test_a_hostile_name_neither_colours_nor_moves_anything() -> None:
    named = replace(by_sex(), id=HOSTILE + "[red]x[/red]")
    shown = render(check_table(report(named)), width=200)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[red]x[/red]" in shown


def test_colour_comes_with_a_word() -> None:
    shown = render(check_table(income()), width=100, colour=True)
    assert "\x1b[31m✗ failed" in shown
    assert "\x1b[32m✓ passed" in shown


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = render(check_table(income()), width=100, colour=True)
    assert "\x1b[31m" not in shown
    assert "\x1b[32m" not in shown


def test_columns_are_aligned() -> None:
    assert render(systems_table([SYSTEM, replace(SYSTEM, id="a", name="B")]), width=100).splitlines() == [
        "system  name              owner               risk  models  standing",
        "income  Income estimator  Income Model Owner  high  income  denied",
        "a       B                 Income Model Owner  high  income  denied",
    ]


def test_a_table_that_does_not_fit_becomes_blocks() -> None:
    lines = render(evidence_table([ROW]), width=60).splitlines()
    assert lines[:3] == ["seq 12", "  captured   2026-11-21 20:31 UTC", "  kind       check-result"]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        pytest.param(systems_table([]), "no AI system is registered: add one to `systems:` in aims.yaml", id="systems"),
        pytest.param(evidence_table([]), "no evidence is recorded", id="evidence"),
    ],
)
def test_an_empty_table_is_a_sentence(table: Grid, text: str) -> None:
    assert render(table, width=100) == f"{text}\n"
