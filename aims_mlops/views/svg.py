"""Small pictures as SVG markup: pure functions of numbers.

Lengths across are percentages, so that a picture fills whatever width it gets while its letters keep their size. The
colours are the page's, by class: no style attribute, so that a strict content security policy holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

_TOP, _DEPTH, _MIDDLE = 18, 16, 26
_LETTERS_TO_THE_LEFT = 60.0
"""A label right of this percentage is written to the left of its mark, so that it is not cut off."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at a number, with its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A number on an axis from `start` to `end`, with what is allowed there. `says` is the picture in words."""

    value: float
    start: float
    end: float
    outcome: str
    says: str
    interval: tuple[float, float] | None = None
    minimum: Mark | None = None
    maximum: Mark | None = None
    warning: float | None = None
    start_label: str = ""
    end_label: str = ""

    def place(self, number: float) -> float:
        """Return where a number lies, in per cent of the width; what lies beyond an end is put at the end."""
        return min(100.0, max(0.0, 100.0 * (number - self.start) / (self.end - self.start)))


def whisker(scale: Scale) -> Markup:
    """Draw a value as a dot, its interval as a whisker, over the band of allowed numbers."""
    parts = [_rect(0, 100, _TOP, _DEPTH, "track"), _allowed(scale, top=_TOP, depth=_DEPTH)]
    parts += [_mark(scale, mark) for mark in (scale.minimum, scale.maximum) if mark is not None]
    if scale.warning is not None:
        at = scale.place(scale.warning)
        parts.append(_line(at, at, _TOP, _TOP + _DEPTH, "care"))
    if scale.interval is not None:
        low, high = (scale.place(end) for end in scale.interval)
        parts.append(_line(low, high, _MIDDLE, _MIDDLE, "reach"))
        parts += [_line(end, end, _MIDDLE - 5, _MIDDLE + 5, "reach") for end in (low, high)]
    parts.append(
        Markup('<circle cx="{:.2f}%" cy="{}" r="5" class="dot {}"/>').format(
            scale.place(scale.value), _MIDDLE, scale.outcome
        )
    )
    parts.append(Markup('<text x="0" y="50" class="tick">{}</text>').format(scale.start_label))
    parts.append(Markup('<text x="100%" y="50" text-anchor="end" class="tick">{}</text>').format(scale.end_label))
    return _picture(56, parts, says=scale.says)


def strip(scale: Scale) -> Markup:
    """Draw a value as a bar from the axis' start, with its limits as lines: for many values below each other."""
    parts = [_rect(0, 100, 4, 10, "track"), _rect(0, scale.place(scale.value), 4, 10, f"bar {scale.outcome}")]
    marks = (scale.minimum, scale.maximum)
    parts += [_line(scale.place(mark.at), scale.place(mark.at), 0, 18, "limit") for mark in marks if mark is not None]
    return _picture(18, parts, says=scale.says)


def bar(share: float) -> Markup:
    """Draw a share from 0 to 1 as a bar. The number must stand beside it: the picture is hidden from readers."""
    return _picture(6, [_rect(0, 100, 0, 6, "track"), _rect(0, _per_cent(share), 0, 6, "bar current")])


def pair(reference: float, current: float) -> Markup:
    """Draw two shares from 0 to 1 below each other. The numbers must stand beside them."""
    bars = [_rect(0, _per_cent(reference), 1, 6, "bar reference"), _rect(0, _per_cent(current), 8, 6, "bar current")]
    return _picture(15, bars)


def _picture(height: int, parts: list[Markup], *, says: str = "") -> Markup:
    inside = Markup().join(parts)
    if not says:
        return Markup('<svg width="100%" height="{}" aria-hidden="true">{}</svg>').format(height, inside)
    return Markup('<svg width="100%" height="{}" role="img"><title>{}</title>{}</svg>').format(height, says, inside)


def _allowed(scale: Scale, *, top: int, depth: int) -> Markup:
    low = 0.0 if scale.minimum is None else scale.place(scale.minimum.at)
    high = 100.0 if scale.maximum is None else scale.place(scale.maximum.at)
    if scale.minimum is None and scale.maximum is None:
        return Markup()
    return _rect(low, high, top, depth, "allowed")


def _mark(scale: Scale, mark: Mark) -> Markup:
    at = scale.place(mark.at)
    anchor = "end" if at > _LETTERS_TO_THE_LEFT else "start"
    text = Markup('<text x="{:.2f}%" y="11" text-anchor="{}" class="tick">{}</text>').format(at, anchor, mark.label)
    return _line(at, at, _TOP - 4, _TOP + _DEPTH + 4, "limit") + text


def _rect(start: float, end: float, top: int, depth: int, kind: str) -> Markup:
    return Markup('<rect x="{:.2f}%" y="{}" width="{:.2f}%" height="{}" class="{}"/>').format(
        start, top, max(0.0, end - start), depth, kind
    )


def _line(start: float, end: float, top: int, bottom: int, kind: str) -> Markup:
    return Markup('<line x1="{:.2f}%" y1="{}" x2="{:.2f}%" y2="{}" class="{}"/>').format(start, top, end, bottom, kind)


def _per_cent(share: float) -> float:
    return 100.0 * min(1.0, max(0.0, share))
