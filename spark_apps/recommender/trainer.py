"""Fits a recipe to ratings, and writes the bundle and Spark's saved models.

`train_recommender` calls it for every fit of the model folder. `recipe_search` calls it for
predictors alone.
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
from pyspark.sql import SparkSession

from scoring.arrays import Singles
from scoring.recommender.baselines import popularity
from scoring.recommender.bundle import RecommenderBundle, Title, write_bundle
from scoring.recommender.interval_calibration import calibrate
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.content_fit import ContentFit, content_vectors, fit_content
from spark_apps.recommender.families import (
    Clip,
    Predictor,
    PredictorTask,
    fit_predictor,
    fit_ranker,
)
from spark_apps.recommender.fitted_order import FittedOrder
from spark_apps.recommender.golden_queries import NO_QUERIES, FittedRecommender, record_golden
from spark_apps.recommender.indexed_ratings import Catalogue, Frame, IndexedRatings
from spark_apps.recommender.recipes import ContentRecipe, RecommenderRecipe
from spark_apps.recommender.spark_tables import save_tables
from spark_apps.recommender.training_data import FeatureTable, SideInformation, title_features
from spark_apps.recommender.training_titles import listed_words


@dataclass(frozen=True)
class Trainer:
    """The inputs and caches that the fits of a job share.

    `given` is the side information, `words` the words of titles. Where one is None, the titles'
    genres and years are used. `starts` are last states of an earlier fit by recipe, from which
    fits go on; `ended` collects those of the fits made. `intervals` are the facts of the bundles'
    intervals, calibrated on an earlier fit; without them, bundles have none.
    """

    spark: SparkSession
    titles: Mapping[int, Title]
    clip: Clip
    as_of: str
    seed: int
    given: SideInformation | None = None
    words: pa.Table | None = None
    vectors: dict[ContentRecipe, FeatureTable] = field(default_factory=dict)  # the job's cache
    text_ids: Sequence[str] = ()  # which of `users` and `titles` have text ids
    starts: Mapping[str, object] = field(default_factory=dict)
    ended: dict[str, object] = field(default_factory=dict)
    intervals: Mapping[str, Any] | None = None

    @cached_property
    def side_information(self) -> SideInformation:
        """`given`, else genres and decades of the titles."""
        return title_features(self.titles) if self.given is None else self.given

    def going_on(self) -> Trainer:
        """A trainer whose fits go on from the fits made so far.

        Only for fits that are not measured on ratings which the earlier fits have seen.
        """
        return replace(self, starts=dict(self.ended))

    def with_intervals(self, bundle: Path, held: Ratings) -> Trainer:
        """A trainer whose bundles have intervals, calibrated on ratings that `bundle` has not seen.

        `bundle` is a folder, of an earlier fit of the same recipe.
        """
        found = calibrate(Recommender.load(bundle), held, self.seed)
        return self if found is None else replace(self, intervals=found.facts())

    def index(self, ratings: Ratings | IndexedRatings) -> IndexedRatings:
        """The ratings by row, in a catalogue of their people and titles and every listed title."""
        if isinstance(ratings, IndexedRatings):
            return ratings
        return IndexedRatings.of(ratings, Catalogue.of(ratings, self.titles))

    def fit(
        self,
        ratings: Ratings | IndexedRatings,
        recipe: RecommenderRecipe,
        blend_share: float,
        out: Path,
        serves: bool = True,
    ) -> list[str]:
        """Fit all models, write `out/bundle` and `out/spark`; notes for the card.

        Only a fit that `serves` gets golden queries, because Spark takes a second for them, and
        the tables from which a Spark session answers.
        """
        fitted = self.fit_models(ratings, recipe, blend_share)
        golden = record_golden(self.spark, fitted, self.clip, self.seed) if serves else NO_QUERIES
        fitted.predictor.save(out / "spark" / "predictor", self.spark)
        fitted.ranker.save(out / "spark" / "ranker")
        if serves:
            save_tables(fitted, out / "spark")
        write_bundle(out / "bundle", self.bundle(fitted, recipe, golden))
        return fitted.notes()

    def fit_bundle(
        self,
        ratings: Ratings | IndexedRatings,
        recipe: RecommenderRecipe,
        blend_share: float,
        out: Path,
    ) -> list[str]:
        """Fit all models, write the bundle `out` without golden queries; notes for the card."""
        fitted = self.fit_models(ratings, recipe, blend_share)
        write_bundle(out, self.bundle(fitted, recipe, NO_QUERIES))
        return fitted.notes()

    def fit_models(
        self, ratings: Ratings | IndexedRatings, recipe: RecommenderRecipe, blend_share: float
    ) -> FittedRecommender:
        """Fit predictor, ranker and content.

        They are fitted in parallel, because a fit on small data uses one core. The predictor starts
        last: a Markov chain holds a core until its end, and Spark starts tasks in the order of
        their jobs, so a short job behind two chains would wait for them.
        """
        indexed = self.index(ratings)
        frame = indexed.frame(self.spark)
        with ThreadPoolExecutor(2) as pool:
            ranker = pool.submit(fit_ranker, indexed, frame, recipe.ranker, self.seed)
            self.content_vectors(recipe.content)
            predictor = pool.submit(self.fit_predictor, indexed, frame, recipe, blend_share)
            order = FittedOrder(indexed, ranker.result(), self.clip, recipe.lately)
            content = self.fit_content(order, recipe.content)
            predicts = predictor.result()
        return FittedRecommender(predicts, order, content, self.intervals)

    def fit_predictor(
        self,
        ratings: IndexedRatings,
        frame: Frame,
        recipe: RecommenderRecipe,
        blend_share: float,
    ) -> Predictor:
        """Fit the predictor; `frame` holds the same rows as `ratings`."""
        given, name = self.side_information, recipe.model_dump_json()
        start = self.starts.get(name)
        task = PredictorTask(self.spark, ratings, frame, given, blend_share, self.seed, start)
        predictor = fit_predictor(task, recipe)
        self.ended[name] = predictor.last_states()
        return predictor

    def fit_content(self, order: FittedOrder, recipe: ContentRecipe) -> ContentFit | None:
        """Fit the regression that scores cold titles; None where no title has words."""
        table = self.content_vectors(recipe)
        if table is None:
            return None
        vectors = table.of(order.ratings.catalogue.movie_ids)
        return fit_content(order, vectors, recipe, self.seed)

    def content_vectors(self, recipe: ContentRecipe) -> FeatureTable | None:
        """The content vectors of all titles, cached; None where no title has words."""
        words = listed_words(self.titles) if self.words is None else self.words
        if not len(words):
            return None
        if recipe not in self.vectors:
            self.vectors[recipe] = content_vectors(self.spark, words, recipe, self.seed)
        return self.vectors[recipe]

    def bundle(
        self, fitted: FittedRecommender, recipe: RecommenderRecipe, golden: Mapping[str, Any]
    ) -> RecommenderBundle:
        """The bundle of the fitted models."""
        bundle = assemble(fitted, self.facts(fitted, recipe), golden)
        return with_content(bundle, fitted.content)

    def facts(self, fitted: FittedRecommender, recipe: RecommenderRecipe) -> dict[str, Any]:
        """The facts of `bundle.json`, except those of the content."""
        return {
            "recipe": recipe.model_dump(mode="json"),
            "as_of": self.as_of,
            "mean": fitted.predictor.factor_model().mean,
            "clip": list(self.clip),
            "fold_in": {"predictor": fitted.predictor.fold_in()} | fitted.order.facts(),
            "text_ids": list(self.text_ids),
        } | ({} if self.intervals is None else {"intervals": dict(self.intervals)})


def assemble(
    fitted: FittedRecommender, facts: Mapping[str, Any], golden: Mapping[str, Any]
) -> RecommenderBundle:
    """A bundle without content vectors from the fitted models."""
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
        timed=fitted.order.timed(),
        title_stars=_title_stars(ratings, facts.get("intervals")),
    )


def _title_stars(ratings: IndexedRatings, intervals: Mapping[str, Any] | None) -> Singles | None:
    if intervals is None:
        return None
    levels = np.array(intervals["levels"])
    return ratings.matrix.stars_by_title(ratings.catalogue.shape[1], levels)


def with_content(bundle: RecommenderBundle, content: ContentFit | None) -> RecommenderBundle:
    """The bundle with the content vectors, if any."""
    if content is None:
        return bundle
    facts = {**bundle.facts, "content": content.facts()}
    return replace(bundle, content_vectors=content.vectors, facts=facts)
