"""The trainer: a recipe on some rows becomes a bundle, and Spark's saved models beside it.

`train_recommender` fits through it the evaluated, the forecast, the shipped and the incumbent
model; the search fits predictors and rankers alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from scoring.recommender.baselines import popularity
from scoring.recommender.bundle import RecommenderBundle, Title, write_bundle
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.content_fit import ContentFit, content_vectors, fit_content
from spark_apps.recommender.families import (
    Clip,
    FittedRanker,
    Predictor,
    PredictorTask,
    fit_predictor,
    fit_ranker,
)
from spark_apps.recommender.golden_queries import NO_QUERIES, FittedRecommender, record_golden
from spark_apps.recommender.recipes import ContentRecipe, RecommenderRecipe
from spark_apps.recommender.training_data import (
    Catalogue,
    FeatureTable,
    IndexedRatings,
    SideInformation,
    title_features,
)
from spark_apps.recommender.training_titles import listed_words


@dataclass(frozen=True)
class Trainer:
    """What every fit of one job shares.

    `given` is what is known of people and titles beside their ratings, `words` the words that
    describe titles; where either is None, the titles' genres and years serve instead.
    """

    spark: SparkSession
    titles: Mapping[int, Title]
    clip: Clip
    as_of: str
    seed: int
    given: SideInformation | None = None
    words: pa.Table | None = None
    vectors: dict[ContentRecipe, FeatureTable] = field(default_factory=dict)  # counted once a job
    text_ids: Sequence[str] = ()  # which of `users` and `titles` the release names by text

    @cached_property
    def side_information(self) -> SideInformation:
        """What is known of people and titles beside their ratings."""
        return title_features(self.titles) if self.given is None else self.given

    def index(self, ratings: Ratings) -> IndexedRatings:
        """The rows by number in a catalogue of everybody in them and every listed title."""
        return IndexedRatings.of(ratings, Catalogue.of(ratings, self.titles))

    def fit(
        self,
        ratings: Ratings,
        recipe: RecommenderRecipe,
        weight: float,
        out: Path,
        serves: bool = True,
    ) -> list[str]:
        """Fit everything, write `out/bundle` and `out/spark`; notes for the card.

        Golden queries are recorded for a bundle that `serves`; one that is only measured does
        without the second that Spark needs to answer them.
        """
        fitted = self.fit_models(ratings, recipe, weight)
        golden = record_golden(self.spark, fitted, self.clip, self.seed) if serves else NO_QUERIES
        fitted.predictor.save(out / "spark" / "predictor", self.spark)
        fitted.ranker.save(out / "spark" / "ranker")
        write_bundle(out / "bundle", self.bundle(fitted, recipe, golden))
        return fitted.notes()

    def fit_bundle(
        self, ratings: Ratings, recipe: RecommenderRecipe, weight: float, out: Path
    ) -> list[str]:
        """The bundle `out` alone: without golden queries and Spark's form, as nothing serves it;
        notes for the card."""
        fitted = self.fit_models(ratings, recipe, weight)
        write_bundle(out, self.bundle(fitted, recipe, NO_QUERIES))
        return fitted.notes()

    def fit_models(
        self, ratings: Ratings, recipe: RecommenderRecipe, weight: float
    ) -> FittedRecommender:
        """Predictor, ranker and content; the first two side by side, as on small data a fit keeps
        one core busy, not two. Titles' words are counted beside them, the first time."""
        indexed = self.index(ratings)
        frame = indexed.frame(self.spark)
        with ThreadPoolExecutor(2) as pool:
            predictor = pool.submit(self.fit_predictor, indexed, frame, recipe, weight)
            ranker = pool.submit(fit_ranker, indexed, frame, recipe.ranker, self.seed)
            self.content_vectors(recipe.content)
            predicts, ranks = predictor.result(), ranker.result()
        content = self.fit_content(indexed, ranks, recipe.content)
        return FittedRecommender(indexed, predicts, ranks, content)

    def fit_predictor(
        self, ratings: IndexedRatings, frame: DataFrame, recipe: RecommenderRecipe, weight: float
    ) -> Predictor:
        """The predictor alone; `frame` holds the same ratings."""
        given = self.side_information
        return fit_predictor(
            PredictorTask(self.spark, ratings, frame, given, weight, self.seed), recipe
        )

    def fit_content(
        self, ratings: IndexedRatings, ranker: FittedRanker, recipe: ContentRecipe
    ) -> ContentFit | None:
        """How content scores the titles the ranker does not know; None where no title has any."""
        table = self.content_vectors(recipe)
        if table is None:
            return None
        vectors = table.of(ratings.catalogue.movie_ids)
        return fit_content(ratings, ranker, vectors, recipe, self.seed)

    def content_vectors(self, recipe: ContentRecipe) -> FeatureTable | None:
        """All titles' words as vectors, counted once a job; None where no title has words."""
        words = listed_words(self.titles) if self.words is None else self.words
        if not len(words):
            return None
        if recipe not in self.vectors:
            self.vectors[recipe] = content_vectors(self.spark, words, recipe, self.seed)
        return self.vectors[recipe]

    def bundle(
        self, fitted: FittedRecommender, recipe: RecommenderRecipe, golden: Mapping[str, Any]
    ) -> RecommenderBundle:
        """The arrays and what `bundle.json` says of them."""
        bundle = assemble(fitted, self.facts(fitted, recipe), golden)
        return with_content(bundle, fitted.content)

    def facts(self, fitted: FittedRecommender, recipe: RecommenderRecipe) -> dict[str, Any]:
        """What `bundle.json` says beside the arrays."""
        return {
            "recipe": recipe.model_dump(mode="json"),
            "as_of": self.as_of,
            "mean": fitted.predictor.factor_model().mean,
            "clip": list(self.clip),
            "fold_in": {
                "predictor": fitted.predictor.fold_in(),
                "ranker": fitted.ranker.facts(),
            },
            "text_ids": list(self.text_ids),
        }


def assemble(
    fitted: FittedRecommender, facts: Mapping[str, Any], golden: Mapping[str, Any]
) -> RecommenderBundle:
    """The bundle's arrays from what was fitted."""
    ratings, ranker = fitted.ratings, fitted.ranker
    catalogue, model = ratings.catalogue, fitted.predictor.factor_model()
    return RecommenderBundle(
        user_ids=catalogue.user_ids,
        movie_ids=catalogue.movie_ids,
        user_bias=model.user_bias,
        item_bias=model.item_bias,
        user_factors=model.user_factors.astype(np.float32),
        item_factors=model.item_factors.astype(np.float32),
        rank_user_factors=ranker.users,
        rank_item_factors=ranker.items,
        rank_arrays=ranker.arrays,
        ratings=ratings.matrix,
        popularity=popularity(ratings.items, ratings.values, len(catalogue.movie_ids)),
        titles=catalogue.titles,
        facts=facts,
        golden=golden,
    )


def with_content(bundle: RecommenderBundle, content: ContentFit | None) -> RecommenderBundle:
    """The bundle with content vectors, where there are any."""
    if content is None:
        return bundle
    facts = {**bundle.facts, "content": content.facts()}
    return replace(bundle, content_vectors=content.vectors, facts=facts)
