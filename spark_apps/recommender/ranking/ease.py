"""EASE: the linear model between titles that best rebuilds who rated what, no title from itself.

Steck, Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019): B = I - P diag(1 / P_jj) with
P = (X'X + ridge)^-1. The solve is cubic in titles and one machine's, so titles are capped to the
most rated; of each title only the largest weights are kept, and what is kept is what is measured.
"""

from __future__ import annotations

import numpy as np
from pyspark.sql import DataFrame

from marquee.errors import RecipeError
from scoring.arrays import Floats, Rows
from scoring.recommender.rankers.item_weights import ItemWeights
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.ranking.gramian import gramian
from spark_apps.recommender.ranking.recipes import EaseRecipe

DENSE = 3  # float64 [N, N] held at once: the Gramian, its inverse, LAPACK's copy


def fit_ease(ratings: IndexedRatings, frame: DataFrame, recipe: EaseRecipe) -> ItemWeights:
    """The pruned weights by row of the catalogue; RecipeError where the solve would not fit."""
    titles = len(ratings.catalogue.movie_ids)
    kept = most_rated(ratings.items, titles, recipe.titles)
    print(f"[train_recommender] {state_cost(len(kept), recipe)}")
    column = np.full(titles, -1, dtype=np.int32)
    column[kept] = np.arange(len(kept), dtype=np.int32)
    users = ratings.users[column[ratings.items] >= 0]
    mean = len(users) / max(len(np.unique(users)), 1)
    found = gramian(frame, column, len(ratings.values), recipe.people_power, mean)
    return pruned(solve(found, recipe), kept, titles, recipe.keep)


def state_cost(titles: int, recipe: EaseRecipe) -> str:
    """Bytes and operations of one fit, in a sentence; RecipeError where memory would not do."""
    size, operations = DENSE * 8 * titles**2, 2.0 * titles**3
    text = f"EASE over {titles} titles takes {size / 1e9:.2f} GB and {operations:.1e} operations"
    if size > recipe.most_gigabytes * 1e9:
        raise RecipeError(
            f"{text}, more than its {recipe.most_gigabytes:g} GB",
            "lower `titles` or raise `most_gigabytes` in the recipe's ranker",
        )
    return text


def most_rated(items: Rows, titles: int, most: int) -> Rows:
    """The rows of the `most` titles rated most often, ascending; of equals the first."""
    counts = np.bincount(items, minlength=titles)
    order = np.argsort(-counts, kind="stable")[:most]
    return np.sort(order[counts[order] > 0])


def solve(found: Floats, recipe: EaseRecipe) -> Floats:
    """Weights [N, N] from a rated title (row) to a scored one (column); the diagonal is zero."""
    rated = np.diag(found)
    ridge = recipe.reg * (rated / rated.mean()) ** recipe.title_power
    inverse = np.linalg.inv(found + np.diag(ridge))
    weights: Floats = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def pruned(weights: Floats, kept: Rows, titles: int, keep: int) -> ItemWeights:
    """The `keep` weights of the largest size of each scored title, by row of the catalogue."""
    large = np.abs(weights)
    if keep < len(weights):
        order = np.argsort(-large, axis=0, kind="stable")[:keep]
        chosen = np.zeros_like(large, dtype=np.bool_)
        np.put_along_axis(chosen, order, True, axis=0)
    else:
        chosen = np.ones_like(large, dtype=np.bool_)
    rows, columns = np.nonzero(chosen & (large > 0.0))
    counts = np.bincount(kept[rows], minlength=titles)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    values = weights[rows, columns].astype(np.float32)
    return ItemWeights(indptr, kept[columns].astype(np.int32), values)
