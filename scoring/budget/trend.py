"""How budgets move with the years, apart from prices: a line that is carried forward.

Films cost more (or less) from year to year in real dollars too. Trees answer for a new year as for
the last one they saw, and shrunken coefficients follow half-way; so the models learn what a film
costs above or below the line, and the line is added to their answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Ints

AHEAD = 10
"""Years beyond the newest film that the line is followed; later it stands still."""


@dataclass(frozen=True)
class Trend:
    """log10 dollars above those of the year `centre`: per_year * (year - centre)."""

    per_year: float
    centre: float
    first: int
    last: int  # years outside `first` to `last` count as the nearest inside

    def at(self, years: Ints | Floats) -> Floats:
        """What is added to the answers for films of `years`."""
        followed = np.clip(years, self.first, self.last).astype(np.float64)
        return self.per_year * (followed - self.centre)

    def of(self, year: int) -> float:
        """The same of one film."""
        return float(self.at(np.array([year]))[0])


FLAT = Trend(0.0, 0.0, 0, 0)
"""No trend: what bundles without one have."""


def read_trend(table: Mapping[str, float] | None) -> Trend:
    """As `bundle.json` holds it; FLAT where it holds none. ValueError where it cannot be."""
    if table is None:
        return FLAT
    trend = Trend(
        per_year=float(table["per_year"]),
        centre=float(table["centre"]),
        first=int(table["first"]),
        last=int(table["last"]),
    )
    if not np.isfinite([trend.per_year, trend.centre]).all() or trend.first > trend.last:
        raise ValueError("a trend that is no line between two years")
    return trend
