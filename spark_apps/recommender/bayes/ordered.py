"""Stars as an ordered scale: a feeling is score + noise, and stars say between which thresholds.

Albert and Chib, Bayesian Analysis of Binary and Polychotomous Response Data (JASA 88, 1993).
Thresholds are drawn with the feelings integrated out, as Cowles (Statistics and Computing 6, 1996)
advises, from the normal approximation at a Newton step from where they are: the likelihood is
log-concave in them, and tens of thousands of ratings make it narrow. People's noise differs; its
geometric mean is one, which fixes the scale of scores.
"""

from __future__ import annotations

import numpy as np

from scoring.arrays import Floats, Rows, Singles
from spark_apps.recommender.bayes.bell import cdf, density, truncated
from spark_apps.recommender.bayes.vectors import Seen

FAR = 30.0  # a threshold nothing reaches
EDGE, STEP = 12.0, 0.01  # of the table of expected stars; rounding to a step averages out
SHARPEST, SHARPNESSES = 4.0, 64  # people's 1 / noise, from 1/4 to 4, as rows of that table


class Ordered:
    """`levels` [L] are the scale's stars, ascending; `shape` is of the prior of people's noise."""

    def __init__(self, values: Floats, users: Rows, levels: Floats, shape: float) -> None:
        self._levels, self._users, self._shape = levels, users, shape
        self._rank: Rows = np.searchsorted(levels, values)
        self._shapes = shape + 0.5 * np.bincount(users)
        shares = np.cumsum(np.bincount(self._rank))[:-1] / len(values)
        grid = np.linspace(-6.0, 6.0, 12_001)
        self.cuts: Floats = np.interp(shares, cdf(grid), grid) * 1.2  # scores will widen the bell
        self.sharpness: Floats = np.ones(len(self._shapes))  # of people: 1 / noise

    def step(self, scores: Floats, lots: np.random.Generator) -> Seen:
        """Draw thresholds, then feelings between them, then people's noise."""
        sharp = self.sharpness[self._users]
        gradient, curvature = self._slopes(scores, sharp)
        moved = self.cuts + np.linalg.solve(curvature, gradient)
        noise = lots.normal(size=len(moved))
        self.cuts = np.sort(moved + np.linalg.solve(np.linalg.cholesky(curvature).T, noise))
        low, high = self._bounds(scores, sharp)
        apart = truncated(low, high, lots.random(len(scores))) / sharp
        self._draw_sharpness(apart, lots)
        return Seen(scores + apart, self.sharpness[self._users] ** 2)

    def expected(self, scores: Singles) -> Singles:
        """Lowest star plus each step's size times the chance to pass it, from a table."""
        steps = np.log(self.sharpness) / np.log(SHARPEST)
        rows = np.clip((steps + 1.0) * 0.5 * (SHARPNESSES - 1) + 0.5, 0, SHARPNESSES - 1)
        places = (np.clip(scores, -EDGE, EDGE) + np.float32(EDGE)) * np.float32(1.0 / STEP)
        table = self._table()
        flat = places.astype(np.int32) + (rows.astype(np.int32) * table.shape[1])[:, None]
        found: Singles = table.ravel()[flat]
        return found

    def _table(self) -> Singles:
        """Expected stars [sharpness, score], at the middle of each step."""
        sharp = SHARPEST ** np.linspace(-1.0, 1.0, SHARPNESSES)
        scores = np.arange(-EDGE, EDGE + 2 * STEP, STEP) + 0.5 * STEP
        table = np.full((len(sharp), len(scores)), self._levels[0])
        for cut, size in zip(self.cuts, np.diff(self._levels), strict=True):
            table += size * cdf((scores - cut) * sharp[:, None])
        return table.astype(np.float32)

    def _draw_sharpness(self, apart: Floats, lots: np.random.Generator) -> None:
        squares = np.bincount(self._users, apart**2)
        precision = lots.gamma(self._shapes, 1.0 / (self._shape + 0.5 * squares))
        self.sharpness = np.sqrt(precision / np.exp(np.log(precision).mean()))

    def _bounds(self, scores: Floats, sharp: Floats) -> tuple[Floats, Floats]:
        ends = np.concatenate([[-FAR], self.cuts, [FAR]])
        return (ends[self._rank] - scores) * sharp, (ends[self._rank + 1] - scores) * sharp

    def _slopes(self, scores: Floats, sharp: Floats) -> tuple[Floats, Floats]:
        """Gradient [cuts] of the log-likelihood in the thresholds, and minus its curvature."""
        low, high = self._bounds(scores, sharp)
        share = np.maximum(cdf(high) - cdf(low), 1e-12) / sharp
        under, over = density(low) / share, density(high) / share
        curves = (over**2 + high * sharp * over, under**2 - low * sharp * under)
        curvature: Floats = np.diag(self._sum(curves[0])[:-1] + self._sum(curves[1])[1:] + 1e-6)
        beside = self._sum(over * under)[1:-1]
        gradient = self._sum(over)[:-1] - self._sum(under)[1:]
        return gradient, curvature - np.diag(beside, 1) - np.diag(beside, -1)

    def _sum(self, weights: Floats) -> Floats:
        sums = np.bincount(self._rank, weights, minlength=len(self._levels))
        return np.asarray(sums, dtype=np.float64)
