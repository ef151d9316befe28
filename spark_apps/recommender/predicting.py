"""One door to the families of predictors: a recipe is fitted by the family that it names."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from scoring.arrays import Floats
from spark_apps.recommender.als import fit_predictor
from spark_apps.recommender.bayes.fitting import fit_bayes
from spark_apps.recommender.bayes.sides import Sides
from spark_apps.recommender.blend import Blend, Clip, fit_biases, predict_shares
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.factor_model import Predictor
from spark_apps.recommender.recipes import BayesRecipe, RecommenderRecipe

WHOLE = 1.0  # the share of a predictor that is not blended with anything


def fit_family(
    spark: SparkSession,
    ratings: IndexedRatings,
    frame: DataFrame,
    recipe: RecommenderRecipe,
    sides: Sides,
    weight: float,
    seed: int,
) -> Predictor:
    """Fit on the executors; `frame` holds the same `ratings`, `weight` is ALS's share."""
    if isinstance(recipe, BayesRecipe):
        return fit_bayes(spark, ratings, recipe, sides, seed)
    als = fit_predictor(ratings, frame, recipe, seed)
    return Blend(recipe, fit_biases(ratings, recipe), als, weight)


def shares_of(recipe: RecommenderRecipe) -> tuple[float, ...]:
    """The shares that a recipe leaves to be chosen on the inner split."""
    return (WHOLE,) if isinstance(recipe, BayesRecipe) else recipe.blend


def predict_by_share(
    predictor: Predictor, recipe: RecommenderRecipe, asked: IndexedRatings, clip: Clip
) -> dict[float, Floats]:
    """Stars of the pairs in `asked`, clipped, for each of the recipe's shares."""
    if isinstance(predictor, Blend):
        return predict_shares(predictor.recipe, predictor.als, predictor.bias, asked, clip)
    stars = predictor.factor_model().predict(asked.users, asked.items)
    return {share: stars.clip(*clip) for share in shares_of(recipe)}
