"""What `aims watch` shows: the published JSON, the line, the message to people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aims_mlops.api import WatchReport
from aims_mlops.errors import ExitCode
from aims_mlops.evidence.log import Fault
from aims_mlops.model.bypass import Bypass, Word
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import RegisteredModel
from aims_mlops.views.terminal import render
from aims_mlops.views.watching import watch_line, watch_message, watch_table, watch_wire
from tests.builders import CHAMPION, NOW, REGISTRY, version
from tests.docs.test_reference import PREDICATES, REFERENCE, read, rows

FOUND = Bypass(
    Word.SUPERSEDED,
    version(version="7"),
    CHAMPION,
    "income/7 holds champion",
    "income/3 was promoted to champion on 2026-11-21T20:31:34.123Z",
    "see who did it",
    Digest.of(b"finding"),
    evidence=Digest.of(b"statement"),
    fresh=True,
)
REPORT = WatchReport(NOW, 4, (FOUND,), ())


def test_the_json_has_a_row_for_every_field() -> None:
    wire = watch_wire(REPORT)
    assert set(wire) | set(wire["findings"][0]) == rows(REFERENCE / "json.md", "aims.watch/1")
    assert set(wire["findings"][0]["model"]) == {"registry_id", "workspace", "name", "version", "digest"}


def test_a_finding_without_a_version_is_written_with_nulls() -> None:
    gone = replace(FOUND, version=RegisteredModel(REGISTRY, "default", "income"), evidence=None)
    (wire,) = watch_wire(replace(REPORT, findings=(gone,)))["findings"]
    assert (wire["model"]["version"], wire["created_at"], wire["evidence"]) == (None, None, None)


def test_every_word_is_explained_in_the_page_of_the_statement() -> None:
    page = read(PREDICATES / "bypass-finding.md")
    assert all(f"\n| {word.value} | " in page for word in Word if word is not Word.UNREADABLE)
    assert "`unreadable`" in page


def test_every_field_of_the_statement_has_a_row() -> None:
    from aims_mlops.evidence.predicates import bypass_finding
    from aims_mlops.model.decision import ANONYMOUS

    assert set(bypass_finding(FOUND, actor=ANONYMOUS)) == rows(PREDICATES / "bypass-finding.md")


@pytest.mark.parametrize(
    ("report", "code", "line"),
    [
        pytest.param(REPORT, 4, "WENT ROUND THE GATE: 1 finding (1 new); 4 places looked at", id="found"),
        pytest.param(
            replace(REPORT, findings=()), 0, "the registry holds what the log says: 4 places looked at", id="0"
        ),
        pytest.param(
            replace(REPORT, findings=(), faults=(Fault("hole", 3, "leaf 3 is gone"),)),
            3,
            "THE LOG DOES NOT HOLD: leaf 3 is gone; 4 places looked at",
            id="hole",
        ),
        pytest.param(
            replace(REPORT, findings=(), looked=0),
            5,
            "nothing protected stands in the registry, and the log knows of no promotion: nothing was looked at",
            id="nothing",
        ),
        pytest.param(
            replace(REPORT, findings=(replace(FOUND, word=Word.UNREADABLE, fresh=False),)),
            3,
            "COULD NOT BE LOOKED AT: 1 place; 4 places looked at",
            id="unreadable",
        ),
    ],
)
def test_the_line_says_what_the_exit_code_says(report: WatchReport, code: int, line: str) -> None:
    assert (report.exit_code, watch_line(report)) == (ExitCode(code), line)


def test_the_table_says_what_was_done_and_not_what_could_be_done() -> None:
    done = replace(REPORT, findings=(replace(FOUND, done="put back to income/3"),), notes=("a note",), notices=("oh",))
    text = render(watch_table(done), width=200)
    assert "done: put back to income/3" in text
    assert "next:" not in text
    assert "note: a note" in text
    assert "! oh" in text


def test_a_message_names_what_is_new_and_spells_out_what_could_move_a_cursor() -> None:
    odd = replace(FOUND, seen="in\x1bcome/7 holds champion")
    title, text = watch_message((odd, *[FOUND] * 25))
    assert title == "aims watch: 26 new findings"
    lines = text.splitlines()
    assert lines[0].startswith("superseded: in\\x1bcome/7 holds champion; income/3 was promoted")
    assert lines[-2:] == ["and 6 more", "aims watch --once shows what to do"]
    assert len(lines) == 22
