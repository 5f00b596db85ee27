"""Whether a statement's four times can be, and whether a key's term covers it: each rule, and what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.evidence.anchors import Anchor
from aims_mlops.evidence.validity import Times, impossible, outside
from aims_mlops.model.times import CLOCK_SKEW
from aims_mlops.model.trust import REASONS, Revocation, Term
from tests.builders import NOW

DAY, HOUR, MILLISECOND = timedelta(days=1), timedelta(hours=1), timedelta(milliseconds=1)
USUAL = Times(NOW, NOW, NOW)
SEEN = "a time that lies after w/risk saw it in the log at 2026-11-21T19:31:34.123Z"


def seen(at: datetime) -> Anchor:
    return Anchor("cosignature", "w/risk", 9, at)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"measured": NOW - DAY}, ""),
        ({"measured": NOW + CLOCK_SKEW, "signed": NOW + CLOCK_SKEW}, ""),
        ({"measured": NOW + CLOCK_SKEW + MILLISECOND}, "measured at a time that lies after it was recorded"),
        ({"signed": NOW + CLOCK_SKEW + MILLISECOND}, "signed at a time that lies after it was recorded"),
        ({"signed": NOW - CLOCK_SKEW}, ""),
        ({"signed": NOW - CLOCK_SKEW - MILLISECOND}, "signed before it was measured"),
        ({"anchor": seen(NOW - CLOCK_SKEW)}, ""),
        (
            {"anchor": seen(NOW - HOUR)},
            f"measured at 2026-11-21T20:31:34.123Z, {SEEN}",
        ),
        (
            {"measured": NOW - DAY, "anchor": seen(NOW - HOUR)},
            f"signed at 2026-11-21T20:31:34.123Z, {SEEN}",
        ),
    ],
)
def test_a_statement_is_measured_then_signed_then_recorded_then_seen(changes: dict[str, object], said: str) -> None:
    assert impossible(replace(USUAL, **changes)) == said  # type: ignore[arg-type]  # a few of its fields


REVOKED = "the key was revoked at 2026-11-20T20:31:34.123Z"


@pytest.mark.parametrize(
    ("term", "times", "said"),
    [
        (Term(), USUAL, ""),
        (Term(start=NOW), USUAL, ""),
        (Term(start=NOW + MILLISECOND), USUAL, "and the key is valid from 2026-11-21T20:31:34.124Z on"),
        (Term(end=NOW + MILLISECOND), USUAL, ""),
        (Term(end=NOW), USUAL, "signed at 2026-11-21T20:31:34.123Z, and the key ended at 2026-11-21T20:31:34.123Z"),
        (
            Term(end=NOW),
            replace(USUAL, signed=NOW - HOUR),
            "recorded at 2026-11-21T20:31:34.123Z, and the key ended at 2026-11-21T20:31:34.123Z",
        ),
        (Term(end=NOW), replace(USUAL, signed=NOW - HOUR, anchor=seen(NOW - MILLISECOND)), ""),
        (Term(revoked=Revocation(NOW + MILLISECOND, "lost")), USUAL, ""),
        (Term(revoked=Revocation(NOW - DAY, "left")), USUAL, f"signed at 2026-11-21T20:31:34.123Z, and {REVOKED}"),
        (
            Term(revoked=Revocation(NOW - DAY, "superseded")),
            replace(USUAL, signed=NOW - 2 * DAY),
            f"recorded at 2026-11-21T20:31:34.123Z, and {REVOKED} (superseded)",
        ),
        (
            Term(revoked=Revocation(NOW + DAY, "compromised")),
            USUAL,
            "no outside anchor before the key was revoked: the key was revoked at 2026-11-22T20:31:34.123Z",
        ),
        (Term(revoked=Revocation(NOW + DAY, "compromised")), replace(USUAL, anchor=seen(NOW + HOUR)), ""),
        (
            Term(revoked=Revocation(NOW + DAY, "compromised")),
            replace(USUAL, anchor=seen(NOW + DAY)),
            "no outside anchor before the key was revoked",
        ),
    ],
)
def test_a_signature_counts_within_the_key_s_term_and_not_by_the_signer_s_word_alone(
    term: Term, times: Times, said: str
) -> None:
    found = outside(term, times)

    assert found.startswith(said) or said in found
    assert bool(found) == bool(said)


moments = st.integers(-50, 50).map(lambda hours: NOW + timedelta(hours=hours))
anchors = st.none() | moments.map(seen)
revocations = st.none() | st.builds(Revocation, moments, st.sampled_from(REASONS))
terms_ = st.builds(Term, st.none() | moments, st.none() | moments, revocations)
times_ = st.builds(Times, moments, moments, moments, anchors)


@given(terms_, times_, st.builds(Revocation, moments, st.sampled_from(REASONS)))
def test_a_revocation_never_makes_a_signature_count(term: Term, times: Times, revoked: Revocation) -> None:
    if term.revoked is None and outside(term, times):
        assert outside(replace(term, revoked=revoked), times)


@given(terms_, times_)
def test_an_anchor_taken_away_never_makes_a_key_count(term: Term, times: Times) -> None:
    if outside(term, times):
        assert outside(term, replace(times, anchor=None))


@given(terms_, times_, moments)
def test_a_later_word_of_the_signer_s_never_helps_after_the_revocation(
    term: Term, times: Times, signed: datetime
) -> None:
    """Whoever has a compromised key writes any time: without an anchor none of them counts."""
    if term.revoked is not None and term.revoked.reason == "compromised" and times.anchor is None:
        assert outside(term, replace(times, signed=signed, measured=signed))
