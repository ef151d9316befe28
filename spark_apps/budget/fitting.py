"""From a recipe and featured films to a Spark pipeline that answers every question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pyspark.ml import PipelineModel, Transformer
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from scoring.arrays import Floats
from scoring.budget.features import WITH_RATING, Stages
from scoring.budget.trend import FLAT, Trend
from spark_apps.budget.answerers import Answerer, Parts, answerer, fit_parts
from spark_apps.budget.features import TARGET
from spark_apps.budget.recipes import BudgetRecipe
from spark_apps.budget.saved_stages import refuse_uncarried
from spark_apps.budget.trends import trend_sql
from spark_apps.budget.vectors import column, expressions, fill_values, vector_stages

AT_ONCE = 2
"""Questions fitted at a time."""


@dataclass(frozen=True)
class Question:
    """One question, fitted: its vector's stages, what replaces the untold, and its parts."""

    vector: tuple[Transformer, ...]
    means: Floats
    parts: Parts


@dataclass(frozen=True)
class FittedParts:
    """All questions of a recipe, whatever its shares."""

    stages: Stages
    questions: Mapping[str, Question]
    trend: Trend = FLAT


@dataclass(frozen=True)
class FittedBudget:
    """A recipe fitted on some films: the answerers a question, and the pipeline they make."""

    recipe: BudgetRecipe
    stages: Stages
    means: Mapping[str, Floats]
    answerers: Mapping[str, Answerer]
    pipeline: PipelineModel
    trend: Trend = FLAT


def fit_questions(
    recipe: BudgetRecipe, films: DataFrame, vocabulary: FittedParts, asked: Sequence[str], seed: int
) -> FittedParts:
    """Fit every question asked on `films` (featured rows with `weight`, one partition, in order of
    release) to what is above the trend; side by side, as a fit on one partition keeps one core
    busy. `vocabulary` holds the stages and the trend, and no question yet."""
    above = F.col(TARGET) - F.expr(trend_sql(vocabulary.trend))
    rows = films.withColumn(TARGET, above)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        fits = pool.map(lambda q: _fit(recipe, rows, vocabulary.stages, q, seed), asked)
        return replace(vocabulary, questions=dict(zip(asked, fits)))


def _fit(
    recipe: BudgetRecipe, films: DataFrame, stages: Stages, question: str, seed: int
) -> Question:
    rated = films.where("rating IS NOT NULL") if question == WITH_RATING else films
    wanted = expressions(stages, question)
    means = fill_values(rated, wanted)
    vector = vector_stages(question, wanted, means)
    refuse_uncarried(vector)
    rows = rated
    for stage in vector:
        rows = stage.transform(rows)
    return Question(vector, means, fit_parts(recipe, rows, question, seed))


def blend(recipe: BudgetRecipe, fitted: FittedParts) -> FittedBudget:
    """The parts under the recipe's shares, as one pipeline."""
    answerers = {q: answerer(recipe, found.parts) for q, found in fitted.questions.items()}
    stages: list[Transformer] = []
    for question, found in fitted.questions.items():
        used = answerers[question]
        models = [found.parts.linear] if used.linear_share else []
        stages += [*found.vector, *models, *(w.model for w in used.weighted)]
    trend = trend_sql(fitted.trend)
    answers = ", ".join(f"{a.sql} + {trend} AS {answer_column(q)}" for q, a in answerers.items())
    stages.append(SQLTransformer(statement=f"SELECT *, {answers} FROM __THIS__"))
    means = {q: found.means for q, found in fitted.questions.items()}
    pipeline = PipelineModel(stages=stages)
    return FittedBudget(recipe, fitted.stages, means, answerers, pipeline, fitted.trend)


def answer_column(question: str) -> str:
    """Where the pipeline leaves a question's answer, log10 dollars of the price year."""
    return column("estimate", question)
