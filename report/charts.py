"""The geometry of the report's pictures, in units of the SVG view box; the templates draw them.

There are six kinds: intervals around zero, intervals with a mark, bars, the spread of a number, the
drift over runs, and the calibration plot.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.document import number
from report.cells import figure, interval_of, rows_in

WIDTH = 220.0
"""Width of the small pictures' view box."""
PLOT_SIZE, LEFT_MARGIN, BOTTOM_MARGIN = 320.0, 62.0, 34.0
"""The calibration plot: the size of its square, and the margins for the labels of both axes."""
_EDGE = 6.0
_LARGEST_DOT = 9.0


@dataclass(frozen=True)
class Scale:
    """A linear scale: value `lowest` is at coordinate `start`, value `highest` at `end`."""

    lowest: float
    highest: float
    start: float = _EDGE
    end: float = WIDTH - _EDGE

    @classmethod
    def over(
        cls, values: Sequence[float], start: float = _EDGE, end: float = WIDTH - _EDGE
    ) -> Scale:
        """The scale from the least to the greatest value; from 0 to 0 without values."""
        return cls(min(values, default=0.0), max(values, default=0.0), start, end)

    def place(self, value: float) -> float:
        """The coordinate of a value; `start` where lowest and highest are equal."""
        # Halves, because the difference of two huge numbers overflows.
        half_span = (self.highest / 2 - self.lowest / 2) or 1.0
        share = (value / 2 - self.lowest / 2) / half_span
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values inside the scale, about `most` of them or fewer."""
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
    """A difference with its interval."""

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
    """The coordinates of an interval: its ends, its point, and zero (or another mark)."""

    start: float
    end: float
    point: float
    zero: float
    tone: str


@dataclass(frozen=True)
class Bar:
    """A labelled value and the length of its bar."""

    label: str
    value: float
    length: float


def whiskers(intervals: Sequence[Interval]) -> list[Whisker]:
    """The coordinates of intervals on one common scale that includes zero."""
    ends = [end for i in intervals for end in (i.low, i.point, i.high)]
    scale = Scale.over([0.0, *ends])
    zero = scale.place(0.0)
    return [
        Whisker(scale.place(i.low), scale.place(i.high), scale.place(i.point), zero, i.tone)
        for i in intervals
    ]


def marked_intervals(rows: Sequence[tuple[float, float, float, float]]) -> list[Whisker]:
    """The coordinates of (low, point, high, mark) rows on one common scale.

    The mark is the figure of another model, or the true value.
    """
    scale = Scale.over([value for row in rows for value in row])
    places = [[scale.place(value) for value in row] for row in rows]
    return [Whisker(low, high, point, mark, "ours") for low, point, high, mark in places]


def bars(values: Mapping[str, float]) -> list[Bar]:
    """The bars of values on one scale from zero; a negative value has length 0."""
    longest = max([*values.values(), 0.0]) or 1.0
    return [
        Bar(label, value, round(max(value, 0.0) / longest * WIDTH, 1))
        for label, value in values.items()
    ]


@dataclass(frozen=True)
class Spread:
    """A number's mean, and a standard deviation on both sides, between its least and greatest."""

    start: float
    end: float
    point: float


def spread(
    mean: float | None, deviation: float | None, least: float | None, greatest: float | None
) -> Spread | None:
    """The coordinates; None where a value is missing or out of order."""
    if mean is None or deviation is None or least is None or greatest is None:
        return None
    if not least <= mean <= greatest or deviation < 0:
        return None
    scale = Scale(least, greatest)
    ends = max(mean - deviation, least), min(mean + deviation, greatest)
    return Spread(scale.place(ends[0]), scale.place(ends[1]), scale.place(mean))


@dataclass(frozen=True)
class DriftLine:
    """One distribution's PSI, run by run: `dots` are coordinates, `path` joins them."""

    name: str
    values: list[str]
    last: str
    tone: str
    """`worse` from CHANGED on, `open` from UNSTABLE on, else `better`; by the last run."""
    dots: list[tuple[float, float]]
    path: str


@dataclass(frozen=True)
class DriftChart:
    """A small picture for each distribution, all on one scale, with the two known bounds."""

    runs: list[str]
    lines: list[DriftLine]
    bounds: list[tuple[float, str]]


UNSTABLE, CHANGED = 0.1, 0.2
"""PSI from which a distribution is not stable, and from which it has changed (Siddiqi, 2006)."""
DRIFT_HEIGHT = 56.0


def drift_chart(
    runs: Sequence[str], lines: Mapping[str, Sequence[float | None]]
) -> DriftChart | None:
    """PSI by run of each distribution; a run without a value has no dot. None without any value."""
    known = [value for values in lines.values() for value in values if value is not None]
    if not known:
        return None
    across = Scale(0.0, float(max(len(runs) - 1, 1)))
    upwards = Scale(0.0, max(*known, CHANGED), DRIFT_HEIGHT - _EDGE, _EDGE)
    bounds = [(upwards.place(bound), f"{bound:g}") for bound in (UNSTABLE, CHANGED)]
    drawn = [_drift_line(name, values, across, upwards) for name, values in lines.items()]
    return DriftChart(list(runs), drawn, bounds)


def _drift_line(
    name: str, values: Sequence[float | None], across: Scale, upwards: Scale
) -> DriftLine:
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    dots = [(across.place(place), upwards.place(value)) for place, value in known]
    last = known[-1][1] if known else 0.0
    tone = "worse" if last >= CHANGED else "open" if last >= UNSTABLE else "better"
    shown = [figure(value) for value in values]
    path = " ".join(f"{x},{y}" for x, y in dots)
    return DriftLine(name, shown, shown[-1] if shown else figure(None), tone, dots, path)


@dataclass(frozen=True)
class Point:
    """One group of rows: its coordinates and its numbers as text.

    `top` and `bottom` are the quartiles of the group's true values.
    """

    x: float
    y: float
    top: float
    bottom: float
    radius: float
    rows: str
    predicted: str
    actual: str


@dataclass(frozen=True)
class Plot:
    """The calibration plot: points, and ticks as (coordinate, label); both axes have one scale."""

    points: list[Point]
    across: list[tuple[float, str]]
    upwards: list[tuple[float, str]]


def calibration_plot(
    evaluation: Any, form: Callable[[float], str] = figure, label: Callable[[float], str] = str
) -> Plot | None:
    """The groups of `evaluation["calibration"]`; None where there are fewer than two.

    `form` formats values in the table, `label` formats values on the axes.
    """
    groups = [g for row in rows_in(evaluation, "calibration") if (g := _group(row))]
    if len(groups) < 2:
        return None
    values = [value for g in groups for value in g.values()]
    most = max(g["rows"] for g in groups) or 1.0
    reach = [v for g in groups for key, v in g.items() if key != "rows"] or values
    across = Scale.over(reach, LEFT_MARGIN, PLOT_SIZE - 12)
    upwards = Scale.over(reach, PLOT_SIZE - BOTTOM_MARGIN, 12)
    return Plot(
        [_point(g, across, upwards, most, form) for g in groups],
        [(across.place(tick), label(tick)) for tick in across.ticks()],
        [(upwards.place(tick), label(tick)) for tick in upwards.ticks()],
    )


def _group(row: Mapping[str, Any]) -> dict[str, float] | None:
    predicted, actual, rows = (number(row, key) for key in ("predicted", "actual", "rows"))
    if predicted is None or actual is None or rows is None or rows < 0:
        return None
    low, high = interval_of(row.get("middle_half")) or (actual, actual)
    return {"predicted": predicted, "actual": actual, "low": low, "high": high, "rows": rows}


def _point(
    group: Mapping[str, float],
    across: Scale,
    upwards: Scale,
    most: float,
    form: Callable[[float], str],
) -> Point:
    return Point(
        x=across.place(group["predicted"]),
        y=upwards.place(group["actual"]),
        top=upwards.place(group["high"]),
        bottom=upwards.place(group["low"]),
        radius=round(2.5 + (_LARGEST_DOT - 2.5) * (group["rows"] / most) ** 0.5, 1),
        rows=figure(group["rows"]),
        predicted=form(group["predicted"]),
        actual=form(group["actual"]),
    )
