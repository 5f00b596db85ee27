"""Waivers as people and programs read them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aims_mlops.evidence.record import Record
from aims_mlops.evidence.waiver_body import Refused
from aims_mlops.evidence.waivers import Ground, State, Waiver, ordinal, waivers
from aims_mlops.model.digest import Digest
from aims_mlops.views.layout import render
from aims_mlops.views.waiving import waiver_lines, waivers_table, waivers_wire
from tests.builders import NOW, failing, record, waiver_answer, waiver_request

RESULT = record(failing(), seq=0)
ASKED = waiver_request(RESULT.statement)
REQUEST = record(ASKED, seq=1, signer="owner", payload=Digest.of(ASKED.to_bytes()))
APPROVAL = record(waiver_answer("approve", ASKED), seq=2, signer="officer")
SHORT = REQUEST.payload.short


def one(*said: Record) -> Waiver:
    ground = Ground(RESULT, "", (RESULT,), ("owner", "officer"), "owner", NOW)
    (found,) = waivers([REQUEST, *said], ground)
    return found


def test_a_waiver_in_force_shows_who_answers_for_what_and_until_when() -> None:
    assert render(waiver_lines(one(APPROVAL)), width=132) == (
        f"  waiver    {REQUEST.payload}\n"
        "  asked by  owner\n"
        "  until     2026-12-05 20:31 UTC\n"
        "  observed  failed: demographic_parity_difference(sex) 0.176\n"
        "  because   the next version mends it\n"
        "  approved  officer\n"
        f"waiver {SHORT} of parity for income/3: in force\n"
    )


def test_a_request_shows_how_to_approve_it() -> None:
    shown = render(waiver_lines(one()), width=132)
    assert "  why       nobody approved it yet\n" in shown
    assert shown.endswith(
        f"  next      aims --as PERSON waive approve {SHORT}\nwaiver {SHORT} of parity for income/3: waiting\n"
    )


def test_renewals_are_shown_from_the_second_waiver_on() -> None:
    renewed = replace(one(APPROVAL), renewals=2)
    assert "renewal" not in render(waiver_lines(one(APPROVAL)), width=132)
    assert "  renewal   second renewal\n" in render(waiver_lines(renewed), width=132)
    assert "second renewal" in render(waivers_table([renewed]), width=200)
    assert waivers_wire([renewed])["waivers"][0]["renewals"] == 2


def test_the_table_never_calls_a_waiver_passed() -> None:
    refused = Waiver(REQUEST, None, State.REFUSED, "officer asked for it", refused=Refused("approve", "x", "y"))
    shown = render(waivers_table([one(APPROVAL), one(), refused]), width=200)
    assert "passed" not in shown
    for row in ("income/3  parity       in force  owner     officer", "approve: officer asked for it"):
        assert row in shown


def test_a_reason_cannot_move_the_cursor() -> None:
    sly = replace(ASKED, body={**ASKED.body, "reason": "fine\x1b[2J"})
    request = record(sly, seq=1, signer="owner")
    (found,) = waivers([request], Ground(RESULT, "", (RESULT,), ("owner",), "owner", NOW))
    assert "\x1b" not in render(waiver_lines(found), width=132)


def test_an_empty_list_says_so() -> None:
    assert render(waivers_table([]), width=80) == "no waiver was asked for\n"
    assert waivers_wire([]) == {"schema": "aims.waivers/1", "exit_code": 0, "waivers": []}


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "first"), (2, "second"), (3, "third"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (102, "102nd")],
)
def test_a_place_in_a_row_is_written_as_people_do(number: int, word: str) -> None:
    assert ordinal(number) == word
