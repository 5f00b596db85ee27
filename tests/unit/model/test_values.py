"""Digests, times, references and targets: read strictly, written in one way."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_mlops.errors import UsageError
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelRef, Subject, Target
from aims_mlops.model.times import duration, duration_text, from_millis, from_text, to_text
from tests.builders import MODEL_FILES, subject, version

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


# Digests


def test_a_digest_is_the_sha256_of_the_bytes() -> None:
    digest = Digest.of(b"")

    assert digest == f"sha256:{EMPTY}"
    assert (digest.hex, digest.short) == (EMPTY, EMPTY[:12])
    assert Digest.from_hex(EMPTY) == digest
    assert Digest(str(digest)) == digest


def test_a_digest_survives_a_process_border() -> None:
    assert pickle.loads(pickle.dumps(Digest.of(b"x"))) == Digest.of(b"x")  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    "text",
    ["", EMPTY, f"sha256:{EMPTY[1:]}", f"sha256:{EMPTY}0", f"sha256:{EMPTY.upper()}", f"SHA256:{EMPTY}",
     f"sha256:{EMPTY}\n", f" sha256:{EMPTY}", f"sha512:{EMPTY}"],
    ids=["empty", "no algorithm", "short", "long", "capitals", "algorithm in capitals", "line end", "space", "sha512"],
)  # fmt: skip
def test_any_other_form_is_no_digest(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a digest: .* \(expected sha256: and 64 lower-case hex digits\)$"):
        Digest(text)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(ValueError) as caught:
        Digest("x" * 10_000)
    assert len(str(caught.value)) < 200


# Times

MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS)
def test_a_time_survives_writing_and_reading_to_the_millisecond(moment: datetime) -> None:
    text = to_text(moment)

    assert from_text(text) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert to_text(from_text(text)) == text


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    there = datetime(2026, 11, 21, 22, 31, 34, 123999, tzinfo=timezone(timedelta(hours=2)))

    assert to_text(there) == "2026-11-21T20:31:34.123Z"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="a time without zone"):
        to_text(datetime(2026, 11, 21))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-21", "2026-11-21T20:31:34Z", "2026-11-21T20:31:34.123", "2026-11-21T20:31:34.123456Z",
     "2026-11-21T20:31:34.123+00:00", "2026-11-21 20:31:34.123Z", "2026-11-21T20:31:34.123Z\n",
     "2026-13-21T20:31:34.123Z", "2026-11-21T25:31:34.123Z", "٢٠٢٦-11-21T20:31:34.123Z"],
)  # fmt: skip
def test_any_other_form_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)


@given(st.integers(-(10**12), 10**13))
def test_milliseconds_since_1970_are_exact(millis: int) -> None:
    assert from_millis(millis) - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(milliseconds=millis)
    assert from_text(to_text(from_millis(millis))) == from_millis(millis)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("90m", timedelta(minutes=90)),
        ("5s", timedelta(seconds=5)),
        ("2w", timedelta(days=14)),
        ("0d", timedelta(0)),
    ],
)
def test_durations_are_a_number_and_a_unit(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "d", "30", "30 d", "-1d", "1.5d", "30D", "1y", "30d\n", "٣d", "1" * 5000 + "d"])
def test_any_other_form_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration: .* \(write a number and s, m, h, d or w, e\.g\. 30d\)"):
        duration(text)


def test_a_duration_beyond_the_calendar_is_refused_as_a_value() -> None:
    with pytest.raises(ValueError, match="not a duration: '999999999w' is longer than a calendar"):
        duration("999999999w")


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=59), "59 seconds"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (timedelta(hours=23), "23 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=41, hours=5, minutes=1), "41 days 5 hours"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(span: timedelta, text: str) -> None:
    assert duration_text(span) == text


# References


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("income/3", ModelRef("income", version="3")),
        ("models:/income/12", ModelRef("income", version="12")),
        ("income@champion", ModelRef("income", alias="champion")),
        ("models:/income@champion-2", ModelRef("income", alias="champion-2")),
        ("prod.income model/1", ModelRef("prod.income model", version="1")),
    ],
)
def test_a_version_is_named_by_number_or_alias(text: str, ref: ModelRef) -> None:
    assert ModelRef.parse(text) == ref


@pytest.mark.parametrize(
    "text",
    ["", "income", "income/", "income/0", "income/03", "income/-1", "income/3.0", "income/latest", "income/Production",
     "income@", "@champion", "/3", "a/b/3", "income@champion/3", "income/3@champion", "runs:/abc/model", "income/٣",
     "income/3\n"],
)  # fmt: skip
def test_anything_else_names_no_version(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ModelRef.parse(text)
    assert str(caught.value) == f"{text!r} does not name a model version"
    assert caught.value.hint == "write name/3, name@alias or models:/name/3"


@pytest.mark.parametrize(
    "name", ["income\t", "in\tcome", "in\rcome", "in\ncome", " income", "income ", "inc?ome", "inc#ome", "inc%6Fme",
             "income\x00", "in\u200bcome", "income\u2028"]
)  # fmt: skip
def test_a_name_that_a_registry_could_read_as_another_is_no_reference(name: str) -> None:
    """A registry that reads names out of URIs drops such characters: another model than the judged would be copied."""
    with pytest.raises(UsageError):
        ModelRef.parse(f"models:/{name}/1")
    with pytest.raises(UsageError, match="has spaces around it, control characters, or one of") as caught:
        ModelRef(name, alias="champion")
    assert caught.value.hint == "a model of such a name cannot be promoted: register it under a plain name"


@pytest.mark.parametrize("name", ["income", "prod.income model", "Einkommen-Schätzung", "收入", "a_b+c=d&e"])
def test_a_plain_name_in_any_language_is_a_reference(name: str) -> None:
    assert ModelRef.parse(f"{name}/1") == ModelRef(name, version="1")


@pytest.mark.parametrize(
    ("text", "target", "shown"),
    [
        ("champion", Target("alias", "champion"), "champion"),
        ("alias:champion", Target("alias", "champion"), "champion"),
        ("stage:Production", Target("stage", "Production"), "stage:Production"),
        ("name:prod.income", Target("name", "prod.income"), "name:prod.income"),
    ],
)
def test_a_target_is_an_alias_a_stage_or_a_name(text: str, target: Target, shown: str) -> None:
    assert Target.parse(text) == target
    assert Target.parse(str(target)) == target
    assert str(target) == shown
    assert target.to_wire() == {target.kind: target.value}


@pytest.mark.parametrize("text", ["", "stage:", "tag:champion", ":champion", "Stage:Production"])
def test_anything_else_is_no_target(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Target.parse(text)
    assert "is not a target of a promotion" in str(caught.value)
    assert caught.value.hint == "write an alias such as champion, stage:Production, or name:prod.income"


# Subjects


def test_a_subject_binds_a_version_to_its_files() -> None:
    bound = Subject.of(version(), MODEL_FILES)

    assert bound == subject()
    assert bound.label == version().label == "income/3"
    assert bound.digest == MODEL_FILES
