"""The calibration plot: what was said against what was so, on one square."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.reading import number
from report.cells import figure, interval_of, rows_in
from report.charts import Scale

SIDE, LEFT, FOOT = 320.0, 62.0, 34.0
_LARGEST_DOT = 9.0


@dataclass(frozen=True)
class Point:
    """One group: where it lies, the middle half of its truth, and its numbers in words."""

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
    """Points, and ticks as (place, label): both axes have the same scale."""

    points: list[Point]
    across: list[tuple[float, str]]
    upwards: list[tuple[float, str]]


def calibration_plot(
    evaluation: Any, form: Callable[[float], str] = figure, label: Callable[[float], str] = str
) -> Plot | None:
    """The groups of `evaluation["calibration"]`; None where there are fewer than two.

    `form` spells values in the table, `label` those on the axes.
    """
    groups = [g for row in rows_in(evaluation, "calibration") if (g := _group(row))]
    if len(groups) < 2:
        return None
    values = [value for g in groups for value in g.values()]
    most = max(g["rows"] for g in groups) or 1.0
    reach = [v for g in groups for key, v in g.items() if key != "rows"] or values
    across = Scale.over(reach, LEFT, SIDE - 12)
    upwards = Scale.over(reach, SIDE - FOOT, 12)
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
