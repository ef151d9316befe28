"""What every predictor ends as: one factor model, and what the trainer asks of whoever made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pyspark.sql import SparkSession

from scoring.arrays import Floats, Rows


@dataclass(frozen=True)
class FactorModel:
    """stars = mean + user_bias [U] + item_bias [I] + user_factors [U, K] . item_factors [I, K]."""

    mean: float
    user_bias: Floats
    item_bias: Floats
    user_factors: Floats
    item_factors: Floats

    def predict(self, users: Rows, items: Rows) -> Floats:
        """Stars of pairs, not clipped."""
        product = np.einsum("nk,nk->n", self.user_factors[users], self.item_factors[items])
        stars: Floats = self.mean + self.user_bias[users] + self.item_bias[items] + product
        return stars


class Predictor(Protocol):
    """A fitted predictor of any family."""

    def factor_model(self) -> FactorModel:
        """What the bundle ships."""
        ...

    def fold_in(self) -> dict[str, Any]:
        """What `scoring/recommender/fold_in.py` needs for a new person, as JSON."""
        ...

    def answers(self, spark: SparkSession, users: Rows, items: Rows) -> Floats:
        """Stars of pairs for the golden queries, not clipped, not by the scorer under test."""
        ...

    def folded(self, items: Rows, stars: Floats) -> tuple[float, Floats]:
        """The bias of a person who gave `stars` (at least one) to `items`, and their stars [I] of
        every title, not clipped: for the golden queries, not by the scorer under test."""
        ...

    def save(self, folder: Path, spark: SparkSession) -> None:
        """The model as Spark saves one: `ALSModel.load` reads it."""
        ...

    def notes(self) -> list[str]:
        """Sentences for the card."""
        ...
