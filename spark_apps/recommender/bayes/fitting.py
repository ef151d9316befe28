"""A Bayesian recipe on some rows becomes one factor model, its fold-in and a note of its loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from scoring.arrays import Floats, Rows
from scoring.recommender.ratings import RatingsMatrix
from spark_apps.recommender.bayes.arithmetic import Size, refuse_over_budget
from spark_apps.recommender.bayes.chain import Problem
from spark_apps.recommender.bayes.chains import run_chains
from spark_apps.recommender.bayes.newcomers import learn_newcomers
from spark_apps.recommender.bayes.packing import Packed, stack
from spark_apps.recommender.bayes.sides import Sides, shape, side_columns
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.factor_model import FactorModel
from spark_apps.recommender.recipes import BayesRecipe
from spark_apps.recommender.saved_model import save_factors


@dataclass(frozen=True)
class BayesFit:
    """The posterior of a recipe, packed, with what a new person is answered by."""

    recipe: BayesRecipe
    packed: Packed
    newcomers: dict[str, Any]

    def factor_model(self) -> FactorModel:
        """In double precision; the bundle rounds the factors to single."""
        return self.packed.model

    def fold_in(self) -> dict[str, Any]:
        """The prior of a person's bias and factors given what they rated."""
        return self.newcomers

    def answers(self, spark: SparkSession, users: Rows, items: Rows) -> Floats:
        """From the double-precision model, pair by pair."""
        return self.packed.model.predict(users, items)

    def folded(self, items: Rows, stars: Floats) -> tuple[float, Floats]:
        """The posterior mean in the space of the n stars, not of the K factors: it needs the
        prior's covariance S, and the gain S D' (D S D' + noise I)^-1 of what the prior leaves
        (Rasmussen and Williams, Gaussian Processes for Machine Learning, section 2.1)."""
        model, prior = self.packed.model, self.newcomers
        rated = np.column_stack([model.item_bias[items], model.item_factors[items]])
        effects, n = np.array(prior["effects"]), len(items)
        start = effects[0] + np.log1p(n) * effects[1] + rated.sum(axis=0) / np.sqrt(n) @ effects[2:]
        design = np.column_stack([np.ones(n), rated[:, 1:]])
        gain = np.linalg.inv(np.array(prior["precision"])) @ design.T
        left = stars - model.mean - rated[:, 0] - design @ start
        own = start + gain @ np.linalg.solve(design @ gain + prior["noise"] * np.eye(n), left)
        bias = float(own[0])
        return bias, model.mean + bias + model.item_bias + model.item_factors @ own[1:]

    def save(self, folder: Path, spark: SparkSession) -> None:
        """Biases as two more factors, so that Spark's product is the whole prediction."""
        model = self.packed.model
        base = model.mean + model.user_bias
        users = np.column_stack([model.user_factors, base, np.ones(len(base))])
        ones = np.ones(len(model.item_bias))
        items = np.column_stack([model.item_factors, ones, model.item_bias])
        save_factors(users.astype(np.float32), items.astype(np.float32), spark.version, folder)

    def notes(self) -> list[str]:
        """How much was lost by packing, and how near fold-in comes."""
        rank = self.packed.model.user_factors.shape[1]
        draws = self.recipe.chains * self.recipe.kept
        return [
            f"{draws} draws of {self.recipe.chains} chains were packed into {rank} factors; "
            f"root mean square loss {self.packed.loss:.4f} stars over all pairs",
            f"folding known people in comes within {self.newcomers['distance']:.3f} stars "
            "(root mean square) of their own answers",
        ]


def fit_bayes(
    spark: SparkSession, ratings: IndexedRatings, recipe: BayesRecipe, sides: Sides, seed: int
) -> BayesFit:
    """Chains on the executors, the rest on the driver; RecipeError where it is over budget."""
    people, titles = shape(ratings.catalogue)
    refuse_over_budget(recipe, Size(len(ratings.values), people, titles))
    columns = side_columns(ratings, sides, recipe.side_columns, seed)
    problem = Problem(ratings.users, ratings.items, ratings.values, *columns)
    packed = stack(run_chains(spark, problem, recipe, seed), recipe.packed_rank)
    rated = RatingsMatrix.build(ratings.users, ratings.items, ratings.values, people)
    return BayesFit(recipe, packed, learn_newcomers(packed.model, rated, seed))
