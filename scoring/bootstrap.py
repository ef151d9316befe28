"""Paired bootstrap over people or titles.

Ratings of one person are not independent, so whole people are drawn with replacement (a cluster
bootstrap; Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8), and challenger
and other are scored on the *same* draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from marquee.errors import SourceError
from scoring.arrays import Floats

AT_ONCE = 500_000
"""Units drawn in one go, so that memory does not grow with the number of people."""


def paired(
    challenger: Floats,
    other: Floats,
    *,
    weights: Floats | None = None,
    root: bool = False,
    units: str = "people",
    seed: int,
    resamples: int = 2000,
) -> dict[str, Any]:
    """Compare two models over the same units; returns the COMPARISON of ARCHITECTURE.

    `challenger` and `other` hold one sum a unit and `weights` how many values are in it (ones where
    left out), so the statistic is sum / weight: a mean. With `root` its square root is taken: give
    each person's sum of squared errors and number of rows for an RMSE over rows. `interval` is the
    two-sided 95 % one; `upper95` and `lower95` are the one-sided bounds of `challenger - other`.
    """
    weights = np.ones(len(challenger)) if weights is None else weights
    table = np.column_stack([challenger, other, weights]).astype(np.float64)
    if not len(table) or not np.isfinite(table).all() or table[:, 2].sum() <= 0:
        raise SourceError("nothing to compare: no units, or a value that is not finite")
    totals = _resampled_totals(table, np.random.default_rng(seed), resamples)
    drawn = _statistic(totals[:, 0], totals, root) - _statistic(totals[:, 1], totals, root)
    whole = table.sum(axis=0, keepdims=True)
    x, y = (float(_statistic(whole[:, i], whole, root)[0]) for i in (0, 1))
    low, lower, upper, high = (float(v) for v in np.quantile(drawn, [0.025, 0.05, 0.95, 0.975]))
    return {
        "challenger": x,
        "other": y,
        "difference": x - y,
        "interval": [low, high],
        "upper95": upper,
        "lower95": lower,
        "units": units,
    }


def _statistic(sums: Floats, totals: Floats, root: bool) -> Floats:
    mean = sums / totals[:, 2]
    return np.sqrt(mean) if root else mean


def _resampled_totals(table: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """Column sums of `resamples` draws with replacement of the table's rows.

    A draw without any weight (possible where units are few) would divide by zero: drawn again.
    """
    at_once = max(1, AT_ONCE // len(table))
    blocks = [min(at_once, resamples - start) for start in range(0, resamples, at_once)]
    totals = np.vstack([_drawn_totals(table, rng, draws) for draws in blocks])
    while (empty := totals[:, 2] <= 0).any():
        totals[empty] = _drawn_totals(table, rng, int(empty.sum()))
    return totals


def _drawn_totals(table: Floats, rng: np.random.Generator, draws: int) -> Floats:
    totals: Floats = drawn_counts(len(table), rng, draws) @ table
    return totals


def drawn_counts(units: int, rng: np.random.Generator, draws: int) -> Floats:
    """How often each unit comes in each draw with replacement, [draws, units]."""
    drawn = rng.integers(0, units, size=(draws, units)) + units * np.arange(draws)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units)
    return counts.astype(np.float64)
