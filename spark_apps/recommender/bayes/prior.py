"""The prior of one side's vectors, learned with them: a mean linear in the side columns.

    a_n ~ N(m + x_n B, L^-1),   m ~ N(0, (ROWS_AT_ZERO L)^-1),   L ~ Wishart(K + 2),
    B_f ~ N(0, (weight of its block x L)^-1),   weight ~ gamma(1, FLAT)

Simm et al., Macau: Scalable Bayesian Multi-relational Factorization with Side Information (2015),
with one weight for each block of columns; Salakhutdinov and Mnih, Bayesian Probabilistic Matrix
Factorization using MCMC (ICML 2008) for the rest. Column 0 of a vector is the bias, so that biases
and tastes share a prior and correlate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from scoring.arrays import Floats
from spark_apps.recommender.bayes.sides import Columns

SPREAD_BIAS, SPREAD_TASTE = 0.3, 0.02  # variances a priori, each counted as K + 3 observations
FLAT = 1e-3  # rate of the gamma prior of a block's weight
ROWS_AT_ZERO = 1.0  # that the mean starts from: a flat prior of it is none that could be sampled


@dataclass
class Prior:
    """Its present draw: mean `m` [K], `effects` [F, K], `precision` [K, K], `weights` [blocks]."""

    columns: Columns
    m: Floats
    effects: Floats
    precision: Floats
    weights: Floats

    @classmethod
    def start(cls, columns: Columns, width: int) -> Prior:
        """Vague enough to move, tight enough not to run away."""
        precision = np.diag([4.0] + [10.0] * (width - 1))
        effects = np.zeros((columns.values.shape[1], width))
        weights = np.full(len(columns.blocks), 10.0)
        return cls(columns, np.zeros(width), effects, precision, weights)

    def means(self) -> Floats:
        """Every row's mean [n, K]."""
        means: Floats = self.m + self.columns.values @ self.effects
        return means

    def draw(self, vectors: Floats, lots: np.random.Generator) -> None:
        """One Gibbs step of everything in here, given the side's vectors [n, K]."""
        width, rows = vectors.shape[1], len(vectors)
        weights = np.repeat(self.weights, self.columns.blocks)
        apart = vectors - self.means()
        known: Floats = _scale(width) + apart.T @ apart + (self.effects.T * weights) @ self.effects
        known += ROWS_AT_ZERO * np.outer(self.m, self.m)
        freedom = width + 2.0 + rows + len(weights) + 1.0
        self.precision = wishart(freedom, known, lots)
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        counted = rows + ROWS_AT_ZERO
        centre = (vectors - self.columns.values @ self.effects).sum(axis=0) / counted
        self.m = centre + root @ lots.normal(size=width) / math.sqrt(counted)
        self._draw_effects(vectors, weights, root, lots)
        self._draw_weights(lots)

    def _draw_effects(
        self, vectors: Floats, weights: Floats, root: Floats, lots: np.random.Generator
    ) -> None:
        x = self.columns.values
        system = x.T @ x + np.diag(weights)
        mean = np.linalg.solve(system, x.T @ (vectors - self.m))
        noise = np.linalg.solve(np.linalg.cholesky(system).T, lots.normal(size=mean.shape))
        self.effects = mean + noise @ root.T

    def _draw_weights(self, lots: np.random.Generator) -> None:
        width = self.effects.shape[1]
        squares = np.einsum("fk,kl,fl->f", self.effects, self.precision, self.effects)
        ends = np.concatenate([[0], np.cumsum(self.columns.blocks)])
        for block, (start, end) in enumerate(pairwise(ends)):
            shape = 0.5 * (end - start) * width + 1.0
            rate = 0.5 * squares[start:end].sum() + FLAT
            self.weights[block] = lots.gamma(shape, 1.0 / rate)


def wishart(freedom: float, inverse_scale: Floats, lots: np.random.Generator) -> Floats:
    """One draw by Bartlett's decomposition; `inverse_scale` is in the units of a covariance."""
    width = len(inverse_scale)
    lower = np.tril(lots.normal(size=(width, width)), -1)
    lower[np.diag_indices(width)] = np.sqrt(lots.chisquare(freedom - np.arange(width)))
    factor = np.linalg.cholesky(np.linalg.inv(inverse_scale)) @ lower
    drawn: Floats = factor @ factor.T
    return drawn


def _scale(width: int) -> Floats:
    spread = np.diag([SPREAD_BIAS] + [SPREAD_TASTE] * (width - 1))
    scale: Floats = spread * (width + 2.0)
    return scale
