"""One Gibbs step of one side's vectors, all rows at once.

Given the other side, a row's vector [bias, taste] has a Gaussian posterior:

    precision = L + p X'X,   precision x mean = L mean_n + p X'(z - other's bias),   X = [1, taste]

Salakhutdinov and Mnih (ICML 2008), equation 12, with the bias as the first column. A draw is the
solution of two triangular systems (Rue, Fast Sampling of Gaussian Markov Random Fields, 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats
from spark_apps.recommender.bayes.padding import Group


@dataclass(frozen=True)
class Seen:
    """What the ratings say in a step: latent stars `z` [ratings] and their common precision."""

    z: Floats
    precision: Floats  # [ratings]


def draw_vectors(
    groups: list[Group], means: Floats, precision: Floats, other: Floats, seen: Seen, noise: Floats
) -> Floats:
    """New vectors [n, K] given prior `means` [n, K], its `precision` [K, K], the `other` side's
    vectors [m, K], and standard normal `noise` [n, K]."""
    design = np.vstack([other, np.zeros(other.shape[1])])  # the last row is the padding's
    design[:-1, 0] = 1.0
    bias = np.append(other[:, 0], 0.0)
    z, sure = np.append(seen.z, 0.0), np.append(seen.precision, 0.0)
    drawn = np.empty_like(means)
    for group in groups:
        x = design[group.others]
        weighted = (x * sure[group.places][..., None]).transpose(0, 2, 1)
        left = (z[group.places] - bias[group.others])[..., None]
        drawn[group.own] = _draw(
            precision + weighted @ x,
            means[group.own] @ precision + (weighted @ left)[..., 0],
            noise[group.own],
        )
    return drawn


def _draw(systems: Floats, sides: Floats, noise: Floats) -> Floats:
    """Draws of N(system^-1 side, system^-1) for a stack of systems [g, K, K]."""
    lower = np.linalg.cholesky(systems)
    half = np.linalg.solve(lower, sides[..., None])[..., 0] + noise
    drawn: Floats = np.linalg.solve(lower.transpose(0, 2, 1), half[..., None])[..., 0]
    return drawn
