"""From a recipe and featured titles to a Spark pipeline that answers every question.

`folds.FoldFits` calls two steps, so that recipes that differ only in shares share their fits:

1. `fit_questions` fits the components of each question to the residuals of the trend. Components
   are the linear model and the family's ensembles.
2. `blend_pipeline` weighs the components by the recipe's shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel, Transformer
from pyspark.ml.feature import SQLTransformer
from pyspark.ml.regression import LinearRegression
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from scoring.arrays import Floats
from scoring.budget.features import WITH_RATING, FeatureEncoder, column_suffix
from scoring.budget.predictor import NO_TREND, YEARS_AHEAD, Trend
from spark_apps.budget.families import BudgetRecipe, Ensembles, TrainingData, family_of
from spark_apps.budget.feature_vectors import (
    expressions,
    fill_values,
    question_column,
    vector_stages,
)
from spark_apps.budget.features import TARGET
from spark_apps.budget.regressors import pipeline_stages
from spark_apps.budget.stage_recipes import StageVector, stage_vector

AT_ONCE = 2
"""Questions fitted at a time."""
WEIGHTED = (f"{TARGET} * weight", "weight")
"""Their averages give the weighted mean of the target."""


@dataclass(frozen=True)
class Components:
    """The fitted models of a question; the recipe's shares do not affect them."""

    linear: Any | None  # None where the answer needs none
    mean: float  # weighted mean of the target
    ensembles: Ensembles

    @property
    def models(self) -> list[Any]:
        """The linear model, if any, then the ensembles' models."""
        ensembles = [m for models in self.ensembles.values() for m in models]
        return ensembles if self.linear is None else [self.linear, *ensembles]


@dataclass(frozen=True)
class Blend:
    """answer = linear_share * linear + constant + sum of weight * model over `weighted`."""

    components: Components
    linear_share: float
    constant: float
    weighted: tuple[tuple[float, Any], ...]

    @property
    def terms(self) -> list[tuple[float, Any]]:
        """(weight, model) of every model in the blend, the linear model first."""
        linear = [(self.linear_share, self.components.linear)] if self.linear_share else []
        return [*linear, *self.weighted]

    @property
    def sql(self) -> str:
        """The answer as SQL, from the models' prediction columns."""
        summed = " + ".join(f"{weight!r}D * {m.getPredictionCol()}" for weight, m in self.terms)
        return f"({summed} + {self.constant!r}D)"


@dataclass(frozen=True)
class FittedQuestion:
    """A question's vector stages, its imputed means [features], and its components."""

    vector: tuple[Transformer, ...]
    means: Floats
    components: Components
    stages: StageVector | None = None
    """The fitted stages, for a recipe that has them."""


@dataclass(frozen=True)
class FittedComponents:
    """The components of every question; the recipe's shares do not affect them."""

    stages: FeatureEncoder
    questions: Mapping[str, FittedQuestion]
    trend: Trend = NO_TREND


@dataclass(frozen=True)
class FittedBudget:
    """A fitted recipe: a blend for each question, and the pipeline of all blends."""

    recipe: BudgetRecipe
    stages: FeatureEncoder
    means: Mapping[str, Floats]
    blends: Mapping[str, Blend]
    pipeline: PipelineModel
    trend: Trend = NO_TREND
    vectors: Mapping[str, StageVector] = field(default_factory=dict)
    """The fitted stages of each question, for a recipe that has them."""


def fit_questions(
    recipe: BudgetRecipe,
    titles: DataFrame,
    vocabulary: FittedComponents,
    questions: Sequence[str],
    seed: int,
) -> FittedComponents:
    """Fit every question to the residuals of the trend.

    `titles` are featured rows with `weight`, in one partition and in order of release. Threads fit
    AT_ONCE questions, because a fit on one partition uses one core. `vocabulary` holds the stages
    and the trend, and no question.
    """
    above = F.col(TARGET) - F.expr(trend_sql(vocabulary.trend))
    rows, stages = titles.withColumn(TARGET, above), vocabulary.stages
    wanted = {} if recipe.features else {q: expressions(stages, q) for q in questions}
    means = fill_values(rows, {q: [*sql, *WEIGHTED] for q, sql in wanted.items()}) if wanted else {}

    def fit(question: str) -> FittedQuestion:
        stated = rows.where("rating IS NOT NULL") if question == WITH_RATING else rows
        if recipe.features:
            return _fit_on_stages(recipe, stated, stages, question, seed)
        fills, (weighted, weight) = np.split(means[question], [-len(WEIGHTED)])
        vector = vector_stages(question, wanted[question], fills)
        for stage in vector:
            stated = stage.transform(stated)
        fitted = _fit_components(recipe, stated, question, seed, float(weighted / weight))
        return FittedQuestion(vector, fills, fitted)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return replace(vocabulary, questions=dict(zip(questions, pool.map(fit, questions))))


def _fit_on_stages(
    recipe: BudgetRecipe, rows: DataFrame, stages: FeatureEncoder, question: str, seed: int
) -> FittedQuestion:
    """A fit on the vector of the recipe's own stages."""
    column = question_column("features", question)
    years = stages.first_year, stages.last_year
    found = stage_vector(recipe.plan(question), rows, years, column, seed)
    for stage in found.transformers:
        rows = stage.transform(rows)
    rows = rows.select(column, TARGET, "weight").localCheckpoint()
    averages = [Summarizer.mean(F.col(column)), *(F.avg(F.expr(sql)) for sql in WEIGHTED)]
    means, weighted, weight = rows.select(*averages).first()
    components = _fit_components(recipe, rows, question, seed, weighted / weight)
    return FittedQuestion(found.transformers, means.toArray(), components, found)


def _fit_components(
    recipe: BudgetRecipe, rows: DataFrame, question: str, seed: int, mean: float
) -> Components:
    """Fit on `rows` with the question's vector, TARGET and `weight`; `mean` is the weighted one."""
    features = question_column("features", question)
    kept = rows.select(features, TARGET, "weight").localCheckpoint()
    linear = _linear(recipe, question).fit(kept) if recipe.has_line else None
    data = TrainingData(
        rows=linear.transform(kept) if linear else kept,
        features=features,
        label=TARGET,
        line=linear.getPredictionCol() if linear else "",
        mean=mean,
        suffix=column_suffix(question),
        seed=seed,
    )
    return Components(linear, mean, family_of(recipe).fit(recipe, data))


def _linear(recipe: BudgetRecipe, question: str) -> LinearRegression:
    return LinearRegression(
        featuresCol=question_column("features", question),
        labelCol=TARGET,
        weightCol="weight",
        predictionCol=question_column("linear", question),
        regParam=recipe.reg,
        elasticNetParam=recipe.elastic,
        solver="auto" if recipe.elastic or recipe.features else "normal",
    )


def blend_components(recipe: BudgetRecipe, components: Components) -> Blend:
    """The components, weighted by the recipe's shares."""
    weights = family_of(recipe).weights(recipe)
    weighted = tuple(
        (weight, model)
        for name, weight in weights.ensembles.items()
        for model in components.ensembles[name]
    )
    return Blend(components, weights.line, weights.mean * components.mean, weighted)


def blend_pipeline(recipe: BudgetRecipe, fitted: FittedComponents) -> FittedBudget:
    """All questions, blended by the recipe's shares, as one pipeline."""
    blends = {q: blend_components(recipe, f.components) for q, f in fitted.questions.items()}
    stages: list[Transformer] = []
    for question, found in fitted.questions.items():
        models = [stage for _, m in blends[question].terms for stage in pipeline_stages(m)]
        stages += [*found.vector, *models]
    trend = trend_sql(fitted.trend)
    answers = ", ".join(f"{b.sql} + {trend} AS {estimate_column(q)}" for q, b in blends.items())
    stages.append(SQLTransformer(statement=f"SELECT *, {answers} FROM __THIS__"))
    means = {q: found.means for q, found in fitted.questions.items()}
    pipeline = PipelineModel(stages=stages)
    vectors = {q: found.stages for q, found in fitted.questions.items() if found.stages}
    return FittedBudget(recipe, fitted.stages, means, blends, pipeline, fitted.trend, vectors)


def estimate_column(question: str) -> str:
    """The pipeline's column with a question's answer, in log10 dollars of the price year."""
    return question_column("estimate", question)


def fit_trend(years: Sequence[int], log_budgets: Sequence[float]) -> Trend:
    """The least-squares line of log10 dollars by year; NO_TREND where all years are equal.

    The slope b with White's standard error s (Econometrica 48, 1980) is shrunk to
    b * b^2 / (b^2 + s^2), which is near zero where s is large.
    """
    year, value = np.array(years, dtype=np.float64), np.array(log_budgets, dtype=np.float64)
    if np.ptp(year) == 0:
        return NO_TREND
    centre = float(year.mean())
    slope = _shrunken_slope(year - centre, value - value.mean())
    return Trend(slope, centre, int(year.min()), int(year.max()) + YEARS_AHEAD)


def _shrunken_slope(year: Floats, value: Floats) -> float:
    squares = float(year @ year)
    slope = float(year @ value) / squares
    scores = year * (value - slope * year)
    variance = float(scores @ scores) / squares**2
    return slope * slope**2 / (slope**2 + variance) if slope else 0.0


def trend_sql(trend: Trend) -> str:
    """`Trend.at` of the column `year`, as SQL, because Spark saves SQL with the pipeline."""
    if trend == NO_TREND:
        return "0.0D"
    year = f"CAST(GREATEST(LEAST(year, {trend.last}), {trend.first}) AS DOUBLE)"
    return f"({trend.per_year!r}D * ({year} - {trend.centre!r}D))"
