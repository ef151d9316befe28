"""Geometry of the report's small pictures, in the units of an SVG view box; no drawing here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 220.0
"""Of every picture's view box."""
_EDGE = 6.0


@dataclass(frozen=True)
class Scale:
    """A straight scale from values to places: `lowest` at `start`, `highest` at `end`."""

    lowest: float
    highest: float
    start: float = _EDGE
    end: float = WIDTH - _EDGE

    @classmethod
    def over(
        cls, values: Sequence[float], start: float = _EDGE, end: float = WIDTH - _EDGE
    ) -> Scale:
        """One that holds all values; from 0 to 0 where there are none."""
        return cls(min(values, default=0.0), max(values, default=0.0), start, end)

    def place(self, value: float) -> float:
        """Where a value lies; the start where the scale has no length."""
        # Halves first: the span of two huge numbers overflows.
        half_span = (self.highest / 2 - self.lowest / 2) or 1.0
        part = (value / 2 - self.lowest / 2) / half_span
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values inside the scale, at most about so many."""
        length = self.highest - self.lowest
        if not 0 < length < math.inf:
            return []
        step = 10.0 ** math.floor(math.log10(length))
        step = next(s for s in (step / 5, step / 2, step, step * 2) if length / s <= most)
        first = math.ceil(self.lowest / step)
        count = math.floor(self.highest / step + 1e-9) - first + 1
        return [round((first + i) * step, 12) for i in range(count)]


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
    """An interval drawn: its ends, its point, and where zero (or another mark) is."""

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
    ends = [end for i in intervals for end in (i.low, i.point, i.high)]
    scale = Scale.over([0.0, *ends])
    zero = scale.place(0.0)
    return [
        Whisker(scale.place(i.low), scale.place(i.high), scale.place(i.point), zero, i.tone)
        for i in intervals
    ]


def beside(rows: Sequence[tuple[float, float, float, float]]) -> list[Whisker]:
    """Draw (low, point, high, mark) rows on one common scale; the mark is another's figure."""
    scale = Scale.over([value for row in rows for value in row])
    places = [[scale.place(value) for value in row] for row in rows]
    return [Whisker(low, high, point, mark, "ours") for low, point, high, mark in places]


def bars(values: Mapping[str, float]) -> list[Bar]:
    """Draw values from zero on one scale; negative ones have no length."""
    longest = max([*values.values(), 0.0]) or 1.0
    return [
        Bar(label, value, round(max(value, 0.0) / longest * WIDTH, 1))
        for label, value in values.items()
    ]
