"""Implicit ALS, and its factors solved further where the recipe gives them a ridge.

Spark's ridge grows with the number of ratings only. One that counts the titles not rated too
(Rendle et al., Revisiting the Performance of iALS on Item Recommendation Benchmarks, RecSys 2022)
ranks better; the driver goes on under it from where Spark stopped.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pyspark.sql import DataFrame

from scoring.arrays import Floats, Rows, Singles
from scoring.recommender.ratings import RatingsMatrix
from spark_apps.recommender.als import AlsFit, als_of, fit_als
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.ranking.recipes import ImplicitAlsRecipe


def fit_implicit_als(
    ratings: IndexedRatings, frame: DataFrame, recipe: ImplicitAlsRecipe, seed: int
) -> AlsFit:
    """Implicit ALS on who rated what, whatever the stars."""
    als = als_of(ratings, recipe, seed).setRatingCol("seen").setImplicitPrefs(True)
    fit = fit_als(als.setAlpha(recipe.alpha), ratings, frame)
    return polished(ratings, fit, recipe) if recipe.person else fit


def polished(ratings: IndexedRatings, fit: AlsFit, recipe: ImplicitAlsRecipe) -> AlsFit:
    """Titles and people solved in turn under the recipe's own ridge, people last."""
    sweeps = recipe.person.sweeps if recipe.person else 0
    by_title = RatingsMatrix.build(ratings.items, ratings.users, ratings.values, len(fit.items))
    users, items = solved(ratings.matrix, fit.items, recipe), fit.items
    for _ in range(sweeps):
        items = solved(by_title, users, recipe)
        users = solved(ratings.matrix, items, recipe)
    return replace(fit, users=users, items=items)


def solved(matrix: RatingsMatrix, fixed: Singles, recipe: ImplicitAlsRecipe) -> Singles:
    """Factors of the matrix's rows, those of its columns `fixed`; zero where a row is empty."""
    factors = fixed.astype(np.float64)
    rest = 1.0 / (1.0 + recipe.alpha)
    everything, known = rest * (factors.T @ factors), int(factors.any(axis=1).sum())
    found: Floats = np.zeros((len(matrix.indptr) - 1, recipe.rank))
    for row in np.flatnonzero(np.diff(matrix.indptr)).tolist():
        rated = factors[matrix.items(row)]
        ridge = _ridge(recipe, len(rated), rest * known)
        system = everything + (1.0 - rest) * (rated.T @ rated) + ridge * np.eye(recipe.rank)
        found[row] = np.linalg.solve(system, rated.sum(axis=0))
    return found.astype(np.float32)


def folded_person(fixed: Singles, rated: Rows, recipe: ImplicitAlsRecipe) -> Floats:
    """Factors of somebody who rated these titles, the titles' factors `fixed`: one weighted
    least-squares problem over every title with factors (Hu, Koren and Volinsky, equation 4),
    the weight of a title not rated being 1 / (1 + alpha) of a rated one's. A rated title without
    factors counts for nothing."""
    known = np.flatnonzero(fixed.any(axis=1))
    seen = np.isin(known, rated)
    rest = 1.0 / (1.0 + recipe.alpha)
    weights = np.sqrt(np.where(seen, 1.0, rest))
    ridge = _ridge(recipe, int(seen.sum()), rest * len(known))
    design = np.vstack([fixed[known] * weights[:, None], np.sqrt(ridge) * np.eye(recipe.rank)])
    asked = np.concatenate([weights * seen, np.zeros(recipe.rank)])
    found: Floats = np.linalg.lstsq(design.astype(np.float64), asked)[0]
    return found


def _ridge(recipe: ImplicitAlsRecipe, rated: int, rest: float) -> float:
    if recipe.person is None:
        return recipe.reg * rated / (1.0 + recipe.alpha)
    return float(recipe.person.reg * (rated + rest) ** recipe.person.power)
