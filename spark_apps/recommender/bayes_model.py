"""The Bayesian model that `gibbs_sampler.py` samples: the likelihood of stars, and the priors.

*Likelihood.* `NormalStars`: stars are a score plus normal noise. `OrderedStars`: score plus noise
is cut into classes at thresholds. Each person has their own precision of the noise:

    precision_u ~ gamma(shape, rate)

All people share the rate, so a person with few ratings gets a precision near the average.

*Prior.* People's vectors, and titles' vectors, have a normal prior. Its mean is linear in their
side information (`Prior`).

The method `draw` of each class is one Gibbs step of its parameters, given all others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from scoring.arrays import Floats, Rows, Singles
from spark_apps.recommender.training_data import FeatureBlocks

FEWEST_LEVELS, MOST_LEVELS = 2, 20  # distinct stars of an ordered scale; others use NormalStars
RATE_PRIOR = 0.1  # rate of the gamma prior of the people's rate
MOST_PRECISION = 400.0  # noise of 0.05 stars; without it the precision could grow without limit
UNREACHED = 30.0  # a threshold that no score reaches
TABLE_EDGE, TABLE_STEP = 12.0, 0.01  # largest score and step of the table of expected stars
SHARPEST, SHARPNESSES = 4.0, 64  # the table's rows: 64 values of 1 / noise from 1/4 to 4
BIAS_VARIANCE, FACTOR_VARIANCE = 0.3, 0.02  # prior variances of biases and factors
WEIGHT_PRIOR = 1e-3  # rate of the gamma prior of a block's weight
ROWS_AT_ZERO = 1.0  # rows at 0 that the prior of the mean counts as
NORMAL_EDGE = 9.0  # standard deviations; the probability beyond is below 1e-18
_POINTS = np.linspace(-NORMAL_EDGE, NORMAL_EDGE, 18_001)
_BELOW = np.array([0.5 * math.erfc(-x / math.sqrt(2.0)) for x in _POINTS])


@dataclass(frozen=True)
class LatentStars:
    """The targets of the vectors in a sweep: latent stars `z` [ratings], `precision` [ratings]."""

    z: Floats
    precision: Floats


class Likelihood(Protocol):
    """How stars follow from scores."""

    def draw(self, scores: Floats, rng: np.random.Generator) -> LatentStars:
        """Draw the likelihood's parameters given the ratings' scores; the latent stars."""

    def expected(self, scores: Singles) -> Singles:
        """Expected stars [people, titles] at these scores under the current draw."""


def likelihood_of(kind: str, values: Floats, users: Rows, shape: float) -> Likelihood:
    """The likelihood `kind` of a recipe; `NormalStars` where the stars have too few or too many
    distinct values for an ordered scale."""
    levels = np.unique(values)
    if kind == "ordered" and FEWEST_LEVELS <= len(levels) <= MOST_LEVELS:
        return OrderedStars(values, users, levels, shape)
    return NormalStars(values, users, shape)


class NormalStars:
    """stars = mean + score + noise."""

    def __init__(self, values: Floats, users: Rows, shape: float) -> None:
        self._mean = float(values.mean())
        self._range = (values.min(), values.max())
        self.z = values - self._mean
        self._users = users
        self._shape = self._rate = shape
        self._shapes = shape + 0.5 * np.bincount(users)

    def draw(self, scores: Floats, rng: np.random.Generator) -> LatentStars:
        """Draw the people's precisions, then their rate."""
        squares = np.bincount(self._users, (self.z - scores) ** 2)
        drawn = rng.gamma(self._shapes, 1.0 / (self._rate + 0.5 * squares))
        precision = np.minimum(drawn, MOST_PRECISION)
        self._rate = rng.gamma(
            self._shape * len(precision) + 1.0, 1.0 / (precision.sum() + RATE_PRIOR)
        )
        return LatentStars(self.z, precision[self._users])

    def expected(self, scores: Singles) -> Singles:
        """Expected stars, clipped to the range of the training ratings."""
        stars: Singles = np.clip(scores + np.float32(self._mean), *self._range)
        return stars.astype(np.float32, copy=False)


class OrderedStars:
    """An ordered scale: latent stars are score + noise, and L - 1 thresholds cut them into classes.

    `levels` [L] are the scale's stars, ascending. `shape` belongs to the gamma prior of people's
    precision. Albert and Chib, Bayesian Analysis of Binary and Polychotomous Response Data (JASA
    88, 1993).
    Thresholds are drawn with the latent stars integrated out (Cowles, Statistics and Computing 6,
    1996), from the normal approximation after one Newton step. The likelihood is log-concave in the
    thresholds and narrow with tens of thousands of ratings. The geometric mean of people's noise is
    one, which fixes the scale of the scores.
    """

    def __init__(self, values: Floats, users: Rows, levels: Floats, shape: float) -> None:
        self._levels, self._users, self._shape = levels, users, shape
        self._rank: Rows = np.searchsorted(levels, values)
        self._shapes = shape + 0.5 * np.bincount(users)
        shares = np.cumsum(np.bincount(self._rank))[:-1] / len(values)
        grid = np.linspace(-6.0, 6.0, 12_001)
        # The factor 1.2 allows for the variance of the scores beside that of the noise.
        self.cuts: Floats = np.interp(shares, normal_cdf(grid), grid) * 1.2
        self.sharpness: Floats = np.ones(len(self._shapes))  # [people]: 1 / noise

    def draw(self, scores: Floats, rng: np.random.Generator) -> LatentStars:
        """Draw the thresholds, the latent stars between them, then people's noise."""
        sharp = self.sharpness[self._users]
        gradient, curvature = self._slopes(scores, sharp)
        moved = self.cuts + np.linalg.solve(curvature, gradient)
        noise = rng.normal(size=len(moved))
        self.cuts = np.sort(moved + np.linalg.solve(np.linalg.cholesky(curvature).T, noise))
        low, high = self._bounds(scores, sharp)
        residual = truncated_normal(low, high, rng.random(len(scores))) / sharp
        self._draw_sharpness(residual, rng)
        return LatentStars(scores + residual, self.sharpness[self._users] ** 2)

    def expected(self, scores: Singles) -> Singles:
        """Lowest stars + sum of step * probability to exceed its threshold, from a table."""
        steps = np.log(self.sharpness) / np.log(SHARPEST)
        rows = np.clip((steps + 1.0) * 0.5 * (SHARPNESSES - 1) + 0.5, 0, SHARPNESSES - 1)
        within = np.clip(scores, -TABLE_EDGE, TABLE_EDGE)
        places = (within + np.float32(TABLE_EDGE)) * np.float32(1.0 / TABLE_STEP)
        table = self._table()
        flat = places.astype(np.int32) + (rows.astype(np.int32) * table.shape[1])[:, None]
        found: Singles = table.ravel()[flat]
        return found

    def _table(self) -> Singles:
        """The table of expected stars [sharpness, score], at the middle of each step."""
        sharp = SHARPEST ** np.linspace(-1.0, 1.0, SHARPNESSES)
        scores = np.arange(-TABLE_EDGE, TABLE_EDGE + 2 * TABLE_STEP, TABLE_STEP) + 0.5 * TABLE_STEP
        table = np.full((len(sharp), len(scores)), self._levels[0])
        for cut, size in zip(self.cuts, np.diff(self._levels), strict=True):
            table += size * normal_cdf((scores - cut) * sharp[:, None])
        return table.astype(np.float32)

    def _draw_sharpness(self, residual: Floats, rng: np.random.Generator) -> None:
        squares = np.bincount(self._users, residual**2)
        precision = rng.gamma(self._shapes, 1.0 / (self._shape + 0.5 * squares))
        self.sharpness = np.sqrt(precision / np.exp(np.log(precision).mean()))

    def _bounds(self, scores: Floats, sharp: Floats) -> tuple[Floats, Floats]:
        ends = np.concatenate([[-UNREACHED], self.cuts, [UNREACHED]])
        return (ends[self._rank] - scores) * sharp, (ends[self._rank + 1] - scores) * sharp

    def _slopes(self, scores: Floats, sharp: Floats) -> tuple[Floats, Floats]:
        """Gradient [cuts] and negative Hessian [cuts, cuts] of the log-likelihood."""
        low, high = self._bounds(scores, sharp)
        share = np.maximum(normal_cdf(high) - normal_cdf(low), 1e-12) / sharp
        under, over = normal_density(low) / share, normal_density(high) / share
        curves = (over**2 + high * sharp * over, under**2 - low * sharp * under)
        curvature: Floats = np.diag(self._sum(curves[0])[:-1] + self._sum(curves[1])[1:] + 1e-6)
        beside = self._sum(over * under)[1:-1]
        gradient = self._sum(over)[:-1] - self._sum(under)[1:]
        return gradient, curvature - np.diag(beside, 1) - np.diag(beside, -1)

    def _sum(self, weights: Floats) -> Floats:
        sums = np.bincount(self._rank, weights, minlength=len(self._levels))
        return np.asarray(sums, dtype=np.float64)


@dataclass
class Prior:
    """The hierarchical prior of the vectors of people or titles, with side information.

        a_n ~ N(m + x_n B, L^-1),   m ~ N(0, (ROWS_AT_ZERO L)^-1),   L ~ Wishart(K + 2),
        B_f ~ N(0, (weight of its block x L)^-1),   weight ~ gamma(1, WEIGHT_PRIOR)

    The fields are the current draw: mean `m` [K], `effects` B [F, K], `precision` L [K, K] and
    `weights` [blocks]. Column 0 of a vector is the bias, so that bias and factors may correlate.
    Salakhutdinov and Mnih, Bayesian Probabilistic Matrix Factorization using MCMC (ICML 2008). The
    effects are those of Simm et al., Macau: Scalable Bayesian Multi-relational Factorization with
    Side Information (2015), with one weight for each block of columns.
    """

    columns: FeatureBlocks
    m: Floats
    effects: Floats
    precision: Floats
    weights: Floats

    @classmethod
    def start(cls, columns: FeatureBlocks, width: int) -> Prior:
        """The initial values of a chain, for vectors of `width` numbers."""
        precision = np.diag([4.0] + [10.0] * (width - 1))
        effects = np.zeros((columns.values.shape[1], width))
        weights = np.full(len(columns.blocks), 10.0)
        return cls(columns, np.zeros(width), effects, precision, weights)

    def means(self) -> Floats:
        """The prior means [n, K]."""
        means: Floats = self.m + self.columns.values @ self.effects
        return means

    def draw(self, vectors: Floats, rng: np.random.Generator) -> None:
        """Draw precision, mean, effects and weights, given the vectors [n, K]."""
        width, rows = vectors.shape[1], len(vectors)
        weights = np.repeat(self.weights, self.columns.blocks)
        residual = vectors - self.means()
        known: Floats = (
            _scale(width) + residual.T @ residual + (self.effects.T * weights) @ self.effects
        )
        known += ROWS_AT_ZERO * np.outer(self.m, self.m)
        freedom = width + 2.0 + rows + len(weights) + 1.0
        self.precision = wishart(freedom, known, rng)
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        counted = rows + ROWS_AT_ZERO
        centre = (vectors - self.columns.values @ self.effects).sum(axis=0) / counted
        self.m = centre + root @ rng.normal(size=width) / math.sqrt(counted)
        self._draw_effects(vectors, weights, root, rng)
        self._draw_weights(rng)

    def _draw_effects(
        self, vectors: Floats, weights: Floats, root: Floats, rng: np.random.Generator
    ) -> None:
        x = self.columns.values
        system = x.T @ x + np.diag(weights)
        mean = np.linalg.solve(system, x.T @ (vectors - self.m))
        noise = np.linalg.solve(np.linalg.cholesky(system).T, rng.normal(size=mean.shape))
        self.effects = mean + noise @ root.T

    def _draw_weights(self, rng: np.random.Generator) -> None:
        width = self.effects.shape[1]
        squares = np.einsum("fk,kl,fl->f", self.effects, self.precision, self.effects)
        ends = np.concatenate([[0], np.cumsum(self.columns.blocks)])
        for block, (start, end) in enumerate(pairwise(ends)):
            shape = 0.5 * (end - start) * width + 1.0
            rate = 0.5 * squares[start:end].sum() + WEIGHT_PRIOR
            self.weights[block] = rng.gamma(shape, 1.0 / rate)


def wishart(freedom: float, inverse_scale: Floats, rng: np.random.Generator) -> Floats:
    """One draw from Wishart(freedom, inverse_scale^-1), by Bartlett's decomposition."""
    width = len(inverse_scale)
    lower = np.tril(rng.normal(size=(width, width)), -1)
    lower[np.diag_indices(width)] = np.sqrt(rng.chisquare(freedom - np.arange(width)))
    factor = np.linalg.cholesky(np.linalg.inv(inverse_scale)) @ lower
    drawn: Floats = factor @ factor.T
    return drawn


def _scale(width: int) -> Floats:
    spread = np.diag([BIAS_VARIANCE] + [FACTOR_VARIANCE] * (width - 1))
    scale: Floats = spread * (width + 2.0)
    return scale


def normal_cdf(x: Floats) -> Floats:
    """The distribution function of the standard normal, from a table, because NumPy has none.

    Linear interpolation at a step of 0.001 has an error below 1e-7.
    """
    below: Floats = np.interp(x, _POINTS, _BELOW)
    return below


def normal_density(x: Floats) -> Floats:
    """The density of the standard normal at x."""
    height: Floats = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return height


def truncated_normal(low: Floats, high: Floats, shares: Floats) -> Floats:
    """Draws of a standard normal between `low` and `high`, from the uniform draws `shares`.

    Intervals with a positive middle are mirrored, because the lower tail has more digits.
    """
    mirrored = low + high > 0.0
    lower, upper = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    under, over = normal_cdf(lower), normal_cdf(upper)
    drawn = np.interp(under + (over - under) * shares, _BELOW, _POINTS)
    drawn = np.clip(drawn, np.maximum(lower, -NORMAL_EDGE), upper)
    return np.where(mirrored, -drawn, drawn)
