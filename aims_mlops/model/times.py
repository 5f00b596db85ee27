"""Times as evidence writes them: RFC 3339 in UTC, milliseconds, a Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

CLOCK_SKEW = timedelta(minutes=5)
"""How far two honest clocks may differ."""

_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def to_text(moment: datetime) -> str:
    """Write an aware time, e.g. `2026-11-21T20:31:34.123Z`; parts of a millisecond are cut off."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without zone: {moment!r}")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote; raise `ValueError` for any other form."""
    if not _FORM.match(text):
        raise ValueError(f"not a time: {text[:40]!r} (expected e.g. 2026-11-21T20:31:34.123Z)")
    return datetime.fromisoformat(text)


def from_millis(millis: int) -> datetime:
    """Return the time that lies so many milliseconds after 1970, as MLflow counts."""
    return datetime.fromtimestamp(millis // 1000, UTC) + timedelta(milliseconds=millis % 1000)


def duration(text: str) -> timedelta:
    """Read a duration such as `30d`, `12h` or `90m`; raise `ValueError` for any other form."""
    match = _DURATION.match(text)
    try:
        if match is not None:
            return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError as error:
        raise ValueError(f"not a duration: {text[:40]!r} is longer than a calendar") from error
    raise ValueError(f"not a duration: {text[:40]!r} (write a number and s, m, h, d or w, e.g. 30d)")


def duration_text(span: timedelta) -> str:
    """Write a duration for people in its two largest units, e.g. `30 days 2 hours`; the rest is cut off."""
    seconds = int(span.total_seconds())
    parts: list[str] = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count or (size == 1 and not parts):
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(parts[:2])
