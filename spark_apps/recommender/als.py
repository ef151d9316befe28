"""Spark's ALS, fitted so that small data costs little and the same rows give the same factors.

Results move with the number of blocks, so it follows from the number of rows alone. Few blocks
also mean few tasks: on 100,000 ratings one block fits 1.5 times as fast as Spark's default of ten,
and leaves the second core to a second fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame

from scoring.arrays import Singles
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.ranking.recipes import ImplicitAlsRecipe, RankerRecipe
from spark_apps.recommender.recipes import AlsRecipe, BayesRecipe

ROWS_A_BLOCK = 500_000
CHECKPOINT_EVERY = 10  # iterations; without one the lineage of twenty overflows the stack


@dataclass(frozen=True)
class AlsFit:
    """A fitted model and its factors by row of the catalogue; rows ALS never saw are zero."""

    model: ALSModel
    users: Singles
    items: Singles


def blocks_for(rows: int) -> int:
    """How many blocks people and titles are cut into."""
    return max(1, -(-rows // ROWS_A_BLOCK))


def needs_checkpoints(recipe: AlsRecipe | BayesRecipe | RankerRecipe) -> bool:
    """Whether the session needs a checkpoint folder for this recipe."""
    return not isinstance(recipe, BayesRecipe) and recipe.iterations > CHECKPOINT_EVERY


def fit_predictor(
    ratings: IndexedRatings, frame: DataFrame, recipe: AlsRecipe, seed: int
) -> AlsFit:
    """Explicit ALS on the stars."""
    als = als_of(ratings, recipe, seed).setRatingCol("rating")
    return fit_als(als, ratings, frame)


def als_of(ratings: IndexedRatings, recipe: AlsRecipe | ImplicitAlsRecipe, seed: int) -> ALS:
    """What the explicit and the implicit fit share."""
    blocks = blocks_for(len(ratings.values))
    return ALS(
        rank=recipe.rank,
        maxIter=recipe.iterations,
        regParam=recipe.reg,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        userCol="user",
        itemCol="item",
        coldStartStrategy="nan",
        checkpointInterval=CHECKPOINT_EVERY if needs_checkpoints(recipe) else -1,
        seed=seed % 2**31,
    )


def fit_als(als: ALS, ratings: IndexedRatings, frame: DataFrame) -> AlsFit:
    """Fit, and bring the factors to the driver."""
    model = als.fit(frame)
    catalogue = ratings.catalogue
    users = _by_row(model.userFactors, len(catalogue.user_ids), model.rank)
    return AlsFit(model, users, _by_row(model.itemFactors, len(catalogue.movie_ids), model.rank))


def _by_row(factors: DataFrame, rows: int, rank: int) -> Singles:
    table = factors.toArrow().combine_chunks()
    flat = table["features"].combine_chunks().flatten().to_numpy()
    found: Singles = np.zeros((rows, rank), dtype=np.float32)
    found[table["id"].to_numpy()] = flat.reshape(-1, rank)
    return found
