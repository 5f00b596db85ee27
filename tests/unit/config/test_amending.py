"""One key's entry is changed in aims.yaml; every other byte stays, and what cannot be cut safely is told instead."""

from __future__ import annotations

import pytest

from aims_mlops.config.amending import amended
from aims_mlops.errors import ConfigError

REVOKED = {"revoked": {"at": "2026-11-28T10:00:00Z", "reason": "lost"}}
AFTER = {"file": "keys/a.pub.pem", "from": "2026-11-28"}


def around(keys: str) -> str:
    return f"# register\nschema: aims/1\npeople:\n  ann:   # the first\n    keys: {keys}\n  ben: {{name: B}}   # end\n"


@pytest.mark.parametrize(
    ("before", "place", "change", "after", "expected"),
    [
        pytest.param(
            "[keys/a.pub.pem]  # hers",
            0,
            REVOKED,
            None,
            "[{file: keys/a.pub.pem, revoked: {at: 2026-11-28T10:00:00Z, reason: lost}}]  # hers",
            id="a path in brackets",
        ),
        pytest.param(
            "[k.pem, 'a b.pem']",
            1,
            {"to": "2026-11-28"},
            None,
            "[k.pem, {file: 'a b.pem', to: 2026-11-28}]",
            id="a quoted path",
        ),
        pytest.param(
            "[keys/a.pub.pem, z.pem]",
            0,
            {"file": "keys/old.pem", "to": "2026-11-28"},
            AFTER,
            "[{file: keys/old.pem, to: 2026-11-28}, {file: keys/a.pub.pem, from: 2026-11-28}, z.pem]",
            id="an end, and a successor",
        ),
        pytest.param(
            "[{file: a.pem, from: 2026-01-01}]",
            0,
            {"file": "b.pem", "to": "2026-11-28"},
            AFTER,
            "[{file: b.pem, from: 2026-01-01, to: 2026-11-28}, {file: keys/a.pub.pem, from: 2026-11-28}]",
            id="a mapping in brackets",
        ),
        pytest.param(
            "\n      - keys/a.pub.pem   # hers\n      - z.pem",
            0,
            {"to": "2026-11-28"},
            AFTER,
            "\n      - {file: keys/a.pub.pem, to: 2026-11-28}   # hers\n"
            "      - {file: keys/a.pub.pem, from: 2026-11-28}\n      - z.pem",
            id="a path on a line of its own",
        ),
        pytest.param(
            "\n    - file: a.pem  # hers\n      from: 2026-01-01  # the first\n    # below\n    - z.pem",
            0,
            {"file": "b.pem", "to": "2026-11-28"},
            AFTER,
            "\n    - file: b.pem  # hers\n      from: 2026-01-01  # the first\n      to: 2026-11-28\n"
            "    - {file: keys/a.pub.pem, from: 2026-11-28}\n    # below\n    - z.pem",
            id="a mapping on lines of its own",
        ),
    ],
)
def test_everything_but_the_entry_stays_byte_for_byte(
    before: str, place: int, change: dict[str, object], after: dict[str, str] | None, expected: str
) -> None:
    assert amended(around(before).encode(), "ann", place, change, after=after).decode() == around(expected)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + around("[a.pem]"), id="a byte order mark"),
        pytest.param(around("&k [a.pem]") + "other: *k\n", id="an anchor that is used twice"),
    ],
)
def test_what_is_not_cut_safely_is_told_line_by_line(text: str) -> None:
    with pytest.raises(ConfigError, match="written in a way that is not changed safely") as caught:
        amended(text.encode(), "ann", 0, {"to": "2026-11-28"}, after=AFTER)

    assert caught.value.hint == (
        "under people.ann write: keys: [{file: a.pem, to: 2026-11-28}, {file: keys/a.pub.pem, from: 2026-11-28}]"
    )
