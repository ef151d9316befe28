"""One fit: a recipe on some rows becomes a bundle and Spark's saved models in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from marquee.scoring.baselines import popularity
from marquee.scoring.ratings import Ratings
from marquee.scoring.recommender_bundle import RecommenderBundle, Title, write_bundle
from spark_apps.recommender.als import fit_predictor
from spark_apps.recommender.blend import Blend, Clip, fit_biases
from spark_apps.recommender.catalogue import Catalogue, IndexedRatings
from spark_apps.recommender.golden import NO_QUERIES, record_golden
from spark_apps.recommender.ranking.fit import RankerFit, fit_ranker
from spark_apps.recommender.recipes import RecommenderRecipe
from spark_apps.recommender.saved_model import save_model


@dataclass(frozen=True)
class Trainer:
    """What every fit of one job shares."""

    spark: SparkSession
    titles: Mapping[int, Title]
    clip: Clip
    as_of: str
    seed: int

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
    ) -> None:
        """Fit predictor and ranker at once and write `out/bundle` and `out/spark`.

        Golden queries are recorded for a bundle that `serves`; those that are only measured do
        without the second that Spark needs to answer them.
        """
        indexed = self.index(ratings)
        blend, ranker = self.fit_both(indexed, recipe, weight)
        golden = NO_QUERIES
        if serves:
            golden = record_golden(self.spark, indexed, blend, ranker, self.clip, self.seed)
        save_model(blend.als, out / "spark" / "predictor")
        if ranker.als is not None:  # item weights have no form that Spark could load
            save_model(ranker.als, out / "spark" / "ranker")
        facts = self.facts(recipe, blend, ranker)
        write_bundle(out / "bundle", assemble(indexed, blend, ranker, facts, golden))

    def fit_both(
        self, ratings: IndexedRatings, recipe: RecommenderRecipe, weight: float
    ) -> tuple[Blend, RankerFit]:
        """Predictor and ranker side by side: on small data a fit keeps one core busy, not two."""
        frame = ratings.frame(self.spark)
        with ThreadPoolExecutor(2) as pool:
            als = pool.submit(fit_predictor, ratings, frame, recipe, self.seed)
            ranker = pool.submit(fit_ranker, ratings, frame, recipe.ranker, self.seed)
            return Blend(fit_biases(ratings, recipe), als.result(), weight), ranker.result()

    def facts(self, recipe: RecommenderRecipe, blend: Blend, ranker: RankerFit) -> dict[str, Any]:
        """What `bundle.json` says beside the arrays."""
        fold_in = {
            "predictor": {
                "family": recipe.family,
                "rank": recipe.rank,
                "reg": recipe.reg,
                "weight": blend.weight,
                "bias_reg_user": recipe.bias_reg_user,
            },
            "ranker": ranker.facts(),
        }
        return {
            "recipe": recipe.model_dump(mode="json"),
            "as_of": self.as_of,
            "mean": blend.bias.mean,
            "clip": list(self.clip),
            "fold_in": fold_in,
        }


def assemble(
    ratings: IndexedRatings,
    blend: Blend,
    ranker: RankerFit,
    facts: Mapping[str, Any],
    golden: Mapping[str, Any],
) -> RecommenderBundle:
    """The bundle's arrays from what was fitted."""
    known = ratings.catalogue
    users, items = blend.factors()
    return RecommenderBundle(
        user_ids=known.user_ids,
        movie_ids=known.movie_ids,
        user_bias=blend.bias.user_bias,
        item_bias=blend.bias.item_bias,
        user_factors=users,
        item_factors=items,
        rank_user_factors=ranker.users,
        rank_item_factors=ranker.items,
        rank_weights=ranker.weights,
        ratings=ratings.matrix,
        popularity=popularity(ratings.items, ratings.values, len(known.movie_ids)),
        titles=known.titles,
        facts=facts,
        golden=golden,
    )
