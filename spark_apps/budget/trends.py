"""The trend of a fold's films: fitted, and as SQL so that it is saved with the pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.budget.trend import AHEAD, FLAT, Trend


def fit_trend(years: Sequence[int], log_budgets: Sequence[float]) -> Trend:
    """The least-squares line of log10 dollars through the years; FLAT where all are of one year.

    Its slope b is shrunk by its own standard error s to b * b^2 / (b^2 + s^2), s as White's
    (Econometrica 48, 1980), so that a slope the films do not tell stays near zero.
    """
    year, value = np.array(years, dtype=np.float64), np.array(log_budgets, dtype=np.float64)
    if np.ptp(year) == 0:
        return FLAT
    centre = float(year.mean())
    slope = _shrunken_slope(year - centre, value - value.mean())
    return Trend(slope, centre, int(year.min()), int(year.max()) + AHEAD)


def _shrunken_slope(year: Floats, value: Floats) -> float:
    spread = float(year @ year)
    slope = float(year @ value) / spread
    left = year * (value - slope * year)
    variance = float(left @ left) / spread**2
    return slope * slope**2 / (slope**2 + variance) if slope else 0.0


def trend_sql(trend: Trend) -> str:
    """`Trend.at` of the column `year`, in doubles."""
    if trend == FLAT:
        return "0.0D"
    year = f"CAST(GREATEST(LEAST(year, {trend.last}), {trend.first}) AS DOUBLE)"
    return f"({trend.per_year!r}D * ({year} - {trend.centre!r}D))"
