"""Compares models by resampling: the interval of a difference, and the choice among recipes.

Ratings of one person are not independent, and neither are titles of one director. The bootstrap
therefore draws whole units (people or directors) with replacement: a cluster bootstrap (Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8). Both models get the *same* draws.

`paired_bootstrap` compares two models; the evaluations and the gate use its result. Its callers by
metric are `compare_rmse` and `compare_ndcg` (`recommender/holdout.py`) and `compare_log_rmse`
(`budget/holdout.py`). `choose_recipe` picks one of many recipes in the training jobs.
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
"""Largest number of draws times units in memory at once."""


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
    """Compare two models over the same units; the result is a COMPARISON of `evaluation.json`.

    `challenger` and `other` [units] are sums over each unit's values; `weights` [units] are the
    numbers of these values, by default 1. The statistic is sum / weight, a mean; with `root`, its
    square root. For an RMSE, give each person's sum of squared errors and number of rows.
    `interval` is the two-sided 95 % interval of `challenger - other`; `upper95` and `lower95` are
    its one-sided bounds. Raises SourceError where there is no unit, no weight, or a value that is
    not finite.
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
    """Column sums [resamples, columns] over rows of `table` drawn with replacement.

    A draw of few units may have weight 0, which would divide by zero. Such a draw is repeated.
    """
    counts = _resample_counts(len(table), rng, resamples)
    totals: Floats = np.vstack([block @ table for block in counts])
    while (empty := totals[:, 2] <= 0).any():
        counts = _resample_counts(len(table), rng, int(empty.sum()))
        totals[empty] = np.vstack([block @ table for block in counts])
    return totals


def _resample_counts(units: int, rng: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """How often each draw holds each unit, in blocks of [draws, units].

    `rng.multinomial` has the same distribution and takes five times as long for 138,000 people.
    """
    for draws in _blocks(units, resamples):
        drawn = rng.integers(0, units, size=(draws, units)) + units * np.arange(draws)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units)
        yield counts.astype(np.float64)


def _blocks(units: int, resamples: int) -> list[int]:
    """The number of draws in each block."""
    at_once = max(1, CELLS_AT_ONCE // units)
    return [min(at_once, resamples - start) for start in range(0, resamples, at_once)]


# The choice among recipes
#
# With many candidates, one of them beats the incumbent by chance. The test therefore divides the
# gain of each candidate on each metric by its standard error (a t-statistic), and compares it with
# the distribution of the *largest* t-statistic of candidates without gain: the single-step max-t
# test of Romano and Wolf (Econometrica 73(4), 2005). The chance of any false choice is 5 %.
#
# The null distribution gives the gains of each whole unit a random sign, the same for all
# candidates and metrics: the wild cluster bootstrap with the null imposed (Cameron, Gelbach and
# Miller, Review of Economics and Statistics 90(3), 2008). The test keeps its 5 % with few units,
# and where a handful of people have most rows.
#
# Gains may be skewed: a candidate gains a little on most units and loses much on few. The
# t-statistic must therefore also exceed the distribution under units drawn with replacement (the
# bootstrap-t: Hall, Annals of Statistics 16(3), 1988), which is skewed alike. The stricter bound
# counts.

FALSE_CHOICES = 0.05
"""The chance that some candidate is called better where none is better."""
FEWEST_UNITS = 20
"""With fewer units no candidate is clearly better: resampling needs more."""


@dataclass(frozen=True)
class Criterion:
    """One metric of the incumbent and the candidates, on the same units; lower is better.

    `sums` [recipes, units] are sums of losses over each unit's values; row 0 is the incumbent.
    `weights` [units] are the numbers of values, 0 for a unit without one. The figure is the mean
    loss, and with `root` its square root: give squared errors for an RMSE. A candidate may lose
    `margin`, a share of the incumbent's figure, on this metric while it gains on another.
    """

    sums: Floats
    weights: Floats
    margin: float = 1.0
    root: bool = False

    @property
    def shares(self) -> Floats:
        """(figure - incumbent's figure) / incumbent's figure, [recipes]."""
        figures = self.sums.sum(axis=1) / self.weights.sum()
        figures = np.sqrt(figures) if self.root else figures
        differences: Floats = figures - figures[0]
        return _quotient(differences, np.abs(np.broadcast_to(figures[0], figures.shape)))

    @property
    def is_enough(self) -> bool:
        """Whether there are enough units to tell a gain from noise."""
        return bool(np.count_nonzero(self.weights) >= FEWEST_UNITS)


def choose_recipe(criteria: Sequence[Criterion], costs: Sequence[float], *, seed: int) -> int:
    """The row of the best of the clearly better recipes; 0, the incumbent, where there is none.

    The best has the smallest sum of `shares` / `margin`: the margins weigh the metrics as the gate
    does. Of equal recipes the cheaper one by `costs` wins.
    """
    better = clearly_better(criteria, seed=seed)
    if not better:
        return 0
    losses = np.sum([c.shares / c.margin for c in criteria], axis=0)
    return min(better, key=lambda row: (losses[row], costs[row]))


def clearly_better(criteria: Sequence[Criterion], *, seed: int, resamples: int = 2000) -> list[int]:
    """The rows that are significantly better than row 0 on one criterion, and worse on none.

    Worse is significantly worse (95 % one-sided), or worse by more than the margin. Where all
    recipes are equal, the answer is not empty in about 5 % of splits, and in somewhat more where
    units are few and gains are very skewed (ADR 21). A candidate with a loss that is not finite is
    never better. Raises SourceError where the incumbent has one.
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
    """Gains on one criterion: `sums` [units, candidates] over a unit's values, `weights` [units].

    Both methods return t-statistics: mean gains divided by clustered standard errors.
    """

    sums: Floats
    weights: Floats

    @classmethod
    def of(cls, criterion: Criterion, candidates: Sequence[int]) -> _Gains:
        return cls((criterion.sums[0] - criterion.sums[candidates]).T, criterion.weights)

    def with_signs(self, signs: Floats) -> Floats:
        """t-statistics [draws, candidates] of the gains times `signs` [draws, units]."""
        whole, weights = self.weights.sum(), self.weights[:, None]
        means = signs @ self.sums / whole
        squares = (self.sums**2).sum(axis=0) - 2.0 * means * (signs @ (self.sums * weights))
        squares += means**2 * (weights**2).sum()
        return _quotient(means, np.sqrt(np.maximum(squares, 0.0)) / whole)

    def with_counts(self, counts: Floats) -> Floats:
        """t-statistics [draws, candidates] of units taken `counts` [draws, units] times.

        The gains are centred first: the mean over all units is subtracted.
        """
        weights = self.weights[:, None]
        centred = self.sums - self.sums.sum(axis=0) / weights.sum() * weights
        whole = counts @ weights
        means = _quotient(counts @ centred, np.broadcast_to(whole, (len(counts), centred.shape[1])))
        squares = counts @ centred**2 - 2.0 * means * (counts @ (centred * weights))
        squares += means**2 * (counts @ weights**2)
        # Dividing both sides by `whole` would give 0 / 0 in a draw without weight.
        return _quotient(means * whole, np.sqrt(np.maximum(squares, 0.0)))


def _random_signs(gains: Sequence[_Gains], rng: np.random.Generator, resamples: int) -> Floats:
    """`with_signs` of random signs, [resamples, criteria, candidates]."""
    units = len(gains[0].weights)
    signs = (rng.choice([-1.0, 1.0], (draws, units)) for draws in _blocks(units, resamples))
    return np.vstack([np.stack([g.with_signs(s) for g in gains], axis=1) for s in signs])


def _redrawn_units(gains: Sequence[_Gains], rng: np.random.Generator, resamples: int) -> Floats:
    """`with_counts` of units drawn with replacement, [resamples, criteria, candidates]."""
    counts = _resample_counts(len(gains[0].weights), rng, resamples)
    return np.vstack([np.stack([g.with_counts(c) for g in gains], axis=1) for c in counts])


def _quotient(gains: Floats, by: Floats) -> Floats:
    """gains / by; 0 where both are zero, infinite where only `by` is zero."""
    infinite: Floats = np.where(gains == 0, 0.0, np.copysign(math.inf, gains))
    return np.divide(gains, by, out=infinite, where=by > 0)


def _quantile(values: Floats, share: float) -> Floats:
    """A quantile without interpolation, because values may be infinite."""
    found: Floats = np.quantile(values, share, axis=0, method="inverted_cdf")
    return found


def _is_finite(criteria: Sequence[Criterion], row: int) -> bool:
    return all(bool(np.isfinite(c.sums[row]).all()) for c in criteria)
