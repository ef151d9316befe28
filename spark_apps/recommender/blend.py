"""ALS and the bias model blended, exactly, into one factor model.

    w p.q + (1 - w) b   with   b = mean + b_u + b_i   is   b + w (p.q - b)

and the bracket is itself a product of two vectors: people's [p, -(mean + b_u), -1] times titles'
[q, 1, b_i]. So two more factors hold the blend without loss, and where ALS has nothing to say of a
person or a title (a zero vector) what is left is the bias model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from scoring.arrays import Floats, Mask, Rows, Singles
from scoring.recommender.baselines import BiasModel, fit_bias
from spark_apps.recommender.als import AlsFit
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.factor_model import FactorModel
from spark_apps.recommender.recipes import AlsRecipe
from spark_apps.recommender.saved_model import save_model

Clip = tuple[float, float]


@dataclass(frozen=True)
class Blend:
    """A predictor: the biases, ALS beside them, and ALS's share."""

    recipe: AlsRecipe
    bias: BiasModel
    als: AlsFit
    weight: float

    def factor_model(self) -> FactorModel:
        """The blend as the bundle ships it."""
        users, items = self.factors()
        return FactorModel(
            self.bias.mean,
            self.bias.user_bias,
            self.bias.item_bias,
            users.astype(np.float64),
            items.astype(np.float64),
        )

    def fold_in(self) -> dict[str, Any]:
        """Spark's regularisation and the blend's share."""
        return {
            "family": self.recipe.family,
            "rank": self.recipe.rank,
            "reg": self.recipe.reg,
            "weight": self.weight,
            "bias_reg_user": self.recipe.bias_reg_user,
        }

    def answers(self, spark: SparkSession, users: Rows, items: Rows) -> Floats:
        """By Spark's `transform`; NaN is its word for a pair it cannot answer: the bias is left."""
        pairs = sorted(set(zip(users.tolist(), items.tolist())))
        frame = spark.createDataFrame(pairs, "user int, item int")
        found = {(r.user, r.item): r.prediction for r in self.als.model.transform(frame).collect()}
        product = np.array([found[pair] for pair in zip(users.tolist(), items.tolist())])
        plain = self.bias.mean + self.bias.user_bias[users] + self.bias.item_bias[items]
        mixed = self.weight * product + (1 - self.weight) * plain
        return np.where(np.isnan(product), plain, mixed)

    def folded(self, items: Rows, stars: Floats) -> tuple[float, Floats]:
        """The bias of the stars that are left, ALS's ridge as one least-squares problem (Zhou et
        al.: `reg` times how many of the rated titles ALS knows), and the two blended."""
        left = stars - self.bias.mean - self.bias.item_bias[items]
        bias = float(left.sum() / (len(items) + self.recipe.bias_reg_user))
        plain = self.bias.mean + bias + self.bias.item_bias
        known = items[_known(self.als.items)[items]]
        if not len(known):
            return bias, plain
        titles, rank = self.als.items.astype(np.float64), self.recipe.rank
        ridge = np.sqrt(self.recipe.reg * len(known)) * np.eye(rank)
        asked = np.concatenate([stars[np.isin(items, known)], np.zeros(rank)])
        own = np.linalg.lstsq(np.vstack([titles[known], ridge]), asked)[0]
        mixed = plain + self.weight * (titles @ own - plain)
        return bias, np.where(_known(self.als.items), mixed, plain)

    def save(self, folder: Path, spark: SparkSession) -> None:
        """Spark's own model, before the blend."""
        save_model(self.als, folder)

    def notes(self) -> list[str]:
        """Nothing is lost and nothing needs saying."""
        return []

    def factors(self) -> tuple[Singles, Singles]:
        """People's [U, K + 2] and titles' [I, K + 2] factors of the one factor model."""
        knows_user, knows_item = _known(self.als.users), _known(self.als.items)
        person = -(self.bias.mean + self.bias.user_bias)
        users = np.column_stack([self.als.users, person, np.full(len(person), -1.0)])
        ones = np.ones(len(self.bias.item_bias))
        items = np.column_stack([self.als.items, ones, self.bias.item_bias])
        users = self.weight * users * knows_user[:, None]
        return users.astype(np.float32), (items * knows_item[:, None]).astype(np.float32)


def fit_biases(ratings: IndexedRatings, recipe: AlsRecipe) -> BiasModel:
    """The bias model on the driver: the rows are there for the bundle, and ten passes of NumPy
    over 100,000 take 20 ms where one Spark stage takes 30."""
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


def predict_shares(
    recipe: AlsRecipe, als: AlsFit, bias: BiasModel, asked: IndexedRatings, clip: Clip
) -> dict[float, Floats]:
    """Predictions of the pairs in `asked` for each share of ALS that the recipe names."""
    plain = bias.predict(asked.users, asked.items)
    product = np.einsum("nk,nk->n", als.users[asked.users], als.items[asked.items])
    known = _known(als.users)[asked.users] & _known(als.items)[asked.items]
    apart = np.where(known, product - plain, 0.0)
    return {w: (plain + w * apart).clip(*clip) for w in recipe.blend}


def _known(factors: Singles) -> Mask:
    return np.asarray(factors.any(axis=1))
