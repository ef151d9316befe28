"""The Bayesian model that `gibbs_sampler.py` samples: noise, priors, vectors given the rest.

*Likelihood.* Stars are mean + score + normal noise. Each person has their own precision of the
noise (`Noise`):

    precision_u ~ gamma(shape, rate)

All people share the rate, so a person with few ratings gets a precision near the average.

*Prior.* People's vectors, and titles' vectors, have a normal prior. Its mean is linear in their
side information (`Prior`).

*Vectors.* A person's vector, given the titles' vectors and the noise, is normal (`RowPosterior`);
so is a title's.

Each `draw` is one Gibbs step of its parameters, given all others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from scoring.arrays import Floats, Ints, ShortInts, Singles
from spark_apps.recommender.rating_blocks import RatingBlock, gathers, rectangles
from spark_apps.recommender.training_data import FeatureBlocks

RATE_PRIOR = 0.1  # rate of the gamma prior of the people's rate
MOST_PRECISION = 400.0  # noise of 0.05 stars; without it the precision could grow without limit
BIAS_VARIANCE, FACTOR_VARIANCE = 0.3, 0.02  # prior variances of biases and factors
WEIGHT_PRIOR = 1e-3  # rate of the gamma prior of a block's weight
ROWS_AT_ZERO = 1.0  # rows at 0 that the prior of the mean counts as
GATHERED = 6_000  # ratings gathered at a time: 0.9 MB of 19 columns stay in the second cache
FEW = 10  # most ratings of a row that is solved by its ratings rather than by its factors
SHORT = 3_000  # up to so many ratings GEMM with a column more beats SYRK, NumPy's choice for x'x
SYSTEMS = 512  # rows whose systems are solved together


@dataclass
class Noise:
    """The current draw of people's noise `precision` [people], and of the gamma prior's `rate`."""

    shape: float
    rate: float
    precision: Floats

    @classmethod
    def start(cls, shape: float, variance: float, people: int) -> Noise:
        """Every person's noise has the variance of the stars."""
        variance = max(variance, 1.0 / MOST_PRECISION)
        return cls(shape, shape * variance, np.full(people, 1.0 / variance))

    def draw(self, counts: Floats, squares: Floats, rng: np.random.Generator) -> None:
        """Draw precisions, then the rate, from people's numbers of ratings and squared errors."""
        drawn = rng.gamma(self.shape + 0.5 * counts, 1.0 / (self.rate + 0.5 * squares))
        self.precision = np.minimum(drawn, MOST_PRECISION)
        total = self.precision.sum() + RATE_PRIOR
        self.rate = float(rng.gamma(self.shape * len(drawn) + 1.0, 1.0 / total))


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

    def __post_init__(self) -> None:
        self._from_columns: Floats = self.columns.values @ self.effects

    def means(self) -> Floats:
        """The prior means [n, K]."""
        means: Floats = self.m + self._from_columns
        return means

    def draw(self, vectors: Floats, rng: np.random.Generator) -> None:
        """Draw precision, mean, effects and weights, given the vectors [n, K]."""
        width, rows = vectors.shape[1], len(vectors)
        weights = np.repeat(self.weights, self.columns.blocks)
        own = vectors - self._from_columns
        residual = own - self.m
        scale = np.diag([BIAS_VARIANCE] + [FACTOR_VARIANCE] * (width - 1)) * (width + 2.0)
        known: Floats = scale + residual.T @ residual + (self.effects.T * weights) @ self.effects
        known += ROWS_AT_ZERO * np.outer(self.m, self.m)
        freedom = width + 2.0 + rows + len(weights) + 1.0
        self.precision = wishart(freedom, known, rng)
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        counted = rows + ROWS_AT_ZERO
        centre = own.sum(axis=0) / counted
        self.m = centre + root @ rng.normal(size=width) / math.sqrt(counted)
        self._draw_effects(vectors, weights, root, rng)
        self._draw_weights(rng)

    def _draw_effects(
        self, vectors: Floats, weights: Floats, root: Floats, rng: np.random.Generator
    ) -> None:
        columns = self.columns
        lower = np.linalg.cholesky(columns.gram + np.diag(weights))
        side = columns.values.T @ vectors - np.outer(columns.sums, self.m)
        half = np.linalg.solve(lower, side) + rng.normal(size=side.shape) @ root.T
        self.effects = np.linalg.solve(lower.T, half)
        self._from_columns = columns.values @ self.effects

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


class RowPosterior:
    """The normal distribution of one side's vectors, given the partners' vectors and the noise.

    A row's vector [bias, factors] has the posterior

        S = L + sum p x x',   S mean = L mean_n + sum p x (z - partner's bias),
        x = [1, factors of the partner],   z = stars - mean,   p = precision of the rating's noise

    Salakhutdinov and Mnih (ICML 2008), equation 12, with the bias as the first column. With
    L = R R', rows are solved as w = R'v, whose prior is normal with the unit matrix: a row without
    ratings needs no system, and no S is worse conditioned than its ratings.

    `z` [distinct stars] are targets by star index. `weights` [m] are the partners' precisions where
    the partners are people; `own` [n] are the rows' own where the rows are people, else None.
    Ratings are gathered and multiplied in the precision `kind`, sums and systems are doubles.
    """

    def __init__(
        self,
        prior: Prior,
        partners: Floats,
        z: Floats,
        weights: Floats | None = None,
        own: Floats | None = None,
        kind: type[np.floating[Any]] = np.float64,
    ) -> None:
        width = partners.shape[1]
        self.width, self.z, self.own = width, z.astype(kind), own
        self.root = np.linalg.cholesky(prior.precision)
        self.means = prior.means() @ self.root
        self._inverse = np.linalg.inv(self.root)
        design = partners.copy()
        design[:, 0] = 1.0
        table = np.column_stack([design @ self._inverse.T, partners[:, 0], np.ones(len(partners))])
        if weights is not None:
            table *= np.sqrt(weights)[:, None]
        self._table = table.astype(kind, copy=False)
        self._gathered = np.empty((GATHERED, width + 2), dtype=kind)

    def vectors(self, solved: Floats) -> Floats:
        """v of the w [n, K]."""
        vectors: Floats = solved @ self._inverse
        return vectors

    def errors_needed(self, block: RatingBlock) -> int:
        """The length of `errors` in `draw`."""
        return int(block.starts[block.rows_of_few(FEW)])

    def draw(self, block: RatingBlock, noise: Floats, errors: Floats) -> tuple[Floats, Floats]:
        """The w [r, K] of a block's rows, in their order, and squared errors [r] of people.

        `noise` [r, K] and `errors` [ratings of rows with few ratings] are standard normal. Squared
        errors of titles are left at 0.
        """
        drawn, squares = self.means[block.rows] + noise, np.zeros(len(noise))
        starts = block.starts
        few = block.rows_of_few(FEW)
        for rows, ratings in rectangles(starts[: few + 1], GATHERED):
            table = self._gather(block, ratings).reshape(rows.stop - rows.start, -1, self.width + 2)
            own = None if self.own is None else self.own[block.rows[rows]]
            squares[rows] = _add_few(table.astype(np.float64), drawn[rows], errors[ratings], own)
        for first in range(few, len(block.rows), SYSTEMS):
            span = slice(first, first + SYSTEMS)
            grams = self._grams(block, starts[first : first + SYSTEMS + 1])
            drawn[span], squares[span] = self._solve(grams, block.rows[span], noise[span])
        return drawn, squares

    def _grams(self, block: RatingBlock, starts: Ints) -> Floats:
        """Sums [r, K + 1, K + 1] of [x, h][x, h]' of consecutive rows, h = z - partner's bias."""
        width = self.width + 1
        grams = np.zeros((len(starts) - 1, width, width))
        for together in gathers(starts, GATHERED):
            first = together[0][1].start
            gathered = self._gather(block, slice(first, together[-1][1].stop))
            for rows, ratings in together:
                table = gathered[ratings.start - first : ratings.stop - first]
                shape = rows.stop - rows.start, -1, width + 1
                grams[rows] += self._products(table.reshape(shape))
        return grams

    def _products(self, table: Floats | Singles) -> Floats | Singles:
        """Sums [r, K + 1, K + 1] of a rectangle [r, ratings, K + 2]."""
        x = table[..., :-1]
        left = table if table.dtype == np.float32 and table.shape[1] <= SHORT else x
        products: Floats | Singles = np.matmul(left.transpose(0, 2, 1), x)
        return products[:, : x.shape[2]]

    def _gather(self, block: RatingBlock, ratings: slice) -> Floats | Singles:
        """[ratings, K + 2]: x and h, weighted, and the root of the partner's weight."""
        partners = block.partners[ratings]
        table = self._gathered[: len(partners)]
        self._table.take(partners, axis=0, out=table, mode="clip")
        h, bias = self.z.take(block.stars[ratings]), table[:, self.width]
        if self.own is None:  # else the partners are titles, and weigh 1
            h *= table[:, self.width + 1]
        np.subtract(h, bias, out=bias)
        return table

    def _solve(self, grams: Floats, rows: ShortInts, noise: Floats) -> tuple[Floats, Floats]:
        """Draws of N(S^-1 target, S^-1), and squared errors.

        These are sum h^2 - 2 w'(sum x h) + w'(sum x x')w.

        One Cholesky factor of [[S, target], [target', c]] a row. Its last row is the target's
        forward substitution (Rue, Fast Sampling of Gaussian Markov Random Fields, 2001). c exceeds
        target' S^-1 target, because S exceeds the unit matrix. Backward substitution runs over all
        rows at once.
        """
        width = self.width
        systems = grams if self.own is None else grams * self.own[rows, None, None]
        systems[:, width, :width] += self.means[rows]
        systems[:, np.arange(width), np.arange(width)] += 1.0
        target = systems[:, width, :width]
        systems[:, width, width] = 1.0 + np.einsum("rk,rk->r", target, target)
        lower = np.ascontiguousarray(np.linalg.cholesky(systems).transpose(1, 2, 0))
        found = lower[width, :width] + noise.T
        for k in range(width - 1, -1, -1):
            found[k] -= np.einsum("kr,kr->r", lower[k + 1 : width, k], found[k + 1 :])
            found[k] /= lower[k, k]
        return found.T, np.zeros(len(rows)) if self.own is None else _squares(grams, found.T)


def _squares(grams: Floats, solved: Floats) -> Floats:
    """Squared errors [r] of people; never negative."""
    errors = np.column_stack([-solved, np.ones(len(solved))])
    squares: Floats = np.einsum("rk,rk->r", (grams @ errors[..., None])[..., 0], errors)
    return squares.clip(min=0.0)


def _add_few(table: Floats, drawn: Floats, errors: Floats, own: Floats | None) -> Floats:
    """Turn draws of the prior [r, K] into draws given d ratings a row; squared errors [r].

        w + X'(I + X X')^-1 (h - X w - e),   e ~ N(0, I)

    Rows of X and h have the weight of the root of their precision. This is Woodbury's identity with
    noise (Hoffman and Ribak, Constrained Realizations of Gaussian Fields, 1991): a system of d
    numbers a row, not of K.
    """
    width, count = drawn.shape[1], table.shape[1]
    if own is not None:
        table *= np.sqrt(own)[:, None, None]
    x, h = table[..., :width], table[..., width]
    missing = h - (x @ drawn[..., None])[..., 0] - errors.reshape(-1, count)
    systems = x @ x.transpose(0, 2, 1)
    systems[:, np.arange(count), np.arange(count)] += 1.0
    gain = np.linalg.solve(systems, missing[..., None])
    drawn += (x.transpose(0, 2, 1) @ gain)[..., 0]
    if own is None:
        return np.zeros(len(drawn))
    left = h - (x @ drawn[..., None])[..., 0]
    squares: Floats = np.einsum("rd,rd->r", left, left) / own
    return squares
