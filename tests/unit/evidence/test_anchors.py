"""Which anchor is the earliest that covers a leaf, and that a leaf's bytes are the same written quickly or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.evidence.anchors import Anchor, earliest
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.log import Leaf
from tests.builders import DATA, NOW

SMALL_LATE = Anchor("cosignature", "w/risk", 3, NOW + timedelta(days=2))
LARGE_EARLY = Anchor("cosignature", "w/audit", 5, NOW)
LEAF = Leaf(1, DATA, "urn:aims-mlops:record:v1", DATA, DATA, DATA, "2026-11-21T20:31:34.123Z")


def test_an_anchor_of_size_n_covers_the_leaves_before_n() -> None:
    assert [SMALL_LATE.covers(seq) for seq in (-1, 0, 2, 3)] == [False, True, True, False]


def test_the_earliest_anchor_that_covers_a_leaf_counts_whatever_its_size() -> None:
    both = (SMALL_LATE, LARGE_EARLY)

    assert earliest(both, 0) == LARGE_EARLY
    assert earliest(both, 4) == LARGE_EARLY
    assert earliest((SMALL_LATE,), 2) == SMALL_LATE
    assert earliest(both, 5) is None
    assert earliest((), 0) is None


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 10**16))
def test_a_leaf_is_written_as_canonical_json_whatever_its_texts_are(kind: str, captured: str, seq: int) -> None:
    leaf = replace(LEAF, seq=seq % (2**53 - 1), type=kind, captured_at=captured)
    wire = {"v": 1, "seq": leaf.seq, "type": kind, "capturedAt": captured}
    wire |= {name: str(DATA) for name in ("prev", "payload", "envelope", "subject")}
    try:
        expected = canonical(wire)
    except ValueError:  # a lone surrogate has no UTF-8
        return

    assert leaf.to_bytes() == expected
