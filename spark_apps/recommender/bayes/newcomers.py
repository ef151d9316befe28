"""What is known of a person before their stars: the prior that fold-in starts from.

From the trained people: the ridge regression of their [bias, factors] on what they rated
(`scoring.recommender.fold_in` says which columns), and the covariance it leaves. The noise
is the one of a short list under which folding known people in comes nearest to their own answers;
everything here looks at training rows only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.arrays import Floats, Rows
from scoring.recommender.fold_in import BayesFoldIn, rated_columns
from scoring.recommender.ratings import RatingsMatrix
from spark_apps.recommender.factor_model import FactorModel

RIDGE = 10.0  # people at no effect
FLOOR = 1e-6  # of a variance: one person, or people all alike, leave none
NOISES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5)  # variances of a star
ASKED = 60  # people the noise is chosen by


def learn_newcomers(model: FactorModel, rated: RatingsMatrix, seed: int) -> dict[str, Any]:
    """`fold_in.predictor` of the bundle, with the `distance` it reaches, in stars."""
    vectors = np.column_stack([model.user_bias, model.user_factors])
    columns = np.array([_columns(model, rated, u) for u in range(len(vectors))])
    system = columns.T @ columns + RIDGE * np.eye(columns.shape[1])
    effects = np.linalg.solve(system, columns.T @ vectors)
    apart = vectors - columns @ effects
    spread = apart.T @ apart / len(apart) + FLOOR * np.eye(vectors.shape[1])
    prior = {"effects": _rounded(effects), "precision": _rounded(np.linalg.inv(spread))}
    people = np.random.default_rng(seed).permutation(len(vectors))[:ASKED]
    tried = {v: _distance(BayesFoldIn.of(noise=v, **prior), model, rated, people) for v in NOISES}
    best = min(tried, key=lambda v: tried[v])
    return {"family": "bayes", "noise": best, "distance": tried[best], **prior}


def _columns(model: FactorModel, rated: RatingsMatrix, user: int) -> Floats:
    items = rated.items(user)
    return rated_columns(model.item_bias[items], model.item_factors[items])


def _distance(
    fold_in: BayesFoldIn, model: FactorModel, rated: RatingsMatrix, people: Rows
) -> float:
    """Root mean square between folded-in and own answers for every title."""
    squares = []
    for user in people:
        items, stars = rated.items(user), rated.stars(user).astype(np.float64)
        bias, factors = fold_in.person(
            model.mean, model.item_bias[items], model.item_factors[items].astype(np.float32), stars
        )
        apart = bias - model.user_bias[user]
        squares.append(
            np.mean((apart + model.item_factors @ (factors - model.user_factors[user])) ** 2)
        )
    return float(np.sqrt(np.mean(squares)))


def _rounded(table: Floats) -> list[list[float]]:
    """Seven digits: as much as the factors beside them."""
    return [[float(f"{x:.7g}") for x in row] for row in table]
