"""The ranker family `ease_als`: the weighted sum of EASE's and implicit ALS's standardised scores.

The sum is better than either, because the two err on different titles. For each person, both score
vectors are standardised over the titles that either ranks.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from scoring.arrays import Floats, Mask, Singles
from scoring.recommender.ratings_arrays import History
from spark_apps.recommender.families import FittedRanker, RankerFamily
from spark_apps.recommender.indexed_ratings import Frame, IndexedRatings
from spark_apps.recommender.ranker_ease import Ease, EaseRecipe, ease_cost, fit_ease_ranker
from spark_apps.recommender.ranker_implicit_als import (
    ImplicitAls,
    ImplicitAlsRecipe,
    fit_implicit_als,
)
from spark_apps.recommender.recipes import RankerRecipe, Share


class EaseAlsRecipe(RankerRecipe):
    """The recipes of both rankers, and the `share` of ALS in the sum."""

    family: Literal["ease_als"]
    share: Share
    als: ImplicitAlsRecipe
    ease: EaseRecipe

    @property
    def spark_iterations(self) -> int:
        """The iterations of ALS."""
        return self.als.iterations


def fit_ease_als(
    ratings: IndexedRatings, frame: Frame, recipe: EaseAlsRecipe, seed: int
) -> EaseAls:
    """Fit both in parallel, because a fit on small data uses one core."""
    with ThreadPoolExecutor(1) as pool:
        als = pool.submit(fit_implicit_als, ratings, frame, recipe.als, seed)
        ease = fit_ease_ranker(ratings, frame, recipe.ease, seed)
        return EaseAls(*ratings.catalogue.shape, recipe, als.result(), ease)


@dataclass(frozen=True)
class EaseAls(FittedRanker):
    """The two fitted rankers and their blend."""

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
        """Titles [I] that either ranks."""
        return self.als.known | self.ease.known

    def scores(self, user: int, history: History) -> Floats:
        """Scores [I] from trained factors and item weights."""
        return self._blended(self.als.scores(user, history), self.ease.folded(history))

    def folded(self, history: History) -> Floats:
        """Scores [I] from factors that are solved from the history, and item weights."""
        return self._blended(self.als.folded(history), self.ease.folded(history))

    def liked(self, history: History) -> Mask:
        """Those of EASE."""
        return self.ease.liked(history)

    def _blended(self, by_als: Floats, by_ease: Floats) -> Floats:
        share, known = self.recipe.share, self.known
        als, ease = standardised(by_als, known), standardised(by_ease, known)
        return share * als + (1.0 - share) * ease

    def facts(self) -> dict[str, Any]:
        """The family, the parameters of ALS's fold-in and of EASE's ratings, and ALS's share."""
        return {
            "family": self.recipe.family,
            "factors": self.als.fold_in_parameters(),
            "share": self.recipe.share,
        } | self.ease.importance()

    def save(self, folder: Path) -> None:
        """Save the ALS model; Spark has no form for item weights."""
        self.als.save(folder)


def standardised(scores: Floats, known: Mask) -> Floats:
    """(score - mean) / standard deviation, over the known titles; 0 where all are equal."""
    spread = float(scores[known].std())
    found: Floats = (scores - scores[known].mean()) / (spread if spread > 1e-12 else 1.0)
    return found


def ease_als_cost(recipe: EaseAlsRecipe, ratings: IndexedRatings) -> str:
    """The cost of EASE, which is the larger one."""
    return ease_cost(recipe.ease, ratings)


FAMILY = RankerFamily(EaseAlsRecipe, fit_ease_als, ease_als_cost)
