"""Compares models by resampling: the interval of a difference, and the choice among recipes.

Ratings of one person are not independent, and neither are the titles of one director. So whole
units (people or directors) are drawn with replacement: a cluster bootstrap (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, chapter 8). Both models are scored on the *same* draws.

`paired_bootstrap` compares two models; the evaluations and the gate use it. `choose_recipe` picks
one of many recipes; the searches of the training jobs use it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import SourceError
from scoring.arrays import Floats

CELLS_AT_ONCE = 500_000
"""Draws times units held at once, so that memory does not grow with the number of people."""


# The interval of a difference between two models


def paired_bootstrap(
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

    `challenger` and `other` hold one sum a unit, `weights` the number of values in it (default: 1).
    The statistic is sum / weight, a mean; with `root`, its square root. For an RMSE over rows, give
    each person's sum of squared errors and number of rows. `interval` is the two-sided 95 % one;
    `upper95` and `lower95` are the one-sided bounds of `challenger - other`. Raises SourceError
    where there is no unit, no weight, or a value that is not finite.
    """
    weights = np.ones(len(challenger)) if weights is None else weights
    table = np.column_stack([challenger, other, weights]).astype(np.float64)
    if not len(table) or not np.isfinite(table).all() or table[:, 2].sum() <= 0:
        raise SourceError("nothing to compare: no units, or a value that is not finite")
    totals = _resampled_totals(table, np.random.default_rng(seed), resamples)
    differences = _statistic(totals[:, 0], totals, root) - _statistic(totals[:, 1], totals, root)
    whole = table.sum(axis=0, keepdims=True)
    x, y = (float(_statistic(whole[:, i], whole, root)[0]) for i in (0, 1))
    quantiles = np.quantile(differences, [0.025, 0.05, 0.95, 0.975])
    low, lower, upper, high = (float(v) for v in quantiles)
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
    """Column sums [resamples, columns] of draws with replacement of the table's rows.

    Where units are few, a draw may have no weight and would divide by zero: it is drawn again.
    """
    counts = _resample_counts(len(table), rng, resamples)
    totals: Floats = np.vstack([block @ table for block in counts])
    while (empty := totals[:, 2] <= 0).any():
        counts = _resample_counts(len(table), rng, int(empty.sum()))
        totals[empty] = np.vstack([block @ table for block in counts])
    return totals


def _resample_counts(units: int, rng: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """How often each draw with replacement holds each unit: blocks of [draws, units].

    `rng.multinomial` has the same law, but it draws a binomial for each unit: five times the time
    for a comparison of 138,000 people.
    """
    for draws in _blocks(units, resamples):
        drawn = rng.integers(0, units, size=(draws, units)) + units * np.arange(draws)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units)
        yield counts.astype(np.float64)


def _blocks(units: int, resamples: int) -> list[int]:
    """The draws of each block."""
    at_once = max(1, CELLS_AT_ONCE // units)
    return [min(at_once, resamples - start) for start in range(0, resamples, at_once)]


# The choice among recipes
#
# The more candidates are tried, the more often the luckiest of equals looks better than the
# incumbent. So the gain of each candidate on each metric is divided by its standard error, and the
# quotient is compared with the *largest* quotient among candidates without any gain: the
# single-step max-t test of Romano and Wolf (Econometrica 73(4), 2005). It keeps the chance of any
# false choice at 5 %.
#
# The joint distribution of the quotients comes from random signs for the gains of whole units, one
# sign a unit for all candidates and metrics: the wild cluster bootstrap with the null imposed
# (Cameron, Gelbach and Miller, Review of Economics and Statistics 90(3), 2008). The gain of an
# equal recipe has either sign with the same probability, so the test holds its level with few
# units, and where a handful of people have most rows.
#
# Gains may be skewed: a candidate may gain a little on most units and lose much on few, and a split
# with few of those flatters it. So the quotient must also exceed what units drawn with replacement
# give (the bootstrap-t: Hall, Annals of Statistics 16(3), 1988), which follows the skewness. The
# stricter of the two bounds counts.

FALSE_CHOICES = 0.05
"""The chance that any candidate is called better where none is."""
FEWEST_UNITS = 20
"""With fewer units, resampling cannot be trusted and no candidate is clearly better."""


@dataclass(frozen=True)
class Criterion:
    """One metric of the incumbent and the candidates, on the same units; lower is better.

    `sums` [recipes, units] are losses added up over a unit's `weights` [units] values; row 0 is the
    incumbent. A unit without a value has no weight. With `root` the figure is the root of the mean
    loss: give squared errors for an RMSE. `margin` is the share of the incumbent's figure that a
    candidate may lose here while it gains elsewhere.
    """

    sums: Floats
    weights: Floats
    margin: float = 1.0
    root: bool = False

    @property
    def shares(self) -> Floats:
        """Each recipe's loss [recipes] against the incumbent, as a share of the incumbent's."""
        figures = self.sums.sum(axis=1) / self.weights.sum()
        figures = np.sqrt(figures) if self.root else figures
        differences: Floats = figures - figures[0]
        return _quotient(differences, np.abs(np.broadcast_to(figures[0], figures.shape)))

    @property
    def is_enough(self) -> bool:
        """Whether there are enough units to tell a gain from noise."""
        return bool(np.count_nonzero(self.weights) >= FEWEST_UNITS)


def choose_recipe(criteria: Sequence[Criterion], costs: Sequence[float], *, seed: int) -> int:
    """The row of the best of the clearly better recipes, the cheaper of equals; 0 where none is.

    The best has the smallest sum of losses in units of the margins, because the margins are what
    the gate holds each metric worth.
    """
    better = clearly_better(criteria, seed=seed)
    if not better:
        return 0
    losses = np.sum([c.shares / c.margin for c in criteria], axis=0)
    return min(better, key=lambda row: (losses[row], costs[row]))


def clearly_better(criteria: Sequence[Criterion], *, seed: int, resamples: int = 2000) -> list[int]:
    """Rows clearly better than row 0 on one criterion, and worse on none: neither shown to be worse
    (95 % one-sided) nor worse by more than the margin at the point estimate.

    Where all recipes are equal, any row is named in about 5 % of splits, whatever their number, and
    in somewhat more where gains are very skewed and units few (ADR 21): no rule sees units with
    large losses that the split does not hold. A candidate with losses that are not finite is never
    better. Raises SourceError where the incumbent's are not finite.
    """
    if not all(np.isfinite(c.sums[0]).all() for c in criteria):
        raise SourceError(
            "the recipe that stands has losses that are not finite", "look for NaN in its answers"
        )
    candidates = [r for r in range(1, len(criteria[0].sums)) if _is_finite(criteria, r)]
    if not candidates or not all(c.is_enough for c in criteria):
        return []
    gains = [_Gains.of(c, candidates) for c in criteria]
    observed = np.stack([g.with_signs(np.ones((1, len(g.weights))))[0] for g in gains])
    rng = np.random.default_rng(seed)
    null = [resample(gains, rng, resamples) for resample in (_random_signs, _redrawn_units)]
    clear = max(0.0, *(float(_quantile(d.max(axis=(1, 2)), 1 - FALSE_CHOICES)) for d in null))
    shown_worse = observed < np.maximum(*(_quantile(d, FALSE_CHOICES) for d in null))
    beyond_margin = np.stack([c.shares[candidates] > c.margin for c in criteria])
    passed = (observed > clear).any(axis=0) & ~(shown_worse | beyond_margin).any(axis=0)
    return [candidates[place] for place in np.flatnonzero(passed)]


@dataclass(frozen=True)
class _Gains:
    """The gain of each unit [units, candidates] on one criterion, summed over its weight [units].

    Both methods answer in clustered standard errors.
    """

    sums: Floats
    weights: Floats

    @classmethod
    def of(cls, criterion: Criterion, candidates: Sequence[int]) -> _Gains:
        return cls((criterion.sums[0] - criterion.sums[candidates]).T, criterion.weights)

    def with_signs(self, signs: Floats) -> Floats:
        """Mean gains [draws, candidates] with each unit's gain times its `signs` [draws, units]."""
        whole, weights = self.weights.sum(), self.weights[:, None]
        means = signs @ self.sums / whole
        squares = (self.sums**2).sum(axis=0) - 2.0 * means * (signs @ (self.sums * weights))
        squares += means**2 * (weights**2).sum()
        return _quotient(means, np.sqrt(np.maximum(squares, 0.0)) / whole)

    def with_counts(self, counts: Floats) -> Floats:
        """How far mean gains lie above those of all units [draws, candidates], with each unit taken
        `counts` [draws, units] times."""
        weights = self.weights[:, None]
        centred = self.sums - self.sums.sum(axis=0) / weights.sum() * weights
        whole = counts @ weights
        means = _quotient(counts @ centred, np.broadcast_to(whole, (len(counts), centred.shape[1])))
        squares = counts @ centred**2 - 2.0 * means * (counts @ (centred * weights))
        squares += means**2 * (counts @ weights**2)
        # Dividing both sides by `whole` would give 0 / 0 in a draw without weight.
        return _quotient(means * whole, np.sqrt(np.maximum(squares, 0.0)))


def _random_signs(gains: Sequence[_Gains], rng: np.random.Generator, resamples: int) -> Floats:
    """Gains under random signs of the units: [resamples, criteria, candidates]."""
    units = len(gains[0].weights)
    signs = (rng.choice([-1.0, 1.0], (draws, units)) for draws in _blocks(units, resamples))
    return np.vstack([np.stack([g.with_signs(s) for g in gains], axis=1) for s in signs])


def _redrawn_units(gains: Sequence[_Gains], rng: np.random.Generator, resamples: int) -> Floats:
    """What chance adds to gains where units are drawn with replacement; of the same shape."""
    counts = _resample_counts(len(gains[0].weights), rng, resamples)
    return np.vstack([np.stack([g.with_counts(c) for g in gains], axis=1) for c in counts])


def _quotient(gains: Floats, by: Floats) -> Floats:
    """gains / by; 0 where both are zero, infinite where only `by` is."""
    infinite: Floats = np.where(gains == 0, 0.0, np.copysign(math.inf, gains))
    return np.divide(gains, by, out=infinite, where=by > 0)


def _quantile(values: Floats, share: float) -> Floats:
    """Without interpolation, because values may be infinite."""
    found: Floats = np.quantile(values, share, axis=0, method="inverted_cdf")
    return found


def _is_finite(criteria: Sequence[Criterion], row: int) -> bool:
    return all(bool(np.isfinite(c.sums[row]).all()) for c in criteria)
