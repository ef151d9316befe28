"""Forests added one after the other, each fitted to what those before left over.

Gradient boosting with a small forest at each step (Friedman, "Greedy function approximation",
Annals of Statistics 29, 2001, with Breiman's bagging inside): as good as hundreds of boosted
trees in a handful of steps, and a step of Spark costs the same for one tree as for thirty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.ml.regression import RandomForestRegressionModel, RandomForestRegressor
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_apps.budget.recipes import BudgetRecipe

REST = "rest"


def boost(
    recipe: BudgetRecipe, rows: DataFrame, names: Mapping[str, str], seed: int
) -> list[RandomForestRegressionModel]:
    """The forests of `recipe.rounds` steps; `rows` hold features, `weight` and REST.

    `names` gives the features' and the predictions' columns. A film's answer is recipe.step times
    the sum of the forests'.
    """
    # A checkpoint, not a cache: plans that grow by a forest a round cost more than the forests.
    current, models = rows.localCheckpoint(), []
    for number in range(recipe.rounds):
        model = _forest(recipe, names, seed + number).fit(current)
        models.append(model.setPredictionCol(f"{names['prediction']}_{number}"))
        if number + 1 < recipe.rounds:
            current = _left_over(model, current, names["features"], recipe.step)
    return models


def _left_over(
    model: RandomForestRegressionModel, rows: DataFrame, features: str, step: float
) -> DataFrame:
    said = F.col(model.getPredictionCol())
    rest = (F.col(REST) - F.lit(step) * said).alias(REST)
    return model.transform(rows).select(features, "weight", rest).localCheckpoint()


def _forest(recipe: BudgetRecipe, names: Mapping[str, str], seed: int) -> Any:
    return RandomForestRegressor(
        featuresCol=names["features"],
        labelCol=REST,
        weightCol="weight",
        numTrees=recipe.trees,
        maxDepth=recipe.depth,
        minInstancesPerNode=recipe.min_instances,
        featureSubsetStrategy=str(recipe.feature_share),
        subsamplingRate=recipe.subsample,
        maxBins=32,
        maxMemoryInMB=512,
        seed=seed,
    )
