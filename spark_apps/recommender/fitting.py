"""One fit: a recipe on some rows becomes a bundle and Spark's saved models in a folder."""

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
from scoring.recommender.ratings import Ratings
from spark_apps.recommender.bayes.sides import Facts, Sides, sides_of_titles
from spark_apps.recommender.blend import Clip
from spark_apps.recommender.catalogue import Catalogue, IndexedRatings
from spark_apps.recommender.content.recipe import ContentRecipe
from spark_apps.recommender.content.ridge import ContentFit, fit_content
from spark_apps.recommender.content.vectors import content_vectors
from spark_apps.recommender.content.words import listed_words
from spark_apps.recommender.factor_model import Predictor
from spark_apps.recommender.golden import NO_QUERIES, record_golden
from spark_apps.recommender.predicting import fit_family
from spark_apps.recommender.ranking.fit import RankerFit, fit_ranker
from spark_apps.recommender.recipes import RecommenderRecipe
from spark_apps.recommender.saved_model import save_model


@dataclass(frozen=True)
class Fitted:
    """What was fitted on some rows; `content` is None where nothing is told of titles."""

    ratings: IndexedRatings
    predictor: Predictor
    ranker: RankerFit
    content: ContentFit | None

    def notes(self) -> list[str]:
        """For the card."""
        return self.predictor.notes() + ([self.content.note()] if self.content else [])


@dataclass(frozen=True)
class Trainer:
    """What every fit of one job shares. `given` is what is known of people and titles beside
    their ratings, `words` what titles are told by; where they are None, the titles' genres and
    years."""

    spark: SparkSession
    titles: Mapping[int, Title]
    clip: Clip
    as_of: str
    seed: int
    given: Sides | None = None
    words: pa.Table | None = None
    vectors: dict[ContentRecipe, Facts] = field(default_factory=dict)  # counted once a job
    text_ids: Sequence[str] = ()  # which of `users` and `titles` the release names by text

    @cached_property
    def sides(self) -> Sides:
        """What is known of people and titles beside their ratings."""
        return sides_of_titles(self.titles) if self.given is None else self.given

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
        """Fit predictor and ranker at once, write `out/bundle` and `out/spark`; notes for the card.

        Golden queries are recorded for a bundle that `serves`; those that are only measured do
        without the second that Spark needs to answer them.
        """
        fitted = self.fit_parts(ratings, recipe, weight)
        golden = NO_QUERIES
        if serves:
            parts = fitted.ratings, fitted.predictor, fitted.ranker, fitted.content
            golden = record_golden(self.spark, *parts, self.clip, self.seed)
        fitted.predictor.save(out / "spark" / "predictor", self.spark)
        if fitted.ranker.als is not None:  # item weights have no form that Spark could load
            save_model(fitted.ranker.als, out / "spark" / "ranker")
        write_bundle(out / "bundle", self.bundle(fitted, recipe, golden))
        return fitted.notes()

    def fit_bundle(
        self, ratings: Ratings, recipe: RecommenderRecipe, weight: float, out: Path
    ) -> list[str]:
        """The bundle `out` alone: without golden queries and Spark's form, as nothing serves it;
        notes for the card."""
        fitted = self.fit_parts(ratings, recipe, weight)
        write_bundle(out, self.bundle(fitted, recipe, NO_QUERIES))
        return fitted.notes()

    def fit_parts(self, ratings: Ratings, recipe: RecommenderRecipe, weight: float) -> Fitted:
        """Everything a bundle is made of."""
        indexed = self.index(ratings)
        predictor, ranker = self.fit_both(indexed, recipe, weight)
        content = self.fit_content(indexed, ranker, recipe.content)
        return Fitted(indexed, predictor, ranker, content)

    def bundle(
        self, fitted: Fitted, recipe: RecommenderRecipe, golden: Mapping[str, Any]
    ) -> RecommenderBundle:
        """The arrays and what `bundle.json` says of them."""
        facts = self.facts(recipe, fitted.predictor, fitted.ranker)
        found = assemble(fitted.ratings, fitted.predictor, fitted.ranker, facts, golden)
        return with_content(found, fitted.content)

    def fit_both(
        self, ratings: IndexedRatings, recipe: RecommenderRecipe, weight: float
    ) -> tuple[Predictor, RankerFit]:
        """Predictor and ranker side by side: on small data a fit keeps one core busy, not two.
        Titles' words are counted beside them, the first time."""
        frame = ratings.frame(self.spark)
        with ThreadPoolExecutor(2) as pool:
            predictor = pool.submit(self.fit_predictor, ratings, frame, recipe, weight)
            ranker = pool.submit(fit_ranker, ratings, frame, recipe.ranker, self.seed)
            self.content_facts(recipe.content)
            return predictor.result(), ranker.result()

    def fit_content(
        self, ratings: IndexedRatings, ranker: RankerFit, recipe: ContentRecipe
    ) -> ContentFit | None:
        """How the ranker's titles tell of those it does not know; None where nothing is told."""
        told = self.content_facts(recipe)
        if told is None:
            return None
        vectors = told.of(ratings.catalogue.movie_ids)
        return fit_content(ratings, ranker, vectors, recipe, self.seed)

    def content_facts(self, recipe: ContentRecipe) -> Facts | None:
        """What all titles' words come to, counted once a job; None where none has any."""
        words = listed_words(self.titles) if self.words is None else self.words
        if not len(words):
            return None
        if recipe not in self.vectors:
            self.vectors[recipe] = content_vectors(self.spark, words, recipe, self.seed)
        return self.vectors[recipe]

    def fit_predictor(
        self, ratings: IndexedRatings, frame: DataFrame, recipe: RecommenderRecipe, weight: float
    ) -> Predictor:
        """The predictor alone; `frame` holds the same ratings."""
        return fit_family(self.spark, ratings, frame, recipe, self.sides, weight, self.seed)

    def facts(
        self, recipe: RecommenderRecipe, predictor: Predictor, ranker: RankerFit
    ) -> dict[str, Any]:
        """What `bundle.json` says beside the arrays."""
        fold_in = {
            "predictor": predictor.fold_in(),
            "ranker": ranker.facts(),
        }
        return {
            "recipe": recipe.model_dump(mode="json"),
            "as_of": self.as_of,
            "mean": predictor.factor_model().mean,
            "clip": list(self.clip),
            "fold_in": fold_in,
            "text_ids": list(self.text_ids),
        }


def assemble(
    ratings: IndexedRatings,
    predictor: Predictor,
    ranker: RankerFit,
    facts: Mapping[str, Any],
    golden: Mapping[str, Any],
) -> RecommenderBundle:
    """The bundle's arrays from what was fitted."""
    known = ratings.catalogue
    model = predictor.factor_model()
    return RecommenderBundle(
        user_ids=known.user_ids,
        movie_ids=known.movie_ids,
        user_bias=model.user_bias,
        item_bias=model.item_bias,
        user_factors=model.user_factors.astype(np.float32),
        item_factors=model.item_factors.astype(np.float32),
        rank_user_factors=ranker.users,
        rank_item_factors=ranker.items,
        rank_weights=ranker.weights,
        ratings=ratings.matrix,
        popularity=popularity(ratings.items, ratings.values, len(known.movie_ids)),
        titles=known.titles,
        facts=facts,
        golden=golden,
    )


def with_content(bundle: RecommenderBundle, content: ContentFit | None) -> RecommenderBundle:
    """The bundle with content vectors, where there are any."""
    if content is None:
        return bundle
    facts = {**bundle.facts, "content": content.facts()}
    return replace(bundle, content_vectors=content.vectors, facts=facts)
