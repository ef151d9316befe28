"""Which of several rivals takes the place of the one that stands: only a clearly better one.

Rivals are many chances to be fooled: of equal ones, the luckiest looks better than the one that
stands, the more often the more are tried. So each rival's gain on each metric is divided by its
standard error, and compared with what the *largest* of these quotients would be among rivals that
gain nothing: the single-step max-t test of Romano and Wolf (Econometrica 73(4), 2005), which keeps
the chance of any false switch at 5 %. Their joint distribution comes from turning the gains of
whole units around, by lot: a person's or a director's, in all rivals and metrics at once (the wild
cluster bootstrap with the null imposed: Cameron, Gelbach and Miller, Review of Economics and
Statistics 90(3), 2008). Of recipes that differ by luck alone either sign is as likely, so that the
test holds its level with few units too, and where a handful of people have most rows.

Gains need not be as likely as losses of the same size: a rival may gain a little on most units and
lose much on few, and a split that happens to hold few of those makes it look better than it is. So
the quotient must also be above what units drawn with replacement say (the bootstrap-t: Hall, Annals
of Statistics 16(3), 1988), which follows that skewness. The stricter of the two bounds counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marquee.errors import SourceError
from scoring.arrays import Floats
from scoring.bootstrap import drawn_counts

FALSE_SWITCHES = 0.05
"""The chance that any of the rivals is called better where none is."""
FEWEST_UNITS = 20
"""Below which resampling cannot be trusted: nothing is clear."""
AT_ONCE = 500_000
"""Signs or units drawn in one go, so that memory does not grow with the number of people."""


@dataclass(frozen=True)
class Criterion:
    """One metric of everything that was tried, on the same units; lower is better.

    `sums` [tried, units] are losses added up over a unit's `weights` [units] values, the one that
    stands in row 0; a unit without a value weighs nothing. With `root` the figure is the root of
    the mean loss: give squared errors for an RMSE. `margin` is the share of the standing one's
    figure that a rival may lose here while it gains elsewhere.
    """

    sums: Floats
    weights: Floats
    margin: float = 1.0
    root: bool = False

    @property
    def shares(self) -> Floats:
        """Each one's loss [tried] against row 0, as a share of row 0's figure."""
        figures = self.sums.sum(axis=1) / self.weights.sum()
        figures = np.sqrt(figures) if self.root else figures
        apart: Floats = figures - figures[0]
        return _quotient(apart, np.abs(np.broadcast_to(figures[0], figures.shape)))

    @property
    def is_enough(self) -> bool:
        """Whether there are units enough to tell a gain from noise."""
        return bool(np.count_nonzero(self.weights) >= FEWEST_UNITS)


def choose(criteria: Sequence[Criterion], costs: Sequence[float], *, seed: int) -> int:
    """The row of the best of the clearly better, the cheaper of equals; 0 where none is.

    The best loses least in all, counted in margins: that is what the gate holds a metric worth.
    """
    better = clearly_better(criteria, seed=seed)
    if not better:
        return 0
    lost = np.sum([c.shares / c.margin for c in criteria], axis=0)
    return min(better, key=lambda row: (lost[row], costs[row]))


def clearly_better(criteria: Sequence[Criterion], *, seed: int, resamples: int = 2000) -> list[int]:
    """Rows that are clearly better than row 0 on one criterion, and on no other worse: neither
    shown to be (95 % one-sided) nor by more than its margin at the point estimate.

    Where all are equal, any row is named in about 5 % of splits, however many were tried, and in
    somewhat more where gains are very skewed and units few (ADR 30): units that lose much and that
    the split does not hold are seen by no rule. A rival whose losses are not finite is none. Raises
    SourceError where row 0's are not.
    """
    if not all(np.isfinite(c.sums[0]).all() for c in criteria):
        raise SourceError(
            "the recipe that stands has losses that are not finite", "look for NaN in its answers"
        )
    rivals = [r for r in range(1, len(criteria[0].sums)) if _is_finite(criteria, r)]
    if not rivals or not all(c.is_enough for c in criteria):
        return []
    gains = [_Gains.of(c, rivals) for c in criteria]
    found = np.stack([g.turned(np.ones((1, len(g.weights))))[0] for g in gains])
    rng = np.random.default_rng(seed)
    drawn = [how(gains, rng, resamples) for how in (_turned, _redrawn)]
    clear = max(0.0, *(float(_quantile(d.max(axis=(1, 2)), 1 - FALSE_SWITCHES)) for d in drawn))
    shown_worse = found < np.maximum(*(_quantile(d, FALSE_SWITCHES) for d in drawn))
    too_much = np.stack([c.shares[rivals] > c.margin for c in criteria])
    passed = (found > clear).any(axis=0) & ~(shown_worse | too_much).any(axis=0)
    return [rivals[place] for place in np.flatnonzero(passed)]


@dataclass(frozen=True)
class _Gains:
    """What each unit gains [units, rivals] on one criterion, summed over its weight [units]."""

    sums: Floats
    weights: Floats

    @classmethod
    def of(cls, criterion: Criterion, rivals: Sequence[int]) -> _Gains:
        return cls((criterion.sums[0] - criterion.sums[rivals]).T, criterion.weights)

    def turned(self, signs: Floats) -> Floats:
        """Mean gains [draws, rivals] in clustered standard errors, each unit's gain taken with its
        of `signs` [draws, units]."""
        whole, weights = self.weights.sum(), self.weights[:, None]
        means = signs @ self.sums / whole
        squares = (self.sums**2).sum(axis=0) - 2.0 * means * (signs @ (self.sums * weights))
        squares += means**2 * (weights**2).sum()
        return _quotient(means, np.sqrt(np.maximum(squares, 0.0)) / whole)

    def redrawn(self, counts: Floats) -> Floats:
        """How far mean gains lie above those of all units [draws, rivals], each unit taken so many
        times as `counts` [draws, units] says, in the draw's own clustered standard errors."""
        weights = self.weights[:, None]
        apart = self.sums - self.sums.sum(axis=0) / weights.sum() * weights
        whole = counts @ weights
        means = _quotient(counts @ apart, np.broadcast_to(whole, (len(counts), apart.shape[1])))
        squares = counts @ apart**2 - 2.0 * means * (counts @ (apart * weights))
        squares += means**2 * (counts @ weights**2)
        # Not divided by `whole` on both sides: a draw without weight would be 0 / 0.
        return _quotient(means * whole, np.sqrt(np.maximum(squares, 0.0)))


def _turned(gains: Sequence[_Gains], rng: np.random.Generator, resamples: int) -> Floats:
    """Gains in standard errors where units' signs fall by lot: [resamples, criteria, rivals]."""
    units = len(gains[0].weights)
    signs = (rng.choice([-1.0, 1.0], (draws, units)) for draws in _blocks(units, resamples))
    return np.vstack([np.stack([g.turned(s) for g in gains], axis=1) for s in signs])


def _redrawn(gains: Sequence[_Gains], rng: np.random.Generator, resamples: int) -> Floats:
    """What chance adds to them where units are drawn with replacement, of the same shape."""
    units = len(gains[0].weights)
    counts = (drawn_counts(units, rng, draws) for draws in _blocks(units, resamples))
    return np.vstack([np.stack([g.redrawn(c) for g in gains], axis=1) for c in counts])


def _blocks(units: int, resamples: int) -> list[int]:
    at_once = max(1, AT_ONCE // units)
    return [min(at_once, resamples - start) for start in range(0, resamples, at_once)]


def _quotient(gains: Floats, by: Floats) -> Floats:
    """gains / by; nothing at all where both are zero, without end where only `by` is."""
    infinite: Floats = np.where(gains == 0, 0.0, np.copysign(math.inf, gains))
    return np.divide(gains, by, out=infinite, where=by > 0)


def _quantile(values: Floats, share: float) -> Floats:
    """Without interpolation: between infinities there is nothing."""
    found: Floats = np.quantile(values, share, axis=0, method="inverted_cdf")
    return found


def _is_finite(criteria: Sequence[Criterion], row: int) -> bool:
    return all(bool(np.isfinite(c.sums[row]).all()) for c in criteria)
