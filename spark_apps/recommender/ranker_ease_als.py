"""The ranker family `ease_als`: EASE and implicit ALS, each person's scores standardised and added.

The two err on different titles. Their scores have different units, so each is measured in its own
standard deviations over the titles that either ranks.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray
from pyspark.sql import DataFrame

from scoring.arrays import Floats, Mask, Rows, Singles
from spark_apps.recommender.families import FittedRanker, RankerFamily
from spark_apps.recommender.ranker_ease import Ease, EaseRecipe, ease_cost, fit_ease_ranker
from spark_apps.recommender.ranker_implicit_als import (
    ImplicitAls,
    ImplicitAlsRecipe,
    fit_implicit_als,
)
from spark_apps.recommender.recipes import RankerRecipe, Share
from spark_apps.recommender.training_data import IndexedRatings


class EaseAlsRecipe(RankerRecipe):
    """Both recipes, and the `share` of ALS in the sum."""

    family: Literal["ease_als"]
    share: Share
    als: ImplicitAlsRecipe
    ease: EaseRecipe

    @property
    def spark_iterations(self) -> int:
        """Those of ALS."""
        return self.als.iterations


def fit_ease_als(
    ratings: IndexedRatings, frame: DataFrame, recipe: EaseAlsRecipe, seed: int
) -> EaseAls:
    """Fit both side by side: on small data a fit keeps one core busy, not two."""
    with ThreadPoolExecutor(1) as pool:
        als = pool.submit(fit_implicit_als, ratings, frame, recipe.als, seed)
        ease = fit_ease_ranker(ratings, frame, recipe.ease, seed)
        return EaseAls(*ratings.catalogue.shape, recipe, als.result(), ease)


@dataclass(frozen=True)
class EaseAls(FittedRanker):
    """The two fitted rankers, blended."""

    recipe: EaseAlsRecipe
    als: ImplicitAls
    ease: Ease

    @property
    def users(self) -> Singles:
        """People's factors [U, L]."""
        return self.als.users

    @property
    def items(self) -> Singles:
        """Titles' factors [I, L]."""
        return self.als.items

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The item weights."""
        return self.ease.arrays

    @property
    def known(self) -> Mask:
        """Titles that either ranks."""
        return self.als.known | self.ease.known

    def scores(self, user: int, rated: Rows) -> Floats:
        """By trained factors and item weights."""
        return self._blended(self.als.scores(user, rated), self.ease.folded(rated))

    def folded(self, rated: Rows) -> Floats:
        """By factors solved from the rated titles, and item weights."""
        return self._blended(self.als.folded(rated), self.ease.folded(rated))

    def _blended(self, by_als: Floats, by_ease: Floats) -> Floats:
        share, known = self.recipe.share, self.known
        ours = standardised(by_als, known)
        return share * ours + (1.0 - share) * standardised(by_ease, known)

    def facts(self) -> dict[str, Any]:
        """The family, what folds a person in, the recency and the share."""
        return {
            "family": self.recipe.family,
            "factors": self.als.equations(),
            "recency": self.ease.recency(),
            "share": self.recipe.share,
        }

    def save(self, folder: Path) -> None:
        """The ALS model alone: Spark has no form for item weights."""
        self.als.save(folder)


def standardised(scores: Floats, known: Mask) -> Floats:
    """Differences from the known titles' mean, in standard deviations; 0 where all are equal."""
    spread = float(scores[known].std())
    found: Floats = (scores - scores[known].mean()) / (spread if spread > 1e-12 else 1.0)
    return found


def ease_als_cost(recipe: EaseAlsRecipe, ratings: IndexedRatings) -> str:
    """That of EASE, which is the larger."""
    return ease_cost(recipe.ease, ratings)


FAMILY = RankerFamily(EaseAlsRecipe, fit_ease_als, ease_als_cost)
