"""The report's sections on data: the world then and now, and the statistics of the titles.

The statistics are those of `runs/R/data/titles.json`, which `prepare_titles` writes: Spark's
Summarizer of each number, the chi-square tests of genres, directors and decades against the class
of budget, and the drift of each distribution from run to run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.document import dig, number, printable
from marquee.artefacts.model_card import RatingsFigures, TitlesFigures, psi
from release.same_world import DataComparison
from report.cells import DASH, figure, rows_in, share, text
from report.charts import Bar, DriftChart, Spread, bars, drift_chart, spread

Figures = RatingsFigures | TitlesFigures

_SIZES = ("rows", "people", "titles", "films", "mean")
TESTED = ("genres", "directors", "decades")
RUNS_SHOWN = 26
"""Runs in the picture of the drift."""
RISK = 0.05
"""The chance of one false finding in all tests of a page together (Bonferroni)."""


@dataclass(frozen=True)
class FigurePair:
    """One figure of the champion's training data and of this run's."""

    name: str
    champion: str
    challenger: str
    bars: tuple[Bar, Bar] | None = None
    """The champion's share and this run's, on the scale of their distribution."""


@dataclass(frozen=True)
class DistributionShift:
    """One distribution: its PSI, and the share of each class."""

    name: str
    psi: str
    classes: list[FigurePair]


@dataclass(frozen=True)
class DataSection:
    """The training data of this run compared with the champion's."""

    sizes: list[FigurePair]
    missing: list[FigurePair]
    distributions: list[DistributionShift]


def data_section(data: DataComparison | None, model: str) -> DataSection | None:
    """The training data that condition 5 compares; None where either is unknown."""
    if data is None or data.reference is None:
        return None
    name = "titles" if model == "budget" else "ratings"
    now: Figures | None = getattr(data.challenger, name)
    then: Figures | None = getattr(data.reference, name)
    if now is None or then is None:
        return None
    return DataSection(_sizes(now, then), _missing(now, then), _distribution_shifts(now, then))


def _sizes(now: Figures, then: Figures) -> list[FigurePair]:
    found = [(name, getattr(then, name, None), getattr(now, name, None)) for name in _SIZES]
    return [
        FigurePair(name, _number(before), _number(after))
        for name, before, after in found
        if (before, after) != (None, None)
    ]


def _missing(now: Figures, then: Figures) -> list[FigurePair]:
    if isinstance(now, RatingsFigures) or isinstance(then, RatingsFigures):
        return []
    names = dict.fromkeys([*then.missing, *now.missing])
    return [FigurePair(n, share(then.missing.get(n)), share(now.missing.get(n))) for n in names]


def _distribution_shifts(now: Figures, then: Figures) -> list[DistributionShift]:
    names = sorted({*now.counts, *then.counts})
    return [_distribution_shift(n, now.counts.get(n, {}), then.counts.get(n, {})) for n in names]


def _distribution_shift(
    name: str, now: Mapping[str, int], then: Mapping[str, int]
) -> DistributionShift:
    is_known = any(now.values()) and any(then.values())
    classes = list(dict.fromkeys([*then, *now]))
    both = [_shares(counts, classes) for counts in (then, now)]
    drawn = bars({f"{side} {c}": both[side][c] or 0.0 for c in classes for side in (0, 1)})
    pairs = {c: (drawn[2 * i], drawn[2 * i + 1]) for i, c in enumerate(classes)}
    rows = [FigurePair(c, share(both[0][c]), share(both[1][c]), pairs[c]) for c in classes]
    return DistributionShift(
        name.replace("_", " "), f"{psi(now, then):.3f}" if is_known else DASH, rows
    )


def _shares(counts: Mapping[str, int], classes: Sequence[str]) -> dict[str, float | None]:
    total = sum(counts.values())
    return {c: counts.get(c, 0) / total if total else None for c in classes}


def _number(value: float | None) -> str:
    return figure(None if value is None else float(value))


# The statistics of the titles


@dataclass(frozen=True)
class NumberSummary:
    """One number of the titles; the picture goes from the least to the greatest value."""

    name: str
    count: str
    mean: str
    deviation: str
    least: str
    greatest: str
    picture: Spread | None


@dataclass(frozen=True)
class Association:
    """One genre, director or decade, and how far its titles differ in their class of budget.

    `strength` is Cramér's V (Mathematical Methods of Statistics, 1946): 0 none, 1 complete.
    """

    name: str
    strength: str
    statistic: str
    chance: str
    is_certain: bool
    bar: Bar


@dataclass(frozen=True)
class Statistics:
    """The section of the titles' statistics."""

    numbers: list[NumberSummary]
    associations: dict[str, list[Association]]
    drift: DriftChart | None


def statistics(figures: Sequence[Any]) -> Statistics | None:
    """The section from the figures of this run and of earlier runs, this run's last.

    The values are the unchecked JSON of their files. None without any figures.
    """
    if not figures or not isinstance(figures[-1], Mapping):
        return None
    now = figures[-1]
    found = Statistics(_summaries(now), _associations(now), _drift(figures))
    return found if found.numbers or found.associations or found.drift else None


def _summaries(now: Any) -> list[NumberSummary]:
    values = dig(now, "numbers")
    pairs = values.items() if isinstance(values, Mapping) else ()
    return [_summary(str(name), one) for name, one in pairs if number(one, "mean") is not None]


def _summary(name: str, one: Any) -> NumberSummary:
    keys = ("mean", "std", "min", "max")
    mean, deviation, least, greatest = (number(one, key) for key in keys)
    return NumberSummary(
        name=printable(name.replace("_", " "), 40),
        count=figure(number(one, "count")),
        mean=figure(mean),
        deviation=figure(deviation),
        least=figure(least),
        greatest=figure(greatest),
        picture=spread(mean, deviation, least, greatest),
    )


def _associations(now: Any) -> dict[str, list[Association]]:
    tested = {kind: rows_in(now, "chi_square", kind) for kind in TESTED}
    tests = sum(map(len, tested.values()))
    titles = number(now, "with_budget") or 0.0
    return {kind: _tested(rows, tests, titles) for kind, rows in tested.items() if rows}


def _tested(rows: Sequence[Mapping[str, Any]], tests: int, titles: float) -> list[Association]:
    """The strongest first."""
    strengths = [_strength(row, titles) for row in rows]
    drawn = bars({str(place): strength for place, strength in enumerate(strengths)})
    found = [
        Association(
            name=text(row.get("word"), 60),
            strength=f"{strength:.2f}",
            statistic=figure(number(row, "statistic")),
            chance=_chance(number(row, "p")),
            is_certain=(number(row, "p") or 0.0) * tests < RISK and number(row, "p") is not None,
            bar=bar,
        )
        for row, strength, bar in zip(rows, strengths, drawn, strict=True)
    ]
    return sorted(found, key=lambda one: -one.bar.value)


def _strength(row: Mapping[str, Any], titles: float) -> float:
    """Cramér's V of a table of two rows: the root of chi-square over the number of titles."""
    statistic = number(row, "statistic")
    return math.sqrt(max(statistic or 0.0, 0.0) / titles) if titles > 0 else 0.0


def _chance(p: float | None) -> str:
    return DASH if p is None else f"{p:.3f}" if p >= 0.001 else "under 0.001"


def _drift(figures: Sequence[Any]) -> DriftChart | None:
    """The PSI of each distribution against the run before, for the last RUNS_SHOWN runs."""
    shown = [one for one in figures[-RUNS_SHOWN:] if isinstance(dig(one, "drift"), Mapping)]
    names = list(dict.fromkeys(str(name) for one in shown for name in dig(one, "drift")))
    lines = {
        printable(name.replace("_", " "), 40): [number(one, "drift", name) for one in shown]
        for name in names
    }
    return drift_chart([text(dig(one, "as_of"), 10) for one in shown], lines)
