"""The fits of the regressor families that `families` registers.

A fit gets a recipe and the training rows of one question, and returns Spark models by the name of
their ensemble. `weights` gives their shares of an answer. Every answer is in log10 dollars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.ml import Transformer
from pyspark.ml.feature import SQLTransformer
from pyspark.ml.regression import (
    AFTSurvivalRegression,
    DecisionTreeRegressor,
    GBTRegressor,
    GeneralizedLinearRegression,
    IsotonicRegression,
    RandomForestRegressor,
)
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from marquee.errors import RecipeError

if TYPE_CHECKING:
    from spark_apps.budget.families import BudgetRecipe, GeneralizedRecipe

RESIDUAL = "residual"
MAX_BINS = 32
MILLIONS, CENSOR = "millions", "censor"
LOG_OF_A_MILLION = 6.0
MEDIAN = math.log(math.log(2.0))
"""The logarithm of a standard exponential's median, for `median_shift`."""


@dataclass(frozen=True)
class TrainingData:
    """The training rows of one question.

    `rows` hold `weight` and the columns that `features` (vector), `label` (target) and `line`
    (the linear model's answer) name. `mean` is the weighted mean of the target. A family names its
    prediction columns by `column`, because the questions share one frame later.
    """

    rows: DataFrame
    features: str
    label: str
    line: str
    mean: float
    suffix: str
    seed: int

    def column(self, name: str) -> str:
        """A column name that is unique to the question."""
        return f"{name}_{self.suffix}"


@dataclass(frozen=True)
class Weights:
    """answer = line * linear model + mean * mean of the target + sum of ensembles[name] * model."""

    line: float
    mean: float = 0.0
    ensembles: Mapping[str, float] = field(default_factory=dict)


Ensembles = dict[str, Sequence[Any]]
"""Fitted Spark models by the name of their ensemble."""


@dataclass(frozen=True)
class Translated:
    """A Spark model whose prediction `after` turns into log10 dollars, in the column `answer`."""

    model: Any
    after: SQLTransformer
    answer: str

    @property
    def uid(self) -> str:
        """The model's uid; Spark saves it under this name."""
        return str(self.model.uid)

    def getPredictionCol(self) -> str:
        """The column of the answer."""
        return self.answer

    def transform(self, rows: DataFrame) -> DataFrame:
        """Add prediction and answer."""
        return self.after.transform(self.model.transform(rows))


def pipeline_stages(model: Any) -> list[Transformer]:
    """The stages of a pipeline that answers with a fitted model."""
    return [model.model, model.after] if isinstance(model, Translated) else [model]


def no_ensembles(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """Only the linear model."""
    return {}


def all_linear(recipe: BudgetRecipe) -> Weights:
    """The linear model alone."""
    return Weights(line=1.0)


def line_and_trees(recipe: BudgetRecipe) -> Weights:
    """The linear model, and the rest for the ensemble `trees`."""
    return Weights(recipe.linear_share, ensembles={"trees": 1.0 - recipe.linear_share})


def fit_tree(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """One decision tree."""
    return {"trees": [DecisionTreeRegressor(**_shared(recipe, data)).fit(data.rows)]}


def fit_forest(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """A random forest."""
    forest = RandomForestRegressor(
        numTrees=recipe.trees, **_shared(recipe, data), **_sampled(recipe)
    )
    return {"trees": [forest.fit(data.rows)]}


def fit_gbt(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """Gradient-boosted trees."""
    boosting = GBTRegressor(
        maxIter=recipe.trees, stepSize=recipe.step, **_shared(recipe, data), **_sampled(recipe)
    )
    return {"trees": [boosting.fit(data.rows)]}


def _shared(recipe: BudgetRecipe, data: TrainingData) -> dict[str, Any]:
    return {
        "featuresCol": data.features,
        "labelCol": data.label,
        "weightCol": "weight",
        "predictionCol": data.column("trees"),
        "maxDepth": recipe.depth,
        "minInstancesPerNode": recipe.min_instances,
        "maxBins": MAX_BINS,
        "seed": data.seed,
    }


def _sampled(recipe: BudgetRecipe) -> dict[str, Any]:
    return {
        "featureSubsetStrategy": str(recipe.feature_share),
        "subsamplingRate": recipe.subsample,
    }


def fit_boosted(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """Gradient boosting with a forest at each step, from a shrunken linear model and from the mean.

    Friedman, "Greedy function approximation", Annals of Statistics 29, 2001, with Breiman's
    bagging. A few forests reach the error of hundreds of boosted trees, and Spark grows thirty
    trees in the time of one.
    """
    shrunken = F.lit(data.mean) + F.lit(recipe.start_share) * (F.col(data.line) - data.mean)
    starts = {"on_line": shrunken} | ({"direct": F.lit(data.mean)} if recipe.direct_share else {})
    return {
        name: _boost(recipe, data, start, name, data.seed + 1000 * number)
        for number, (name, start) in enumerate(starts.items())
    }


def _boost(
    recipe: BudgetRecipe, data: TrainingData, start: Column, name: str, seed: int
) -> Sequence[Any]:
    """The forests of `recipe.rounds` steps, fitted to the target less `start`.

    answer = start + sum of the forests' answers

    Each is fitted to `recipe.step` times what the earlier ones leave, which gives the same trees as
    the whole and leaves the step out of the shares.
    """
    step = F.lit(recipe.step)
    residual = (step * (F.col(data.label) - start)).alias(RESIDUAL)
    # A checkpoint cuts the plan; a cache would let it grow by a forest a round.
    rows = data.rows.select(data.features, "weight", residual).localCheckpoint()
    models = []
    for number in range(recipe.rounds):
        model = _small_forest(recipe, data.features, seed + number).fit(rows)
        model = model.setPredictionCol(f"{data.column(name)}_{number}")
        models.append(model)
        if number + 1 < recipe.rounds:
            rest = F.col(RESIDUAL) - step * F.col(model.getPredictionCol())
            after = model.transform(rows).select(data.features, "weight", rest.alias(RESIDUAL))
            rows = after.localCheckpoint()
    return models


def _small_forest(recipe: BudgetRecipe, features: str, seed: int) -> RandomForestRegressor:
    return RandomForestRegressor(
        featuresCol=features,
        labelCol=RESIDUAL,
        weightCol="weight",
        numTrees=recipe.trees,
        maxDepth=recipe.depth,
        minInstancesPerNode=recipe.min_instances,
        maxBins=MAX_BINS,
        maxMemoryInMB=512,
        seed=seed,
        **_sampled(recipe),
    )


def boosted_weights(recipe: BudgetRecipe) -> Weights:
    """The three parts of a boosted answer."""
    on_line, direct = 1.0 - recipe.linear_share - recipe.direct_share, recipe.direct_share
    started = on_line * recipe.start_share
    ensembles = {"on_line": on_line, "direct": direct}
    return Weights(
        line=recipe.linear_share + started,
        mean=direct + on_line - started,
        ensembles={name: weight for name, weight in ensembles.items() if weight > 0},
    )


# Regressors that are neither linear models nor trees


def curve_alone(recipe: BudgetRecipe) -> Weights:
    """The one curve."""
    return Weights(line=0.0, ensembles={"curve": 1.0})


def fit_generalized(recipe: GeneralizedRecipe, data: TrainingData) -> Ensembles:
    """A generalised linear model of log10 dollars, which are positive."""
    model = GeneralizedLinearRegression(
        family=recipe.distribution,
        link=recipe.link,
        regParam=recipe.reg,
        featuresCol=data.features,
        labelCol=data.label,
        weightCol="weight",
        predictionCol=data.column("curve"),
    )
    return {"curve": [model.fit(data.rows)]}


def fit_survival(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """Accelerated failure time: survival to a budget in dollars, with no title censored.

    Spark's prediction is the scale of a Weibull distribution; the answer is the median's logarithm.
    """
    if recipe.recent:
        raise RecipeError(
            f"recipe {recipe.name}: survival regression takes no weights", "leave `recent` out"
        )
    dollars = F.pow(F.lit(10.0), F.col(data.label) - LOG_OF_A_MILLION)
    survival = AFTSurvivalRegression(
        featuresCol=data.features,
        labelCol=MILLIONS,
        censorCol=CENSOR,
        predictionCol=data.column("scale"),
    )
    model = survival.fit(data.rows.withColumns({MILLIONS: dollars, CENSOR: F.lit(1.0)}))
    answer = data.column("curve")
    sql = f"LOG10({data.column('scale')}) + {median_shift(model.scale)!r}D AS {answer}"
    after = SQLTransformer(statement=f"SELECT *, {sql} FROM __THIS__")
    return {"curve": [Translated(model, after, answer)]}


def median_shift(scale: float) -> float:
    """What is added to log10 of Spark's prediction (millions) for log10 of the median (dollars).

    The median of a Weibull distribution is its scale times (ln 2)^`scale`, in Spark's terms (Wei,
    "The accelerated failure time model", Statistics in Medicine 11, 1992).
    """
    return LOG_OF_A_MILLION + scale * MEDIAN / math.log(10.0)


def fit_isotonic(recipe: BudgetRecipe, data: TrainingData) -> Ensembles:
    """A monotone function of the recipe's one feature."""
    model = IsotonicRegression(
        featuresCol=data.features,
        featureIndex=0,
        labelCol=data.label,
        weightCol="weight",
        predictionCol=data.column("curve"),
    )
    return {"curve": [model.fit(data.rows)]}
