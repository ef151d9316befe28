"""A fitted ranker of any family: what the bundle holds of it, and its scores on this side.

Golden answers and the inner split are scored here by plain arithmetic, never by the scorer that
will be held to them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.ml.recommendation import ALSModel
from pyspark.sql import DataFrame

from scoring.arrays import Floats, Mask, Rows, Singles
from scoring.recommender.rankers.item_weights import ItemWeights
from spark_apps.recommender.als import AlsFit
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.ranking.als import fit_implicit_als, folded_person
from spark_apps.recommender.ranking.ease import fit_ease
from spark_apps.recommender.ranking.facts import fold_in_facts
from spark_apps.recommender.ranking.recipes import (
    EaseAlsRecipe,
    EaseRecipe,
    ImplicitAlsRecipe,
    RankerRecipe,
)


@dataclass(frozen=True)
class RankerFit:
    """One or both parts; `people` and `titles` are the catalogue's size."""

    recipe: RankerRecipe
    people: int
    titles: int
    als: AlsFit | None = None
    weights: ItemWeights | None = None

    @property
    def users(self) -> Singles:
        """People's factors [U, K]; K is 0 without ALS."""
        return self.als.users if self.als else np.zeros((self.people, 0), dtype=np.float32)

    @property
    def items(self) -> Singles:
        """Titles' factors [I, K]."""
        return self.als.items if self.als else np.zeros((self.titles, 0), dtype=np.float32)

    @property
    def known(self) -> Mask:
        """Titles that any part ranks."""
        known: Mask = np.asarray(self.items.any(axis=1))
        if self.weights is not None:
            known = known | (np.diff(self.weights.indptr) > 0)
            known[self.weights.indices] = True
        return known

    @property
    def answered_by_spark(self) -> ALSModel | None:
        """Spark's model, where its answers are the ranker's."""
        own = isinstance(self.recipe, ImplicitAlsRecipe) and self.recipe.person is None
        return self.als.model if self.als and own else None

    def facts(self) -> dict[str, Any]:
        """`fold_in.ranker` of `bundle.json`."""
        return fold_in_facts(self.recipe)

    def scores(self, user: int, rated: Rows) -> Floats:
        """Scores [I] of a person who rated these titles, oldest first."""
        return self._mixed(self.users[user], rated)

    def folded(self, rated: Rows) -> Floats:
        """Scores [I] of somebody nobody was trained on who rated these titles, oldest first."""
        own = folded_person(self.items, rated, self.als_recipe) if self.als_recipe else None
        return self._mixed(np.zeros(0) if own is None else own, rated)

    @property
    def als_recipe(self) -> ImplicitAlsRecipe | None:
        """Of the part that has factors."""
        if isinstance(self.recipe, ImplicitAlsRecipe):
            return self.recipe
        return self.recipe.als if isinstance(self.recipe, EaseAlsRecipe) else None

    def _mixed(self, person: Floats | Singles, rated: Rows) -> Floats:
        by_factors: Floats = self.items.astype(np.float64) @ person.astype(np.float64)
        if self.weights is None:
            return by_factors
        if self.als is None or not isinstance(self.recipe, EaseAlsRecipe):
            return self._by_weights(rated)
        share, known = self.recipe.share, self.known
        ours = _standardised(by_factors, known)
        return share * ours + (1.0 - share) * _standardised(self._by_weights(rated), known)

    def _by_weights(self, rated: Rows) -> Floats:
        scores: Floats = np.zeros(self.titles)
        weights = self.weights
        if weights is None:
            return scores
        for age, title in enumerate(rated[::-1].tolist()):
            row = slice(weights.indptr[title], weights.indptr[title + 1])
            scores[weights.indices[row]] += self._counts(age) * weights.values[row]
        return scores

    def _counts(self, age: int) -> float:
        """What the rating `age` ratings before the latest counts."""
        ease = self.recipe.ease if isinstance(self.recipe, EaseAlsRecipe) else self.recipe
        if not isinstance(ease, EaseRecipe) or ease.recency is None:
            return 1.0
        floor = ease.recency.floor
        return floor + (1.0 - floor) * float(np.exp(-age / ease.recency.span))


def fit_ranker(
    ratings: IndexedRatings, frame: DataFrame, recipe: RankerRecipe, seed: int
) -> RankerFit:
    """Fit whatever the recipe asks for, the parts of a blend side by side."""
    size = (len(ratings.catalogue.user_ids), len(ratings.catalogue.movie_ids))
    if isinstance(recipe, ImplicitAlsRecipe):
        return RankerFit(recipe, *size, als=fit_implicit_als(ratings, frame, recipe, seed))
    if isinstance(recipe, EaseRecipe):
        return RankerFit(recipe, *size, weights=fit_ease(ratings, frame, recipe))
    with ThreadPoolExecutor(2) as pool:
        als = pool.submit(fit_implicit_als, ratings, frame, recipe.als, seed)
        weights = fit_ease(ratings, frame, recipe.ease)
        return RankerFit(recipe, *size, als=als.result(), weights=weights)


def _standardised(scores: Floats, known: Mask) -> Floats:
    spread = float(scores[known].std())
    standardised: Floats = (scores - scores[known].mean()) / (spread if spread > 1e-12 else 1.0)
    return standardised
