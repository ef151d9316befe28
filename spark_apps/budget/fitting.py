"""From a recipe and featured films to a Spark pipeline that answers both questions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pyspark.ml import PipelineModel, Transformer
from pyspark.ml.feature import CountVectorizerModel, SQLTransformer, VectorAssembler
from pyspark.ml.regression import (
    DecisionTreeRegressor,
    GBTRegressor,
    LinearRegression,
    RandomForestRegressor,
)
from pyspark.sql import DataFrame

from marquee.scoring.budget_features import BEFORE_RELEASE, WITH_RATING
from spark_apps.budget.features import RECORD, TARGET
from spark_apps.budget.recipes import BudgetRecipe

AT_ONCE = 2
"""Fits at a time: a small fit is mostly waiting for the scheduler."""
BINS = 32
NUMBERS = ("year_clipped", *RECORD, "genre_count")


@dataclass(frozen=True)
class Answerer:
    """The fitted models of one question; either may be missing, never both."""

    linear: Any
    trees: Any


@dataclass(frozen=True)
class FittedBudget:
    """A recipe fitted on some films: the models a question, and the pipeline they make."""

    recipe: BudgetRecipe
    genres: tuple[str, ...]
    answerers: dict[str, Answerer]
    pipeline: PipelineModel


def fit_budget(
    recipe: BudgetRecipe,
    films: DataFrame,
    genres: Sequence[str],
    questions: Sequence[str],
    seed: int,
) -> FittedBudget:
    """Fit every question on `films` (featured rows, one partition, in order of release)."""
    vectors = CountVectorizerModel.from_vocabulary(
        list(genres), inputCol="genres", outputCol="genre_vector", binary=True
    )
    assemblers = {question: _assembler(question) for question in questions}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {
            question: pool.submit(
                _fit_answerer, recipe, _rows(question, vectors, assembler, films), question, seed
            )
            for question, assembler in assemblers.items()
        }
        answerers = {question: job.result() for question, job in jobs.items()}
    stages: list[Transformer] = [vectors]
    for question, answerer in answerers.items():
        stages += [assemblers[question], *filter(None, (answerer.linear, answerer.trees))]
    pipeline = PipelineModel(stages=[*stages, _blend(recipe, questions)])
    return FittedBudget(recipe, tuple(genres), answerers, pipeline)


def column(kind: str, question: str) -> str:
    """The name of a question's own column."""
    return f"{kind}_{question.replace(' ', '_')}"


def answer_column(question: str) -> str:
    """Where the pipeline leaves a question's answer, log10 dollars of the price year."""
    return column("estimate", question)


def _assembler(question: str) -> VectorAssembler:
    """Rows without a rating pass through: the other question answers them."""
    rating = ["rating_rounded"] if question == WITH_RATING else []
    return VectorAssembler(
        inputCols=[*NUMBERS, *rating, "genre_vector"],
        outputCol=column("features", question),
        handleInvalid="keep",
    )


def _rows(
    question: str, vectors: Transformer, assembler: VectorAssembler, films: DataFrame
) -> DataFrame:
    rated = films.where("rating IS NOT NULL") if question == WITH_RATING else films
    return assembler.transform(vectors.transform(rated))


def _fit_answerer(recipe: BudgetRecipe, rows: DataFrame, question: str, seed: int) -> Answerer:
    share = recipe.share_of_linear
    linear = _linear(recipe, question).fit(rows) if share > 0 else None
    trees = _trees(recipe, question, seed).fit(rows) if share < 1 else None
    return Answerer(linear, trees)


def _linear(recipe: BudgetRecipe, question: str) -> LinearRegression:
    return LinearRegression(
        featuresCol=column("features", question),
        labelCol=TARGET,
        predictionCol=column("linear", question),
        regParam=recipe.reg,
        elasticNetParam=recipe.elastic,
        solver="auto" if recipe.elastic else "normal",
    )


def _trees(recipe: BudgetRecipe, question: str, seed: int) -> Any:
    shared = {
        "featuresCol": column("features", question),
        "labelCol": TARGET,
        "predictionCol": column("trees", question),
        "maxDepth": recipe.depth,
        "minInstancesPerNode": recipe.min_instances,
        "maxBins": BINS,
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
    return RandomForestRegressor(numTrees=recipe.trees, **many, **shared)


def _blend(recipe: BudgetRecipe, questions: Sequence[str]) -> SQLTransformer:
    """Each question's answer, and `estimate`: of the question that a row can be asked."""
    parts = [f"{_share(recipe, q)} AS {answer_column(q)}" for q in questions]
    chosen = _share(recipe, BEFORE_RELEASE)
    if WITH_RATING in questions:
        chosen = f"CASE WHEN rating IS NULL THEN {chosen} ELSE {_share(recipe, WITH_RATING)} END"
    return SQLTransformer(
        statement=f"SELECT *, {', '.join(parts)}, {chosen} AS estimate FROM __THIS__"
    )


def _share(recipe: BudgetRecipe, question: str) -> str:
    """SQL of linear_share * linear + (1 - linear_share) * trees, in doubles."""
    share = recipe.share_of_linear
    linear, trees = column("linear", question), column("trees", question)
    if share in (0.0, 1.0):
        return linear if share else trees
    return f"({share!r}D * {linear} + {1.0 - share!r}D * {trees})"
