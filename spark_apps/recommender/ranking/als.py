"""Implicit ALS, and people's factors solved once more where the recipe gives them a ridge.

Spark's ridge grows with the number of ratings only. One that counts the titles not rated too
(Rendle et al., Revisiting the Performance of iALS on Item Recommendation Benchmarks, RecSys 2022)
ranks better, and people's side can have it without another sweep.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pyspark.sql import DataFrame

from marquee.scoring.arrays import Floats, Singles
from spark_apps.recommender.als import AlsFit, als_of, fit_als
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.ranking.recipes import ImplicitAlsRecipe


def fit_implicit_als(
    ratings: IndexedRatings, frame: DataFrame, recipe: ImplicitAlsRecipe, seed: int
) -> AlsFit:
    """Implicit ALS on who rated what, whatever the stars."""
    als = als_of(ratings, recipe, seed).setRatingCol("seen").setImplicitPrefs(True)
    fit = fit_als(als.setAlpha(recipe.alpha), ratings, frame)
    return replace(fit, users=people_of(ratings, fit.items, recipe)) if recipe.person else fit


def people_of(ratings: IndexedRatings, items: Singles, recipe: ImplicitAlsRecipe) -> Singles:
    """People's factors [U, K] under the recipe's own ridge, titles' factors fixed."""
    factors = items.astype(np.float64)
    rest = 1.0 / (1.0 + recipe.alpha)
    everything = rest * (factors.T @ factors)
    matrix = ratings.matrix
    people: Floats = np.zeros((len(matrix.indptr) - 1, recipe.rank))
    for user in range(len(people)):
        rated = factors[matrix.items(user)]
        ridge = _ridge(recipe, len(rated), rest * int(factors.any(axis=1).sum()))
        system = everything + (1.0 - rest) * (rated.T @ rated) + ridge * np.eye(recipe.rank)
        people[user] = np.linalg.solve(system, rated.sum(axis=0))
    return people.astype(np.float32)


def _ridge(recipe: ImplicitAlsRecipe, rated: int, rest: float) -> float:
    if recipe.person is None:
        return recipe.reg * rated / (1.0 + recipe.alpha)
    return float(recipe.person.reg * (rated + rest) ** recipe.person.power)
