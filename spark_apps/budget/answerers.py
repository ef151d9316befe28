"""The fitted models of one question, and what share of the answer each has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.ml.regression import DecisionTreeRegressor, GBTRegressor, LinearRegression
from pyspark.ml.regression import RandomForestRegressor as Forest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_apps.budget.boosting import REST, boost
from spark_apps.budget.features import TARGET
from spark_apps.budget.recipes import BudgetRecipe
from spark_apps.budget.vectors import column


@dataclass(frozen=True)
class Weighted:
    """A fitted tree, forest or boosting, and what its prediction is multiplied with."""

    model: Any
    weight: float


@dataclass(frozen=True)
class Parts:
    """What a recipe fits for a question, whatever its shares."""

    linear: Any
    mean: float  # weighted, of the target: where `direct` starts
    trees: tuple[Any, ...] = ()  # of a family that is not boosted: one
    on_line: tuple[Any, ...] = ()
    direct: tuple[Any, ...] = ()

    @property
    def models(self) -> list[Any]:
        """All of them, the line first."""
        return [self.linear, *self.trees, *self.on_line, *self.direct]


@dataclass(frozen=True)
class Answerer:
    """answer = linear_share * linear + constant + the weighted sum of the rest."""

    parts: Parts
    linear_share: float
    constant: float
    weighted: tuple[Weighted, ...]

    @property
    def sql(self) -> str:
        """The answer in doubles, from the models' own columns."""
        terms = [(self.linear_share, self.parts.linear)] if self.linear_share else []
        terms += [(w.weight, w.model) for w in self.weighted]
        summed = " + ".join(f"{share!r}D * {m.getPredictionCol()}" for share, m in terms)
        return f"({summed} + {self.constant!r}D)"


def answerer(recipe: BudgetRecipe, parts: Parts) -> Answerer:
    """The parts with the recipe's shares."""
    share = recipe.share_of_linear
    if recipe.family != "boosted":
        return Answerer(parts, share, 0.0, tuple(Weighted(m, 1.0 - share) for m in parts.trees))
    on_line, direct = recipe.share_on_line, recipe.direct_share
    weighted = [Weighted(m, on_line * recipe.step) for m in parts.on_line if on_line > 0]
    weighted += [Weighted(m, direct * recipe.step) for m in parts.direct if direct > 0]
    return Answerer(parts, share + on_line, direct * parts.mean, tuple(weighted))


def fit_parts(recipe: BudgetRecipe, rows: DataFrame, question: str, seed: int) -> Parts:
    """Fit on `rows`: the question's vectors, TARGET and `weight`."""
    features = column("features", question)
    kept = rows.select(features, TARGET, "weight").localCheckpoint()
    mean = float(kept.agg(F.sum(F.col(TARGET) * F.col("weight")) / F.sum("weight")).first()[0])
    linear = _linear(recipe, question).fit(kept)
    if recipe.family == "boosted":
        left = F.col(TARGET) - F.col(linear.getPredictionCol())
        starts = {"on_line": left, "direct": F.col(TARGET) - F.lit(mean)}
        said = linear.transform(kept)
        found = {
            kind: tuple(
                boost(
                    recipe,
                    said.select(features, "weight", start.alias(REST)),
                    {"features": features, "prediction": column(kind, question)},
                    seed + 1000 * number,
                )
            )
            for number, (kind, start) in enumerate(starts.items())
        }
        return Parts(linear, mean, **found)
    trees = () if recipe.family == "linear" else (_trees(recipe, question, seed).fit(kept),)
    return Parts(linear, mean, trees)


def of_models(models: Sequence[Any]) -> list[str]:
    """Their prediction columns."""
    return [model.getPredictionCol() for model in models]


def _linear(recipe: BudgetRecipe, question: str) -> LinearRegression:
    return LinearRegression(
        featuresCol=column("features", question),
        labelCol=TARGET,
        weightCol="weight",
        predictionCol=column("linear", question),
        regParam=recipe.reg,
        elasticNetParam=recipe.elastic,
        solver="auto" if recipe.elastic else "normal",
    )


def _trees(recipe: BudgetRecipe, question: str, seed: int) -> Any:
    shared = {
        "featuresCol": column("features", question),
        "labelCol": TARGET,
        "weightCol": "weight",
        "predictionCol": column("trees", question),
        "maxDepth": recipe.depth,
        "minInstancesPerNode": recipe.min_instances,
        "maxBins": 32,
        "seed": seed,
    }
    if recipe.family == "tree":
        return DecisionTreeRegressor(**shared)
    many = {
        "featureSubsetStrategy": str(recipe.feature_share),
        "subsamplingRate": recipe.subsample,
    }
    if recipe.family == "gbt":
        return GBTRegressor(maxIter=recipe.trees, stepSize=recipe.step, **many, **shared)
    return Forest(numTrees=recipe.trees, **many, **shared)
