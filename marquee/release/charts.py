"""Geometry of the report's small pictures, in the units of an SVG view box; no drawing here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 220.0
"""Of every picture's view box."""
_EDGE = 6.0


@dataclass(frozen=True)
class Interval:
    """A difference with its interval; `lower_is_better` says which side is the good one."""

    low: float
    point: float
    high: float
    lower_is_better: bool

    @property
    def tone(self) -> str:
        """`better` or `worse` where the whole interval is on that side of zero, else `open`."""
        if self.high < 0:
            return "better" if self.lower_is_better else "worse"
        if self.low > 0:
            return "worse" if self.lower_is_better else "better"
        return "open"


@dataclass(frozen=True)
class Whisker:
    """An interval drawn: its ends, its point, and where zero is."""

    start: float
    end: float
    point: float
    zero: float
    tone: str


@dataclass(frozen=True)
class Bar:
    """A labelled value and its length."""

    label: str
    value: float
    length: float


def whiskers(intervals: Sequence[Interval]) -> list[Whisker]:
    """Draw intervals on one common scale that holds zero."""
    lowest = min([0.0, *(min(i.low, i.point) for i in intervals)])
    highest = max([0.0, *(max(i.high, i.point) for i in intervals)])
    # Halves first: the span of two huge numbers overflows, and of none is zero.
    half_span = (highest / 2 - lowest / 2) or 1.0

    def place(value: float) -> float:
        share = (value / 2 - lowest / 2) / half_span
        return round(_EDGE + share * (WIDTH - 2 * _EDGE), 1)

    return [
        Whisker(place(i.low), place(i.high), place(i.point), place(0.0), i.tone) for i in intervals
    ]


def bars(values: Mapping[str, float]) -> list[Bar]:
    """Draw values from zero on one scale; negative ones have no length."""
    longest = max([*values.values(), 0.0]) or 1.0
    return [
        Bar(label, value, round(max(value, 0.0) / longest * WIDTH, 1))
        for label, value in values.items()
    ]
