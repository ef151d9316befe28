"""The predictor family `als_bias`: Spark's explicit ALS blended with the bias model.

    w p.q + (1 - w) b   with   b = mean + b_u + b_i   is   b + w (p.q - b)

The bracket is a product of two vectors: people's [p, -(mean + b_u), -1] and titles' [q, 1, b_i]. So
one factor model with two more factors is equal to the blend. For a person or title without ALS
factors (a zero vector) the answer is the bias model's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from pyspark.sql import SparkSession

from scoring.arrays import Floats, Mask, Rows, Singles
from scoring.recommender.baselines import BiasModel, fit_bias
from spark_apps.recommender.als import AlsFit, fit_als, make_als, save_als
from spark_apps.recommender.families import (
    Clip,
    FactorModel,
    Predictor,
    PredictorFamily,
    PredictorTask,
)
from spark_apps.recommender.indexed_ratings import IndexedRatings
from spark_apps.recommender.recipes import Positive, RecommenderRecipe, Share, Whole


class AlsBiasRecipe(RecommenderRecipe):
    """Explicit ALS blended with the bias model.

    `blend` lists the shares of ALS; the inner split chooses one. `bias_reg_*` are numbers of
    ratings at the mean that are added to each person or title.
    """

    family: Literal["als_bias"]
    rank: Whole
    reg: Positive
    iterations: Whole
    bias_reg_user: Positive
    bias_reg_item: Positive
    blend: Annotated[tuple[Share, ...], Field(min_length=1)]

    @property
    def spark_iterations(self) -> int:
        """The maximum of the predictor's and the ranker's iterations."""
        return max(self.iterations, super().spark_iterations)

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of ALS."""
        return self.blend


def fit_als_bias(task: PredictorTask, recipe: AlsBiasRecipe) -> BlendedAls:
    """Fit explicit ALS with Spark, and the biases on the driver."""
    als = make_als(task.ratings, recipe, task.seed).setRatingCol("rating")
    fit = fit_als(als, task.ratings, task.frame)
    return BlendedAls(recipe, fit_biases(task.ratings, recipe), fit, task.blend_share)


def fit_biases(ratings: IndexedRatings, recipe: AlsBiasRecipe) -> BiasModel:
    """The bias model, on the driver: NumPy takes 20 ms for 100,000 ratings, a Spark stage 30."""
    catalogue = ratings.catalogue
    return fit_bias(
        ratings.users,
        ratings.items,
        ratings.values,
        len(catalogue.user_ids),
        len(catalogue.movie_ids),
        recipe.bias_reg_user,
        recipe.bias_reg_item,
    )


@dataclass(frozen=True)
class BlendedAls(Predictor):
    """The bias model, explicit ALS, and the share of ALS (`weight`)."""

    recipe: AlsBiasRecipe
    bias: BiasModel
    als: AlsFit
    weight: float

    def factor_model(self) -> FactorModel:
        """The blend as one factor model."""
        users, items = self.factors()
        return FactorModel(
            self.bias.mean,
            self.bias.user_bias,
            self.bias.item_bias,
            users.astype(np.float64),
            items.astype(np.float64),
        )

    def fold_in(self) -> dict[str, Any]:
        """The regularisation of Spark's ALS and of the biases, and the share of ALS."""
        return {
            "family": self.recipe.family,
            "rank": self.recipe.rank,
            "reg": self.recipe.reg,
            "weight": self.weight,
            "bias_reg_user": self.recipe.bias_reg_user,
        }

    def by_share(self, pairs: IndexedRatings, clip: Clip) -> dict[float, Floats]:
        """The pairs' stars, clipped, for each share of ALS in the recipe."""
        bias = self.bias.predict(pairs.users, pairs.items)
        users, items = self.als.users, self.als.items
        product = np.einsum("nk,nk->n", users[pairs.users], items[pairs.items])
        known = _known(users)[pairs.users] & _known(items)[pairs.items]
        difference = np.where(known, product - bias, 0.0)
        return {w: (bias + w * difference).clip(*clip) for w in self.recipe.blend}

    def answers(self, spark: SparkSession, users: Rows, items: Rows) -> Floats:
        """The blend of Spark's `transform` and the bias model.

        Where Spark answers NaN for an unknown person or title, the bias model answers.
        """
        pairs = sorted(set(zip(users.tolist(), items.tolist())))
        frame = spark.createDataFrame(pairs, "user int, item int")
        found = {(r.user, r.item): r.prediction for r in self.als.model.transform(frame).collect()}
        product = np.array([found[pair] for pair in zip(users.tolist(), items.tolist())])
        bias = self.bias.mean + self.bias.user_bias[users] + self.bias.item_bias[items]
        blended = self.weight * product + (1 - self.weight) * bias
        return np.where(np.isnan(product), bias, blended)

    def folded(self, items: Rows, stars: Floats) -> tuple[float, Floats]:
        """The bias from the residuals, the ALS factors by least squares, and the blend of both.

        The ridge penalty is `reg` times the number of rated titles with factors (Zhou et al.).
        """
        residuals = stars - self.bias.mean - self.bias.item_bias[items]
        bias = float(residuals.sum() / (len(items) + self.recipe.bias_reg_user))
        plain = self.bias.mean + bias + self.bias.item_bias
        known = items[_known(self.als.items)[items]]
        if not len(known):
            return bias, plain
        titles, rank = self.als.items.astype(np.float64), self.recipe.rank
        ridge = np.sqrt(self.recipe.reg * len(known)) * np.eye(rank)
        targets = np.concatenate([stars[np.isin(items, known)], np.zeros(rank)])
        own = np.linalg.lstsq(np.vstack([titles[known], ridge]), targets)[0]
        blended = plain + self.weight * (titles @ own - plain)
        return bias, np.where(_known(self.als.items), blended, plain)

    def save(self, folder: Path, spark: SparkSession) -> None:
        """Save Spark's ALS model, without the blend."""
        save_als(self.als, folder)

    def factors(self) -> tuple[Singles, Singles]:
        """People's [U, K + 2] and titles' [I, K + 2] factors of the blend."""
        knows_user, knows_item = _known(self.als.users), _known(self.als.items)
        person = -(self.bias.mean + self.bias.user_bias)
        users = np.column_stack([self.als.users, person, np.full(len(person), -1.0)])
        ones = np.ones(len(self.bias.item_bias))
        items = np.column_stack([self.als.items, ones, self.bias.item_bias])
        users = self.weight * users * knows_user[:, None]
        return users.astype(np.float32), (items * knows_item[:, None]).astype(np.float32)


def _known(factors: Singles) -> Mask:
    """The rows with ALS factors."""
    return np.asarray(factors.any(axis=1))


FAMILY = PredictorFamily(AlsBiasRecipe, fit_als_bias)
